"""The agent and its stream: lost, silent, refused, taken over, and the lease that bounds what it sends meanwhile."""

import asyncio
import re
from typing import Any

import pytest
from burstline.core.load.plan import (
    Constant,
    Phase,
)
from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.joining.agent import run_agent
from burstline.workers.settings import AgentSettings
from google.rpc import code_pb2, status_pb2
from played.plans import plan_for
from played.server import House, server_ns, window_of


def position(line: str) -> int:
    match = re.search(r"x-burstline-n: (\d+)", line)
    assert match is not None
    return int(match[1])


async def test_over_a_lost_stream_it_sends_on_and_says_again_what_was_not_acknowledged(
    house: House, target: Any
) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 4.0, Constant(100))))
    server.acknowledges = False
    await server.start(key)
    await server.until(lambda: len(server.windows) >= 2)
    server.hang_up()
    await server.until(lambda: len(server.hellos) == 2)
    server.acknowledges = True
    assert [one.segment for one in server.hellos[1].segments] == [0]
    assert server.hellos[0].worker_id == server.hellos[1].worker_id
    end = await server.end(key)
    assert end.reason == "done"
    assert server.repeated >= 2
    load = server.totals().load()
    assert load.due == 400
    assert load.sent == len(target.requests)


async def test_the_end_comes_only_after_every_window_is_acknowledged(house: House, target: Any) -> None:
    server = house.server
    server.acknowledges = False
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 0.5, Constant(50))))
    await server.start(key)
    await server.until(lambda: server.totals().load().due == 25)
    await asyncio.sleep(0.5)
    assert not server.ends
    server.acknowledges = True
    assert (await server.end(key)).reason == "done"


async def test_without_a_lease_sending_stops_by_itself(house: House, target: Any) -> None:
    server = house.server
    server.lease_s = 1.0
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(200))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 50)
    server.answers_heartbeats = False
    await asyncio.sleep(2.0)
    count = len(target.requests)
    server.answers_heartbeats = True  # else nothing is acknowledged, and the end comes after that
    end = await server.end(key)
    assert end.reason == "lease"
    assert len(target.requests) == count == server.totals().load().sent


async def test_kept_out_by_a_living_server_it_stops_before_another_takes_over(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    server.refusal = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="later")
    server.hang_up()
    await asyncio.sleep(server.closed_lease_s + 0.3)
    count = len(target.requests)
    await asyncio.sleep(0.3)
    assert len(target.requests) == count
    server.refusal = None
    assert (await server.end(key)).reason == "lease"
    assert server.totals().load().sent == count


async def test_when_the_server_is_gone_it_goes_on_under_its_whole_lease(house: House, target: Any) -> None:
    """Nobody listens any more: nobody gives its segment to another."""
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100)), max_late_s=5.0))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    await house.grpc_server.stop(0)
    await asyncio.sleep(server.closed_lease_s + 0.5)
    count = len(target.requests)
    await server.until(lambda: len(target.requests) >= count + 20, 3.0)


async def test_a_silent_stream_is_given_up_only_after_the_welcome_on_a_new_one(house: House, target: Any) -> None:
    """A stream that closes says that the process is gone: others would send what this worker goes on sending."""
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 7.0, Constant(50))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 10)
    server.answers_heartbeats = False
    await server.until(lambda: len(server.hellos) == 2)
    server.answers_heartbeats = True
    assert server.open_at_hello == [1, 2]
    await server.until(lambda: server.open_count == 1)
    end = await server.end(key)
    assert end.reason == "done"
    assert len(target.requests) == server.totals().load().sent
    assert len(server.hellos) == 2


async def test_a_takeover_starts_in_the_middle_at_its_position(
    house: House, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSTLINE_MARK_N", "1")
    server = house.server
    await house.attach()
    await server.until(lambda: server.heartbeat_count >= 2)  # so that the first was answered
    started = server_ns() - int(1.0e9)
    plan = plan_for(target, Phase("c", 3.0, Constant(100)), max_late_s=5.0)
    key = server.assign(plan, 1, 2, epoch=2, from_count=75, start_nanos=started)
    end = await server.end(key)
    assert end.reason == "done"
    totals = server.totals()
    assert totals.load().due == 75
    numbers = sorted(position(head) for head in target.requests)
    assert numbers == list(range(301 - 2 * len(numbers), 301, 2))[: len(numbers)]
    assert numbers[0] >= 151
    assert max(window_of(report).watermark for report in server.windows.values()) == 150


async def test_a_higher_epoch_ends_the_lower_one(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    plan = plan_for(target, Phase("c", 60.0, Constant(50)))
    first = server.assign(plan)
    await server.start(first)
    await server.until(lambda: target.requests)
    second = server.assign(plan, epoch=2, from_count=100)
    assert (await server.end(first)).reason == "superseded"
    await server.until(lambda: (0, 2) in server.readies)
    server.say(stop=v1.Stop(key=second))
    await server.end(second)


async def test_segments_that_the_server_does_not_leave_it_are_dropped_but_their_windows_still_come(
    house: House, target: Any
) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    server.keeps = False
    server.hang_up()
    end = await server.end(key)
    assert end.reason == "superseded"
    assert server.totals().load().sent == len(target.requests)


async def test_a_server_that_comes_later_is_found_within_seconds(house: House) -> None:
    house.server.refusal = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="starting")
    task = asyncio.create_task(run_agent(AgentSettings(house.address), house.stop))
    await asyncio.sleep(0.5)
    house.server.refusal = None
    await house.server.until(lambda: house.server.hellos, 3.0)
    house.stop.set()
    await asyncio.wait_for(task, 3.0)


async def test_it_starts_by_the_clock_as_it_was_read_last_before_t0(house: House, target: Any) -> None:
    """While workers are started their machine is busy: answers are read late, and the clock is off by half of that."""
    server = house.server
    arrived_ns: list[int] = []

    async def noted(_: str, writer: asyncio.StreamWriter) -> None:
        arrived_ns.append(server_ns())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    target.behaviour = noted
    server.answers_after_s = 0.1
    await house.attach()
    await server.until(lambda: server.heartbeat_count >= 12)
    key = server.assign(plan_for(target, Phase("c", 0.5, Constant(100))))
    await server.until(lambda: server.readies)
    server.answers_after_s, start_ns = 0.0, server_ns() + 1_000_000_000
    server.say(start=v1.Start(key=key, start_nanos=start_ns))
    assert (await server.end(key)).reason == "done"
    late_s = [(at_ns - start_ns) * 1e-9 - n / 100 for n, at_ns in enumerate(arrived_ns)]
    assert abs(min(late_s)) < 0.02, late_s
