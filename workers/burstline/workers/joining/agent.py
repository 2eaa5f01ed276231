"""The gRPC side of a worker: one stream to the control plane for as long as the process lives."""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc

from burstline.core.load.window import Window
from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.clock import ClockEstimate
from burstline.workers.joining.channel import download, raise_if_refused, why
from burstline.workers.joining.duties import Duties
from burstline.workers.joining.holdings import Means
from burstline.workers.joining.leasing import Leases
from burstline.workers.joining.servers import Servers
from burstline.workers.joining.streams import Stream, Streams
from burstline.workers.segments.beats import BEAT_S
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.outbox import Outbox
from burstline.workers.settings import AgentSettings

if TYPE_CHECKING:
    from burstline.workers.metrics import MetricsServer, WorkerMetrics

SILENCE_S = 4.0
"""A stream on which no heartbeat was answered for so long is given up, and a new one is opened."""

UNWELCOMED_S = 1.5
"""The same before a welcome, where another server may answer."""

TURN_S = 1.5
"""A worker that sends for a run which the server at hand does not drive looks elsewhere after so long."""

HOME_S, LOOK_S = 5.0, 0.5
"""How often an idle worker looks whether the first server is back; how often a stream is looked at."""

LONGEST_BACKOFF_S = 1.0
DRAIN_S = 8.0
"""How long a worker that is told to end waits for answers and acknowledgements, seconds."""

_log = logging.getLogger(__name__)


async def run_agent(settings: AgentSettings, stop: asyncio.Event | None = None) -> None:
    """Attach to the control plane and work until `stop` is set or this is cancelled.

    A server that cannot be reached is tried again, at least every second. After `stop`, nothing is sent any more, and
    answers and acknowledgements under way are waited for up to `DRAIN_S` seconds.

    Raises:
        Refused: the server does not take this worker; the text says why and what to do.
    """
    agent = Agent(settings)
    try:
        await agent.run(stop or asyncio.Event())
    finally:
        await agent.close()


