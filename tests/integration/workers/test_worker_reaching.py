"""A target that cannot be reached, or must not be: where it stopped is said, and nothing was sent."""

import asyncio
import socket
from typing import Any

import pytest
from burstline.workers.sending.addresses import Gate
from played.trial import Trial

NAMED = Gate(named=True)


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
