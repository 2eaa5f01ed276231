"""AWS in a run's life: asked before T0, watched during, waited for after; a run goes on without it, and says so."""

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Front
from burstline.core.load.samples import Outcome
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.quotas import Account
from burstline.server.aws.settings import AwsSettings, asks_aws
from burstline.server.clock import Clock, seconds
from burstline.server.control.aborting import compare
from burstline.server.control.active import ActiveRun
from burstline.server.control.settling import Judge, judged
from burstline.server.judging.record import RunRecord
from burstline.server.settings import ServerSettings

if TYPE_CHECKING:  # imported for runs that ask AWS: others start without waiting for it
    from burstline.core.quota.aws.evidence import AwsEvidence
    from burstline.core.quota.aws.neighbours import NeighbourThrottles
    from burstline.server.aws.joining import AwsRun
    from burstline.server.aws.watching import Span

log = logging.getLogger(__name__)


class AwsSide:
    """What a driver tells and asks about AWS. Every method is a no-op for runs that are not in AWS.

    Args:
        run: which.
        settings: the server's.
        clock: the server's.
    """

    def __init__(self, run: ActiveRun, settings: ServerSettings, clock: Clock) -> None:
        self._run, self._settings, self._clock = run, settings, clock
        self._aws: AwsRun | None = None
        self._guard: asyncio.Task[None] | None = None
        self._resuming: asyncio.Task[None] | None = None

    async def before(self) -> None:
        """Read the account; what was read takes the place of what was declared."""
        await self._read(None)

    def start(self) -> None:
        """Watch other functions from now on."""
        if self._aws is not None and self._guard is None:
            self._guard = asyncio.create_task(self._aws.guard(self._neighbours), name=f"neighbours {self._run.id}")

    def resume(self) -> None:
        """Read the account of a run that was under way when the server ended, and watch on; does not wait for it."""
        self._resuming = asyncio.create_task(self._read_again(), name=f"aws {self._run.id}")

    async def _read_again(self) -> None:
        start = self._run.row.start_nanos
        await self._read(None if start is None else seconds(start))
        if self._run.sending:
            self.start()

    async def _read(self, at_s: float | None) -> None:
        run = self._run
        settings = _with_region(self._settings.aws, run.account)
        if not asks_aws(run.plan, settings):
            return
        from burstline.server.aws.joining import AwsRun

        self._aws = AwsRun(run.plan, settings)
        try:
            async with asyncio.timeout(self._settings.prepare_wait_s):
                found = await self._aws.before(run.account, at_s)
        except TimeoutError:
            run.notice(f"AWS was not read: no end within {self._settings.prepare_wait_s:g} s.")
            return
        run.account = found.account
        evidence = found.evidence
        if evidence.reading is None:
            run.notice(evidence.notes[0])
            return
        again = " again" if at_s is not None else ""
        count = len(evidence.reading.readings)
        run.notice(f"AWS was read{again}: {count} quotas and settings in {evidence.reading.region}")
        if evidence.share is not None:
            run.notice(evidence.share.text)

    async def complete(self, record: RunRecord, judge: Judge) -> RunRecord:
        """Return the record with what AWS said, after waiting for CloudWatch; the same if AWS was not asked.

        When it waits, whoever watches is told the verdict as the client alone sees it.
        """
        if self._resuming is not None:
            await self._resuming
            record = replace(record, account=self._run.account)
        await self._stop_guard()
        if self._aws is None:
            return record
        evidence = self._aws.evidence
        wait_s = 0.0 if self._run.row.stopped_by == "user" else self._settings.aws_wait_s
        start = self._run.row.start_nanos
        if start is not None and evidence.reading is not None:
            if wait_s:
                verdict, _ = await asyncio.to_thread(judged, replace(record, aws=evidence), judge)
                self._run.notice(f"provisional verdict: {verdict}; waiting for CloudWatch, at most {wait_s:g} s")
            from burstline.server.aws.watching import Span

            span = Span(seconds(start), seconds(self._clock.now_nanos()))
            expected = reached_lambda(record.ledger, self._run.plan.target.front)
            evidence = await self._until_stopped(self._aws, span, expected, wait_s)
        reading = evidence.reading
        # What whoever watches was told is in the record's notes already.
        evidence = replace(evidence, notes=tuple(note for note in evidence.notes if note not in self._run.notices))
        return replace(
            record,
            aws=evidence,
            notes=tuple(self._run.notices),
            region=reading.region if reading else record.region,
            account_last4=reading.account_last4 if reading else record.account_last4,
        )

    async def _until_stopped(self, aws: "AwsRun", span: "Span", expected: int, wait_s: float) -> "AwsEvidence":
        """Wait for CloudWatch, but no longer than until somebody stops the run: then look once."""
        stop = self._run.stop_asked
        if not wait_s or stop.is_set():
            return await aws.after(span, expected, wait_s)
        waiting = asyncio.ensure_future(aws.after(span, expected, wait_s))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return await (waiting if waiting.done() else aws.after(span, expected, 0.0))
        finally:
            for task in (waiting, stopped):
                task.cancel()

    async def close(self) -> None:
        """End what still runs."""
        if self._resuming is not None:
            self._resuming.cancel()
            await asyncio.gather(self._resuming, return_exceptions=True)
        await self._stop_guard()
        if self._aws is not None:
            await self._aws.close()
            self._aws = None

    def _neighbours(self, seen: "NeighbourThrottles") -> None:
        run = self._run
        run.notice(seen.text)
        for rule in run.plan.abort:
            if rule.measure == "neighbours" and compare(rule, seen.count) and not run.stop_asked.is_set():
                run.row.stopped_by, run.row.abort_rule = "abort", rule.text
                run.notice(f"stopped by its abort rule: {rule.text}")
                run.stop_asked.set()
                run.changed.set()

    async def _stop_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        guard.cancel()
        try:
            await guard
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("run=%s watching other functions failed", self._run.id)


def _with_region(settings: AwsSettings, account: Account) -> AwsSettings:
    """Return the settings with the declared account's region, if they have none; a host's own region wins over it."""
    return replace(settings, fallback_region=account.region) if "region" in account.declared else settings


def reached_lambda(ledger: Ledger, front: Front) -> int:
    """Return how many calls reached Lambda as far as the client can tell: answered, but not by a gateway's throttle."""
    answered = 0
    for signature, count in ledger.signatures.items():
        found = meaning(signature)
        gateway = front in (Front.REST, Front.HTTP) and found.outcome in (Outcome.THROTTLED, Outcome.REJECTED)
        if found.outcome not in (Outcome.TIMED_OUT, Outcome.UNREACHABLE) and not gateway:
            answered += count
    return answered
