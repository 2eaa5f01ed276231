"""What callers meet before any run: errors, roles, files, health, reflection, versions."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from burstline.client.errors import from_rpc
from burstline.server.app import running, serve
from burstline.server.errors import CannotStart
from burstline.server.services.run_service import LARGEST_BYTES
from burstline.server.settings import Role, Token
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

Make = Callable[..., Any]


def details_of(error: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest]:
    """Return the rich details of an error."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an aio error has what it needs
    assert status is not None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    return info, bad


async def refusal(attach: Callable[[], Awaitable[Any]]) -> grpc.StatusCode:
    """Return what a worker is refused with. At times grpcio writes into the stream when it has been ended, and says
    only that: then the worker asks again."""
    while True:
        with pytest.raises(grpc.aio.AioRpcError) as closed:
            await attach()
        if not (closed.value.details() or "").startswith("Internal error from Core"):
            return closed.value.code()


async def test_a_bad_plan_is_refused_with_every_mistake_at_once(serving: Make, settings: Make, plan: Make) -> None:
    bad = plan((1.0, 100.0), ceilings=v1.Ceilings(request_count=10))
    bad.requests[0].weight = -1
    bad.requests.add(name="r")
    async with serving(settings()) as (_, client):
        run = v1.Run(plan=bad, worker_count=-1, account=v1.Account(concurrency_count=-5))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.runs.CreateRun(wire.CreateRunRequest(run=run))
        info, details = details_of(refused.value)
        fields = [violation.field for violation in details.field_violations]
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (info.reason, info.domain) == ("INVALID_REQUEST", "burstline")
        assert {"worker_count", "requests[0].weight", "account.concurrency_count"} <= set(fields)
        assert not (await client.runs.ListRuns(wire.ListRunsRequest())).runs


async def test_a_plan_above_its_own_ceiling_is_refused(serving: Make, settings: Make, plan: Make) -> None:
    async with serving(settings()) as (_, client):
        message = plan((1.0, 100.0), ceilings=v1.Ceilings(request_count=10, cost_usd=0.0001))
        message.target.front = v1.REST
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.create(message)
        _, details = details_of(refused.value)
        fields = [violation.field for violation in details.field_violations]
        assert fields == ["ceilings.request_count", "ceilings.cost_usd"]


@pytest.mark.parametrize(
    ("url", "allow", "refused"),
    [
        ("http://127.0.0.1:9", (), False),
        ("http://localhost:9", (), False),
        ("https://api.example.com", (), True),
        ("https://API.example.com", ("api.example.com",), False),
        ("https://api.example.com", ("*",), False),
        ("http://169.254.169.254/latest", ("*", "169.254.169.254"), True),
        ("http://[fe80::1]/", ("*",), True),
        ("http://metadata.google.internal/", ("*",), True),
    ],
)
async def test_only_allowed_hosts_may_be_loaded(
    serving: Make, settings: Make, plan: Make, url: str, allow: tuple[str, ...], refused: bool
) -> None:
    message = plan()
    message.target.url = url
    async with serving(settings(allow=allow)) as (_, client):
        request = wire.CreateRunRequest(run=v1.Run(plan=message), validate_only=True)
        if not refused:
            await client.runs.CreateRun(request)
            return
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.runs.CreateRun(request)
        assert details_of(error.value)[0].reason == "HOST_NOT_ALLOWED"


