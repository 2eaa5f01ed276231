"""TLS and mutual TLS, with certificates made for the test."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
