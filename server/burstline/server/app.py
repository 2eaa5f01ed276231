"""The composition root of the control plane: settings in, a running server out."""

import asyncio
import contextlib
import importlib.metadata
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from burstline.core import tracing
from burstline.server.access import TokenAuth
from burstline.server.certificates import call_credentials
from burstline.server.clock import SystemClock
from burstline.server.control.owning import Owning
from burstline.server.control.resuming import make_server_id
from burstline.server.control.roster import Roster
from burstline.server.control.runs import Runs
from burstline.server.control.settling import Judge
from burstline.server.control.sharing import share
from burstline.server.control.surroundings import Surroundings
from burstline.server.errors import CannotStart, RichErrors, StoreUnavailable
from burstline.server.judging.record import RunRecord
from burstline.server.looping import settle_memory
from burstline.server.services.data_service import DataService, forget_old_files
from burstline.server.services.quota_service import QuotaService
from burstline.server.services.run_service import RunService
from burstline.server.services.worker_service import WorkerService
from burstline.server.settings import ServerSettings
from burstline.server.store.store import Store
from burstline.v1 import (
    quota_service_pb2,
    quota_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    worker_service_pb2,
    worker_service_pb2_grpc,
)
from burstline.wire.call_spans import CallSpans

log = logging.getLogger(__name__)
MESSAGE_LIMIT_BYTES = 1024 * 1024
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.so_reuseport", 0),  # a port that is taken must be an error, not shared
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.bdp_probe", 0),  # small messages: a ping for each would double what the kernel has to do
)
SERVICES = (
    run_service_pb2.DESCRIPTOR.services_by_name["RunService"].full_name,
    run_service_pb2.DESCRIPTOR.services_by_name["DataService"].full_name,
    quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"].full_name,
    worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"].full_name,
)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers.

    Attributes:
        grpc_address: host:port, with the port that was really taken.
        http_address: the same of the HTTP side; "" if it is off.
    """

    grpc_address: str
    http_address: str


async def serve(
    settings: ServerSettings,
    *,
    ready: Callable[[RunningServer], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until `stop` is set or the task is cancelled. Runs under way stay in the store, for the next start.

    Args:
        settings: what to serve.
        ready: called once, when both ports answer.
        stop: ends the server.

    Raises:
        CannotStart: the store cannot be opened, or a port cannot be taken; its text says what to do.
    """
    async with running(settings) as server:
        settle_memory()
        if ready is not None:
            ready(server)
        await (stop or asyncio.Event()).wait()


@contextlib.asynccontextmanager
async def running(
    settings: ServerSettings, *, judge: Judge | None = None, store: Store | None = None
) -> AsyncIterator[RunningServer]:
    """Run a server inside an `async with` block; raises as `serve`.

    Args:
        settings: what to serve.
        judge: stands in for `judging.judge`.
        store: one that is open already, and stays so, in place of the settings'.
    """
    opened = None if store is not None else await asyncio.to_thread(Store, settings.store)
    store = store or opened
    assert store is not None
    try:
        version = importlib.metadata.version("burstline")
        clock = SystemClock()
        owning = Owning(store, clock)
        around = Surroundings(settings, store, clock, Roster(settings), judge or _judge, version, owning)
        runs = Runs(around, make_server_id(settings.server_id, settings.listen))
        tidying = asyncio.create_task(forget_old_files(store, around.clock, settings.uploads_kept_s), name="tidying")
        try:
            async with _listening(around, runs) as server:
                yield server
        finally:
            tidying.cancel()
            await asyncio.gather(tidying, return_exceptions=True)
            await runs.close()
            with contextlib.suppress(StoreUnavailable):  # then they end by themselves
                await owning.release()
    finally:
        if opened is not None:
            await asyncio.to_thread(opened.close)


@contextlib.asynccontextmanager
async def _listening(around: Surroundings, runs: Runs) -> AsyncIterator[RunningServer]:
    settings, store, clock, roster, version = around.settings, around.store, around.clock, around.roster, around.version
    workers = WorkerService(runs, roster, clock, settings, version)
    quotas = QuotaService(store, clock, settings)
    spans = [CallSpans()] if tracing.is_on() else []
    server = grpc.aio.server(interceptors=[*spans, RichErrors(), TokenAuth(settings.tokens)], options=OPTIONS)
    run_service_pb2_grpc.add_RunServiceServicer_to_server(RunService(runs, store, clock, settings), server)
    run_service_pb2_grpc.add_DataServiceServicer_to_server(DataService(store, clock), server)
    quota_service_pb2_grpc.add_QuotaServiceServicer_to_server(quotas, server)
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(workers, server)
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    # Before any worker can attach, so that a returning one finds its run.
    await runs.resume()
    grpc_address = _listen(server, settings)
    async with _serving_http(around, runs) as http_address:
        await server.start()
        sharing = asyncio.create_task(share(runs, around), name="sharing")
        for service in ("", *SERVICES):
            await healthy.set(service, health_pb2.HealthCheckResponse.SERVING)
        log.info("serving grpc=%s http=%s", grpc_address, http_address or "off")
        try:
            yield RunningServer(grpc_address, http_address)
        finally:
            await healthy.enter_graceful_shutdown()
            sharing.cancel()
            await asyncio.gather(sharing, return_exceptions=True)
            await runs.close()  # before the workers hear of it: from here on no segment is given to anybody
            workers.close()
            await server.stop(0.5)
            await asyncio.to_thread(quotas.close)


@contextlib.asynccontextmanager
async def _serving_http(around: Surroundings, runs: Runs) -> AsyncIterator[str]:
    settings = around.settings
    if not settings.http:
        yield ""
        return
    # Late: pages and metrics are a quarter of what the server imports, and an embedded one has none.
    from burstline.server.web.http import serve_http

    async with serve_http(settings.http, runs, around.store, around.roster, around.clock, settings) as address:
        yield address


def _judge(record: RunRecord) -> dict[str, Any]:
    """Judge a run; imported when the first one has ended, for fits and advice are much to import."""
    from burstline.server.judging.judging import judge

    return judge(record)


def _listen(server: grpc.aio.Server, settings: ServerSettings) -> str:
    host = settings.listen.rpartition(":")[0]
    try:
        if settings.tls is None:
            port = server.add_insecure_port(settings.listen)
        else:
            port = server.add_secure_port(settings.listen, call_credentials(settings.tls))
    except RuntimeError as error:
        raise CannotStart(
            f"{settings.listen} cannot be listened on: it is taken or not an address of this machine; give --listen "
            "another HOST:PORT",
            listen=settings.listen,
        ) from error
    return f"{host}:{port}"
