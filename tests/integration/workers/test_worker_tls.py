"""HTTPS: authorities from the environment, refused certificates, a kept session, and a tunnel through a proxy."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from burstline.core.load.plan import Connections
from burstline.workers.sending.addresses import Gate
from burstline.workers.sending.dialing import Dialer
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.mishaps import hush_connections
from burstline.workers.sending.sending import Sender


@pytest.fixture
async def secure(target: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    await target.stop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    await target.start(context)
    return target


async def outcomes(url: str, count: int = 1) -> tuple[list[str], Sender]:
    """Send some requests one after the other, and return their outcomes."""
    found: list[str] = []

    def answered(_: Flight, status: int, headers: Mapping[str, str], body: bytes) -> None:
        found.append(str(status))

    dialer = Dialer(url, Connections(), Gate(named=True), 5.0)
    sender = Sender(dialer, 60.0, 10, answered, lambda _, name: found.append(name), lambda _: None)
    for number in range(count):
        assert sender.send(Flight(number, 0, 0, 0.0, 0.0, 5.0), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(10):
            while sender.in_flight:  # noqa: ASYNC110 - the sender has no event, by design
                await asyncio.sleep(0.001)
    return found, sender


def test_a_storm_of_handshakes_some_of_them_given_up_leaves_no_line_in_the_log(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    uvloop = pytest.importorskip("uvloop")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    found: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.read()
        writer.close()

    def answered(_: Flight, status: int, headers: Mapping[str, str], body: bytes) -> None:
        found.append(str(status))

    async def storm() -> int:
        hush_connections(asyncio.get_running_loop())
        target = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{target.sockets[0].getsockname()[1]}"
        dialer = Dialer(url, Connections(), Gate(named=True), 5.0)
        sender = Sender(dialer, 60.0, 200, answered, lambda _, name: found.append(name), lambda _: None)
        for number in range(150):
            sender.send(Flight(number, 0, 0, 0.0, 0.0, 5.0), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if number % 10 == 0:
                await asyncio.sleep(0)
        while len(found) < 50:  # noqa: ASYNC110 - the sender has no event, by design
            await asyncio.sleep(0.001)
        left = sender.in_flight
        await sender.close()  # in the middle of the others' handshakes
        target.close()
        return left

    with caplog.at_level("INFO"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(storm()) > 0
        broken = {"message": "Fatal error on SSL protocol", "transport": None, "protocol": None}
        runner.get_loop().call_exception_handler(broken)
        assert not caplog.records
        runner.get_loop().call_exception_handler({"message": "something else"})
        assert "something else" in caplog.text
    assert set(found) == {"200"}


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
async def test_an_authority_named_in_the_environment_is_trusted_and_the_handshake_is_timed_once(
    secure: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate / "cert.pem"))
    found, sender = await outcomes(f"https://127.0.0.1:{secure.port}", 3)
    counters = sender.take_counters()
    assert found == ["200"] * 3
    assert (counters.opened, counters.reused, len(counters.tls_s)) == (1, 2, 1)
    assert 0 < counters.tls_s[0] <= counters.connect_s[0]
    link = sender.peek()
    assert link is not None
    assert link.tls_version.startswith("TLSv1.")
    assert link.peer == "127.0.0.1"
    await sender.close()


async def test_later_connections_resume_the_session_of_an_earlier_one(
    secure: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    _, sender = await outcomes(f"https://127.0.0.1:{secure.port}")
    first = sender.peek()
    assert first is not None
    assert not first.tls.session_reused
    assert await sender.warm(5) == 5
    assert [link.tls.session_reused for link in sender._links if link is not first] == [True] * 4
    await sender.close()


@pytest.mark.parametrize("in_one_file", [True, False])
async def test_a_client_certificate_of_the_environment_is_shown_to_the_target(
    target: Any, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_file: bool
) -> None:
    await target.stop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate / "cert.pem")
    await target.start(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    found, sender = await outcomes(f"https://127.0.0.1:{target.port}")
    assert found[0].startswith("unreachable")
    await sender.close()
    if in_one_file:
        both = tmp_path / "both.pem"
        both.write_bytes((certificate / "cert.pem").read_bytes() + (certificate / "key.pem").read_bytes())
        monkeypatch.setenv("BURSTLINE_CLIENT_CERT", str(both))
    else:
        monkeypatch.setenv("BURSTLINE_CLIENT_CERT", str(certificate / "cert.pem"))
        monkeypatch.setenv("BURSTLINE_CLIENT_KEY", str(certificate / "key.pem"))
    found, sender = await outcomes(f"https://127.0.0.1:{target.port}")
    assert found == ["200"]
    await sender.close()


async def test_a_client_certificate_that_is_not_there_is_said_before_anything_is_sent(
    secure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BURSTLINE_CLIENT_CERT", "/nowhere.pem")
    with pytest.raises(OSError, match="No such file"):
        await outcomes(f"https://127.0.0.1:{secure.port}")
    assert secure.requests == []


async def test_an_unknown_authority_is_unreachable_at_tls_and_nothing_is_sent(secure: Any) -> None:
    found, sender = await outcomes(f"https://127.0.0.1:{secure.port}")
    assert found == ["unreachable.tls"]
    assert secure.requests == []
    assert "certificate" in sender.last_problem.lower()
    await sender.close()


class Tunnel:
    """An HTTP proxy that knows CONNECT only."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.status = b"200 Connection established"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 " + self.status + b"\r\n\r\n")
        if not self.status.startswith(b"200"):
            writer.close()
            return
        host, _, port = self.heads[-1].split(" ")[1].partition(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._copy(source, sink))
            self.tasks.add(task)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
        except ConnectionError:
            return
        finally:
            sink.close()


@pytest.fixture
async def tunnel(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tunnel]:
    made = Tunnel()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    monkeypatch.setenv("https_proxy", f"http://me:pw@127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield made
    server.close()
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_through_a_proxy_tls_goes_end_to_end_over_a_kept_tunnel(
    secure: Any, tunnel: Tunnel, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    found, sender = await outcomes(f"https://127.0.0.1:{secure.port}", 3)
    assert found == ["200"] * 3
    assert len(tunnel.heads) == 1
    assert tunnel.heads[0].startswith(f"CONNECT 127.0.0.1:{secure.port} HTTP/1.1")
    assert "Proxy-Authorization: Basic bWU6cHc=" in tunnel.heads[0]
    assert len(secure.requests) == 3
    assert "Proxy-Authorization" not in "".join(secure.requests)
    await sender.close()


async def test_a_proxy_that_refuses_is_unreachable_at_connect(secure: Any, tunnel: Tunnel) -> None:
    tunnel.status = b"407 Proxy Authentication Required"
    found, sender = await outcomes(f"https://127.0.0.1:{secure.port}")
    assert found == ["unreachable.connect"]
    assert secure.requests == []
    await sender.close()
