"""All runs of this server: created, found again after a restart, stopped, and fed with what workers say."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from burstline.core import tracing
from burstline.core.load.outline import Outline
from burstline.core.load.plan import Plan
from burstline.core.load.window import SegmentKey, WindowKey
from burstline.core.quota.quotas import Account
from burstline.server.clock import nanos, seconds
from burstline.server.control.active import ActiveRun
from burstline.server.control.driving import Driver
from burstline.server.control.preparing import Busy
from burstline.server.control.resuming import is_ours, restore
from burstline.server.control.roster import Worker
from burstline.server.control.segments import Epoch
from burstline.server.control.surroundings import Surroundings
from burstline.server.errors import NotFound, NotOwner, ServerError, StoreUnavailable
from burstline.server.judging.codec import decode_preflight
from burstline.server.store.fencing import LENGTH_S
from burstline.server.store.rows import LEFT, RunRow, RunState, WindowRow

log = logging.getLogger(__name__)
Done = Callable[[WindowKey, BaseException | None], None]
KEPT_ENDED = 50
"""Ended runs that stay in memory, for watchers and metrics."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """What StopRun came to.

    Attributes:
        stopped_count: workers that were told and have said since that they ended, or are reachable and were told.
        unreachable_count: workers that could not be told.
        stop_nanos: when the last of them has stopped for certain, server clock.
    """

    row: RunRow
    stopped_count: int
    unreachable_count: int
    stop_nanos: int


class Runs:
    """Runs by id, each with its driver's task; `close` ends the tasks and leaves the runs to the next start."""

    def __init__(self, around: Surroundings, server_id: str) -> None:
        self._around, self.server_id = around, server_id
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.active: dict[str, ActiveRun] = {}
        self._drivers: dict[str, Driver] = {}
        self._busy = Busy(self.active)

    # -- life ----------------------------------------------------------------------------------------------------

    async def create(self, row: RunRow, plan: Plan, account: Account) -> RunRow:
        """Keep a run and start driving it; the same `request_id` again returns the first run."""
        row.id = _new_id(row.create_nanos)
        row.server, row.trace_parent = self.server_id, tracing.current().context
        asked, owning = self._around.clock.now_nanos(), self._around.owning
        kept = await self._around.store.insert_run(row, owning.lead_nanos)
        if kept.id == row.id:
            owning.begin(kept.id, asked)
            log.info("created run=%s name=%r", kept.id, kept.name)
            self._drive(ActiveRun(kept, plan, account))
        return kept

    def _drive(self, run: ActiveRun) -> None:
        self.active[run.id] = run
        self._drivers[run.id] = driver = Driver(run, self._around, self._busy)
        task = asyncio.create_task(self._until_end(run, driver), name=f"run {run.id}")
        self._tasks[run.id] = task

    async def close(self) -> None:
        """Stop driving: the runs stay in the store as they are."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_end(self, run: ActiveRun, driver: Driver) -> None:
        # Not under whatever span is current: a server that goes on with a run goes on with its trace.
        with tracing.span("run", parent=run.row.trace_parent, run=run.id, state=run.row.state.value) as span:
            try:
                await driver.drive()
            except NotOwner:
                self.lose(run.id)
            finally:
                self._tasks.pop(run.id, None)
            span.note({"burstline.verdict": run.row.verdict, "burstline.state": run.row.state.value})
        self._drivers.pop(run.id, None)
        self._around.owning.drop(run.id)
        ended = [old for old in self.active.values() if old.ended.is_set()]
        for old in ended[: max(0, len(ended) - KEPT_ENDED)]:
            del self.active[old.id]

    async def resume(self) -> None:
        """Go on with the runs that this server, or an ended process of this host, left unfinished.

        In a store that several servers use, leases say which these are: see `burstline.server.control.sharing`.
        """
        if self._around.owning.shared:
            return
        for row in await self._around.store.unfinished_runs():
            if is_ours(row.server, self.server_id):
                log.info("resuming run=%s state=%s", row.id, row.state.value)
                row.server = self.server_id
                await self._around.store.update_run(row.id, server=self.server_id)
                self._drive(await restore(row, self._around, "the server was restarted during this run"))

    def take_over(self, row: RunRow) -> None:
        """Go on with a run whose server is gone, or has handed it on; reading it may take a while."""
        log.warning("taking over run=%s state=%s", row.id, row.state.value)
        self._tasks[row.id] = asyncio.create_task(self._take_over(row), name=f"taking over {row.id}")

    async def _take_over(self, row: RunRow) -> None:
        try:
            run = await restore(row, self._around, "another server has taken this run over")
        except ServerError as error:
            log.warning("run=%s cannot be taken over for now: %s", row.id, error)
            self._around.owning.drop(row.id)  # its lease lapses, and somebody takes it then
        else:
            if self._around.owning.has(row.id):
                self._drive(run)

    def lose(self, run_id: str) -> None:
        """Let go of a run that another server has taken over: nothing of it is done or told any more."""
        self._around.owning.drop(run_id)
        run = self.active.get(run_id)
        if run is None or run.ended.is_set():
            return
        log.warning("lost run=%s: another server has taken it over", run_id)
        del self.active[run_id]
        self._drivers.pop(run_id, None)
        task = self._tasks.get(run_id)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        for worker in self._around.roster.attached():
            if worker.identity.worker_id in run.holders():
                worker.waiting |= {run_id}

    async def stop(self, run_id: str) -> Stopping:
        """Stop a run: returns once every reachable worker was told and had a moment to answer."""
        await self._await_takeover(run_id)
        run = self.active.get(run_id)
        now = self._around.clock.now_nanos()
        if run is None or run.row.state.final or run.row.state is RunState.SETTLING:
            row = run.row if run is not None else await self._stored(run_id)
            if run is None and not row.state.final:
                raise NotOwner(f"runs/{run_id} is driven by another server ({row.server}): stop it there")
            return Stopping(row, 0, 0, row.stop_nanos or row.end_nanos or now)
        if not run.stop_asked.is_set():
            run.row.stopped_by, run.row.stop_nanos = "user", now
            log.info("stop asked run=%s", run.id)
            run.stop_asked.set()
            run.changed.set()
        living = [epoch for epoch in run.epochs() if epoch.living]
        reach = [self._around.roster.get(epoch.row.worker_id) for epoch in living]
        away = [worker for worker in reach if worker is None or worker.link is None]
        await self._wait_stopped(run, living)
        stop_nanos = self._around.clock.now_nanos()
        lease = nanos(self._around.settings.lease_s)
        stop_nanos = max([stop_nanos, *((worker.heard_nanos + lease) for worker in away if worker is not None)])
        return Stopping(run.row, len(living) - len(away), len(away), stop_nanos)

    async def _await_takeover(self, run_id: str) -> None:
        """Wait until a run that another server drives is ours or has ended: for as long as it may be without one."""
        end = self._around.clock.now_nanos() + nanos(LENGTH_S + 2.0)
        while self._around.owning.shared and run_id not in self.active and self._around.clock.now_nanos() < end:
            if (await self._stored(run_id)).state.final:
                return
            await asyncio.sleep(0.2)

    async def _wait_stopped(self, run: ActiveRun, living: Sequence[Epoch]) -> None:
        """Wait until `Stop` was sent and the workers ended their segments, or the stated time is over."""
        try:
            async with asyncio.timeout(self._around.settings.stop_wait_s):
                if run.row.state is RunState.RUNNING:
                    await run.stop_sent.wait()
                while any(epoch.living for epoch in living) and not run.ended.is_set():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)  # two things end it, each with its own event
        except TimeoutError:
            return

    async def _stored(self, run_id: str) -> RunRow:
        row = await self._around.store.run(run_id)
        if row is None:
            raise NotFound(f"there is no runs/{run_id}", reason="RUN_NOT_FOUND", run=f"runs/{run_id}")
        return row

    async def row(self, run_id: str) -> RunRow:
        """Return a run; raises NotFound."""
        run = self.active.get(run_id)
        return replace(run.row) if run is not None else await self._stored(run_id)

    # -- what workers say ----------------------------------------------------------------------------------------

    def welcome(self, worker: Worker) -> None:
        """Tell a worker which of the segments that it claims it may keep."""
        kept: list[SegmentKey] = []
        for driver in self._drivers.values():
            kept += driver.dispatch.keep(worker, worker.claimed)
        if worker.link is not None:
            worker.link.welcome(worker.identity.name, kept, worker.waiting)

    async def driven_elsewhere(self, claimed: set[str]) -> frozenset[str]:
        """Return those of some runs that have not ended and are not driven here, or not yet."""
        try:
            found = await self._around.owning.unfinished(claimed)
        except StoreUnavailable:
            found = claimed if self._around.owning.shared else set()
        return frozenset(found - set(self.active))

    def unowned(self, worker: Worker) -> Collection[str]:
        """Return the runs whose leases a worker's heartbeat does not renew."""
        owning = self._around.owning
        if not owning.shared:
            return ()
        going = [run.id for run in self.active.values() if not run.ended.is_set()]
        # A run that is being taken over is ours, and its workers wait for it under leases that we renew.
        return [run for run in worker.waiting.union(going) if not owning.holds(run)]

    def window(self, worker: Worker, key: WindowKey, body: bytes, window: Outline, done: Done) -> None:
        """Commit a window and call `done` with its key, and with None when it may be acknowledged, else the error."""
        worker.clock_error_s = window.clock_error_s
        part, sequence = key.segment, key.sequence
        run = self.active.get(part.run)
        if run is None and part.run in worker.waiting:
            # Said again once it is driven here: what was kept while its windows are being read would be missed.
            done(key, NotOwner(f"runs/{part.run} is not driven here yet"))
            return
        epoch = run.epoch(part) if run is not None else None
        if epoch is not None and epoch.has(sequence):
            done(key, None)
            return

        def kept(error: BaseException | None) -> None:
            if run is not None and isinstance(error, StoreUnavailable) and not run.store_problem:
                run.store_problem, run.store_failed_nanos = error.message, self._around.clock.now_nanos()
                run.notice(error.message)
            if run is not None and epoch is not None and error is None:
                run.store_problem, run.store_failed_nanos = "", None
                run.add_window(epoch, sequence, window)
            done(key, error)

        self._around.store.add_window(WindowRow(part.run, part.segment, part.epoch, sequence, body), kept)

    def ready(self, key: SegmentKey, problem: str) -> None:
        """Note that a segment is prepared, or why it cannot be."""
        run = self.active.get(key.run)
        epoch = run.epoch(key) if run is not None else None
        if run is not None and epoch is not None:
            epoch.ready, epoch.problem = not problem, problem
            run.changed.set()

    async def ended(self, key: SegmentKey, window_count: int, reason: str) -> None:
        """Note that a worker ended a segment; committed."""
        run = self.active.get(key.run)
        epoch = run.epoch(key) if run is not None else None
        if run is None or epoch is None or epoch.row.end_reason:
            return
        worker = self._around.roster.get(epoch.row.worker_id)
        if worker is not None:
            worker.claimed.discard(key)
        if reason == "stopped" and (epoch.problem or not (run.stop_asked.is_set() or run.overdue)):
            reason = LEFT
            if worker is not None and not epoch.problem:
                worker.leaving = True
        log.info("segment ended run=%s segment=%d epoch=%d reason=%s", key.run, key.segment, key.epoch, reason)
        row = replace(epoch.row, end_reason=reason or "done", window_count=window_count)
        await self._around.store.update_epoch(row)  # first: if it fails, the worker says it again
        epoch.row.end_reason, epoch.row.window_count = row.end_reason, row.window_count
        run.changed.set()

    async def preflight(self, run_id: str, body: bytes) -> None:
        """Note what the preflight showed; committed."""
        run = self.active.get(run_id)
        if run is None or run.preflight is not None:
            return
        with suppress(NotOwner):  # its new server asks for another
            await self._around.store.update_run(run_id, preflight=body)
        run.preflight, run.preflight_sent = decode_preflight(body)
        run.changed.set()

    def elapsed_s(self, row: RunRow) -> float | None:
        """Return a run's time; None while T0 is not set."""
        end = row.end_nanos if row.state.final and row.end_nanos else self._around.clock.now_nanos()
        return None if row.start_nanos is None else seconds(end - row.start_nanos)


def _new_id(create_nanos: int) -> str:
    moment = datetime.fromtimestamp(seconds(create_nanos), UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
