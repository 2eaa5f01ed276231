"""The one way to a server: a channel, its stubs, and calls that retry UNAVAILABLE and nothing else."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from burstline.client.errors import ServerFailed, ServerUnreachable, UsageError, from_rpc
from burstline.client.spelling.files import PlanFile
from burstline.v1 import quota_service_pb2 as quotas
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as runs
from burstline.v1 import worker_service_pb2 as workers
from burstline.v1.quota_service_pb2_grpc import QuotaServiceStub
from burstline.v1.run_service_pb2_grpc import DataServiceStub, RunServiceStub
from burstline.v1.worker_service_pb2_grpc import WorkerServiceStub
from burstline.wire.call_spans import interceptors

CHUNK_BYTES = 512 * 1024
"""Pieces of an upload (run_service.proto)."""

CALL_TIMEOUT_S = 20.0
AWS_TIMEOUT_S = 120.0
"""Calls behind which the server asks AWS, at the rates that its APIs allow."""

UPLOAD_TIMEOUT_S = 300.0
WATCH_SILENCE_S = 10.0
"""A server that has said nothing of a watched run for so long is asked again; it says something every second."""

RETRY_AFTER_S = (0.1, 0.3, 0.6)
"""Waits between the attempts of a call that met UNAVAILABLE."""

OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
)
"""gRPC's own backoff grows to 120 s; its own retries would hide what ours count."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a server.

    Attributes:
        server: host:port, or several of servers on one database, separated by commas: the first that answers is asked.
        token: bearer token; "" is none. In no `repr`.
        ca: PEM file of the authority that signed the server's certificate; None is plain text without `cert`.
        cert: our own certificate for mutual TLS, PEM.
        key: its key, PEM.
    """

    server: str
    token: str = field(default="", repr=False)
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def secure(self) -> bool:
        """Whether it is reached over TLS."""
        return self.ca is not None or self.cert is not None


class Stubs:
    """The services of one server."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.runs: Any = RunServiceStub(channel)  # the generated stub's types are of the sync API
        self.data: Any = DataServiceStub(channel)
        self.workers: Any = WorkerServiceStub(channel)
        self.quotas: Any = QuotaServiceStub(channel)


Method = Callable[[Stubs], Any]
"""Picks what is called on whichever server is asked."""


