"""Mutated plans and messages: whatever bytes come, the server answers with a sentence; no crash, no hang, no INTERNAL.

`make fuzz` sends 10,000; the tests a share of them. BURSTLINE_FUZZ is how many.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from burstline.core.load import window as core
from burstline.server.app import running
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc
from burstline.v1 import worker_service_pb2 as work
from burstline.v1.windows_pb2 import Window
from burstline.wire.window import window_to_proto
from mutating import COUNT, mutated

Make = Callable[..., Any]
FORBIDDEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
WITHIN_S = 10.0


def run_of(plan: v1.Plan) -> bytes:
    """Return a request that is only checked."""
    ramp = plan.load.add(name="ramp").ramp
    ramp.from_request_count_per_second, ramp.to_request_count_per_second = 1.0, 9.0
    return wire.CreateRunRequest(run=v1.Run(plan=plan), validate_only=True).SerializeToString()


async def code_of(call: Any) -> grpc.StatusCode:
    """Return what a call ended with."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        # grpcio's word for writing into a stream that the server has ended by then: ours, not the server's
        ours = (error.details() or "").startswith("Internal error from Core")
        return grpc.StatusCode.CANCELLED if ours else error.code()
    return grpc.StatusCode.OK


@pytest.mark.timeout(0 if COUNT > 1000 else 120)
async def test_a_mutated_plan_is_answered_with_a_sentence(serving: Make, settings: Make, plan: Make) -> None:
    draw = random.Random(5)
    sound = run_of(plan())
    async with serving(settings()) as (_, client):
        create = client.channel.unary_unary("/burstline.v1.RunService/CreateRun", request_serializer=bytes)
        seen = {await code_of(create(mutated(sound, draw), timeout=WITHIN_S)) for _ in range(COUNT // 2)}
    assert not seen & FORBIDDEN, seen
    assert grpc.StatusCode.INVALID_ARGUMENT in seen


@pytest.mark.timeout(0 if COUNT > 1000 else 120)
async def test_mutated_words_of_a_worker_end_its_stream_with_a_sentence_and_nobody_else_s(
    serving: Make, settings: Make
) -> None:
    draw = random.Random(6)
    key = work.SegmentKey(run="runs/r", segment=0, epoch=1)
    report = work.WindowReport(key=key, sequence=1, window=Window(second=1, watermark_count=3).SerializeToString())
    hello = work.AttachRequest(hello=work.Hello(worker_id="w", version="0.1.0", segments=[key])).SerializeToString()
    sound = [
        hello,
        work.AttachRequest(heartbeat=work.Heartbeat(sent_nanos=1, windows=[report])).SerializeToString(),
        work.AttachRequest(end=work.SegmentEnd(key=key, window_count=2, reason="done")).SerializeToString(),
        work.AttachRequest(ready=work.Ready(key=key, problem="p")).SerializeToString(),
        work.AttachRequest(preflight=work.PreflightReport(run="runs/r", sent_count=1)).SerializeToString(),
    ]

    async def one(attach: Any) -> None:
        first = mutated(hello, draw) if draw.random() < 0.2 else hello
        said = [first, *(mutated(draw.choice(sound), draw) for _ in range(3))]
        call = attach(iter(said), timeout=WITHIN_S)
        async for _ in call:
            pass

    async with serving(settings()) as (_, client):
        attach = client.channel.stream_stream("/burstline.v1.WorkerService/Attach", request_serializer=bytes)
        seen = {await code_of(one(attach)) for _ in range(COUNT // 2)}
        listed = await client.workers.ListWorkers(work.ListWorkersRequest(), timeout=WITHIN_S)
    assert not seen & FORBIDDEN, seen
    assert not listed.workers


class Inventor:
    """A worker that takes its segment as it should, and then makes its windows up."""

    def __init__(self, client: Any, draw: random.Random, count: int) -> None:
        self._attach = client.channel.stream_stream(
            "/burstline.v1.WorkerService/Attach",
            request_serializer=bytes,
            response_deserializer=work.AttachResponse.FromString,
        )
        self._draw, self._left = draw, count
        self._sequence = 0
        self._key = work.SegmentKey()
        self.codes: set[grpc.StatusCode] = set()

    async def serve(self) -> None:
        """Attach again and again until all was said; then end the segment."""
        while True:
            self.codes.add(await code_of(self._serve_once()))

    async def _serve_once(self) -> None:
        call = self._attach()
        held = [self._key] if self._key.run else []
        await self._say(call, hello=work.Hello(worker_id="inventor", version="0.1.0", segments=held))
        while isinstance(message := await call.read(), work.AttachResponse):
            match message.WhichOneof("message"):
                case "preflight":
                    answers = [work.PreflightReport.Answer(request="r", status=200)]
                    await self._say(call, preflight=work.PreflightReport(run=message.preflight.run, answers=answers))
                case "assign":
                    self._key = message.assign.key
                    await self._say(call, ready=work.Ready(key=self._key))
                case "start" | "welcome" if self._key.run:
                    await self._invent(call)
                case _:
                    continue
        code = await call.code()
        if code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), await call.details())

    async def _say(self, call: Any, **message: Any) -> None:
        await call.write(work.AttachRequest(**message).SerializeToString())

    async def _invent(self, call: Any) -> None:
        """Say mutated windows under sound keys, and now and then the whole message mutated."""
        while self._left > 0:
            self._left -= 1
            body = mutated(SOUND_WINDOW, self._draw)
            report = work.WindowReport(key=self._key, sequence=self._sequence, window=body)
            self._sequence += 1
            said = work.AttachRequest(heartbeat=work.Heartbeat(sent_nanos=1, windows=[report])).SerializeToString()
            await call.write(mutated(said, self._draw) if self._draw.random() < 0.2 else said)
        end = work.SegmentEnd(key=self._key, window_count=0, reason="done")
        await self._say(call, end=end)


def sound_window() -> bytes:
    """Return a window with all that a window can hold."""
    window = core.Window(0, watermark=3)
    window.loads[0] = core.Load(4, 3, 3, {core.Drop.LATE: 1})
    window.answers[core.AnswerKey(0, 0, "plain.ok")] = 2
    window.answers[core.AnswerKey(0, 0, "rest.429.too_many")] = 1
    for key in (core.LatencyKey(0, "plain.ok"), core.LatencyKey(0, "rest.429.too_many")):
        latency = window.latencies[key] = core.Latency()
        latency.due.add(0.02)
        latency.sent.add(0.01)
        window.answer_bins[key.signature] = {1: 1}
        window.completion_bins[key.signature] = {3: 1}
    window.due_bins = window.sent_bins = {1: 2, 2: 1}
    window.marks[1] = core.Mark(0.011, 1, 0.012, 1)
    for histogram in (window.lateness, window.loop_lag, window.connect, window.tls):
        histogram.add(0.001)
    window.cpu_ratio, window.in_flight, window.open_sockets, window.opened = 0.1, 1, 2, 1
    return window_to_proto(window).SerializeToString()


SOUND_WINDOW = sound_window()
A_RUN = 60
"""Mutated windows of one run."""


@pytest.mark.timeout(0 if COUNT > 1000 else 120)
async def test_a_run_whose_windows_are_made_up_is_judged_all_the_same(settings: Make, plan: Make) -> None:
    draw = random.Random(8)
    verdicts: dict[str, int] = {}
    seen: set[grpc.StatusCode] = set()
    made = settings(http="", more_workers_wait_s=0.0, start_delay_s=0.01, return_wait_s=0.2)
    async with running(made) as server, grpc.aio.insecure_channel(server.grpc_address) as channel:
        runs = run_service_pb2_grpc.RunServiceStub(channel)
        for _ in range(max(1, COUNT // 2 // A_RUN)):
            inventor = Inventor(type("Caller", (), {"channel": channel}), draw, A_RUN)
            serving = asyncio.create_task(inventor.serve())
            run = await runs.CreateRun(wire.CreateRunRequest(run=v1.Run(plan=plan((0.5, 8.0)))), timeout=WITHIN_S)
            async for progress in runs.WatchRun(wire.WatchRunRequest(name=run.name), timeout=60.0):
                run = progress.run
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            seen |= inventor.codes
            assert "internal error" not in run.reason, (run, inventor.codes)
            verdicts[run.verdict] = verdicts.get(run.verdict, 0) + 1
    assert not seen & FORBIDDEN, seen
    assert set(verdicts) <= {"passed", "incomplete", "generator_limited", "quota_bound"}, verdicts
