"""Runs one segment: pacer, users, ceilings, sender and recorder joined."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from burstline.core.load.plan import Front, Users
from burstline.core.load.samples import TIMED_OUT, TRANSPORT_SIGNATURES
from burstline.core.load.window import Window
from burstline.core.quota.answers.classify import classify, meaning, signatures
from burstline.workers.clock import RunClock
from burstline.workers.recording.recording import CEILING, HANDED, LATE, SLOTS, UNMADE, WRITTEN, Gauges, Recorder, what
from burstline.workers.requests.templating import CannotFill
from burstline.workers.segments.preparing import Prepared
from burstline.workers.segments.ticking import Ticker
from burstline.workers.segments.troubles import keep_authorized, tell_unfilled
from burstline.workers.sending.ceiling import Ceiling, slots_share
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.pacing import ArrivalReader, Pacer
from burstline.workers.sending.sending import Sender
from burstline.workers.sending.timer import open_timer
from burstline.workers.sending.users import UserLoops

LOOKED_AT = frozenset({Front.LAMBDA, Front.SQS})
"""Fronts whose 200 may be a failure: of the function, by a header; of messages in a batch, by the body."""

DRAIN_S = 5.0
"""After a stop, answers under way are waited for at most so long; after the last arrival, their timeouts."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a segment may not send any more.

    Attributes:
        reason: "stopped", "lease" or "superseded"; "" while it may.
    """

    reason: str = ""


class Segment:
    """One segment of a run, from its start to the last outcome.

    Args:
        prepared: what `prepare` made.
        clock: run time, set before `run`.
        lease_left_s: how long its lease still lasts, seconds, asked before every batch.
        clock_error_s: half-width of the clock estimate's error, seconds.
        emit: takes each window, in order.
    """

    def __init__(
        self,
        prepared: Prepared,
        clock: RunClock,
        lease_left_s: Callable[[], float],
        clock_error_s: Callable[[], float],
        emit: Callable[[Window], None],
    ) -> None:
        self._prepared, self.clock = prepared, clock
        self._lease_left_s, self._clock_error_s = lease_left_s, clock_error_s
        plan, front = prepared.plan, prepared.plan.target.front
        names = signatures(front)
        self._front = front
        self.recorder = Recorder(
            names,
            [meaning(name).rejects for name in names],
            [name not in TRANSPORT_SIGNATURES and not meaning(name).rejects for name in names],
            [not isinstance(phase.shape, Users) for phase in plan.load],
            prepared.from_count,
            self._gauges,
            self._emit,
        )
        ceilings, count = plan.ceilings, prepared.stripe.segment_count
        self._ceiling = Ceiling(ceilings.rate_per_s, count) if ceilings.rate_per_s else None
        self._most_in_flight = (
            slots_share(ceilings.in_flight, prepared.stripe.segment, count) if ceilings.in_flight else 1 << 60
        )
        self._sender: Sender = prepared.bind(self._answered, self._failed, self._wired)
        self._readings = [
            builder.reading if front in LOOKED_AT else replace(builder.reading, bare=builder.reading.skipped)
            for builder in prepared.builders
        ]
        self._hold = Hold()
        self._paced, self._users_done = asyncio.Event(), asyncio.Event()
        self._cpu_s, self._wall_s = time.process_time(), time.monotonic()
        self._emit_window, self._latency_s = emit, prepared.latency_s
        self._ticker: Ticker | None = None

    @property
    def sender(self) -> Sender:
        """Its connections."""
        return self._sender

    def stop(self, reason: str) -> None:
        """Send nothing from now on; the first reason stays."""
        if not self._hold.reason:
            self._hold = Hold(reason)
            self._pacer_wake()

    def _pacer_wake(self) -> None:
        if self._ticker is not None:  # only once running
            self._pacer.wake()
            self._users.stop()
            self._sender.halt()

    def _may_send(self) -> bool:
        if self._hold.reason:
            return False
        if self._lease_left_s() <= 0:
            self._hold = Hold("lease")
            return False
        return True

    async def run(self) -> str:
        """Send the segment and wait for its outcomes.

        Returns:
            Why it ended: "done", "stopped", "lease" or "superseded".
        """
        loop = asyncio.get_running_loop()
        prepared = self._prepared
        reader = ArrivalReader(
            prepared.stripe, prepared.selection, prepared.plan.load, prepared.plan.max_late_s, prepared.from_count
        )
        self._pacer = Pacer(reader.read, self.clock, self._may_send, self._send, self._late, self._paced.set)
        from_s = self.clock.now() if prepared.from_count else 0.0
        self._users = UserLoops(
            prepared.stripe, self.clock, self._may_send, self._fire_user, self._users_done.set, from_s
        )
        timers = [open_timer(loop, self._pacer.wake), open_timer(loop, self._users.wake)]
        self._ticker = Ticker(loop, self.recorder, self.clock.now, self._look)
        self._ticker.begin()
        aside = [loop.create_task(self._keep_warm(), name="warm")]
        authorizer = prepared.toolkit.authorizer
        if authorizer is not None:
            renewing = keep_authorized(authorizer, prepared.toolkit, self.recorder, self.clock.now)
            aside.append(loop.create_task(renewing, name="authorization"))
        try:
            self._pacer.begin(timers[0])
            self._users.begin(timers[1])
            await self._paced.wait()
            await self._users_done.wait()
            await self._until_end()
            await self._drain()
        finally:
            for task in aside:
                task.cancel()
            for timer in timers:
                timer.close()
            self._ticker.close()
            self._ticker = None
        self.recorder.finish(self.clock.now())
        return self._hold.reason or "done"

    async def _until_end(self) -> None:
        """Wait for the plan's end: a pause or an idle tail is part of the run."""
        while not self._hold.reason and (left_s := self._prepared.duration_s - self.clock.now()) > 0:
            await asyncio.sleep(min(left_s, 0.1))
            self._may_send()

    async def _drain(self) -> None:
        longest_s = max(builder.timeout_s for builder in self._prepared.builders) + 1.0
        end_s = self.clock.now() + (min(DRAIN_S, longest_s) if self._hold.reason else longest_s)
        while self._sender.in_flight and self.clock.now() < end_s:  # noqa: ASYNC110 - an event would cost every answer
            await asyncio.sleep(0.01)

    async def _keep_warm(self) -> None:
        for point in self._prepared.warm_points:
            wait_s = point.at_s - self.clock.now()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if wait_s > -1.0:  # else a takeover came after it
                await self._sender.warm(point.connections(self._latency_s))

    # the hot path: once per arrival

    def _send(self, number: int, phase: int, request: int, row: int, due_s: float, user: int = -1) -> bool:
        prepared, sender, recorder = self._prepared, self._sender, self.recorder
        if sender.in_flight >= self._most_in_flight:
            recorder.due(SLOTS, phase, due_s, self.clock.now())
            return False
        if self._ceiling is not None and not self._ceiling.try_acquire(due_s):
            recorder.due(CEILING, phase, due_s, self.clock.now())
            return False
        builder = prepared.builders[request]
        data = builder.fixed
        if data is None:
            try:
                data = builder.build(number, prepared.rows[row] if prepared.rows else {})
            except CannotFill as error:
                # the next row, or number, may do
                known_s = self.clock.now()
                tell_unfilled(recorder, prepared.toolkit, error, request, number, row, known_s)
                recorder.due(UNMADE, phase, due_s, known_s)
                return False
        now_s = self.clock.now()
        flight = Flight(number, phase, request, due_s, now_s, builder.timeout_s)
        flight.user = user
        if not sender.send(flight, data, builder.head, self._readings[request]):
            recorder.due(SLOTS, phase, due_s, now_s)
            return False
        recorder.due(WRITTEN if flight.on_wire else HANDED, phase, due_s, now_s)
        return True

    def _late(self, phase: int, due_s: float) -> None:
        self.recorder.due(LATE, phase, due_s, self.clock.now())

    def _fire_user(self, slot: int, number: int, phase: int, now_s: float) -> None:
        request, row = self._prepared.choose(number)
        if not self._send(number, phase, request, row, now_s, slot):
            self._users.dropped(slot)

    def _answered(self, flight: Flight, status: int, headers: Mapping[str, str], body: bytes) -> None:
        done_s = self.clock.now()
        builder = self._prepared.builders[flight.request]
        if done_s > flight.deadline_s:
            name = TIMED_OUT
        else:
            expected = builder.expected(status, body)
            if expected and self._front not in LOOKED_AT:
                name = self._prepared.ok_signature
            else:
                name = classify(self._front, status, headers, body, expected)
        self._done(flight, name, done_s)

    def _failed(self, flight: Flight, name: str) -> None:
        self._done(flight, name, self.clock.now())

    def _done(self, flight: Flight, name: str, done_s: float) -> None:
        recorder = self.recorder
        recorder.done(what(flight.phase, flight.request, recorder.index_of[name]), flight.due_s, flight.sent_s, done_s)
        if flight.user >= 0:
            self._users.answered(flight.user, name not in TRANSPORT_SIGNATURES)

    def _wired(self, flight: Flight) -> None:
        self.recorder.wired(flight.phase, self.clock.now())

    # some tens of times a second

    def _look(self, now_s: float) -> None:
        if not self._may_send():
            self._pacer_wake()
        self._sender.sweep(now_s)

    def _emit(self, window: Window) -> None:
        slowest_s = [latency.sent.quantile(0.9) for latency in window.latencies.values() if latency.sent.count >= 10]
        self._latency_s = max((one for one in slowest_s if one is not None), default=self._latency_s)
        self._emit_window(window)

    def _gauges(self) -> Gauges:
        cpu_s, wall_s = time.process_time(), time.monotonic()
        ratio = (cpu_s - self._cpu_s) / max(1e-9, wall_s - self._wall_s)
        self._cpu_s, self._wall_s = cpu_s, wall_s
        counters = self._sender.take_counters()
        return Gauges(
            cpu_ratio=ratio,
            in_flight=self._sender.in_flight + self._sender.abandoned_count,
            open_sockets=self._sender.open_count,
            opened=counters.opened,
            reused=counters.reused,
            failed_connections=counters.failed,
            connect_s=counters.connect_s,
            tls_s=counters.tls_s,
            clock_error_s=self._clock_error_s(),
        )
