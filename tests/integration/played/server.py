"""A control plane that is played, message by message, as a test says."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from burstline.core.load.plan import (
    Plan,
)
from burstline.core.load.totals import Totals
from burstline.core.load.window import Window
from burstline.v1 import run_service_pb2, run_service_pb2_grpc, windows_pb2, worker_service_pb2_grpc
from burstline.v1 import worker_service_pb2 as v1
from burstline.wire.window import window_from_proto
from burstline.workers.joining.agent import run_agent
from burstline.workers.settings import AgentSettings
from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2
from grpc_status import rpc_status
from played.plans import plan_to_proto

CONTENT = b"sku\nA1\nB2\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def server_ns() -> int:
    """A server's clock far from the worker's."""
    return 1_790_000_000_000_000_000 + time.monotonic_ns()


def window_of(report: v1.WindowReport) -> Window:
    return window_from_proto(windows_pb2.Window.FromString(report.window))


class Server(worker_service_pb2_grpc.WorkerServiceServicer, run_service_pb2_grpc.DataServiceServicer):
    """Plays the control plane, message by message, as a test says."""

    def __init__(self, lease_s: float) -> None:
        self.lease_s, self.closed_lease_s = lease_s, 1.0
        self.hellos: list[v1.Hello] = []
        self.readies: dict[tuple[int, int], v1.Ready] = {}
        self.windows: dict[tuple[int, int, int], v1.WindowReport] = {}
        self.pending: list[v1.WindowAck] = []
        self.repeated = 0
        self.ends: dict[tuple[int, int], v1.SegmentEnd] = {}
        self.preflights: list[v1.PreflightReport] = []
        self.acknowledges = self.answers_heartbeats = True
        self.answers_after_s = 0.0
        self.heartbeat_count = 0
        self.keeps: bool = True
        self.waiting: list[str] = []
        self.clock_ns = server_ns
        self.refusal: status_pb2.Status | None = None
        self.open_count = 0
        self.open_at_hello: list[int] = []
        self._out: asyncio.Queue[v1.AttachResponse | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    async def Attach(self, request_iterator: AsyncIterator[v1.AttachRequest], context: Any) -> AsyncIterator[Any]:
        if self.refusal is not None:
            await context.abort_with_status(rpc_status.to_status(self.refusal))
        out = self._out = asyncio.Queue()
        reader = asyncio.create_task(self._read(request_iterator, out))
        self.open_count += 1
        try:
            while (message := await out.get()) is not None:
                yield message
        finally:
            self.open_count -= 1
            self._changed.set()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[v1.AttachRequest], out: "asyncio.Queue[Any]") -> None:
        async for message in requests:
            match message.WhichOneof("message"):
                case "hello":
                    self.hellos.append(message.hello)
                    self.open_at_hello.append(self.open_count)
                    self.welcome()
                case "heartbeat":
                    self.heartbeat_count += 1
                    self.pending += [self._window(report) for report in message.heartbeat.windows]
                    if self.answers_heartbeats:
                        now, sent = self.clock_ns(), message.heartbeat.sent_nanos
                        reply = v1.HeartbeatReply(
                            sent_nanos=sent, server_received_nanos=now, server_sent_nanos=now, waiting_runs=self.waiting
                        )
                        if self.acknowledges:
                            reply.acks.extend(self.pending)
                            self.pending.clear()
                        answer = v1.AttachResponse(heartbeat=reply)
                        asyncio.get_running_loop().call_later(self.answers_after_s, out.put_nowait, answer)
                case "ready":
                    self.readies[message.ready.key.segment, message.ready.key.epoch] = message.ready
                case "end":
                    self.ends[message.end.key.segment, message.end.key.epoch] = message.end
                case "preflight":
                    self.preflights.append(message.preflight)
            self._changed.set()

    def _window(self, report: v1.WindowReport) -> v1.WindowAck:
        key = (report.key.segment, report.key.epoch, report.sequence)
        if key in self.windows:
            self.repeated += 1
            assert self.windows[key] == report, "the same window under the same key"
        self.windows[key] = report
        return v1.WindowAck(key=report.key, sequence=report.sequence)

    async def Download(self, request: Any, context: Any) -> AsyncIterator[Any]:
        if request.sha256 != SHA256:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such file")
        yield run_service_pb2.DownloadResponse(content=CONTENT[:4])
        yield run_service_pb2.DownloadResponse(content=CONTENT[4:])

    async def ListWorkers(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    async def Upload(self, request_iterator: Any, context: Any) -> Any:
        raise NotImplementedError

    def say(self, **message: Any) -> None:
        self._out.put_nowait(v1.AttachResponse(**message))

    def welcome(self) -> None:
        """Say which segments of the newest hello the worker keeps: none of the runs that are `waiting`."""
        lease = Duration()
        lease.FromNanoseconds(int(self.lease_s * 1e9))
        kept = [key for key in self.hellos[-1].segments if self.keeps and key.run not in self.waiting]
        welcome = v1.Welcome(name="workers/w", lease_duration=lease, segments=kept)
        welcome.waiting_runs.extend(self.waiting)
        welcome.server = str(id(self))
        welcome.closed_lease_duration.FromNanoseconds(int(self.closed_lease_s * 1e9))
        self.say(welcome=welcome)

    def hang_up(self) -> None:
        self._out.put_nowait(None)

    async def until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)

    def assign(self, plan: Plan, segment: int = 0, count: int = 1, epoch: int = 1, **more: Any) -> v1.SegmentKey:
        key = v1.SegmentKey(run="runs/r1", segment=segment, epoch=epoch)
        self.say(assign=v1.Assign(key=key, segment_count=count, plan=plan_to_proto(plan), **more))
        return key

    async def start(self, key: v1.SegmentKey, in_s: float = 0.3) -> None:
        await self.until(lambda: (key.segment, key.epoch) in self.readies)
        assert self.readies[key.segment, key.epoch].problem == ""
        self.say(start=v1.Start(key=key, start_nanos=server_ns() + int(in_s * 1e9)))

    async def end(self, key: v1.SegmentKey, timeout_s: float = 15.0) -> v1.SegmentEnd:
        await self.until(lambda: (key.segment, key.epoch) in self.ends, timeout_s)
        return self.ends[key.segment, key.epoch]

    def totals(self) -> Totals:
        totals = Totals()
        for (segment, _, _), report in sorted(self.windows.items()):
            totals.add(segment, window_of(report))
        return totals


class House:
    """A server and an agent attached to it."""

    def __init__(self, server: Server, address: str, grpc_server: grpc.aio.Server) -> None:
        self.server, self.address, self.grpc_server = server, address, grpc_server
        self.stop = asyncio.Event()
        self.agent: asyncio.Task[None] | None = None

    async def attach(self) -> None:
        self.agent = asyncio.create_task(run_agent(AgentSettings(self.address, version="1.2.3"), self.stop))
        await self.server.until(lambda: self.server.hellos)
