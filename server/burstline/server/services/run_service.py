"""`RunService` on the wire: thin, for the work is in `runs`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from burstline.core import tracing
from burstline.core.load.plan import Plan
from burstline.core.quota.quotas import Account
from burstline.server.clock import Clock, nanos
from burstline.server.control.active import ActiveRun
from burstline.server.control.admitting import ceiling_violations, check_files, check_host
from burstline.server.control.progress import RECENT_S, last_full, outcomes_of, phase_name, progress_of
from burstline.server.control.runs import Runs
from burstline.server.errors import InvalidRequest
from burstline.server.services.stored_runs import page_of_runs, report_of_run, run_id, run_to_proto
from burstline.server.settings import ServerSettings
from burstline.server.store.rows import RunRow
from burstline.server.store.store import PIECE_BYTES, Store
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc
from burstline.wire.account import account_from_proto
from burstline.wire.errors import InvalidMessage, Violation
from burstline.wire.plan import plan_from_proto

if TYPE_CHECKING:
    from burstline.server.control.uses import Use

LARGEST_BYTES = 960 * 1024
"""Of a plan with its account: a worker gets it in a message, which has at most 1 MiB, with some words beside it."""
STORED_EVERY_S = 1.0
"""Between two updates of a run that another server drives."""


class RunService(run_service_pb2_grpc.RunServiceServicer):
    """Creates, shows, follows and stops runs."""

    def __init__(self, runs: Runs, store: Store, clock: Clock, settings: ServerSettings) -> None:
        self._runs, self._store, self._clock, self._settings = runs, store, clock, settings

    async def CreateRun(self, request: wire.CreateRunRequest, context: object) -> v1.Run:
        """Check a plan with all its mistakes at once, and start it."""
        asked = request.run
        if request.request_id and not request.validate_only:
            known = await self._store.run_of_request(request.request_id)
            if known is not None:
                return run_to_proto(known)
        with tracing.span("checking the plan"):
            plan, account = await asyncio.to_thread(_checked, asked, request.request_id)
            check_host(plan.target.url, self._settings.allow)
            await check_files(plan, self._store)
        if request.validate_only:
            return v1.Run(plan=asked.plan, account=asked.account, worker_count=asked.worker_count)
        row = RunRow(
            id="",
            server="",
            name=plan.name,
            create_nanos=self._clock.now_nanos(),
            plan=asked.plan.SerializeToString(),
            account=asked.account.SerializeToString() if asked.HasField("account") else None,
            request_id=request.request_id or None,
            worker_count=asked.worker_count,
        )
        return run_to_proto(await self._runs.create(row, plan, account))

    async def GetRun(self, request: wire.GetRunRequest, context: object) -> v1.Run:
        """Return one run."""
        return run_to_proto(await self._runs.row(run_id(request.name)))

    async def ListRuns(self, request: wire.ListRunsRequest, context: object) -> wire.ListRunsResponse:
        """Return a page of runs without their plans' bodies."""
        return await page_of_runs(self._store, request.page_size, request.page_token)

    async def WatchRun(self, request: wire.WatchRunRequest, context: object) -> AsyncIterator[wire.RunProgress]:
        """Yield where a run stands, until it ended."""
        name, told, before = run_id(request.name), 0, None
        while True:
            run = self._runs.active.get(name)
            if run is None:  # another server drives it, or it ended long ago
                row = await self._runs.row(name)
                yield wire.RunProgress(run=run_to_proto(row), final=row.state.final)
                if row.state.final:
                    return
                await asyncio.sleep(STORED_EVERY_S)
                continue
            told, before = told if run is before else 0, run
            final = run.ended.is_set()
            progress = self._progress(run, told)
            told += len(progress.notices)
            progress.final = final
            yield progress
            if final:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.watch_every_s):
                    await run.ended.wait()

    def _progress(self, run: ActiveRun, told: int) -> wire.RunProgress:
        now = self._clock.now_nanos()
        seen = progress_of(run, now)
        ledger, elapsed_s = seen.ledger, self._runs.elapsed_s(run.row)
        second = last_full(run, seen.full_second)
        message = wire.RunProgress(
            run=run_to_proto(run.row, brief=True),
            phase=phase_name(run, elapsed_s),
            worker_count=seen.worker_count,
            scheduled_count=0 if run.schedule.users_phases else ledger.scheduled,
            due_count=ledger.due,
            sent_count=ledger.sent,
            dropped_count=sum(ledger.dropped.values()),
            in_flight_count=ledger.in_flight,
            outcomes=outcomes_of(dict(ledger.signatures)),
            signatures=dict(ledger.signatures),
            due_count_per_second=float(second.load.due),
            sent_count_per_second=float(second.load.sent),
            notices=run.notices[told:],
        )
        message.planned_duration.FromNanoseconds(nanos(run.schedule.duration_s))
        if elapsed_s is not None:
            message.elapsed_duration.FromNanoseconds(nanos(elapsed_s))
        if seen.full_second is not None:
            from burstline.server.control.uses import uses_of  # with what finds candidates; not before a run

            message.quota_uses.extend(_use_to_proto(use) for use in uses_of(run, seen.full_second))
            recent = run.live.recent_latency(seen.full_second, RECENT_S)
            for field, q in ((message.p50_duration, 0.5), (message.p95_duration, 0.95), (message.p99_duration, 0.99)):
                value_s = recent.quantile(q)
                if value_s is not None:
                    field.FromNanoseconds(nanos(value_s))
        return message

    async def StopRun(self, request: wire.StopRunRequest, context: object) -> wire.StopRunResponse:
        """Stop a run, and say when it has stopped for certain."""
        stopping = await self._runs.stop(run_id(request.name))
        response = wire.StopRunResponse(
            run=run_to_proto(stopping.row),
            stopped_worker_count=stopping.stopped_count,
            unreachable_worker_count=stopping.unreachable_count,
        )
        response.stop_time.FromNanoseconds(stopping.stop_nanos)
        return response

    async def GetReport(self, request: wire.GetReportRequest, context: object) -> AsyncIterator[wire.ReportChunk]:
        """Yield a report in pieces."""
        document = await report_of_run(self._store, await self._runs.row(run_id(request.name)))
        for start in range(0, len(document), PIECE_BYTES):
            yield wire.ReportChunk(json=document[start : start + PIECE_BYTES])


