"""Over real connections: each request is sent exactly once, and what came of it is said exactly."""

import asyncio
import socket
import time
from collections import Counter
from typing import Any

import pytest
from burstline.workers.sending.addresses import Gate
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.resolving import GatedResolver
from played.trial import Trial

NAMED = Gate(named=True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_on_a_kept_connection_closed_after_reading_the_request_it_is_never_sent_again(
    target: Any, trial: Trial, method: str
) -> None:
    for _ in range(5):
        target.behaviour = target.answer
        trial.send("GET")
        await trial.settled()

        async def read_and_close(_: str, writer: asyncio.StreamWriter) -> None:
            writer.close()

        target.behaviour = read_and_close
        flight = trial.send(method)
        assert flight.on_wire, "it went over the kept connection"
        await trial.settled()
        assert trial.outcomes[flight.number] == "unreachable.no_response"
    assert sorted(trial.outcomes) == list(range(10))
    assert set(target.lines.values()) == {1}, "each request reached the target exactly once"
    assert len(target.requests) == 10


async def test_a_kept_connection_that_closed_while_idle_is_not_used(target: Any, trial: Trial) -> None:
    async def answer_and_close(_: str, writer: asyncio.StreamWriter) -> None:
        await target.answer(_, writer)
        await writer.drain()
        writer.close()

    target.behaviour = answer_and_close
    for _ in range(3):
        trial.send()
        await trial.settled()
        await trial.until(lambda: not trial.sender.open_count)
    assert list(trial.outcomes.values()) == ["200"] * 3
    assert target.connections == 3
    assert len(target.requests) == 3


async def test_connections_are_kept_and_reused(target: Any, trial: Trial) -> None:
    for _ in range(20):
        trial.send()
        await trial.settled()
    counters = trial.sender.take_counters()
    assert (counters.opened, counters.reused, target.connections) == (1, 19, 1)
    assert len(counters.connect_s) == 1


async def test_many_at_once_open_as_many_connections_and_all_are_answered(target: Any, trial: Trial) -> None:
    for _ in range(80):
        trial.send()
    await trial.settled()
    assert list(trial.outcomes.values()) == ["200"] * 80
    assert set(target.lines.values()) == {1}
    assert sorted(trial.wired) == list(range(80)), "all waited for their connections"


async def test_connections_spread_over_all_addresses_of_a_name(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await target.stop()
    await target.start(host="0.0.0.0")

    async def resolve(_: GatedResolver, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        common = {"hostname": host, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [{**common, "host": address} for address in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(GatedResolver, "resolve", resolve)
    trial = Trial(f"http://two.test:{target.port}", gate=NAMED)
    assert await trial.sender.warm(20) == 20
    assert Counter(link.peer for link in trial.sender._links) == {"127.0.0.1": 10, "127.0.0.2": 10}
    await trial.sender.close()


async def test_a_body_larger_than_the_sockets_buffer_arrives_whole_and_in_order(target: Any, trial: Trial) -> None:
    body = bytes(range(256)) * 40_000  # 10 MB
    for method in ("GET", "POST", "GET"):
        flight = Flight(trial._next, 0, 0, 0.0, 0.0, 10.0)
        trial._next += 1
        content = body if method == "POST" else b""
        head = f"{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        assert trial.sender.send(flight, head + content)
        await trial.settled()
    assert list(trial.outcomes.values()) == ["200"] * 3
    assert [len(found) for found in target.bodies] == [0, len(body), 0]
    assert target.bodies[1] == body


async def test_a_connection_that_was_reset_is_one_request_without_a_response(target: Any, trial: Trial) -> None:
    trial.send()
    await trial.settled()
    for writer in list(target._writers):
        writer.transport.abort()  # the reset is under way, and the loop has not read it yet
    flight = trial.send()
    await trial.settled()
    assert trial.outcomes[flight.number] in ("unreachable.no_response", "200")
    assert len(trial.outcomes) == 2


async def test_warming_opens_connections_without_sending_anything(target: Any, trial: Trial) -> None:
    assert await trial.sender.warm(30) == 30
    assert await trial.sender.warm(10) == 30
    await trial.until(lambda: target.connections >= 30)
    assert (target.connections, len(target.requests)) == (30, 0)
    for _ in range(30):
        assert trial.send().on_wire
    await trial.settled()
    assert target.connections == 30


async def test_without_a_descriptor_left_a_request_is_not_taken(target: Any) -> None:
    trial = Trial(target.url, most_open=2)
    trial.send()
    trial.send()
    assert not trial.sender.send(Flight(9, 0, 0, 0.0, 0.0, 5.0), b"GET / HTTP/1.1\r\n\r\n")
    await trial.settled()
    trial.send()
    await trial.settled()
    assert len(target.requests) == 3
    await trial.sender.close()


async def test_past_its_deadline_a_request_is_timed_out_and_its_connection_is_not_used_again(
    target: Any, trial: Trial
) -> None:
    async def late(_: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        await target.answer(_, writer)

    target.behaviour = late
    slow = trial.send(timeout_s=1.0)
    await asyncio.sleep(0.02)
    trial.sender.sweep(0.99)
    assert not trial.outcomes
    trial.sender.sweep(1.0)
    assert trial.outcomes == {slow.number: "timed_out"}
    await asyncio.sleep(0.08)
    target.behaviour = target.answer
    trial.send()
    await trial.settled()
    assert trial.outcomes[1] == "200"
    assert target.connections == 2


async def test_connections_idle_for_longer_than_keep_alive_are_closed(target: Any) -> None:
    trial = Trial(target.url, keep_alive_s=0.3)
    await trial.sender.warm(3)
    trial.sender.sweep(0.0)
    assert trial.sender.open_count == 3
    await asyncio.sleep(0.31)
    trial.sender.sweep(0.0)
    await trial.until(lambda: not trial.sender.open_count)
    await trial.sender.close()


async def test_after_a_halt_what_waits_for_a_connection_is_never_written(target: Any, trial: Trial) -> None:
    for _ in range(5):
        trial.send()
    trial.sender.halt()
    await asyncio.sleep(0.05)
    assert target.requests == []
    assert (trial.sender.in_flight, trial.sender.abandoned_count) == (0, 5)


async def test_a_plain_proxy_from_the_environment_gets_the_request(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:pw@127.0.0.1:{target.port}")
    monkeypatch.setenv("no_proxy", "localhost")
    trial = Trial("http://service.example.com")
    assert trial.dialer.proxied_plain
    assert trial.dialer.proxy_authorization == "Basic bWU6cHc="
    trial.send("GET", "http://service.example.com/x")
    await trial.settled()
    assert trial.outcomes == {0: "200"}
    assert target.requests[0].startswith("GET http://service.example.com/x HTTP/1.1")
    assert not Trial("http://localhost:1").dialer.proxied_plain
    await trial.sender.close()


async def test_closing_leaves_no_connection(target: Any, trial: Trial) -> None:
    await trial.sender.warm(10)
    started_s = time.monotonic()
    await trial.sender.close()
    await trial.until(lambda: not target.open)
    assert time.monotonic() - started_s < 1.0
