"""Over real connections: each request is sent exactly once, and what came of it is said exactly."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from burstline.core.load.plan import Connections
from burstline.workers.sending.addresses import Gate
from burstline.workers.sending.dialing import Dialer
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.resolving import GatedResolver
from burstline.workers.sending.sending import Sender

NAMED = Gate(named=True)


class Trial:
    """A sender whose outcomes are written down by number."""

    def __init__(
        self,
        url: str,
        most_open: int = 100,
        keep_alive_s: float = 60.0,
        gate: Gate = Gate(named=False),  # noqa: B008
    ) -> None:
        self.outcomes: dict[int, str] = {}
        self.bodies: dict[int, bytes] = {}
        self.headers: dict[int, Mapping[str, str]] = {}
        self.wired: list[int] = []
        policy = Connections(keep_alive_s=keep_alive_s)
        self.dialer = Dialer(url, policy, gate, 5.0)
        self.sender = Sender(
            self.dialer, keep_alive_s, most_open, self._answered, self._failed, lambda f: self.wired.append(f.number)
        )
        self._next = 0

    def _answered(self, flight: Flight, status: int, headers: Mapping[str, str], body: bytes) -> None:
        assert flight.number not in self.outcomes
        self.outcomes[flight.number] = str(status)
        self.bodies[flight.number], self.headers[flight.number] = body, headers

    def _failed(self, flight: Flight, signature: str) -> None:
        assert flight.number not in self.outcomes
        self.outcomes[flight.number] = signature

    def send(self, method: str = "GET", path: str = "", timeout_s: float = 5.0) -> Flight:
        number, self._next = self._next, self._next + 1
        flight = Flight(number, 0, 0, 0.0, 0.0, timeout_s)
        data = f"{method} {path or f'/{number}'} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
        assert self.sender.send(flight, data, method == "HEAD")
        return flight

    async def settled(self) -> None:
        async with asyncio.timeout(10):
            while self.sender.in_flight:  # noqa: ASYNC110 - the sender has no event, by design
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.005)


@pytest.fixture
async def trial(target: Any) -> AsyncIterator[Trial]:
    made = Trial(target.url)
    yield made
    await made.sender.close()


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
        await asyncio.sleep(0.02)
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
    await asyncio.sleep(0.01)
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


async def test_a_refused_connection_is_unreachable_at_connect_and_not_on_the_wire() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        trial = Trial(f"http://127.0.0.1:{closed.getsockname()[1]}")
        flight = trial.send()
        await trial.settled()
    assert trial.outcomes == {0: "unreachable.connect"}
    assert not flight.on_wire
    assert trial.sender.take_counters().failed == 1
    assert await trial.sender.warm(5) == 0, "warming gives up"
    await trial.sender.close()


async def test_a_name_that_does_not_resolve_is_unreachable_at_dns() -> None:
    trial = Trial("http://no-such-host.invalid:9", gate=NAMED)
    trial.send()
    await trial.settled()
    assert trial.outcomes == {0: "unreachable.dns"}
    await trial.sender.close()


async def test_a_server_without_tls_is_unreachable_at_tls() -> None:
    async def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 this is no TLS\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    trial = Trial(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    flight = trial.send()
    await trial.settled()
    assert trial.outcomes == {0: "unreachable.tls"}
    assert not flight.on_wire
    await trial.sender.close()
    server.close()


async def test_what_resolves_to_a_forbidden_address_is_not_connected_to(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: Any, **__: Any) -> list[dict[str, Any]]:
        return [
            {"hostname": "x", "host": "169.254.169.254", "port": 80, "family": socket.AF_INET, "proto": 0, "flags": 0}
        ]

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
    trial = Trial("http://rebound.example.com", gate=NAMED)
    trial.send()
    await trial.settled()
    assert trial.outcomes == {0: "unreachable.dns"}
    assert "never allowed" in trial.sender.last_problem
    await trial.sender.close()


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[fe80::1]", "[fd00:ec2::254]"]
)
async def test_an_address_literal_that_is_forbidden_is_stopped_at_the_socket(host: str) -> None:
    trial = Trial(f"http://{host}", gate=NAMED)
    trial.send()
    await trial.settled()
    assert trial.outcomes == {0: "unreachable.connect"}
    assert "never allowed" in trial.sender.last_problem
    await trial.sender.close()


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"])
async def test_a_name_that_the_system_takes_for_a_forbidden_address_is_not_connected_to(host: str) -> None:
    """Ways to write 169.254.169.254 that only the resolver understands."""
    trial = Trial(f"http://{host}", gate=NAMED)
    trial.send()
    await trial.settled()
    assert trial.outcomes[0] in ("unreachable.dns", "unreachable.connect")
    problem = trial.sender.last_problem
    assert "never allowed" in problem or "not a canonical IPv4 address" in problem
    await trial.sender.close()


BODIES = {
    "/empty": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "/chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    "/none": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "/interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
    "/redirect": (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", b""),
    "/throttled": (b"HTTP/1.1 429 Too Many\r\nContent-Length: 4\r\nX-Why: rate\r\n\r\nslow", b"slow"),
}


async def test_responses_of_every_framing_are_read_over_one_connection_and_redirects_are_not_followed(
    target: Any, trial: Trial
) -> None:
    async def by_path(line: str, writer: asyncio.StreamWriter) -> None:
        writer.write(BODIES[line.split(" ")[1]][0])

    target.behaviour = by_path
    for path in BODIES:
        flight = trial.send(path=path)
        await trial.settled()
        assert trial.bodies[flight.number] == BODIES[path][1], path
    assert list(trial.outcomes.values()) == ["204", "200", "200", "200", "302", "429"]
    assert trial.headers[5]["x-why"] == "rate"
    assert (target.connections, len(target.requests)) == (1, len(BODIES))


async def test_a_body_in_pieces_is_read_to_its_end_and_the_connection_goes_on(target: Any, trial: Trial) -> None:
    async def pieces(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n")
        for _piece in range(6):
            writer.write(b"x" * 100_000)
            await asyncio.sleep(0.002)

    target.behaviour = pieces
    for _ in range(2):
        trial.send()
        await trial.settled()
    assert list(trial.outcomes.values()) == ["200", "200"]
    assert len(trial.bodies[0]) >= 4096
    assert target.connections == 1


async def test_a_body_without_length_ends_with_its_connection(target: Any, trial: Trial) -> None:
    async def until_closed(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await asyncio.sleep(0.01)
        writer.write(b"def")
        await writer.drain()
        writer.close()

    target.behaviour = until_closed
    trial.send()
    await trial.settled()
    assert (trial.outcomes[0], trial.bodies[0]) == ("200", b"abcdef")
    assert trial.sender.open_count == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", id="a body cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="a chunk cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="a head cut off"),
        pytest.param(b"complete nonsense\r\n\r\n", id="no HTTP at all"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n", id="a broken chunk"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_an_incomplete_or_unreadable_answer_is_no_response(target: Any, trial: Trial, answer: bytes) -> None:
    async def cut(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()

    target.behaviour = cut
    flight = trial.send()
    await trial.settled()
    assert trial.outcomes == {0: "unreachable.no_response"}
    assert flight.on_wire
    assert len(target.requests) == 1
    assert trial.sender.open_count == 0


async def test_head_has_no_body_and_the_next_get_has_one(target: Any, trial: Trial) -> None:
    async def by_method(line: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if line.startswith("HEAD") else b"ok"))

    target.behaviour = by_method
    for method in ("GET", "HEAD", "HEAD", "GET"):
        trial.send(method)
        await trial.settled()
    assert [trial.bodies[n] for n in range(4)] == [b"ok", b"", b"", b"ok"]
    assert target.connections == 1


async def test_an_answer_to_nothing_closes_the_connection(target: Any, trial: Trial) -> None:
    async def twice(_: str, writer: asyncio.StreamWriter) -> None:
        await target.answer(_, writer)
        await target.answer(_, writer)

    target.behaviour = twice
    trial.send()
    await trial.settled()
    await asyncio.sleep(0.02)
    target.behaviour = target.answer
    trial.send()
    await trial.settled()
    assert list(trial.outcomes.values()) == ["200", "200"]
    assert target.connections == 2


async def test_connections_idle_for_longer_than_keep_alive_are_closed(target: Any) -> None:
    trial = Trial(target.url, keep_alive_s=0.05)
    await trial.sender.warm(3)
    trial.sender.sweep(0.0)
    assert trial.sender.open_count == 3
    await asyncio.sleep(0.08)
    trial.sender.sweep(0.0)
    await asyncio.sleep(0.02)
    assert trial.sender.open_count == 0
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
    await asyncio.sleep(0.02)
    assert target.open == 0
    assert time.monotonic() - started_s < 1.0
