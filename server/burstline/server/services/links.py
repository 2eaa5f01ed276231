"""The server's end of one worker's stream: what is to be sent, in order."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from burstline.core import tracing
from burstline.core.load.window import SegmentKey, WindowKey
from burstline.server.clock import Clock
from burstline.v1 import worker_service_pb2 as wire


def key_to_proto(key: SegmentKey) -> wire.SegmentKey:
    """Return a key as a message."""
    return wire.SegmentKey(run=f"runs/{key.run}", segment=key.segment, epoch=key.epoch)


def key_from_proto(message: wire.SegmentKey) -> SegmentKey:
    """Return a key; its run is the id without `runs/`."""
    return SegmentKey(message.run.removeprefix("runs/"), message.segment, message.epoch)


ANSWER_WITHIN_S = 0.5
"""A heartbeat whose windows are not committed by then is answered all the same: leases must not hang on the store."""


@dataclass(slots=True, eq=False)
class Beat:
    """A heartbeat that waits for its answer; times as in the proto."""

    sent_nanos: int
    received_nanos: int
    timer: asyncio.TimerHandle | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What every worker is told alike; fields as in the proto's `Welcome`."""

    lease_nanos: int
    closed_lease_nanos: int
    server: str


class StreamLink:
    """A `WorkerLink` over an `Attach` stream. `next` hands out what is to be written.

    Args:
        clock: the server's.
        terms: what every welcome says of leases and of the server.
    """

    def __init__(self, clock: Clock, terms: Terms) -> None:
        self._clock, self._terms = clock, terms
        self.unowned: Callable[[], Collection[str]] = tuple
        self._queue: asyncio.Queue[wire.AttachResponse | Beat | None] = asyncio.Queue()
        self._committed: list[WindowKey] = []

    async def next(self) -> wire.AttachResponse | None:
        """Return the next message; None when the stream is to end."""
        message = await self._queue.get()
        return self._reply(message) if isinstance(message, Beat) else message

    def _reply(self, beat: Beat) -> wire.AttachResponse:
        """Answer a heartbeat as it leaves: the clock is read now, and what is committed by now is acknowledged."""
        committed, self._committed = self._committed, []
        acks = [wire.WindowAck(key=key_to_proto(key.segment), sequence=key.sequence) for key in committed]
        return wire.AttachResponse(
            heartbeat=wire.HeartbeatReply(
                sent_nanos=beat.sent_nanos,
                server_received_nanos=beat.received_nanos,
                server_sent_nanos=self._clock.now_nanos(),
                acks=acks,
                waiting_runs=[f"runs/{run}" for run in self.unowned()],
            )
        )

    def close(self) -> None:
        """End the stream after what was given before."""
        self._queue.put_nowait(None)

    def farewell(self) -> None:
        """Say that the server ends, and end the stream."""
        self._queue.put_nowait(wire.AttachResponse(farewell=wire.Farewell()))
        self.close()

    def welcome(self, name: str, kept: Sequence[SegmentKey], waiting: Collection[str]) -> None:
        """Answer `hello`, or say what has changed of it."""
        message = wire.Welcome(
            name=name,
            segments=[key_to_proto(key) for key in kept],
            waiting_runs=[f"runs/{run}" for run in waiting],
            server=self._terms.server,
        )
        message.lease_duration.FromNanoseconds(self._terms.lease_nanos)
        message.closed_lease_duration.FromNanoseconds(self._terms.closed_lease_nanos)
        self._queue.put_nowait(wire.AttachResponse(welcome=message))

    def answer(self, beat: Beat) -> None:
        """Answer a heartbeat, once."""
        if beat.timer is not None:
            beat.timer.cancel()
        if not beat.answered:
            beat.answered = True
            self._queue.put_nowait(beat)

    def hold(self, beat: Beat) -> None:
        """Answer a heartbeat when `answer` is called, and `ANSWER_WITHIN_S` from now at the latest."""
        beat.timer = asyncio.get_running_loop().call_later(ANSWER_WITHIN_S, self.answer, beat)

    def acknowledge(self, key: WindowKey) -> None:
        """Say with the next answer to a heartbeat that a window is committed."""
        self._committed.append(key)

    def preflight(self, run: str, plan: bytes, allowed_hosts: Sequence[str]) -> None:
        """Ask for one request per name."""
        trace = tracing.current().context
        message = wire.Preflight(run=f"runs/{run}", allowed_hosts=allowed_hosts, trace_parent=trace)
        message.plan.ParseFromString(plan)
        self._queue.put_nowait(wire.AttachResponse(preflight=message))

    def assign(
        self,
        key: SegmentKey,
        segment_count: int,
        plan: bytes,
        from_position: int,
        allowed_hosts: Sequence[str],
        start_nanos: int,
    ) -> None:
        """Hand over a segment."""
        message = wire.Assign(
            key=key_to_proto(key),
            segment_count=segment_count,
            from_count=from_position,
            allowed_hosts=allowed_hosts,
            start_nanos=start_nanos,
            trace_parent=tracing.current().context,
        )
        message.plan.ParseFromString(plan)
        self._queue.put_nowait(wire.AttachResponse(assign=message))

    def start(self, key: SegmentKey, start_nanos: int) -> None:
        """Say when T0 is."""
        message = wire.Start(key=key_to_proto(key), start_nanos=start_nanos)
        self._queue.put_nowait(wire.AttachResponse(start=message))

    def stop(self, key: SegmentKey) -> None:
        """Stop a segment at once."""
        self._queue.put_nowait(wire.AttachResponse(stop=wire.Stop(key=key_to_proto(key))))
