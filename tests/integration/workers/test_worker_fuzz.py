"""Mutated words of a server: a worker goes on, says what is wrong with a plan, and takes the next sound one."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from burstline.core.load.plan import Constant, Phase, Plan, Request, Target
from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.joining.agent import run_agent
from burstline.workers.sending.addresses import ForbiddenAddress, Gate
from burstline.workers.settings import AgentSettings
from google.protobuf.message import DecodeError
from mutating import COUNT, mutated
from played.plans import plan_to_proto
from played.server import server_ns

A_STREAM = 5
"""Mutated messages of one stream; bytes that are no message end it."""


def refuse(_: Gate, address: str) -> None:
    """A mutated plan may name any port of this machine: nothing is connected to."""
    raise ForbiddenAddress(f"{address} is not connected to by this test")


def sound_messages() -> list[v1.AttachResponse]:
    """Return what a server says in the course of a short run."""
    load = Phase("c", 0.05, Constant(40.0))
    requests = (Request("a", path="/{{ n }}?x={{ uuid[:4] }}"), Request("b", method="POST", path="/b", json='{"a": 1}'))
    plan = plan_to_proto(Plan("p", Target("http://127.0.0.1:9"), requests, (load,), writes=True))
    key = v1.SegmentKey(run="runs/r1", segment=0, epoch=1)
    now = server_ns()
    welcome = v1.Welcome(name="workers/w", segments=[key], server="s")
    welcome.lease_duration.seconds, welcome.closed_lease_duration.seconds = 10, 2
    ack = v1.WindowAck(key=key, sequence=0)
    return [
        v1.AttachResponse(welcome=welcome),
        v1.AttachResponse(
            heartbeat=v1.HeartbeatReply(sent_nanos=1, server_received_nanos=now, server_sent_nanos=now, acks=[ack])
        ),
        v1.AttachResponse(preflight=v1.Preflight(run="runs/r1", plan=plan)),
        v1.AttachResponse(assign=v1.Assign(key=key, segment_count=1, plan=plan)),
        v1.AttachResponse(start=v1.Start(key=key, start_nanos=now)),
        v1.AttachResponse(stop=v1.Stop(key=key)),
        v1.AttachResponse(farewell=v1.Farewell()),
    ]


def parses(body: bytes) -> bool:
    try:
        v1.AttachResponse.FromString(body)
    except DecodeError:
        return False
    return True


class Babbler:
    """A server that says mutated things, stream after stream, and something sound when it has said them all."""

    def __init__(self, count: int) -> None:
        self.draw = random.Random(7)
        self.sound = [message.SerializeToString() for message in sound_messages()]
        self.left = count
        self.reports: list[v1.PreflightReport] = []
        self.heard: set[str] = set()
        self.done = asyncio.Event()

    async def attach(self, requests: AsyncIterator[v1.AttachRequest], _: Any) -> AsyncIterator[bytes]:
        await anext(aiter(requests))  # hello
        reading = asyncio.create_task(self._read(requests))
        try:
            yield self.sound[0]
            if self.left <= 0:
                yield self.sound[2]
                await self.done.wait()
                return
            for body in self._some():
                self.left -= 1
                yield body
            await asyncio.sleep(0.002)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _some(self) -> list[bytes]:
        bodies = [mutated(self.draw.choice(self.sound), self.draw) for _ in range(A_STREAM)]
        bodies = [body if self.draw.random() < 0.8 else self.draw.choice(self.sound) for body in bodies]
        return sorted(bodies, key=parses, reverse=True)

    async def _read(self, requests: AsyncIterator[v1.AttachRequest]) -> None:
        async for message in requests:
            kind = message.WhichOneof("message")
            self.heard.add(kind or "")
            if kind == "preflight" and self.left <= 0 and message.preflight.run == "runs/r1":
                self.reports.append(message.preflight)
                self.done.set()


@pytest.mark.timeout(0 if COUNT > 1000 else 120)
async def test_mutated_words_of_a_server_never_end_or_block_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "check", refuse)
    monkeypatch.setattr("burstline.workers.joining.agent.LONGEST_BACKOFF_S", 0.005)
    failures: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    babbler = Babbler(COUNT // 2)
    handler = grpc.stream_stream_rpc_method_handler(
        babbler.attach, request_deserializer=v1.AttachRequest.FromString, response_serializer=bytes
    )
    server = grpc.aio.server()
    service = grpc.method_handlers_generic_handler("burstline.v1.WorkerService", {"Attach": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    agent = asyncio.create_task(run_agent(AgentSettings(f"127.0.0.1:{port}")))
    done = asyncio.create_task(babbler.done.wait())
    longest_s = 0.0
    while not done.done() and not agent.done():
        before_s = loop.time()
        await asyncio.wait({done, agent}, timeout=0.05)
        longest_s = max(longest_s, loop.time() - before_s)
    if agent.done():
        agent.result()
    assert not failures, failures[:3]
    assert longest_s < 2.0, "its event loop was never blocked for long"
    (answer, _) = babbler.reports[-1].answers
    assert "is not connected to by this test" in answer.problem, "at the end it still does what is asked of it"
    agent.cancel()
    await asyncio.gather(agent, return_exceptions=True)
    await server.stop(0)
