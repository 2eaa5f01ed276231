"""The server's end of one worker's stream: what is to be sent, in order."""

import asyncio
from collections.abc import Sequence

from burstline.core.load.window import SegmentKey, WindowKey
from burstline.server.clock import Clock
from burstline.v1 import worker_service_pb2 as wire


def key_to_proto(key: SegmentKey) -> wire.SegmentKey:
    """Return a key as a message."""
    return wire.SegmentKey(run=f"runs/{key.run}", segment=key.segment, epoch=key.epoch)


def key_from_proto(message: wire.SegmentKey) -> SegmentKey:
    """Return a key; its run is the id without `runs/`."""
    return SegmentKey(message.run.removeprefix("runs/"), message.segment, message.epoch)


class StreamLink:
    """A `WorkerLink` over an `Attach` stream. `next` hands out what is to be written."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: asyncio.Queue[wire.AttachResponse | None] = asyncio.Queue()

    async def next(self) -> wire.AttachResponse | None:
        """Return the next message; None when the stream is to end."""
        message = await self._queue.get()
        if message is not None and message.WhichOneof("message") == "heartbeat":
            message.heartbeat.server_sent_nanos = self._clock.now_nanos()
        return message

    def close(self) -> None:
        """End the stream after what was given before."""
        self._queue.put_nowait(None)

    def welcome(self, name: str, lease_nanos: int, kept: Sequence[SegmentKey]) -> None:
        """Answer `hello`."""
        message = wire.Welcome(name=name, segments=[key_to_proto(key) for key in kept])
        message.lease_duration.FromNanoseconds(lease_nanos)
        self._queue.put_nowait(wire.AttachResponse(welcome=message))

    def heartbeat(self, sent_nanos: int, received_nanos: int) -> None:
        """Answer a heartbeat; the time of sending is read when it leaves."""
        reply = wire.HeartbeatReply(sent_nanos=sent_nanos, server_received_nanos=received_nanos)
        self._queue.put_nowait(wire.AttachResponse(heartbeat=reply))

    def acknowledge(self, key: WindowKey) -> None:
        """Say that a window is committed."""
        ack = wire.WindowAck(key=key_to_proto(key.segment), sequence=key.sequence)
        self._queue.put_nowait(wire.AttachResponse(ack=ack))

    def preflight(self, run: str, plan: bytes, allowed_hosts: Sequence[str]) -> None:
        """Ask for one request per name."""
        message = wire.Preflight(run=f"runs/{run}", allowed_hosts=allowed_hosts)
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