class Agent:
    """A worker's side of the protocol."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._worker_id = str(uuid.uuid4())
        self._leases, self._servers, self._streams = Leases(), Servers(settings.server), Streams()
        self._outbox = Outbox(lambda: min(BEAT_S, self._leases.length_s / 8))
        self._files = FileCache(self._download)
        means = Means(ClockEstimate(), self._leases, self._files, settings.version, self._outbox, self._seen)
        self._duties = Duties(means, f"workers/{self._worker_id}")
        self._driven_s = self._homed_s = 0.0
        self._metrics = _metrics_of(settings)
        self._metrics_server: MetricsServer | None = None
        if self._metrics is not None:
            self._metrics_server = self._metrics.serve(settings.metrics_host, settings.metrics_port)

    async def run(self, stop: asyncio.Event) -> None:
        """See `run_agent`."""
        streams = asyncio.create_task(self._keep_attached(), name="streams")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({streams, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if streams.done():
                streams.result()
            else:
                await self._duties.drain(DRAIN_S)
        finally:
            for task in (streams, stopping):
                task.cancel()
            await asyncio.gather(streams, stopping, return_exceptions=True)

    async def close(self) -> None:
        """Give back everything."""
        await self._duties.close()
        await self._streams.close_all()
        self._files.close()
        if self._metrics_server is not None:
            self._metrics_server.close()

    # the stream

    async def _keep_attached(self) -> None:
        backoff_s = 0.1
        while True:
            began_s, address = time.monotonic(), self._servers.at_hand
            welcomed = await self._serve_once(address)
            await self._leases.look_for_home(self._streams)
            if self._leases.over:
                await self._streams.close_stale()  # nothing is sent any more that a takeover could double
            if not welcomed:
                self._servers.turn()
            backoff_s = 0.1 if time.monotonic() - began_s > 5.0 else min(LONGEST_BACKOFF_S, backoff_s * 2)
            await asyncio.sleep(backoff_s)

    async def _serve_once(self, address: str) -> bool:
        """Serve one stream to its end; return whether the same server is to be tried again first."""
        duties = self._duties
        duties.attaching()
        try:
            await self._attach(address)
            _log.warning("%s closed the stream; attaching again worker=%s", address, duties.worker)
        except grpc.aio.AioRpcError as error:
            raise_if_refused(error, address)
            reason = why(error, self._settings, address)
            _log.warning("no stream to %s (%s); trying again worker=%s", address, reason, duties.worker)
        except _Silent as silence:
            _log.warning("%s %s; attaching again worker=%s", address, silence, duties.worker)
            return False
        again = duties.attached and not duties.farewell
        if again:
            self._leases.parted(address)
        return again

    async def _attach(self, address: str) -> None:
        """Open a stream and serve it to its end, or until it is given up; it stays open then, see `Streams`."""
        stream = self._streams.open(self._settings, address)
        self._outbox.clear()  # windows and ends are kept by their holdings, and repeated after the welcome
        self._driven_s = self._homed_s = time.monotonic()
        reader = stream.reader = asyncio.create_task(self._read(stream), name="reader")
        while not reader.done():
            problem = self._problem(time.monotonic())
            if problem:
                stream.stale = True
                raise _Silent(problem)
            if await self._may_go_home():
                break
            await asyncio.wait({reader}, timeout=LOOK_S)
        await self._streams.close(stream)
        if not reader.cancelled():
            reader.result()

    def _problem(self, now_s: float) -> str:
        """Return why to try another stream; "" while this one serves."""
        limit_s = SILENCE_S if self._duties.attached or not self._servers.several else UNWELCOMED_S
        if now_s - self._duties.answered_s >= limit_s:
            return f"has not answered for {limit_s:g} s"
        if not self._duties.holdings.wait_for_server():
            self._driven_s = now_s
        return "does not drive this run" if now_s - self._driven_s >= TURN_S else ""

    async def _may_go_home(self) -> bool:
        """Whether to leave for the first server, which answers again: where plans are sent to."""
        now_s = time.monotonic()
        if not self._servers.several or not self._duties.holdings.idle or now_s - self._homed_s < HOME_S:
            return False
        self._homed_s = now_s
        return await self._servers.turn_back()

    async def _read(self, stream: Stream) -> None:
        call = stream.call
        await call.write(v1.AttachRequest(hello=self._hello()))
        while isinstance(message := await call.read(), v1.AttachResponse):  # else the stream's end
            if stream.stale:
                continue
            if not message.HasField("welcome"):
                self._duties.handle(message)
                continue
            self._duties.welcomed(message.welcome, stream.address)
            if not self._leases.waiting:
                await self._streams.close_stale()
            if stream.writer is None:
                writing = self._outbox.write(call, lambda: not stream.stale)
                stream.writer = asyncio.create_task(writing, name="writer")
        code = await call.code()
        if code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
            )

    def _hello(self) -> v1.Hello:
        settings = self._settings
        return v1.Hello(
            worker_id=self._worker_id,
            version=settings.version,
            hostname=settings.name,
            pid=os.getpid(),
            capacity_request_count_per_second=settings.capacity_per_s,
            segments=self._duties.holdings.claims(),
        )

    def _seen(self, window: Window) -> None:
        if self._metrics is not None:
            self._metrics.observe(window)

    def _download(self, sha256: str) -> AsyncIterator[bytes]:
        return download(self._streams.channel, self._settings, sha256)


def _metrics_of(settings: AgentSettings) -> "WorkerMetrics | None":
    """Return metrics if they are asked for; an embedded run need not wait for Prometheus's client to be imported."""
    if settings.metrics_port is None:
        return None
    from burstline.workers.metrics import WorkerMetrics

    return WorkerMetrics()


class _Silent(Exception):
    """A stream serves no longer, though it is open; the text says why."""
