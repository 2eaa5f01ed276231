"""The agent against a real gRPC server: prepare, start, send, report, end."""

import asyncio
import re
from typing import Any

import pytest
from burstline.core.load.plan import (
    Auth,
    AuthKind,
    Ceilings,
    Constant,
    DataFile,
    DataFormat,
    DataOrder,
    Pause,
    Phase,
    Request,
    Users,
)
from burstline.core.load.window import Drop
from burstline.v1 import worker_service_pb2 as v1
from played.plans import plan_for
from played.server import SHA256, House, window_of


def position(line: str) -> int:
    match = re.search(r"x-burstline-n: (\d+)", line)
    assert match is not None
    return int(match[1])


async def test_a_segment_goes_the_whole_way_and_its_ledger_is_the_target_s_count(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target))
    await server.start(key)
    end = await server.end(key)
    totals = server.totals()
    load = totals.load()
    assert end.reason == "done"
    assert end.window_count == len(server.windows)
    assert sorted(sequence for _, _, sequence in server.windows) == list(range(end.window_count)), "without gaps"
    assert load.due == 400 == load.sent + sum(load.dropped.values())
    assert load.sent_on_wire == load.sent == len(target.requests) == totals.signatures()["plain.ok"]
    assert max(window_of(report).watermark for report in server.windows.values()) == 400
    assert all("x-burstline-run: r1" in head and "User-Agent: burstline/1.2.3" in head for head in target.requests)
    assert server.readies[0, 1].open_connection_count >= 1


async def test_two_segments_on_one_worker_send_each_arrival_exactly_once(
    house: House, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSTLINE_MARK_N", "1")
    server = house.server
    await house.attach()
    keys = [server.assign(plan_for(target, Phase("c", 1.0, Constant(150))), segment, 2) for segment in range(2)]
    for key in keys:
        await server.start(key)
    for key in keys:
        assert (await server.end(key)).reason == "done"
    dropped = sum(server.totals().load().dropped.values())
    numbers = sorted(position(head) for head in target.requests)
    assert len(numbers) == len(set(numbers)) == 150 - dropped


async def test_after_a_stop_is_read_nothing_is_sent(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(300))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 150)
    server.say(stop=v1.Stop(key=key))
    end = await server.end(key)
    count = len(target.requests)
    await asyncio.sleep(0.3)
    assert end.reason == "stopped"
    assert len(target.requests) == count == server.totals().load().sent_on_wire
    assert count < 600, "within a second"


async def test_a_stop_before_the_start_ends_the_segment_unsent(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target))
    await server.until(lambda: server.readies)
    server.say(stop=v1.Stop(key=key))
    end = await server.end(key)
    assert (end.reason, end.window_count, target.requests) == ("stopped", 0, [])


async def test_data_secrets_and_json_reach_the_target(
    house: House, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "s3cret")
    server = house.server
    await house.attach()
    plan = plan_for(
        target,
        Phase("c", 0.5, Constant(100)),
        requests=(Request("o", method="POST", path="/o/{{ sku }}", json='{"sku": "{{ sku }}", "id": "{{ uuid }}"}'),),
        writes=True,
        auth=Auth(AuthKind.API_KEY, "${env:SHOP_KEY}"),
        data=DataFile(SHA256, DataFormat.CSV, DataOrder.RANDOM, ("sku",)),
        max_late_s=5.0,
    )
    key = server.assign(plan)
    await server.start(key)
    await server.end(key)
    assert set(target.lines) == {"POST /o/A1 HTTP/1.1", "POST /o/B2 HTTP/1.1"}
    assert len(set(target.bodies)) == len(target.requests) == 50
    assert all("x-api-key: s3cret" in head for head in target.requests)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"url": "http://shop.example.com"}, "--allow shop.example.com", id="a host not allowed"),
        pytest.param({"url": "http://127.0.0.1:1"}, "no connection to http://127.0.0.1:1", id="nobody there"),
        pytest.param({"auth": Auth(AuthKind.BEARER, "${env:NOT_SET_ANYWHERE}")}, "NOT_SET_ANYWHERE", id="no secret"),
        pytest.param(
            {"data": DataFile("0" * 64, DataFormat.CSV, DataOrder.RANDOM, ("sku",))},
            "could not be fetched",
            id="no file",
        ),
    ],
)
async def test_a_segment_that_cannot_start_says_why_and_sends_nothing(
    house: House, target: Any, change: dict[str, Any], problem: str
) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, **change))
    await server.until(lambda: server.readies)
    assert problem in server.readies[0, 1].problem
    assert (await server.end(key)).window_count == 0
    assert target.requests == []


async def test_ceilings_drop_and_never_delay(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    plan = plan_for(target, Phase("c", 2.0, Constant(200)), ceilings=Ceilings(rate_per_s=50.0), max_late_s=5.0)
    key = server.assign(plan)
    await server.start(key)
    await server.end(key)
    load = server.totals().load()
    assert load.due == 400
    assert 95 <= load.sent <= 101
    assert load.dropped[Drop.CEILING] == pytest.approx(300, abs=10)


async def test_a_slow_target_fills_the_slots_and_does_not_slow_the_schedule(house: House, target: Any) -> None:
    async def slow(_: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await target.answer(_, writer)

    target.behaviour = slow
    server = house.server
    await house.attach()
    plan = plan_for(target, Phase("c", 1.0, Constant(100)), ceilings=Ceilings(in_flight=10), max_late_s=5.0)
    key = server.assign(plan)
    await server.start(key)
    await server.end(key)
    load = server.totals().load()
    assert load.due == 100
    assert load.dropped[Drop.SLOTS] == pytest.approx(80, abs=5)
    assert len(target.requests) == load.sent


async def test_closed_model_users_send_after_a_pause_phase(house: House, target: Any) -> None:
    async def slow(_: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        await target.answer(_, writer)

    target.behaviour = slow
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("p", 0.5, Pause()), Phase("u", 1.0, Users(4, 0.05))))
    await server.start(key)
    await server.end(key)
    totals = server.totals()
    assert totals.load().sent == len(target.requests) == pytest.approx(40, abs=8)
    assert set(totals.loads) == {1}
    assert totals.lateness.count == 0


async def test_told_to_end_it_stops_sending_and_delivers_its_windows(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    key = server.assign(plan_for(target, Phase("c", 60.0, Constant(100))))
    await server.start(key)
    await server.until(lambda: len(target.requests) > 20)
    house.stop.set()
    assert house.agent is not None
    await asyncio.wait_for(house.agent, 5.0)
    await server.end(key, 1.0)
    assert server.totals().load().sent == len(target.requests)
