"""Mutated plans and messages: whatever bytes come, the server answers with a sentence; no crash, no hang, no INTERNAL.

`make fuzz` sends 10,000; the tests a share of them. BURSTLINE_FUZZ is how many.
"""

import os
import random
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import worker_service_pb2 as work
from burstline.v1.windows_pb2 import Window

Make = Callable[..., Any]
COUNT = int(os.environ.get("BURSTLINE_FUZZ", "240"))
SPECIAL = (0, 1, 0x7F, 0x80, 0xFF)
FORBIDDEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
WITHIN_S = 10.0


def mutated(body: bytes, draw: random.Random) -> bytes:
    """Return bytes changed, put in, taken out or cut off in one to six places."""
    found = bytearray(body)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(found) + 1)
        match draw.randrange(4):
            case 0 if at < len(found):
                found[at] = draw.choice(SPECIAL) if draw.random() < 0.5 else draw.randrange(256)
            case 1:
                found[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 4)))
            case 2:
                del found[at : at + draw.randint(1, 8)]
            case _:
                length = draw.randint(0, 24)
                start = draw.randrange(len(found) + 1)
                found[at:at] = found[start : start + length]
    return bytes(found)


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
