"""A worker's streams to the control plane: a new one is open before an old one is given up.

To the server a stream that closes means that the worker's process is gone, and its segments go to another within 2 s.
A worker that lives and goes on sending must therefore not close a stream just because nothing comes over it: it opens
another beside it, and closes the old one when the server has welcomed it on the new one. (Closing first, with a server
too busy to take the new stream in time, had requests sent twice: by the worker and by the one that took over.)
"""

import asyncio
from dataclasses import dataclass

import grpc

from burstline.v1 import worker_service_pb2 as v1
from burstline.v1 import worker_service_pb2_grpc
from burstline.workers.joining.channel import metadata, open_channel
from burstline.workers.settings import AgentSettings

Call = grpc.aio.StreamStreamCall[v1.AttachRequest, v1.AttachResponse]


@dataclass(slots=True, eq=False)
class Stream:
    """One `Attach` call on a channel of its own.

    Attributes:
        address: where to.
        stale: nothing came over it for too long; it is neither written nor listened to any more.
        reader: serves it. Cancelling it cancels the call.
        writer: writes it; None before the welcome.
    """

    address: str
    channel: grpc.aio.Channel
    call: "Call"
    stale: bool = False
    reader: "asyncio.Task[None] | None" = None
    writer: "asyncio.Task[None] | None" = None


class Streams:
    """The streams that are open: at most one that serves, and stale ones."""

    def __init__(self) -> None:
        self._open: list[Stream] = []

    @property
    def channel(self) -> grpc.aio.Channel | None:
        """The newest stream's channel."""
        return self._open[-1].channel if self._open else None

    def any_stale(self, address: str) -> bool:
        """Whether a stream that was given up for silence is open still: to that server this worker is merely silent."""
        return any(stream.stale and stream.address == address for stream in self._open)

    def open(self, settings: AgentSettings, address: str) -> Stream:
        """Open a stream beside those there are; raises Refused as `open_channel`."""
        channel = open_channel(settings, address)
        call = worker_service_pb2_grpc.WorkerServiceStub(channel).Attach(metadata=metadata(settings))
        stream = Stream(address, channel, call)
        self._open.append(stream)
        return stream

    async def close(self, stream: Stream) -> None:
        """Close one stream."""
        self._open.remove(stream)
        stream.call.cancel()
        tasks = [task for task in (stream.reader, stream.writer) if task is not None]
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not asyncio.current_task()), return_exceptions=True)
        await stream.channel.close()

    async def close_stale(self) -> None:
        """Close the streams that were given up for silence."""
        for stream in [stream for stream in self._open if stream.stale]:
            await self.close(stream)

    async def close_all(self) -> None:
        """Close every stream."""
        for stream in list(self._open):
            await self.close(stream)