async def test_a_worker_of_another_minor_version_is_refused(serving: Make, settings: Make, workers: Make) -> None:
    async with serving(settings()) as (server, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await workers(server.grpc_address, version="0.9.3")
        info, _ = details_of(refused.value)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert info.reason == "VERSION_MISMATCH"
        assert info.metadata["worker_version"] == "0.9.3"
        assert refused.value.details() == "this worker is burstline 0.9.3, the server is 0.1.0: install 0.1.x on both"
        await workers(server.grpc_address, version="0.1.99")


@pytest.mark.parametrize(
    ("token", "code", "reason"),
    [
        ("", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"),
        ("wrong", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN"),
        ("eyes", grpc.StatusCode.PERMISSION_DENIED, "ROLE_TOO_LOW"),
        ("hands", None, ""),
    ],
)
async def test_a_token_s_role_decides_what_it_may_do(
    serving: Make, settings: Make, workers: Make, plan: Make, token: str, code: grpc.StatusCode | None, reason: str
) -> None:
    tokens = (Token(Role.VIEWER, "eyes"), Token(Role.RUNNER, "hands"))
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    request = wire.CreateRunRequest(run=v1.Run(plan=plan()), validate_only=True)
    async with serving(settings(tokens=tokens)) as (server, client):
        if code is None:
            await client.runs.CreateRun(request, metadata=metadata)
            await workers(server.grpc_address, token=token)
            return
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.runs.CreateRun(request, metadata=metadata)
        assert refused.value.code() is code
        assert details_of(refused.value)[0].reason == reason
        if token == "eyes":
            await client.runs.ListRuns(wire.ListRunsRequest(), metadata=metadata)
        assert await refusal(lambda: workers(server.grpc_address, token=token)) is code
        assert "hands" not in repr(tokens)


async def test_what_is_not_there_is_named(serving: Make, settings: Make) -> None:
    async with serving(settings()) as (_, client):
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await client.runs.GetRun(wire.GetRunRequest(name="runs/nothing"))
        assert missing.value.code() is grpc.StatusCode.NOT_FOUND
        assert details_of(missing.value)[0].metadata["run"] == "runs/nothing"
        with pytest.raises(grpc.aio.AioRpcError) as odd:
            await client.runs.GetRun(wire.GetRunRequest(name="nothing"))
        assert odd.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_report_of_a_run_under_way_is_refused(serving: Make, settings: Make, plan: Make) -> None:
    async with serving(settings()) as (_, client):
        run = await client.create(plan())
        with pytest.raises(grpc.aio.AioRpcError) as early:
            await client.report(run.name)
        assert details_of(early.value)[0].reason == "RUN_NOT_ENDED"


async def test_an_unexpected_error_shows_no_inside(
    serving: Make, settings: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    async with serving(settings()) as (_, client):
        monkeypatch.setattr("burstline.server.store.store.Store.runs", broken)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.runs.ListRuns(wire.ListRunsRequest())
        assert error.value.code() is grpc.StatusCode.INTERNAL
        assert "hunter2" not in (error.value.details() or "")
        assert "hunter2" in caplog.text


async def test_health_and_reflection_name_the_services(serving: Make, settings: Make) -> None:
    async with serving(settings(tokens=(Token(Role.ADMIN, "x"),))) as (_, client):
        health: Any = health_pb2_grpc.HealthStub(client.channel)
        for service in ("", "burstline.v1.RunService", "burstline.v1.WorkerService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        mirror: Any = reflection_pb2_grpc.ServerReflectionStub(client.channel)
        call = mirror.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        names = [service.name async for answer in call for service in answer.list_services_response.service]
        assert {"burstline.v1.RunService", "burstline.v1.DataService", "burstline.v1.WorkerService"} <= set(names)


async def test_a_file_comes_back_as_it_was_uploaded(serving: Make, settings: Make, plan: Make) -> None:
    content = bytes(range(256)) * 5000

    async def pieces() -> AsyncIterator[wire.UploadRequest]:
        for start in range(0, len(content), 300_000):
            yield wire.UploadRequest(content=content[start : start + 300_000])

    async with serving(settings()) as (_, client):
        sha256 = hashlib.sha256(content).hexdigest()
        message = plan()
        message.requests[0].body_sha256 = sha256
        message.requests[0].method = "POST"
        message.writes_allowed = True
        request = wire.CreateRunRequest(run=v1.Run(plan=message), validate_only=True)
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await client.runs.CreateRun(request)
        assert details_of(missing.value)[1].field_violations[0].field == "requests[0].body_sha256"
        for _ in range(2):
            taken = await client.data.Upload(pieces())
            assert (taken.sha256, taken.size_bytes) == (sha256, len(content))
        await client.runs.CreateRun(request)
        parts = [part.content async for part in client.data.Download(wire.DownloadRequest(sha256=sha256))]
        assert b"".join(parts) == content
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await client.data.Download(wire.DownloadRequest(sha256="0" * 64)).read()
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"store": "mysql://host/db"}, "allowed are sqlite"),
        ({"store": "sqlite://"}, "allowed are sqlite"),
        ({"store": "sqlite:////proc/nowhere/store.db"}, "cannot be opened"),
        ({"store": "nonsense"}, "not a database URL"),
        ({"listen": "192.0.2.1:7460"}, "--listen"),
        ({"http": "192.0.2.1:7461"}, "--http"),
    ],
)
async def test_a_server_that_cannot_start_says_why_and_what_to_do(
    settings: Make, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(CannotStart, match=text):
        async with running(settings(**changes), judge=lambda record: {}):
            pass


async def test_a_taken_port_is_an_error(serving: Make, settings: Make, tmp_path: Path) -> None:
    async with serving(settings()) as (server, _):
        other = settings(listen=server.grpc_address, store=f"sqlite:///{tmp_path}/other.db")
        with pytest.raises(CannotStart, match="it is taken"):
            await serve(other)


def padded(message: v1.Plan, size_bytes: int) -> v1.Plan:
    """Return a plan with a body that makes it so large, give or take some bytes."""
    message.writes_allowed = True
    message.requests[0].method = "POST"
    message.requests[0].body = "x" * (size_bytes - message.ByteSize() - 8)
    return message


async def test_the_largest_plan_that_is_taken_reaches_a_worker(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        run = await client.create(padded(plan((0.3, 20.0)), LARGEST_BYTES))
        ended = await client.ended(run.name)
        assert ended.verdict == "passed"
        assert len(worker.assigned[0].plan.requests[0].body) > LARGEST_BYTES - 1000


@pytest.mark.parametrize(
    ("size_bytes", "says"),
    [
        (LARGEST_BYTES + 1000, r"plan: 98\d,\d{3} bytes: allowed are at most 983,040; upload large bodies"),
        (2 * 1024 * 1024, "the plan is too large for one message: put large bodies and data into files"),
    ],
)
async def test_a_plan_that_is_too_large_is_refused_in_words(
    serving: Make, settings: Make, plan: Make, size_bytes: int, says: str
) -> None:
    async with serving(settings()) as (server, client):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.create(padded(plan(), size_bytes))
        assert re.search(says, str(from_rpc(refused.value, server.grpc_address, "the plan")))
        assert not (await client.runs.ListRuns(wire.ListRunsRequest())).runs
