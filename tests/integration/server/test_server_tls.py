"""TLS and mutual TLS on both ports, with certificates made for the test."""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from burstline.server.app import running
from burstline.server.errors import CannotStart
from burstline.server.settings import Tls
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a self-signed certificate for localhost, which is its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("pem")
    command = [
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return folder


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
