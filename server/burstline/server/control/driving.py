"""One run from queued to its report: the only code that changes a run's state."""

import asyncio
import logging
from dataclasses import replace

from burstline.core import tracing
from burstline.server.clock import nanos
from burstline.server.control.aborting import AbortWatch
from burstline.server.control.active import ActiveRun
from burstline.server.control.asking import AwsSide
from burstline.server.control.dispatching import Dispatch
from burstline.server.control.preparing import TICK_S, Busy, CannotRun, prepare, tick
from burstline.server.control.settling import judged, make_record
from burstline.server.control.surroundings import Surroundings
from burstline.server.errors import NotOwner, StoreUnavailable
from burstline.server.judging.record import RunRecord
from burstline.server.store.rows import LEFT, RunState

log = logging.getLogger(__name__)
STORE_RETRY_S = 5.0
STOP_WAIT_S = 2.0
"""How long a run that fails waits for its workers' last words."""


class Driver:
    """Drives one run. `busy` says whether another run holds a worker."""

    def __init__(self, run: ActiveRun, around: Surroundings, busy: Busy) -> None:
        self._run, self._around, self._busy = run, around, busy
        self.dispatch = Dispatch(run, around.roster, around.store, around.clock, around.settings)
        self._aborts = AbortWatch(run.plan.abort)
        self._aws = AwsSide(run, around.settings, around.clock)
        self._observed: int | None = None
        self._homeless_nanos: int | None = None
        self._stop_sent_nanos: int | None = None

    async def drive(self) -> None:
        """Bring the run to its end; returns when its row is final, or at cancellation leaves it to a restart.

        Raises:
            NotOwner: another server has taken it over.
        """
        run = self._run
        try:
            waiting = run.row.state in (RunState.QUEUED, RunState.PREPARING)
            if not waiting:
                self._aws.resume()
            if waiting and await self._prepare():
                await self._start()
            if run.row.state is RunState.RUNNING:
                with tracing.span("running"):
                    await self._supervise()
            with tracing.span("settling"):
                await self._settle()
        except CannotRun as problem:
            await self._fail(str(problem))
        except NotOwner:
            raise  # another server brings it to its end
        except StoreUnavailable as problem:
            log.error("run=%s store: %s", run.id, problem)  # its text says it all
            await self._fail(str(problem), store_lost=True)
        except Exception:
            log.exception("run=%s unexpected error", run.id)
            await self._fail("internal error; the server's log has the details")
        finally:
            await self._aws.close()

    async def _prepare(self) -> bool:
        with tracing.span("preparing"):
            return await prepare(self._run, self._around, self._busy, self.dispatch, self._enter, self._aws)

    # -- T0 and after -----------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        """Set T0: committed first, then told."""
        start = self._around.clock.now_nanos() + nanos(self._around.settings.start_delay_s)
        self._run.row.start_nanos = start
        await self._enter(RunState.RUNNING, start_nanos=start)
        self.dispatch.start_ready()
        self._aws.start()

    async def _supervise(self) -> None:
        run, changed = self._run, True
        while True:
            if not self._around.owning.holds(run.id):
                await asyncio.sleep(TICK_S)  # it may be another's by now: nothing is done before that is known
                continue
            if run.stop_asked.is_set():
                await self._send_stop()
            self._check_store()
            await self.dispatch.tend()
            if changed:  # else nobody said anything new; over hundreds of segments, ten times a second, that counts
                self._note_problems()
                self.dispatch.start_ready()
            self._check_aborts()
            if run.segments and all(segment.finished for segment in run.segments):
                return
            if self._is_hopeless():
                return
            changed = await tick(self._run)

    async def _send_stop(self) -> None:
        """Tell every worker to stop, also one that comes back later; what was asked is committed once."""
        run = self._run
        self.dispatch.stop_all()
        run.stop_sent.set()
        if self._stop_sent_nanos is not None:
            return
        self._stop_sent_nanos = self._around.clock.now_nanos()
        run.row.stop_nanos = run.row.stop_nanos or self._stop_sent_nanos
        await self._update(stop_nanos=run.row.stop_nanos, stopped_by=run.row.stopped_by, abort_rule=run.row.abort_rule)

    def _check_store(self) -> None:
        """A run whose results cannot be kept for as long as a lease does not go on loading its target."""
        run, failed = self._run, self._run.store_failed_nanos
        if failed is not None and self._around.clock.now_nanos() - failed > nanos(self._around.settings.lease_s):
            raise StoreUnavailable(run.store_problem)

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
        if not run.plan.abort or run.stop_asked.is_set():
            return
        full = run.full_second(self._around.clock.now_nanos())
        if full is None:
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
        self.dispatch.stop_all()  # whoever was stopped before T0, or did not end in time
        self.dispatch.give_up_all(end)
        await self._enter(RunState.SETTLING)
        with tracing.span("reading windows"):
            record = await asyncio.to_thread(self._record, self._end_of_duty(end), "")
        if run.row.stopped_by == "user" and not record.ledger.due:
            record = replace(record, problem="a user stopped the run before its load began.")
        with tracing.span("waiting for CloudWatch"):
            record = await self._aws.complete(record, self._around.judge)
        with tracing.span("judging"):
            verdict, document = await asyncio.to_thread(judged, record, self._around.judge)
        state = RunState.STOPPED if run.row.stopped_by == "user" else RunState.SUCCEEDED
        run.row.verdict = verdict
        run.row.reason = _reason(run)
        await self._end(state, end, document)

    def _record(self, end_nanos: int, problem: str) -> RunRecord:
        """Return what judging needs; for a thread."""
        run, around = self._run, self._around
        clock_errors = {w.identity.worker_id: w.clock_error_s for w in around.roster if w.clock_error_s is not None}
        record = make_record(run, around.store, end_nanos, clock_errors, around.version, problem)
        for imbalance in record.ledger.imbalances():
            log.error("run=%s the ledger does not close: %s", run.id, imbalance)
        return record

    def _end_of_duty(self, now: int) -> int:
        """Return when arrivals stopped coming due for segments that nobody holds, server clock."""
        end = min(now, self._run.row.stop_nanos or now)
        if self._run.row.start_nanos is not None:
            end = min(end, self._run.row.start_nanos + nanos(self._run.schedule.duration_s + 1.0))
        return end

    # -- states --------------------------------------------------------------------------------------------------

    async def _fail(self, reason: str, *, store_lost: bool = False) -> None:
        """End a run that could not take place; its report says why, if one can be made at all.

        While the store cannot be written it is tried again, with a report made anew: workers keep what was not
        committed, and tell it once it can be.
        """
        run, end = self._run, self._around.clock.now_nanos()
        run.row.verdict, run.row.reason = "could_not_run", reason
        if store_lost:
            await self._wait_stored(end)
        elif run.row.start_nanos is not None:
            await self._wait_stopped(STOP_WAIT_S, until_all=True)
        while True:
            document = await self._last_report(end, reason)
            try:
                return await self._end(RunState.FAILED, end, document)
            except StoreUnavailable as problem:
                log.error("run=%s its end cannot be stored yet: %s", run.id, problem)
                await self._wait_stored(end)

    async def _last_report(self, end_nanos: int, reason: str) -> bytes | None:
        self.dispatch.give_up_all(end_nanos)
        try:
            record = await asyncio.to_thread(self._record, self._end_of_duty(end_nanos), reason)
            return (await asyncio.to_thread(judged, record, self._around.judge))[1]
        except Exception:
            log.exception("run=%s no report could be made", self._run.id)
            return None

    async def _wait_stored(self, end_nanos: int) -> None:
        """Wait until the store can be written again, and then for what workers kept meanwhile."""
        run = self._run
        self.dispatch.stop_all()
        # Whoever watches is told at once; the row follows when the store can be written again.
        run.row.state, run.row.end_nanos = RunState.FAILED, end_nanos
        run.ended.set()
        while True:
            try:
                await self._update(reason=run.row.reason)
            except StoreUnavailable:
                await self._wait_stopped(STORE_RETRY_S, until_all=False)
            else:
                return await self._wait_stopped(STOP_WAIT_S, until_all=False)

    async def _wait_stopped(self, wait_s: float, *, until_all: bool) -> None:
        """Tell every worker to stop, also one that comes back meanwhile, for so long or until all have ended."""
        deadline = self._around.clock.now_nanos() + nanos(wait_s)
        while self._around.clock.now_nanos() < deadline:
            self.dispatch.stop_all()
            if until_all and not any(epoch.living for epoch in self._run.epochs()):
                return
            await asyncio.sleep(TICK_S)

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


def _reason(run: ActiveRun) -> str:
    if run.row.stopped_by == "user":
        return "stopped by a user"
    if run.row.stopped_by == "abort":
        return f"stopped by its abort rule: {run.row.abort_rule}"
    return "ran to its end"
