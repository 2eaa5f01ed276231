"""One run from queued to its report: the only code that changes a run's state."""

import asyncio
import logging
from dataclasses import dataclass

from burstline.server.aborting import AbortWatch
from burstline.server.active import ActiveRun
from burstline.server.clock import Clock, nanos
from burstline.server.dispatching import Dispatch
from burstline.server.errors import StoreUnavailable
from burstline.server.roster import Roster, Worker
from burstline.server.rows import LEFT, RunState
from burstline.server.segments import make_segments
from burstline.server.settings import ServerSettings
from burstline.server.settling import Judge, judged, make_record
from burstline.server.store import Store

log = logging.getLogger(__name__)
TICK_S = 0.1


class CannotRun(Exception):
    """The run cannot take place; the text is the user's reason."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a driver works with."""

    settings: ServerSettings
    store: Store
    clock: Clock
    roster: Roster
    judge: Judge
    version: str


class Driver:
    """Drives one run. `busy` says whether another run holds a worker."""

    def __init__(self, run: ActiveRun, around: Surroundings, busy: "Busy") -> None:
        self._run, self._around, self._busy = run, around, busy
        self.dispatch = Dispatch(run, around.roster, around.store, around.clock, around.settings)
        self._aborts = AbortWatch(run.plan.abort)
        self._observed: int | None = None
        self._homeless_nanos: int | None = None
        self._stop_sent_nanos: int | None = None

    async def drive(self) -> None:
        """Bring the run to its end; returns when its row is final, or at cancellation leaves it to a restart."""
        run = self._run
        try:
            if run.row.state in (RunState.QUEUED, RunState.PREPARING):
                await self._prepare()
            if run.row.state is RunState.RUNNING:
                await self._supervise()
            await self._settle()
        except CannotRun as problem:
            await self._fail(str(problem))
        except StoreUnavailable as problem:
            log.error("run=%s store: %s", run.id, problem)  # its text says it all
            await self._fail(str(problem))
        except Exception:
            log.exception("run=%s unexpected error", run.id)
            await self._fail("internal error; the server's log has the details")

    # -- before T0 -----------------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        run = self._run
        workers = await self._gather_workers()
        if not run.stop_asked.is_set():
            run.reserved = {worker.identity.worker_id for worker in workers}
            run.row.segment_count = len(workers)
            run.segments = make_segments(run.schedule, len(workers), [])
            await self._enter(RunState.PREPARING, segment_count=len(workers))
            await self._look(workers[0])
        if not run.stop_asked.is_set():
            await self.dispatch.assign(list(zip(run.segments, workers, strict=True)))
            run.reserved = set()
            await self._wait_ready()
        if not run.stop_asked.is_set():
            await self._start()

    async def _gather_workers(self) -> list[Worker]:
        """Wait for a worker that is free, then a moment for as many as were asked for."""
        run, settings, clock = self._run, self._around.settings, self._around.clock
        began, first_nanos, told = clock.now_nanos(), None, False
        while not run.stop_asked.is_set():
            now = clock.now_nanos()
            attached = self._around.roster.responsive(now)
            free = [worker for worker in attached if not self._busy.holds(worker.identity.worker_id, run.id)]
            wanted = run.row.worker_count
            if free:
                first_nanos = first_nanos or now
                if len(free) >= wanted or now - first_nanos >= nanos(settings.more_workers_wait_s):
                    if wanted > len(free):
                        run.notice(f"{wanted} workers were asked for, {len(free)} are free: going on with these")
                    return free[: wanted or None]
            elif attached and not told:
                told = True
                run.notice("all workers are busy with another run: waiting")
            elif not attached and now - began >= nanos(settings.worker_wait_s):
                raise CannotRun(
                    f"no worker joined within {settings.worker_wait_s:g} s: start one with `burstline work --server "
                    "HOST:PORT`, or run without --server"
                )
            await self._tick()
        return []

    async def _look(self, worker: Worker) -> None:
        """The preflight: one request per name, before anything is assigned."""
        run = self._run
        if worker.link is not None:
            worker.link.preflight(run.id, run.row.plan, self._around.settings.allow)
        longest_s = max(request.timeout_s for request in run.plan.requests)
        wait_s = max(self._around.settings.prepare_wait_s, longest_s + 5.0)
        deadline = self._around.clock.now_nanos() + nanos(wait_s)
        while run.preflight is None and not run.stop_asked.is_set():
            if self._around.clock.now_nanos() > deadline:
                raise CannotRun(f"the preflight had no result within {wait_s:g} s")
            if worker.link is None:
                raise CannotRun(f"{worker.identity.name} went away during the preflight: start it again")
            await self._tick()
        self._check_preflight()

    def _check_preflight(self) -> None:
        answers = self._run.preflight or ()
        for answer in answers:
            if answer.problem and not answer.request:
                raise CannotRun(f"the worker could not prepare the plan: {answer.problem}. Nothing was sent")
            if answer.status in (401, 403):
                raise CannotRun(
                    f"preflight: {answer.request} was answered {answer.status}: check `auth` and the API's policy. "
                    "Nothing else was sent"
                )
        if answers and all(answer.status == 0 for answer in answers):
            what = answers[0].problem or "no answer"
            raise CannotRun(f"the target {self._run.plan.target.url} cannot be reached: {what}. Nothing else was sent")
        for answer in answers:
            if answer.problem:
                self._run.notice(f"preflight: {answer.request}: {answer.problem}")

    async def _wait_ready(self) -> None:
        run = self._run
        wait_s = self._around.settings.prepare_wait_s
        deadline = self._around.clock.now_nanos() + nanos(wait_s)
        while not run.stop_asked.is_set():
            last = [segment.last for segment in run.segments]
            problem = next((epoch.problem for epoch in last if epoch and epoch.problem), "")
            if problem:
                self.dispatch.stop_all()
                raise CannotRun(problem)
            if all(epoch and epoch.living and epoch.ready for epoch in last):
                return
            if self._around.clock.now_nanos() > deadline:
                self.dispatch.stop_all()
                raise CannotRun(f"not all workers were ready within {wait_s:g} s")
            await self.dispatch.tend()
            await self._tick()

    async def _start(self) -> None:
        """Set T0: committed first, then told."""
        start = self._around.clock.now_nanos() + nanos(self._around.settings.start_delay_s)
        self._run.row.start_nanos = start
        await self._enter(RunState.RUNNING, start_nanos=start)
        self.dispatch.start_ready()

    # -- after T0 ------------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        run = self._run
        while True:
            if run.stop_asked.is_set() and self._stop_sent_nanos is None:
                await self._send_stop()
            await self.dispatch.tend()
            self._note_problems()
            self.dispatch.start_ready()
            self._check_aborts()
            if run.segments and all(segment.finished for segment in run.segments):
                return
            if self._is_hopeless():
                return
            await self._tick()

    async def _send_stop(self) -> None:
        run = self._run
        self._stop_sent_nanos = self._around.clock.now_nanos()
        self.dispatch.stop_all()
        run.stop_sent.set()
        run.row.stop_nanos = run.row.stop_nanos or self._stop_sent_nanos
        await self._update(stop_nanos=run.row.stop_nanos, stopped_by=run.row.stopped_by, abort_rule=run.row.abort_rule)

    def _note_problems(self) -> None:
        """After T0 a worker that cannot prepare gives its segment to another, three times at most."""
        for segment in self._run.segments:
            epoch = segment.last
            if epoch is not None and epoch.problem and not epoch.problem_noted:
                epoch.problem_noted = True
                segment.failed_count += 1
                if epoch.living:
                    epoch.row.end_reason, epoch.row.window_count = LEFT, 0
                self._run.notice(f"{epoch.row.worker_name} could not take segment {segment.index}: {epoch.problem}")

    def _check_aborts(self) -> None:
        """Let the abort rules see every second that all workers have reported."""
        run = self._run
        full = run.full_second(self._around.clock.now_nanos())
        if full is None or run.stop_asked.is_set() or not run.plan.abort:
            return
        first = self._observed + 1 if self._observed is not None else 0
        for second in range(first, full + 1):
            rule = self._aborts.observe(second, run.live.seconds.get(second))
            if rule is not None:
                run.row.stopped_by, run.row.abort_rule = "abort", rule.text
                run.notice(f"stopped by its abort rule: {rule.text}")
                run.stop_asked.set()
                run.changed.set()
                return
        self._observed = max(full, first - 1)

    def _is_hopeless(self) -> bool:
        """Whether to settle with what there is: no worker came back, or workers do not finish what they hold."""
        run, settings, now = self._run, self._around.settings, self._around.clock.now_nanos()
        if any(epoch.living for epoch in run.epochs()) or self._around.roster.responsive(now):
            self._homeless_nanos = None
        else:
            self._homeless_nanos = self._homeless_nanos or now
            if now - self._homeless_nanos >= nanos(settings.lease_s + settings.return_wait_s):
                run.notice("no worker came back: settled with what is known")
                return True
        longest_s = max(request.timeout_s for request in run.plan.requests)
        slack = nanos(longest_s + settings.lease_s + 10.0)
        planned_end = (run.row.start_nanos or now) + nanos(run.schedule.duration_s)
        if now > planned_end + slack and not run.overdue:
            run.overdue = True
            run.notice("workers did not end in time: stopping them")
            self.dispatch.stop_all()
        end = min(planned_end + slack, self._stop_sent_nanos or planned_end + slack)
        return now > end + slack

    async def _settle(self) -> None:
        run, end = self._run, self._around.clock.now_nanos()
        await self._enter(RunState.SETTLING)
        verdict, document = await asyncio.to_thread(self._judge, self._end_of_duty(end), "")
        state = RunState.STOPPED if run.row.stopped_by == "user" else RunState.SUCCEEDED
        run.row.verdict = verdict
        run.row.reason = _reason(run)
        await self._end(state, end, document)

    def _judge(self, end_nanos: int, problem: str) -> tuple[str, bytes]:
        """Return verdict and report; for a thread."""
        run, around = self._run, self._around
        clock_errors = {w.identity.worker_id: w.clock_error_s for w in around.roster if w.clock_error_s is not None}
        record = make_record(run, around.store, end_nanos, clock_errors, around.version, problem)
        for imbalance in record.ledger.imbalances():
            log.error("run=%s the ledger does not close: %s", run.id, imbalance)
        return judged(record, around.judge)

    def _end_of_duty(self, now: int) -> int:
        """Return when arrivals stopped coming due for segments that nobody holds, server clock."""
        end = min(now, self._run.row.stop_nanos or now)
        if self._run.row.start_nanos is not None:
            end = min(end, self._run.row.start_nanos + nanos(self._run.schedule.duration_s + 1.0))
        return end

    # -- states --------------------------------------------------------------------------------------------------

    async def _fail(self, reason: str) -> None:
        """End a run that could not take place; its report says why, if one can be made at all."""
        self.dispatch.stop_all()
        end, document = self._around.clock.now_nanos(), None
        self._run.row.verdict, self._run.row.reason = "could_not_run", reason
        try:
            _, document = await asyncio.to_thread(self._judge, self._end_of_duty(end), reason)
        except Exception:
            log.exception("run=%s no report could be made", self._run.id)
        try:
            await self._end(RunState.FAILED, end, document)
        except StoreUnavailable as problem:
            log.error("run=%s its end could not be stored: %s", self._run.id, problem)
            self._run.row.state = RunState.FAILED
            self._run.ended.set()

    async def _end(self, state: RunState, end_nanos: int, document: bytes | None) -> None:
        run, row = self._run, self._run.row
        row.end_nanos = end_nanos
        await self._around.store.end_run(
            run.id,
            document,
            state=state.value,
            verdict=row.verdict,
            reason=row.reason,
            end_nanos=end_nanos,
            stopped_by=row.stopped_by,
            abort_rule=row.abort_rule,
        )
        row.state = state
        log.info("ended run=%s state=%s verdict=%s", run.id, state.value, row.verdict)
        run.ended.set()

    async def _enter(self, state: RunState, **columns: object) -> None:
        await self._update(state=state.value, **columns)
        self._run.row.state = state
        log.info("run=%s state=%s", self._run.id, state.value)

    async def _update(self, **columns: object) -> None:
        await self._around.store.update_run(self._run.id, **columns)

    async def _tick(self) -> None:
        """Wait for something to come in, at most `TICK_S`."""
        changed = self._run.changed
        try:
            async with asyncio.timeout(TICK_S):
                await changed.wait()
        except TimeoutError:
            return
        changed.clear()
        await asyncio.sleep(0.01)


class Busy:
    """Which workers other runs hold."""

    def __init__(self, runs: dict[str, ActiveRun]) -> None:
        self._runs = runs

    def holds(self, worker_id: str, except_run: str) -> bool:
        """Return whether a run other than `except_run` holds a segment on a worker."""
        return any(worker_id in run.holders() for run in self._runs.values() if run.id != except_run)


def _reason(run: ActiveRun) -> str:
    if run.row.stopped_by == "user":
        return "stopped by a user"
    if run.row.stopped_by == "abort":
        return f"stopped by its abort rule: {run.row.abort_rule}"
    return "ran to its end"
