"""One run and AWS: the account before it, other functions during it, metrics and logs after it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from burstline.core.load.plan import Front, Plan
from burstline.core.quota.aws.backlog import backlog_notes
from burstline.core.quota.aws.cloudwatch import PERIOD_S, Metric
from burstline.core.quota.aws.cold_starts import ColdStarts
from burstline.core.quota.aws.confirming import lambda_functions
from burstline.core.quota.aws.evidence import AwsEvidence
from burstline.core.quota.aws.iam import scope_of
from burstline.core.quota.aws.neighbours import (
    Neighbours,
    NeighbourThrottles,
    PoolShare,
    pool_share,
    run_concurrency,
)
from burstline.core.quota.aws.readings import AccountReading, apply_readings, with_queues
from burstline.core.quota.queue_checks import queue_notes
from burstline.core.quota.quotas import Account
from burstline.server.aws.balancing import balancer_metrics, balancer_notes
from burstline.server.aws.calling import Aws
from burstline.server.aws.cold_starts import read_cold_starts
from burstline.server.aws.errors import AwsError
from burstline.server.aws.neighbouring import neighbour_throttles, read_durations, read_neighbours
from burstline.server.aws.queue_watching import QueueWatch
from burstline.server.aws.reading import failed_reading, read_account
from burstline.server.aws.settings import AwsSettings
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
        self._queues = QueueWatch(self._aws, {})
        self.evidence = AwsEvidence()

    async def before(self, account: Account, at_s: float | None = None) -> Before:
        """Read the account and its neighbours.

        Args:
            account: as it was declared.
            at_s: when the run began, for one that is under way, seconds since the Unix epoch: neighbours are those of
                before. None is now.
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
            # Of a run under way the minutes before its first one: that one holds what the run did.
            before_s = None if at_s is None else at_s // PERIOD_S * PERIOD_S
            neighbours, share = await self._pool(merged, time.time if before_s is None else lambda: before_s)
            notes += [*neighbours.problems, *([share.text] if share else [])]
        self.evidence = AwsEvidence(reading, neighbours, share, notes=tuple(notes))
        self._queues = QueueWatch(self._aws, reading.queues)
        await self._queues.look()
        return Before(merged, self.evidence)

    async def _pool(self, account: Account, now_s: Callable[[], float]) -> tuple[Neighbours, PoolShare | None]:
        """Return the neighbours, and how much of the pool that they share the run takes; None if it is not known."""
        neighbours = await read_neighbours(self._aws, account, self._functions, now_s)
        declared = {
            name: account.functions[name].duration.p50_s
            for name in self._functions
            if f"lambda.functions.{name}.duration" in account.declared
        }
        unknown = [name for name in self._functions if name not in declared]
        seen = await read_durations(self._aws, unknown, now_s) if unknown else {}
        concurrency = run_concurrency(self._plan, account, declared | seen)
        return neighbours, None if concurrency is None else pool_share(account, concurrency, neighbours)

    async def guard(self, on_throttled: Callable[[NeighbourThrottles], None], poll_s: float = 20.0) -> None:
        """Watch queues and other functions until cancelled.

        Each minute in which a function is throttled that was not before is told.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queues.keep(), name="queues")
            group.create_task(self._guard(on_throttled, poll_s), name="neighbours")

    async def _guard(self, on_throttled: Callable[[NeighbourThrottles], None], poll_s: float) -> None:
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
        await self._queues.look()
        metrics = metrics_of(self._scope, reading.api, reading.api_name, reading.queues.values())
        balancer, unknown = await self._balancer()
        metrics += balancer
        watch = await watch_run(self._aws, metrics, span, self._functions, expected_count, Wait(most_s=wait_s))
        found, problems = await self._cold_starts(reading, span)
        await self._queues.look()
        backlogs = {name: tuple(points) for name, points in self._queues.points.items()}
        queued = (note for name, one in reading.queues.items() for note in backlog_notes(one, backlogs[name], watch))
        more = (*watch.problems, *problems, *unknown, *balancer_notes(watch), *queued)
        notes = (*self.evidence.notes, *more)
        self.evidence = replace(self.evidence, watch=watch, cold_starts=found, backlogs=backlogs, notes=notes)
        return self.evidence

    async def _balancer(self) -> tuple[list[Metric], list[str]]:
        if self._scope.front is not Front.ALB:
            return [], []
        self._aws.forget()  # a run may be the first that a load balancer has metrics of
        return await balancer_metrics(self._aws, self._scope.host)

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


def _stage_of(reading: AccountReading) -> str:
    """Return the stage that was found with the API, by the name of its readings; "" if none was."""
    paths = (r.path for r in reading.readings if r.path.startswith("apigateway.stages."))
    return next((path.removeprefix("apigateway.stages.").rpartition(".")[0] for path in paths), "")


def _unread(reading: AccountReading) -> list[str]:
    missing = reading.missing_actions()
    if not missing:
        return []
    return [f"AWS was read in part: the policy lacks {', '.join(missing)} (`burstline iam-policy` prints it)."]
