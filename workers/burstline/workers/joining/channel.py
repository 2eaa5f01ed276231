"""The channel to the control plane, and which of its errors are final."""

from collections.abc import AsyncIterator

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from burstline.v1 import run_service_pb2, run_service_pb2_grpc
from burstline.wire.call_spans import interceptors
from burstline.wire.unreachable import why_unreachable
from burstline.workers.errors import CannotPrepare, Refused
from burstline.workers.settings import AgentSettings

_REFUSALS = frozenset(
    {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED}
)
_OPTIONS = (
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_reconnect_backoff_ms", 1000),  # gRPC's default grows to 120 s
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 4_000),
    ("grpc.http2.bdp_probe", 0),  # small messages: a ping for each would double what the kernel has to do
)


def open_channel(settings: AgentSettings, address: str) -> grpc.aio.Channel:
    """Return a channel to the server at an address.

    Raises:
        Refused: a certificate file cannot be read.
    """
    files = (settings.ca_file, settings.certificate_file, settings.key_file)
    if not settings.tls and not any(files):
        return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors())
    ca, certificate, key = (_read(path) for path in files)
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS, interceptors=interceptors())


def _read(path: str) -> bytes | None:
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from error


def raise_if_refused(error: grpc.aio.AioRpcError, address: str) -> None:
    """Do nothing if trying again may help.

    Raises:
        Refused: it would not: another version, a wrong token, or no control plane at all.
    """
    reason = _reason(error)
    if reason == "VERSION_MISMATCH":
        raise Refused(f"the server at {address} does not take this worker: {error.details()}") from error
    if error.code() in _REFUSALS:
        raise Refused(f"the server at {address} refused this worker: {error.details()}") from error


def why(error: grpc.aio.AioRpcError, settings: AgentSettings, address: str) -> str:
    """Return why there is no stream, for the log: in words where gRPC's can be understood, else its code."""
    secure = settings.tls or bool(settings.ca_file or settings.certificate_file)
    return why_unreachable(error.details() or "", address, secure=secure) or error.code().name


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Return the `reason` of a rich error, or ""."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it reads code, details and trailing metadata only
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return str(info.reason)
    return ""


def metadata(settings: AgentSettings) -> tuple[tuple[str, str], ...]:
    """Return what every call carries."""
    return (("authorization", f"Bearer {settings.token}"),) if settings.token else ()


async def download(channel: grpc.aio.Channel | None, settings: AgentSettings, sha256: str) -> AsyncIterator[bytes]:
    """Yield an uploaded file in pieces; raises CannotPrepare."""
    if channel is None:
        raise CannotPrepare("there is no connection to the server to fetch files over")
    stub = run_service_pb2_grpc.DataServiceStub(channel)
    try:
        request = run_service_pb2.DownloadRequest(sha256=sha256)
        async for piece in stub.Download(request, metadata=metadata(settings)):
            yield piece.content
    except grpc.aio.AioRpcError as error:
        raise CannotPrepare(f"the file {sha256[:12]}... could not be fetched: {error.details()}") from error