class Connection:
    """Calls on one server, or on the next when that one does not answer. Errors of gRPC come out as ours."""

    def __init__(self, channels: Sequence[grpc.aio.Channel], access: Access) -> None:
        self._server, self._secure = access.server, access.secure
        self._metadata = (("authorization", f"Bearer {access.token}"),) if access.token else ()
        self._stubs = tuple(Stubs(channel) for channel in channels)
        self._at = 0

    @property
    def _at_hand(self) -> Stubs:
        return self._stubs[self._at]

    def _turn(self) -> None:
        self._at = (self._at + 1) % len(self._stubs)

    async def create_run(self, run: v1.Run, *, validate_only: bool = False) -> v1.Run:
        """Start a run, once, however often the call has to be repeated."""
        request = runs.CreateRunRequest(run=run, request_id=str(uuid.uuid4()), validate_only=validate_only)
        result: v1.Run = await self._call(lambda to: to.runs.CreateRun, request, asked="the plan")
        return result

    async def get_run(self, name: str) -> v1.Run:
        """Return a run by its full name."""
        result: v1.Run = await self._call(lambda to: to.runs.GetRun, runs.GetRunRequest(name=name))
        return result

    async def list_runs(self, page_size: int, page_token: str = "") -> runs.ListRunsResponse:
        """Return a page of runs, newest first."""
        request = runs.ListRunsRequest(page_size=page_size, page_token=page_token)
        result: runs.ListRunsResponse = await self._call(lambda to: to.runs.ListRuns, request)
        return result

    async def stop_run(self, name: str) -> runs.StopRunResponse:
        """Stop a run; returns when it is known when all sending has ended."""
        result: runs.StopRunResponse = await self._call(lambda to: to.runs.StopRun, runs.StopRunRequest(name=name))
        return result

    async def list_workers(self) -> Sequence[v1.Worker]:
        """Return the attached workers."""
        result: workers.ListWorkersResponse = await self._call(
            lambda to: to.workers.ListWorkers, workers.ListWorkersRequest()
        )
        return result.workers

    async def list_quotas(self, plan: v1.Plan | None, region: str) -> list[quotas.ListQuotasResponse]:
        """Return all pages of the account's quotas, at least one; with a plan, its functions' and API's settings."""
        pages: list[quotas.ListQuotasResponse] = []
        token = ""
        while not pages or token:
            request = quotas.ListQuotasRequest(plan=plan, region=region, page_token=token)
            page: quotas.ListQuotasResponse = await self._call(
                lambda to: to.quotas.ListQuotas, request, timeout_s=AWS_TIMEOUT_S
            )
            pages.append(page)
            token = page.next_page_token
        return pages

    async def request_increase(self, run: str, **asked: Any) -> quotas.IncreaseRequest:
        """Show or send a request for more of a quota; never repeated. `asked` are fields of the message."""
        try:
            result: quotas.IncreaseRequest = await self._at_hand.quotas.RequestIncrease(
                quotas.RequestIncreaseRequest(run=run, **asked), timeout=AWS_TIMEOUT_S, metadata=self._metadata
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._server, secure=self._secure) from error
        return result

    async def list_increases(self, page_size: int) -> Sequence[quotas.IncreaseRequest]:
        """Return a page of requests for more of a quota, newest first."""
        request = quotas.ListIncreaseRequestsRequest(page_size=page_size)
        result: quotas.ListIncreaseRequestsResponse = await self._call(
            lambda to: to.quotas.ListIncreaseRequests, request, timeout_s=AWS_TIMEOUT_S
        )
        return result.increase_requests

    async def get_report(self, name: str) -> bytes:
        """Return a run's report, UTF-8 JSON."""
        pieces: list[bytes] = []
        try:
            call = self._at_hand.runs.GetReport(
                runs.GetReportRequest(name=name), timeout=CALL_TIMEOUT_S, metadata=self._metadata
            )
            async for chunk in call:
                pieces.append(chunk.json)  # noqa: PERF401  # a comprehension would hide the error's place
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, self._server, secure=self._secure) from error
        return b"".join(pieces)

    async def watch(self, name: str) -> AsyncIterator[runs.RunProgress]:
        """Yield where a run stands until the stream ends; raises ours for gRPC's errors, and asks another next time."""
        call = self._at_hand.runs.WatchRun(runs.WatchRunRequest(name=name), metadata=self._metadata)
        try:
            while isinstance(progress := await asyncio.wait_for(call.read(), WATCH_SILENCE_S), runs.RunProgress):
                yield progress
        except TimeoutError:
            self._turn()
            raise ServerUnreachable(
                f"the server at {self._server} has said nothing for {WATCH_SILENCE_S:g} s"
            ) from None
        except grpc.aio.AioRpcError as error:
            self._turn()
            raise from_rpc(error, self._server, secure=self._secure) from error
        finally:
            call.cancel()

    async def upload(self, file: PlanFile) -> None:
        """Send a file; its hash must come back as it was read.

        Raises:
            ServerFailed: the file changed since it was read, or arrived otherwise.
        """
        content = await asyncio.to_thread(file.path.read_bytes)

        async def pieces() -> AsyncIterator[runs.UploadRequest]:
            for start in range(0, max(1, len(content)), CHUNK_BYTES):
                yield runs.UploadRequest(content=content[start : start + CHUNK_BYTES])

        answer: runs.UploadResponse = await self._call(lambda to: to.data.Upload, pieces, timeout_s=UPLOAD_TIMEOUT_S)
        if answer.sha256 != file.sha256:
            raise ServerFailed(f"{file.path} changed while it was read: run the command again")

    async def _call(
        self, method: Method, request: Any, *, timeout_s: float = CALL_TIMEOUT_S, asked: str = "the request"
    ) -> Any:
        """Call until it works; `request` is a message, or makes the messages of a stream anew for each attempt."""
        for wait_s in (*RETRY_AFTER_S, None):
            try:
                sent = request() if callable(request) else request
                return await method(self._at_hand)(sent, timeout=timeout_s, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    self._turn()
                if error.code() is not grpc.StatusCode.UNAVAILABLE or wait_s is None:
                    raise from_rpc(error, self._server, asked, secure=self._secure) from error
            await asyncio.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")


@asynccontextmanager
async def connect(access: Access) -> AsyncIterator[Connection]:
    """Open channels for the length of the block; nothing is sent before the first call."""
    addresses = [address.strip() for address in access.server.split(",")]
    if any(":" not in address.strip(":") for address in addresses):
        raise UsageError(f'--server: found "{access.server}"; allowed: HOST:PORT, such as 127.0.0.1:7460')
    async with AsyncExitStack() as stack:
        yield Connection([await stack.enter_async_context(_channel(one, access)) for one in addresses], access)


def _channel(address: str, access: Access) -> grpc.aio.Channel:
    traces = interceptors()
    if access.secure:
        return grpc.aio.secure_channel(address, _credentials(access), options=OPTIONS, interceptors=traces)
    return grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=traces)


def _credentials(access: Access) -> grpc.ChannelCredentials:
    def content(path: Path | None) -> bytes | None:
        return path.read_bytes() if path is not None else None

    try:
        return grpc.ssl_channel_credentials(content(access.ca), content(access.key), content(access.cert))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
