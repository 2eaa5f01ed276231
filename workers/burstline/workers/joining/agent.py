"""The gRPC side of a worker: one stream to the control plane for as long as the process lives."""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Coroutine

import grpc

from burstline.core import tracing
from burstline.core.load.window import SegmentKey, Window
from burstline.v1 import worker_service_pb2 as v1
from burstline.wire.errors import InvalidMessage
from burstline.wire.plan import plan_from_proto
from burstline.wire.window import key_from_proto, key_to_proto
from burstline.workers.clock import ClockEstimate
from burstline.workers.joining.absence import nobody_listens
from burstline.workers.joining.channel import download, raise_if_refused
from burstline.workers.joining.streams import Stream, Streams
from burstline.workers.metrics import WorkerMetrics
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.holding import Assignment, Holding
from burstline.workers.segments.looking import preflight_report
from burstline.workers.segments.outbox import BEAT_S, Outbox
from burstline.workers.settings import AgentSettings

SILENCE_S = 4.0
"""A stream on which no heartbeat was answered for so long is given up, and a new one is opened."""

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
        self._name = f"workers/{self._worker_id}"
        self._estimate = ClockEstimate()
        self._holdings: dict[SegmentKey, Holding] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._outbox = Outbox(lambda: min(BEAT_S, self._lease_s / 8))
        self._streams = Streams()
        self._lease_s, self._closed_lease_s = 10.0, 2.5
        self._lease_until_s = 0.0
        self._closed = False
        self._answered_s = 0.0
        self._attached = False
        self._latency_s: float | None = None
        self._files = FileCache(self._download)
        self.metrics = WorkerMetrics()
        self._metrics_server = self.metrics.serve(settings.metrics_host, settings.metrics_port)

    async def run(self, stop: asyncio.Event) -> None:
        """See `run_agent`."""
        streams = asyncio.create_task(self._keep_attached(), name="streams")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({streams, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if streams.done():
                streams.result()
            else:
                await self._drain()
        finally:
            for task in (streams, stopping):
                task.cancel()
            await asyncio.gather(streams, stopping, return_exceptions=True)

    async def _drain(self) -> None:
        for holding in self._holdings.values():
            holding.stop("stopped")
        waiting = {task for task in self._tasks if not task.done()}
        if waiting:
            await asyncio.wait(waiting, timeout=DRAIN_S)
        await self._outbox.emptied(0.2)

    async def close(self) -> None:
        """Give back everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._streams.close_all()
        self._files.close()
        if self._metrics_server is not None:
            self._metrics_server.close()

    # the stream

    async def _keep_attached(self) -> None:
        backoff_s = 0.1
        while True:
            began_s = time.monotonic()
            try:
                await self._attach()
                _log.warning("the server closed the stream; attaching again worker=%s", self._name)
            except grpc.aio.AioRpcError as error:
                raise_if_refused(error, self._settings)
                code = error.code().name
                _log.warning("no stream to %s (%s); trying again worker=%s", self._settings.server, code, self._name)
            except _Silent:
                server = self._settings.server
                _log.warning("%s has not answered for %.0f s; attaching again worker=%s", server, SILENCE_S, self._name)
            await self._look_for_server()
            if self._lease_left_s() <= 0:
                await self._streams.close_stale()  # nothing is sent any more that a takeover could double
            backoff_s = 0.1 if time.monotonic() - began_s > 5.0 else min(LONGEST_BACKOFF_S, backoff_s * 2)
            await asyncio.sleep(backoff_s)

    async def _look_for_server(self) -> None:
        """After a stream closed the server may give segments away soon, unless it is gone itself."""
        if self._attached or self._closed:
            self._closed = not self._streams.any_stale and not await nobody_listens(self._settings.server)
        self._attached = False

    async def _attach(self) -> None:
        """Open a stream and serve it to its end, or until it is silent; a silent one stays open, see `Streams`."""
        stream = self._streams.open(self._settings)
        self._outbox.clear()  # windows and ends are kept by their holdings, and repeated after the welcome
        self._answered_s = time.monotonic()
        reader = stream.reader = asyncio.create_task(self._read(stream), name="reader")
        while not reader.done():
            left_s = self._answered_s + SILENCE_S - time.monotonic()
            if left_s <= 0:
                stream.stale = True
                raise _Silent
            await asyncio.wait({reader}, timeout=left_s)
        await self._streams.close(stream)
        if reader.cancelled():
            raise _Silent
        reader.result()

    async def _read(self, stream: Stream) -> None:
        call = stream.call
        await call.write(v1.AttachRequest(hello=self._hello()))
        while isinstance(message := await call.read(), v1.AttachResponse):  # else the stream's end
            if stream.stale:
                continue
            if stream.writer is None and message.HasField("welcome"):
                self._welcomed(message.welcome)
                await self._streams.close_stale()
                writing = self._outbox.write(call, lambda: not stream.stale)
                stream.writer = asyncio.create_task(writing, name="writer")
            else:
                self._handle(message)
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
            segments=[key_to_proto(key) for key in self._holdings],
        )

    # what the server says

    def _welcomed(self, welcome: v1.Welcome) -> None:
        _log.info("attached server=%s worker=%s", self._settings.server, welcome.name)
        if welcome.HasField("lease_duration"):
            self._lease_s = welcome.lease_duration.ToNanoseconds() * 1e-9
        if welcome.HasField("closed_lease_duration"):
            self._closed_lease_s = welcome.closed_lease_duration.ToNanoseconds() * 1e-9
        kept = {key_from_proto(key) for key in welcome.segments}
        for key, holding in self._holdings.items():
            if key not in kept and not holding.ended:
                holding.stop("superseded")
            holding.repeat()
        self._attached, self._closed = True, False

    def _handle(self, message: v1.AttachResponse) -> None:
        match message.WhichOneof("message"):
            case "heartbeat":
                self._heard(message.heartbeat)
            case "preflight":
                asked = message.preflight
                work = self._traced("preflight", asked.run, asked.trace_parent, self._preflight(asked))
                self._spawn(work, "preflight")
            case "assign":
                self._assign(message.assign)
            case "start":
                holding = self._holdings.get(key_from_proto(message.start.key))
                if holding is not None:
                    holding.start(message.start.start_nanos)
            case "stop":
                holding = self._holdings.get(key_from_proto(message.stop.key))
                if holding is not None:
                    holding.stop("stopped")
            case other:
                _log.warning("a message of a kind this version does not know: %s", other)

    def _heard(self, reply: v1.HeartbeatReply) -> None:
        now_ns = time.monotonic_ns()
        self._answered_s = now_ns * 1e-9
        self._lease_until_s = max(self._lease_until_s, reply.sent_nanos * 1e-9 + self._lease_s)
        self._estimate.add(reply.sent_nanos, reply.server_received_nanos, reply.server_sent_nanos, now_ns)
        for ack in reply.acks:
            acknowledged = self._holdings.get(key_from_proto(ack.key))
            if acknowledged is not None:
                acknowledged.acknowledged(ack.sequence)
        for holding in self._holdings.values():
            if holding.sending:
                holding.steer()

    def _lease_left_s(self) -> float:
        shorter_s = max(0.0, self._lease_s - self._closed_lease_s) if self._closed else 0.0
        return self._lease_until_s - shorter_s - time.monotonic()

    def _assign(self, assign: v1.Assign) -> None:
        key = key_from_proto(assign.key)
        if key in self._holdings:  # said again after a reconnection
            self._holdings[key].repeat()
            return
        for other, holding in self._holdings.items():
            if (other.run, other.segment) == (key.run, key.segment) and other.epoch < key.epoch:
                holding.stop("superseded")
        try:
            plan = plan_from_proto(assign.plan)
        except InvalidMessage as error:
            problem = f"the worker cannot read the plan: {error}"
            self._outbox.push(v1.AttachRequest(ready=v1.Ready(key=assign.key, problem=problem)))
            return
        hosts = frozenset(assign.allowed_hosts)
        assignment = Assignment(key, assign.segment_count, plan, assign.from_count, hosts, assign.start_nanos)
        self._forget_ended()
        holding = self._holdings[key] = Holding(
            assignment,
            self._estimate,
            self._lease_left_s,
            self._files,
            self._settings.version,
            self._latency_s,
            self._outbox,
            self._seen,
        )
        work = self._traced("segment", key.run, assign.trace_parent, holding.run())
        self._spawn(work, f"segment {key.run}/{key.segment}/{key.epoch}")

    def _forget_ended(self) -> None:
        """Keep the last few ended segments, whose end may have to be said again."""
        ended = [key for key, holding in self._holdings.items() if holding.ended]
        for key in ended[:-16]:
            del self._holdings[key]

    def _seen(self, window: Window) -> None:
        self.metrics.observe(window)

    async def _traced(self, name: str, run: str, parent: str, work: Coroutine[None, None, None]) -> None:
        with tracing.span(name, parent=parent, run=run.removeprefix("runs/"), worker=self._name):
            await work

    def _spawn(self, work: "asyncio._CoroutineLike[None]", name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _preflight(self, request: v1.Preflight) -> None:
        report, latency_s = await preflight_report(request, self._files, self._settings.version)
        self._latency_s = latency_s or self._latency_s
        self._outbox.push(v1.AttachRequest(preflight=report))

    def _download(self, sha256: str) -> AsyncIterator[bytes]:
        return download(self._streams.channel, self._settings, sha256)


class _Silent(Exception):
    """No heartbeat was answered for too long."""
