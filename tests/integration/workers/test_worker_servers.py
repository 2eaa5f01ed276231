"""A worker that knows two servers: it goes over, keeps what it sends, and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from burstline.core.load.plan import Constant, Phase
from burstline.v1 import worker_service_pb2 as v1
from burstline.v1 import worker_service_pb2_grpc
from burstline.workers.joining import agent as agent_module
from burstline.workers.joining.agent import run_agent
from burstline.workers.settings import AgentSettings
from google.rpc import code_pb2, status_pb2
from played.plans import plan_for
from played.server import House, Server, server_ns

AHEAD_NS = 300_000_000_000
"""The second server's clock is so far ahead of the first one's."""


@pytest.fixture
async def other() -> AsyncIterator[House]:
    """Yield a second server, which drives nothing yet, and has a clock of its own."""
    servicer = Server(lease_s=10.0)
    servicer.waiting = ["runs/r1"]
    servicer.clock_ns = lambda: server_ns() + AHEAD_NS
    server = grpc.aio.server()
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield House(servicer, f"127.0.0.1:{port}", server)
    await server.stop(0)


async def attach(house: House, other: House) -> None:
    both = AgentSettings(f"{house.address},{other.address}", version="1.2.3")
    house.agent = asyncio.create_task(run_agent(both, house.stop))
    await house.server.until(lambda: house.server.hellos)


async def test_when_its_server_is_gone_it_goes_to_the_other_and_sends_on_until_that_has_taken_the_run_over(
    house: House, other: House, target: Any
) -> None:
    await attach(house, other)
    key = house.server.assign(plan_for(target, Phase("c", 5.0, Constant(100)), max_late_s=5.0))
    start_ns = server_ns() + 500_000_000
    await house.server.until(lambda: house.server.readies)
    house.server.say(start=v1.Start(key=key, start_nanos=start_ns))
    await house.server.until(lambda: len(target.requests) > 50)
    house.server.acknowledges = False  # its last windows are on their way when it dies
    await asyncio.sleep(1.0)
    await house.grpc_server.stop(0)
    server = other.server
    server.acknowledges = False
    await server.until(lambda: server.hellos)
    await asyncio.sleep(0.5)
    server.waiting, server.acknowledges = [], True
    server.windows.clear()
    server.welcome()
    server.say(start=v1.Start(key=key, start_nanos=start_ns + AHEAD_NS))
    assert (await server.end(key)).reason == "done"
    assert len(target.requests) == 500
    assert {number for _, _, number in server.windows} >= {2, 3, 4}, "said again, what nobody took"


async def test_a_lease_that_no_server_renews_ends(house: House, other: House, target: Any) -> None:
    house.server.lease_s = other.server.lease_s = 2.0
    await attach(house, other)
    key = house.server.assign(plan_for(target, Phase("c", 60.0, Constant(100)), max_late_s=5.0))
    await house.server.start(key)
    await house.server.until(lambda: len(target.requests) > 20)
    await house.grpc_server.stop(0)
    await other.server.until(lambda: other.server.hellos)
    await asyncio.sleep(2.2)
    count = len(target.requests)
    await asyncio.sleep(0.4)
    assert len(target.requests) == count
    other.server.waiting = []
    other.server.welcome()
    assert (await other.server.end(key)).reason == "lease"


async def test_while_the_other_does_not_drive_its_run_it_looks_for_the_first_again(
    house: House, other: House, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "TURN_S", 0.3)
    await attach(house, other)
    key = house.server.assign(plan_for(target, Phase("c", 6.0, Constant(100)), max_late_s=5.0))
    await house.server.start(key)
    await house.server.until(lambda: len(target.requests) > 20)
    house.server.refusal = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="later")
    house.server.closed_lease_s = 10.0
    house.server.answers_heartbeats = False
    monkeypatch.setattr(agent_module, "SILENCE_S", 1.0)
    await other.server.until(lambda: other.server.hellos)
    house.server.refusal, house.server.answers_heartbeats = None, True
    await house.server.until(lambda: len(house.server.hellos) > 1)
    assert (await house.server.end(key)).reason == "done"
    assert len(target.requests) == 600
    assert house.server.open_count == 1, "the streams that it gave up are closed once it is kept"


async def test_an_idle_worker_goes_back_to_the_first_server(
    house: House, other: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "HOME_S", 0.2)
    house.server.refusal = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="later")
    both = AgentSettings(f"{house.address},{other.address}", version="1.2.3")
    house.agent = asyncio.create_task(run_agent(both, house.stop))
    other.server.waiting = []
    await other.server.until(lambda: other.server.hellos)
    house.server.refusal = None
    began_s = time.monotonic()
    await house.server.until(lambda: house.server.hellos)
    assert time.monotonic() - began_s < 5.0