def _use_to_proto(use: "Use") -> wire.QuotaUse:
    return wire.QuotaUse(
        quota=use.quota, title=use.title, layer=use.layer, limit=use.limit, use=use.use, binding=use.binding
    )


def _checked(asked: v1.Run, request_id: str) -> tuple[Plan, Account]:
    """Return plan and account of a run; raises InvalidRequest with the mistakes of both."""
    violations: list[Violation] = []
    plan = account = None
    if len(request_id) > 200:
        violations.append(Violation("request_id", f"{len(request_id)} characters: allowed are at most 200"))
    size = asked.plan.ByteSize() + asked.account.ByteSize()
    if size > LARGEST_BYTES:
        large = f"{size:,} bytes: allowed are at most {LARGEST_BYTES:,}; upload large bodies and data as files"
        raise InvalidRequest([Violation("plan", large)])
    if asked.worker_count < 0:
        violations.append(Violation("worker_count", f"{asked.worker_count} is negative; 0 is all that are attached"))
    try:
        plan = plan_from_proto(asked.plan)
    except InvalidMessage as error:
        violations += error.violations
    try:
        account = account_from_proto(asked.account if asked.HasField("account") else None)
    except InvalidMessage as error:
        violations += error.violations
    if plan is not None and account is not None:
        violations += ceiling_violations(plan, account)
    if violations or plan is None or account is None:
        raise InvalidRequest(violations)
    return plan, account
