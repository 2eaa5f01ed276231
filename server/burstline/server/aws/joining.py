"""One run and AWS: the account before it, other functions during it, metrics and logs after it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from burstline.core.load.plan import Plan
from burstline.core.quota.aws.cold_starts import ColdStarts
from burstline.core.quota.aws.confirming import lambda_functions
from burstline.core.quota.aws.evidence import AwsEvidence
from burstline.core.quota.aws.iam import scope_of
from burstline.core.quota.aws.neighbours import NeighbourThrottles, pool_share
from burstline.core.quota.aws.readings import AccountReading, apply_readings, with_queues
from burstline.core.quota.queue_checks import queue_notes
from burstline.core.quota.quotas import Account
from burstline.server.aws.calling import Aws
from burstline.server.aws.cold_starts import read_cold_starts
from burstline.server.aws.errors import AwsError
from burstline.server.aws.neighbouring import neighbour_throttles, read_neighbours
from burstline.server.aws.reading import failed_reading, read_account
from burstline.server.aws.settings import AwsSettings, asks_aws
from burstline.server.aws.watching import Span, Wait, metrics_of, watch_run


@dataclass(frozen=True, slots=True)
class Before:
    """What was read before a run.

    Attributes:
        account: the declared account with AWS's values in place.
        evidence: what it came from.
    """

    account: Account
    evidence: AwsEvidence


class AwsRun:
    """Asks AWS about one run. Nothing here raises AwsError: a run goes on without AWS, and says so.

    Args:
        plan: of the run.
        settings: whether and as whom AWS is asked.
        make_aws: makes what asks; tests give their own.
    """

    def __init__(self, plan: Plan, settings: AwsSettings, make_aws: Callable[[AwsSettings], Aws] = Aws) -> None:
        self._plan = plan
        scope = scope_of(plan, settings.region)
        self._aws = make_aws(settings if scope.region == "*" else replace(settings, region=scope.region))
        self._scope = scope
        self._functions = lambda_functions(plan)
        self.evidence = AwsEvidence()

    async def before(self, account: Account, concurrency: float | None = None) -> Before:
        """Read the account and its neighbours.

        Args:
            account: as it was declared.
            concurrency: what the run is expected to need of the shared pool at its peak, environments; None is
                unknown.
        """
        try:
            reading = await read_account(self._aws, self._scope)
        except AwsError as error:
            self.evidence = AwsEvidence(notes=(failed_reading(error),))
            return Before(account, self.evidence)
        self._scope = replace(self._scope, region=reading.region, stage=self._scope.stage or _stage_of(reading))
        merged, changed = apply_readings(replace(account, region=reading.region), reading.readings)
        merged = with_queues(merged, reading.queues)
        suits = (note for queue in reading.queues.values() for note in queue_notes(queue, merged))
        notes = [*reading.notes, *changed, *suits, *_unread(reading)]
        neighbours = share = None
        if self._functions:
            neighbours = await read_neighbours(self._aws, merged, self._functions)
            notes += neighbours.problems
            if concurrency is not None:
                share = pool_share(merged, concurrency, neighbours)
                notes.append(share.text)
        self.evidence = AwsEvidence(reading, neighbours, share, notes=tuple(notes))
        return Before(merged, self.evidence)

    async def guard(self, on_throttled: Callable[[NeighbourThrottles], None], poll_s: float = 20.0) -> None:
        """Watch other functions until cancelled; each minute in which one is throttled that was not before is told."""
        before = self.evidence.neighbours
        if before is None or before.problems:
            return
        async for seen in neighbour_throttles(self._aws, before, self._functions, poll_s=poll_s):
            on_throttled(seen)

    async def after(self, span: Span, expected_count: int | None, wait_s: float) -> AwsEvidence:
        """Read metrics and logs of an ended run, waiting at most `wait_s` seconds for CloudWatch.

        Args:
            span: of the run.
            expected_count: calls that reached Lambda, as the client counted; None is unknown.
            wait_s: 0 looks once.
        """
        reading = self.evidence.reading
        if reading is None:
            return self.evidence
        metrics = metrics_of(self._scope, reading.api, reading.api_name)
        watch = await watch_run(self._aws, metrics, span, self._functions, expected_count, Wait(most_s=wait_s))
        found, problems = await self._cold_starts(reading, span)
        notes = (*self.evidence.notes, *watch.problems, *problems)
        self.evidence = replace(self.evidence, watch=watch, cold_starts=found, notes=notes)
        return self.evidence

    async def _cold_starts(self, reading: AccountReading, span: Span) -> tuple[dict[str, ColdStarts], list[str]]:
        found: dict[str, ColdStarts] = {}
        problems = []
        for name, group in reading.log_groups.items():
            try:
                starts = await read_cold_starts(self._aws, name, group, (span.start_s, span.end_s))
            except AwsError as error:
                problems.append(f"Cold starts of {name} are not known: {error.message}.")
                continue
            if starts is None:
                problems.append(f"Cold starts of {name} are not known: its log has no REPORT lines of this run yet.")
            else:
                found[name] = starts
        return found, problems

    async def close(self) -> None:
        """End the threads and close the connections."""
        await asyncio.to_thread(self._aws.close)


def aws_run(plan: Plan, settings: AwsSettings) -> AwsRun | None:
    """Return what asks AWS about a run of the plan; None if it is not to be asked."""
    return AwsRun(plan, settings) if asks_aws(plan, settings) else None


def _stage_of(reading: AccountReading) -> str:
    """Return the stage that was found with the API, by the name of its readings; "" if none was."""
    paths = (r.path for r in reading.readings if r.path.startswith("apigateway.stages."))
    return next((path.removeprefix("apigateway.stages.").rpartition(".")[0] for path in paths), "")


def _unread(reading: AccountReading) -> list[str]:
    missing = reading.missing_actions()
    if not missing:
        return []
    return [f"AWS was read in part: the policy lacks {', '.join(missing)} (`burstline iam-policy` prints it)."]
