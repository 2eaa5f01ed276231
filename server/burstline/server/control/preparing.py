"""A run before T0: workers are gathered, one of them looks at the target, all of them prepare their segments."""

import asyncio
from collections.abc import Awaitable, Callable

from burstline.core import tracing
from burstline.server.clock import nanos
from burstline.server.control.active import ActiveRun
from burstline.server.control.asking import AwsSide
from burstline.server.control.dispatching import Dispatch
from burstline.server.control.roster import Worker
from burstline.server.control.segments import make_segments
from burstline.server.control.surroundings import Surroundings
from burstline.server.store.rows import RunState

TICK_S = 0.1
Enter = Callable[..., Awaitable[None]]
"""Commits a new state of the run, with columns to change."""


class CannotRun(Exception):
    """The run cannot take place; the text is the user's reason."""


class Busy:
    """Which workers other runs hold."""

    def __init__(self, runs: dict[str, ActiveRun]) -> None:
        self._runs = runs

    def holds(self, worker_id: str, except_run: str) -> bool:
        """Return whether a run other than `except_run` that has not ended holds a segment on a worker."""
        others = (run for run in self._runs.values() if run.id != except_run and not run.row.state.final)
        return any(worker_id in run.holders() for run in others)


async def prepare(
    run: ActiveRun, around: Surroundings, busy: Busy, dispatch: Dispatch, enter: Enter, aws: AwsSide
) -> bool:
    """Bring a run to where T0 may be set; False if it was stopped before.

    Raises:
        CannotRun: no worker, an unreachable or forbidding target, or a worker that cannot prepare.
    """
    return await _Preparation(run, around, busy, dispatch, enter, aws).prepare()


async def tick(run: ActiveRun, gather_s: float = 0.01) -> bool:
    """Wait for something to come in, at most `TICK_S`, then `gather_s` for more; return whether something did."""
    try:
        async with asyncio.timeout(TICK_S):
            await run.changed.wait()
    except TimeoutError:
        return False
    run.changed.clear()
    await asyncio.sleep(gather_s)
    return True


class _Preparation:
    """The steps of `prepare`."""

    def __init__(
        self, run: ActiveRun, around: Surroundings, busy: Busy, dispatch: Dispatch, enter: Enter, aws: AwsSide
    ) -> None:
        self._run, self._around, self._busy, self._dispatch, self._enter = run, around, busy, dispatch, enter
        self._aws = aws

    async def prepare(self) -> bool:
        """Do it all; return whether T0 may be set."""
        run = self._run
        with tracing.span("gathering workers"):
            workers = await self._gather_workers()
        if not run.stop_asked.is_set():
            run.reserved = {worker.identity.worker_id for worker in workers}
            run.row.segment_count = len(workers)
            run.segments = make_segments(run.schedule, len(workers), [])
            await self._enter(RunState.PREPARING, segment_count=len(workers))
            with tracing.span("reading AWS"):
                await self._aws.before()
            with tracing.span("preflight", worker=workers[0].identity.name):
                await self._look(workers[0])
        if not run.stop_asked.is_set():
            with tracing.span("readying workers", workers=len(workers)):
                await self._dispatch.assign(list(zip(run.segments, workers, strict=True)))
                run.reserved = set()
                await self._wait_ready()
        return not run.stop_asked.is_set()

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
            await tick(self._run, 0.0)
        return []

    async def _look(self, worker: Worker) -> None:
        """The preflight: one request per name, before anything is assigned."""
        run = self._run
        if worker.link is not None and run.preflight is None:  # else it was done before a restart
            worker.link.preflight(run.id, run.row.plan, self._around.settings.allow)
        longest_s = max(request.timeout_s for request in run.plan.requests)
        wait_s = max(self._around.settings.prepare_wait_s, longest_s + 5.0)
        deadline = self._around.clock.now_nanos() + nanos(wait_s)
        while run.preflight is None and not run.stop_asked.is_set():
            if self._around.clock.now_nanos() > deadline:
                raise CannotRun(f"the preflight had no result within {wait_s:g} s")
            if worker.link is None:
                raise CannotRun(f"{worker.identity.name} went away during the preflight: start it again")
            await tick(self._run, 0.0)
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
                self._dispatch.stop_all()
                raise CannotRun(problem)
            if all(epoch and epoch.living and epoch.ready for epoch in last):
                return
            if self._around.clock.now_nanos() > deadline:
                self._dispatch.stop_all()
                raise CannotRun(f"not all workers were ready within {wait_s:g} s")
            await self._dispatch.tend()
            await tick(self._run, 0.0)
