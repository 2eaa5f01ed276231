"""The segments a worker holds: each prepared, started, run and reported, with its windows kept until acknowledged."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from burstline.core import tracing
from burstline.core.load.plan import Plan
from burstline.core.load.window import SegmentKey, Window
from burstline.v1 import worker_service_pb2 as v1
from burstline.wire.window import key_to_proto, window_to_proto
from burstline.workers.clock import ClockEstimate, RunClock
from burstline.workers.errors import CannotPrepare
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.outbox import Outbox
from burstline.workers.segments.preparing import Prepared, make_toolkit, prepare
from burstline.workers.segments.running import Segment

_RARELY = (50_000, 50, 1000)
"""Thresholds of the garbage collector in a worker that has started."""

_log = logging.getLogger(__name__)

LEAD_S = 0.3
"""So long before T0 a segment begins to wait for its first request, seconds."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the server asked for.

    Attributes:
        key: run, segment, epoch.
        segment_count: stripes.
        plan: checked.
        from_count: first position of the stripe to send.
        allowed_hosts: besides loopback.
        start_ns: the server's clock at T0, or 0 if that is not known yet.
    """

    key: SegmentKey
    segment_count: int
    plan: Plan
    from_count: int
    allowed_hosts: Collection[str]
    start_ns: int


class Holding:
    """One segment on this worker, from its assignment to its last acknowledged window.

    Args:
        assignment: what to do.
        estimate: of the server's clock.
        lease_left_s: how long the lease lasts, seconds.
        files: fetches uploads.
        version: burstline's.
        latency_s: of a request, if one was seen.
        outbox: takes what is to be said on the stream.
        seen: told of every window, for metrics.
    """

    def __init__(
        self,
        assignment: Assignment,
        estimate: ClockEstimate,
        lease_left_s: Callable[[], float],
        files: FileCache,
        version: str,
        latency_s: float | None,
        outbox: Outbox,
        seen: Callable[[Window], None],
    ) -> None:
        self.key, self._assignment = assignment.key, assignment
        self._estimate, self._lease_left_s, self._files, self._version = estimate, lease_left_s, files, version
        self._latency_s, self._outbox, self._seen = latency_s, outbox, seen
        self._start: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if assignment.start_ns:
            self._start.set_result(assignment.start_ns)
        self._clock = RunClock(time.monotonic)
        self._segment: Segment | None = None
        self._start_ns = assignment.start_ns
        self._started_ns = 0
        self._moored = True
        self._window_count = 0
        self._unacknowledged: dict[int, v1.WindowReport] = {}
        self._all_acknowledged = asyncio.Event()
        self._all_acknowledged.set()
        self._ready: v1.AttachRequest | None = None
        self._end: v1.AttachRequest | None = None
        self._stopped = ""

    @property
    def ended(self) -> bool:
        """Whether everything was sent and acknowledged."""
        return self._end is not None

    @property
    def sending(self) -> bool:
        """Whether it has started and not ended."""
        return self._started_ns > 0 and self._end is None

    @property
    def stopped(self) -> bool:
        """Whether it was told to send nothing more."""
        return bool(self._stopped)

    def unmoor(self) -> None:
        """Go on by the clock as it is: what follows is read off another server's, by which T0 is not known yet."""
        self._moored = False

    def start(self, start_ns: int) -> None:
        """T0 is known, by the clock of the server at hand; said again by each server."""
        self._start_ns, self._moored = start_ns, True
        if self._started_ns:
            self._started_ns = start_ns
        if not self._start.done():
            self._start.set_result(start_ns)

    def stop(self, reason: str) -> None:
        """Send nothing from now on."""
        self._stopped = self._stopped or reason
        if self._segment is not None:
            self._segment.stop(reason)
        if not self._start.done():
            self._start.cancel()

    def acknowledged(self, sequence: int) -> None:
        """A window is committed."""
        self._unacknowledged.pop(sequence, None)
        if not self._unacknowledged:
            self._all_acknowledged.set()

    def repeat(self) -> None:
        """Send again, on a new stream, what the server may not have got."""
        if self._ready is not None and not self._started_ns:
            self._outbox.push(self._ready)
        for report in self._unacknowledged.values():
            self._outbox.push_window(report)
        if self._end is not None:
            self._outbox.push(self._end)

    def steer(self) -> None:
        """Follow a new clock estimate."""
        if self._started_ns and self._moored and self._estimate.known:
            now_s = time.monotonic()
            self._clock.steer(self._estimate.since_s(self._started_ns, now_s), now_s)

    async def run(self) -> None:
        """Prepare, wait for the start, send, report; then wait until all windows are acknowledged."""
        self._outbox.hurry()
        tracing.current().note({"burstline.segment": self.key.segment, "burstline.epoch": self.key.epoch})
        try:
            reason = await self._prepare_and_run()
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001 - logged, and the run must hear of it
            key = self.key
            _log.exception("failed run=%s segment=%d epoch=%d", _run_id(key.run), key.segment, key.epoch)
            self._tell_ready(0, "the worker failed while preparing; its log says more")
            reason = "stopped"
        with tracing.span("reporting", windows=self._window_count, reason=reason):
            await self._all_acknowledged.wait()
        ended = _run_id(self.key.run), self.key.segment, self.key.epoch, reason, self._window_count
        _log.info("segment ended run=%s segment=%d epoch=%d reason=%s windows=%d", *ended)
        self._end = v1.AttachRequest(
            end=v1.SegmentEnd(key=key_to_proto(self.key), window_count=self._window_count, reason=reason)
        )
        self._outbox.push(self._end)

    async def _prepare_and_run(self) -> str:
        try:
            with tracing.span("preparing"):
                prepared = await self._prepare()
                segment = Segment(prepared, self._clock, self._lease_left_s, lambda: self._estimate.error_s, self._emit)
        except CannotPrepare as error:
            self._tell_ready(0, str(error))
            return "stopped"
        self._segment = segment
        try:
            with tracing.span("connecting", connections=prepared.warm_count):
                ready = await self._connect(segment, prepared.warm_count)
            return await self._run(segment) if ready else "stopped"
        finally:
            await segment.sender.close()

    async def _prepare(self) -> Prepared:
        assignment = self._assignment
        toolkit = await make_toolkit(
            assignment.plan, _run_id(self.key.run), assignment.allowed_hosts, self._files, self._version
        )
        return prepare(toolkit, self.key.segment, assignment.segment_count, assignment.from_count, self._latency_s)

    async def _connect(self, segment: Segment, count: int) -> bool:
        """Open the first connections and say that the segment can start, or that it cannot."""
        opened = await segment.sender.warm(count) if count else 0
        if count and not opened:
            url = self._assignment.plan.target.url
            self._tell_ready(0, f"no connection to {url}: {segment.sender.last_problem}")
            return False
        _settle_memory()
        self._tell_ready(opened, "")
        return True

    async def _run(self, segment: Segment) -> str:
        try:
            await self._start
        except asyncio.CancelledError:
            if self._stopped:
                return self._stopped
            raise
        if self._stopped:
            return self._stopped
        while not self._clock_is_due():  # each answered heartbeat moves the instant that is waited for
            await asyncio.sleep(0.01)
            if self._stopped:
                return self._stopped
        now_s = time.monotonic()
        self._clock.start(self._estimate.since_s(self._start_ns, now_s), now_s)
        self._started_ns = self._start_ns
        with tracing.span("sending"):
            return await segment.run()

    def _clock_is_due(self) -> bool:
        """Whether run time must be said now, from all that was read by now: afterwards it is only steered gently."""
        return (
            self._moored
            and self._estimate.known
            and self._estimate.since_s(self._start_ns, time.monotonic()) >= -LEAD_S
        )

    def _tell_ready(self, opened: int, problem: str) -> None:
        if self._ready is None:
            self._ready = v1.AttachRequest(
                ready=v1.Ready(key=key_to_proto(self.key), problem=problem, open_connection_count=opened)
            )
            self._outbox.push(self._ready)

    def _emit(self, window: Window) -> None:
        self._seen(window)
        sequence, self._window_count = self._window_count, self._window_count + 1
        body = window_to_proto(window).SerializeToString()
        report = v1.WindowReport(key=key_to_proto(self.key), sequence=sequence, window=body)
        self._unacknowledged[sequence] = report
        self._all_acknowledged.clear()
        self._outbox.push_window(report)


def _run_id(name: str) -> str:
    """Return the id in `runs/{run}`."""
    return name.rpartition("/")[2]


def _settle_memory() -> None:
    """Keep the garbage collector's long passes out of runs: what is alive at the first start is not looked at again.

    Once per process: a collection while another segment sends would make that one late.
    """
    if gc.get_threshold() != _RARELY:
        if gc.get_freeze_count() == 0:
            gc.collect()
        gc.freeze()
        gc.set_threshold(*_RARELY)
