"""TLS and mutual TLS on both ports, with certificates made for the test."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from burstline.client.connection import Access
from burstline.client.errors import from_rpc
from burstline.server.app import running
from burstline.server.errors import CannotStart
from burstline.server.settings import Tls
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc
from burstline.workers.joining.channel import why
from burstline.workers.settings import AgentSettings
from certificates import certify

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate."""
    return certify(tmp_path_factory.mktemp("pem"))


@pytest.fixture(scope="module")
def other_pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of another authority."""
    return certify(tmp_path_factory.mktemp("other"))


async def listed(address: str, credentials: grpc.ChannelCredentials) -> None:
    """Call the server once."""
    port = address.rpartition(":")[2]
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        runs: Any = run_service_pb2_grpc.RunServiceStub(channel)
        await runs.ListRuns(wire.ListRunsRequest(), timeout=5)


async def test_with_a_client_authority_only_callers_with_a_certificate_get_in(settings: Make, pem: Path) -> None:
    certificate, key = pem / "cert.pem", pem / "key.pem"
    chosen = settings(tls=Tls(certificate, key, client_ca=certificate))
    async with running(chosen, judge=lambda record: {}) as server:
        mutual = grpc.ssl_channel_credentials(certificate.read_bytes(), key.read_bytes(), certificate.read_bytes())
        await listed(server.grpc_address, mutual)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await listed(server.grpc_address, grpc.ssl_channel_credentials(certificate.read_bytes()))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_file_that_is_missing_is_named(settings: Make, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"gone\.pem"):
        async with running(settings(tls=Tls(tmp_path / "c.pem", tmp_path / "gone.pem")), judge=lambda record: {}):
            pass


def trusting(pem: Path, *, shows: bool) -> ssl.SSLContext:
    """Return a caller's side that trusts the test's authority, and may show a certificate of it."""
    context = ssl.create_default_context(cafile=str(pem / "cert.pem"))
    if shows:
        context.load_cert_chain(pem / "cert.pem", pem / "key.pem")
    return context


async def status(address: str, context: ssl.SSLContext | bool, scheme: str = "https") -> int:
    """Ask the HTTP side whether it is well."""
    url = f"{scheme}://localhost:{address.rpartition(':')[2]}/healthz"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
        return answer.status


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mutual"])
async def test_the_pages_have_the_same_certificates(settings: Make, pem: Path, mutual: bool) -> None:
    tls = Tls(pem / "cert.pem", pem / "key.pem", pem / "cert.pem" if mutual else None)
    async with running(settings(tls=tls), judge=lambda record: {}) as server:
        assert await status(server.http_address, trusting(pem, shows=mutual)) == 200
        refused: list[tuple[ssl.SSLContext | bool, str]] = [(True, "http")]
        if mutual:
            refused.append((trusting(pem, shows=False), "https"))
        for context, scheme in refused:
            with pytest.raises(aiohttp.ClientError):
                await status(server.http_address, context, scheme)


async def test_a_key_that_is_no_key_is_said(settings: Make, pem: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("not a key")
    with pytest.raises(CannotStart, match=r"key\.pem is no PEM certificate or unencrypted key"):
        async with running(settings(tls=Tls(pem / "cert.pem", tmp_path / "key.pem")), judge=lambda record: {}):
            pass


async def said(address: str, access: Access) -> str:
    """Return what a user is told whose call did not get through."""
    channel = grpc.aio.insecure_channel(address)
    if access.secure:
        ca, key, cert = (path.read_bytes() if path else None for path in (access.ca, access.key, access.cert))
        channel = grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca, key, cert))
    async with channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await run_service_pb2_grpc.RunServiceStub(channel).ListRuns(wire.ListRunsRequest(), timeout=5)
    error = failed.value
    words = why(error, AgentSettings(address, tls=access.secure), address)
    told = str(from_rpc(error, address, secure=access.secure))
    assert words in (told, "UNAVAILABLE"), "a worker's log says the same"
    return told


async def test_whoever_misses_tls_by_a_certificate_or_a_name_is_told_what_is_likely(
    settings: Make, pem: Path, other_pem: Path
) -> None:
    certificate, key = pem / "cert.pem", pem / "key.pem"
    async with running(settings(http=""), judge=lambda record: {}) as server:
        at = f"localhost:{server.grpc_address.rpartition(':')[2]}"
        assert "does not speak TLS: leave out --ca" in await said(at, Access(at, ca=certificate))
    assert await said(at, Access(at)) == f"nothing answers at {at}: start it with `burstline serve --listen {at}`"
    async with running(settings(http="", tls=Tls(certificate, key)), judge=lambda record: {}) as server:
        port = server.grpc_address.rpartition(":")[2]
        at = f"localhost:{port}"
        assert "likely it speaks TLS: give --ca" in await said(at, Access(at))
        assert "the authority of --ca did not sign" in await said(at, Access(at, ca=other_pem / "cert.pem"))
        assert "for another name" in await said(f"127.0.0.1:{port}", Access(at, ca=certificate))
    async with running(settings(http="", tls=Tls(certificate, key, certificate)), judge=lambda record: {}) as server:
        at = f"localhost:{server.grpc_address.rpartition(':')[2]}"
        assert "wants a certificate of ours" in await said(at, Access(at, ca=certificate))
        stranger = Access(at, ca=certificate, cert=other_pem / "cert.pem", key=other_pem / "key.pem")
        assert "wants a certificate of ours" in await said(at, stranger)


async def test_a_port_that_speaks_http_is_told_from_a_server(settings: Make) -> None:
    async with running(settings(), judge=lambda record: {}) as server:
        at = server.http_address
        assert "is no gRPC server; a burstline server's pages" in await said(at, Access(at))
