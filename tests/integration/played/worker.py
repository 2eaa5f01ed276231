"""A worker that speaks the protocol and pretends to send."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from burstline.core.load.plan import Plan
from burstline.core.load.schedule import Schedule, Stripe
from burstline.core.load.window import AnswerKey, Latency, LatencyKey, Load, Window
from burstline.server.clock import SystemClock
from burstline.v1 import worker_service_pb2 as worker_wire
from burstline.v1 import worker_service_pb2_grpc
from burstline.wire.plan import plan_from_proto
from burstline.wire.window import window_to_proto

STEP_S = 0.1


class FakeWorker:
    """A worker without a network: everything due is sent and answered with `signature` at once."""

    def __init__(self, address: str, *, version: str = "0.1.0", token: str = "", signature: str = "plain.ok") -> None:
        self.address, self.version, self.signature = address, version, signature
        self.worker_id = str(uuid.uuid4())
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self.preflight_status = 200
        self.ready_problem = ""
        self.acks: list[tuple[int, int, int]] = []
        self.assigned: list[worker_wire.Assign] = []
        self.kept: dict[tuple[str, int, int], tuple[worker_wire.SegmentKey, Stripe, int]] = {}
        self.unacknowledged: dict[tuple[str, int, int, int], worker_wire.AttachRequest] = {}
        self.sent_count = self.farewells = 0
        self.silent = False
        self.never_ready = False
        self.twice = False
        self.on_end: Callable[[], object] = lambda: None
        self.attached = asyncio.Event()
        self.stopped: set[tuple[str, int, int]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._outbox: asyncio.Queue[worker_wire.AttachRequest] = asyncio.Queue()
        self._offset_nanos = 0
        self._plan: dict[str, Plan] = {}
        self._clock = SystemClock()
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None

    async def attach(self) -> None:
        """Open the stream and say hello; returns after `Welcome`."""
        self._channel = grpc.aio.insecure_channel(self.address)
        self._outbox = asyncio.Queue()
        hello = worker_wire.Hello(
            worker_id=self.worker_id, version=self.version, hostname="fake", pid=1,
            segments=[key for key, _, _ in self.kept.values()],
        )  # fmt: skip
        self._outbox.put_nowait(worker_wire.AttachRequest(hello=hello))
        for message in self.unacknowledged.values():
            self._outbox.put_nowait(message)
        self._call = worker_service_pb2_grpc.WorkerServiceStub(self._channel).Attach(
            self._requests(), metadata=self.metadata
        )
        first = await self._call.read()
        assert first is not grpc.aio.EOF
        self.welcome = first.welcome
        self.attached.set()
        self._tasks += [asyncio.create_task(self._read()), asyncio.create_task(self._beat())]

    async def _requests(self) -> AsyncIterator[worker_wire.AttachRequest]:
        while True:
            yield await self._outbox.get()

    async def _beat(self) -> None:
        while True:
            if not self.silent:
                beat = worker_wire.Heartbeat(sent_nanos=self._clock.now_nanos())
                self._outbox.put_nowait(worker_wire.AttachRequest(heartbeat=beat))
            await asyncio.sleep(0.1)

    async def _read(self) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
            while (message := await self._call.read()) is not grpc.aio.EOF:
                self._handle(message)
        self.on_end()

    def _handle(self, message: worker_wire.AttachResponse) -> None:
        match message.WhichOneof("message"):
            case "preflight":
                answers = [
                    worker_wire.PreflightReport.Answer(
                        request=r.name, status=self.preflight_status, problem="p" if not self.preflight_status else ""
                    )
                    for r in message.preflight.plan.requests
                ]
                report = worker_wire.PreflightReport(
                    run=message.preflight.run, answers=answers, sent_count=len(answers)
                )
                self._outbox.put_nowait(worker_wire.AttachRequest(preflight=report))
            case "assign":
                self.assigned.append(message.assign)
                self._plan[message.assign.key.run] = plan_from_proto(message.assign.plan)
                if self.never_ready:
                    return
                ready = worker_wire.Ready(key=message.assign.key, problem=self.ready_problem)
                self._outbox.put_nowait(worker_wire.AttachRequest(ready=ready))
            case "start":
                if self._name(message.start.key) not in self.kept:
                    self._tasks.append(asyncio.create_task(self._send(message.start)))
            case "stop":
                self.stopped.add(self._name(message.stop.key))
            case "heartbeat":
                for ack in message.heartbeat.acks:
                    self.acks.append((ack.key.segment, ack.key.epoch, ack.sequence))
                    self.unacknowledged.pop((*self._name(ack.key), ack.sequence), None)
            case "welcome":  # once more, by a server that has taken over: what it did not take is said again
                self.welcome = message.welcome
                for untaken in self.unacknowledged.values():
                    self._outbox.put_nowait(untaken)
            case "farewell":
                self.farewells += 1
            case _:
                pass

    @staticmethod
    def _name(key: worker_wire.SegmentKey) -> tuple[str, int, int]:
        return (key.run, key.segment, key.epoch)

    async def _send(self, start: worker_wire.Start) -> None:
        """Report what is due, every STEP_S, until the stripe is done or it is told to stop."""
        name = self._name(start.key)
        assign = next(assign for assign in self.assigned if self._name(assign.key) == name)
        plan = self._plan[assign.key.run]
        stripe = Stripe(Schedule(plan.load, plan.seed), assign.key.segment, assign.segment_count)
        watermark, sequence = assign.from_count, 0
        self.kept[name] = (start.key, stripe, watermark)
        while name not in self.stopped and watermark < stripe.count:
            await asyncio.sleep(STEP_S)
            run_s = (self._clock.now_nanos() - start.start_nanos) / 1e9
            if run_s < 0:
                continue
            position = min(stripe.count, stripe.position_at(run_s))
            self._report(start.key, sequence, stripe, watermark, position, int(run_s))
            watermark, sequence = position, sequence + 1
        reason = "stopped" if name in self.stopped else "done"
        end = worker_wire.SegmentEnd(key=start.key, window_count=sequence, reason=reason)
        self._outbox.put_nowait(worker_wire.AttachRequest(end=end))
        del self.kept[name]

    def _report(
        self, key: worker_wire.SegmentKey, sequence: int, stripe: Stripe, low: int, high: int, second: int
    ) -> None:
        window = Window(second, watermark=high)
        phases = stripe.schedule.phase_of(stripe.numbers(low, high)).tolist()
        for phase in set(phases):
            count = phases.count(phase)
            window.loads[phase] = Load(count, count, count)
            window.answers[AnswerKey(phase, 0, self.signature)] = count
        if high > low:
            ten_ms = {second * 100: high - low}
            window.due_bins = window.sent_bins = ten_ms
            window.answer_bins[self.signature] = ten_ms
            latency = window.latencies.setdefault(LatencyKey(0, self.signature), Latency())
            for _ in range(high - low):
                latency.due.add(0.01)
                latency.sent.add(0.01)
        self.sent_count += high - low
        body = window_to_proto(window).SerializeToString()
        report = worker_wire.WindowReport(key=key, sequence=sequence, window=body)
        beat = worker_wire.Heartbeat(sent_nanos=self._clock.now_nanos(), windows=[report])
        request = worker_wire.AttachRequest(heartbeat=beat)
        self.unacknowledged[(*self._name(key), sequence)] = request
        for _ in range(2 if self.twice else 1):
            if not self.silent:
                self._outbox.put_nowait(request)

    async def cut(self) -> None:
        """Break the stream and go on by itself."""
        assert self._channel is not None
        self._call.cancel()
        await self._channel.close()

    async def die(self) -> None:
        """End as a killed process does."""
        for task in self._tasks:
            task.cancel()
        if self._channel is not None:
            await self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
