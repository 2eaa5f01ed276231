"""A run over real channels: from CreateRun to its report."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
import grpc
import pytest
from burstline.server.app import running
from burstline.server.judging.record import RunRecord
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc
from burstline.v1 import worker_service_pb2 as worker_wire
from grpc_health.v1 import health_pb2, health_pb2_grpc

Make = Callable[..., Any]


async def test_a_run_goes_from_queued_to_its_report(serving: Make, settings: Make, workers: Make, plan: Make) -> None:
    async with serving(settings()) as (server, client):
        both = await workers(server.grpc_address, 2)
        run = await client.create(plan((0.7, 100.0), (0.5, 40.0)))
        assert run.state == v1.Run.QUEUED
        ended = await client.ended(run.name)
        assert (ended.state, ended.verdict) == (v1.Run.SUCCEEDED, "passed")
        report = await client.report(run.name)
        assert report["imbalances"] == []
        assert report["ledger"]["scheduled"] == report["ledger"]["sent"] == report["totals_sent"] == 90
        assert report["ledger"]["preflight"] == 1
        assert report["phases"] == [70, 20]
        assert sum(worker.sent_count for worker in both) == 90
        assert all(not worker.unacknowledged for worker in both)


async def test_progress_counts_what_was_sent_and_the_last_update_is_final(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client):
        await workers(server.grpc_address)
        run = await client.create(plan((1.2, 50.0)))
        seen = [progress async for progress in client.runs.WatchRun(wire.WatchRunRequest(name=run.name))]
        assert [progress.final for progress in seen[-2:]] == [False, True]
        assert seen[-1].sent_count == 60
        assert dict(seen[-1].outcomes) == {"ok": 60}
        assert any(progress.phase == "phase 1" and progress.worker_count == 1 for progress in seen)
        counts = [progress.sent_count for progress in seen]
        assert counts == sorted(counts)


async def test_a_window_that_comes_twice_counts_once(serving: Make, settings: Make, workers: Make, plan: Make) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        worker.twice = True
        run = await client.create(plan((0.6, 100.0)))
        await client.ended(run.name)
        report = await client.report(run.name)
        assert report["ledger"]["sent"] == report["totals_sent"] == 60
        assert len(worker.acks) == 2 * len(set(worker.acks)), "each copy is acknowledged"


async def test_the_same_request_id_starts_one_run(serving: Make, settings: Make, workers: Make, plan: Make) -> None:
    async with serving(settings()) as (server, client):
        await workers(server.grpc_address)
        first, second = await asyncio.gather(
            client.create(plan((0.3, 20.0)), request_id="one"), client.create(plan((0.3, 20.0)), request_id="one")
        )
        third = await client.create(plan((0.3, 20.0)), request_id="one")
        assert first.name == second.name == third.name
        listed = await client.runs.ListRuns(wire.ListRunsRequest())
        assert [run.name for run in listed.runs] == [first.name]
        await client.ended(first.name)


async def test_validate_only_starts_and_stores_nothing(serving: Make, settings: Make, plan: Make) -> None:
    async with serving(settings()) as (_, client):
        request = wire.CreateRunRequest(run=v1.Run(plan=plan()), validate_only=True)
        assert (await client.runs.CreateRun(request)).name == ""
        assert not (await client.runs.ListRuns(wire.ListRunsRequest())).runs


async def test_without_a_worker_the_run_fails_with_what_to_do(serving: Make, settings: Make, plan: Make) -> None:
    async with serving(settings(worker_wait_s=0.2)) as (_, client):
        run = await client.create(plan())
        ended = await client.ended(run.name)
        assert (ended.state, ended.verdict) == (v1.Run.FAILED, "could_not_run")
        assert "burstline work --server" in ended.reason
        report = await client.report(run.name)
        assert report["problem"] == ended.reason
        assert (report["ledger"]["scheduled"], report["ledger"]["not_due"]) == (100, 100)


async def test_a_judgement_that_fails_ends_the_run_without_a_report(
    settings: Make, workers: Make, plan: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(record: RunRecord) -> dict[str, Any]:
        raise RuntimeError("cannot judge")

    async with running(settings(), judge=broken) as server, grpc.aio.insecure_channel(server.grpc_address) as channel:
        runs: Any = run_service_pb2_grpc.RunServiceStub(channel)
        await workers(server.grpc_address)
        run = await runs.CreateRun(wire.CreateRunRequest(run=v1.Run(plan=plan((0.2, 50.0)))))
        last = [progress async for progress in runs.WatchRun(wire.WatchRunRequest(name=run.name))][-1].run
        assert (last.state, last.reason) == (v1.Run.FAILED, "internal error; the server's log has the details")
        with pytest.raises(grpc.aio.AioRpcError, match="has no report"):
            await runs.GetReport(wire.GetReportRequest(name=run.name)).read()
    assert "cannot judge" in caplog.text


@pytest.mark.parametrize(("status", "text"), [(403, "answered 403"), (0, "cannot be reached")])
async def test_a_preflight_that_was_refused_or_met_nobody_stops_the_run(
    serving: Make, settings: Make, workers: Make, plan: Make, status: int, text: str
) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        worker.preflight_status = status
        run = await client.create(plan())
        ended = await client.ended(run.name)
        assert ended.state == v1.Run.FAILED
        assert text in ended.reason
        assert not worker.assigned


async def test_a_worker_that_cannot_prepare_fails_the_run_with_its_reason(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        worker.ready_problem = "the environment variable TOKEN is not set"
        run = await client.create(plan())
        ended = await client.ended(run.name)
        assert (ended.state, ended.reason) == (v1.Run.FAILED, worker.ready_problem)


async def test_stop_is_answered_within_a_second_and_the_rest_is_not_due(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client):
        await workers(server.grpc_address, 2)
        run = await client.create(plan((30.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
        stopped = await client.runs.StopRun(wire.StopRunRequest(name=run.name))
        assert asyncio.get_running_loop().time() - began < 1.2
        assert (stopped.stopped_worker_count, stopped.unreachable_worker_count) == (2, 0)
        ended = await client.ended(run.name)
        assert ended.state == v1.Run.STOPPED
        report = await client.report(run.name)
        ledger = report["ledger"]
        assert report["imbalances"] == []
        assert ledger["scheduled"] == 3000
        assert ledger["sent"] == ledger["due"] == 3000 - ledger["not_due"] < 200
        assert report["stopped_by"] == "user"
        again = await client.runs.StopRun(wire.StopRunRequest(name=run.name))
        assert again.run.state == v1.Run.STOPPED


async def test_stopping_a_queued_run_sends_nothing(serving: Make, settings: Make, plan: Make) -> None:
    async with serving(settings()) as (_, client):
        run = await client.create(plan((1.0, 100.0)))
        await client.runs.StopRun(wire.StopRunRequest(name=run.name))
        assert (await client.ended(run.name)).state == v1.Run.STOPPED
        report = await client.report(run.name)
        ledger = report["ledger"]
        assert (ledger["scheduled"], ledger["not_due"], ledger["due"]) == (100, 100, 0)
        assert report["problem"] == "a user stopped the run before its load began."


async def test_a_stop_before_t0_reaches_workers_that_prepare(
    serving: Make, settings: Make, workers: Make, plan: Make, eventually: Make
) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        worker.never_ready = True
        run = await client.create(plan())
        await eventually(lambda: worker.assigned)
        await client.runs.StopRun(wire.StopRunRequest(name=run.name))
        assert (await client.ended(run.name)).state == v1.Run.STOPPED
        await eventually(lambda: worker.stopped)
        worker.never_ready = False
        again = await client.create(plan((0.2, 50.0)))
        assert (await client.ended(again.name)).state == v1.Run.SUCCEEDED, "its worker is free again"


async def test_an_abort_rule_that_holds_long_enough_stops_the_run(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client):
        await workers(server.grpc_address, signature="plain.5xx")
        run = await client.create(plan((30.0, 50.0), abort=["failed > 50% for 2s"]))
        ended = await client.ended(run.name)
        assert ended.state == v1.Run.SUCCEEDED
        assert ended.reason == "stopped by its abort rule: failed > 50% for 2s"
        report = await client.report(run.name)
        assert report["stopped_by"] == "abort"
        assert 2.0 <= report["duration_s"] < 5.0


async def test_runs_are_listed_newest_first_and_paged(serving: Make, settings: Make, plan: Make) -> None:
    async with serving(settings()) as (_, client):
        names = [(await client.create(plan())).name for _ in range(3)]
        first = await client.runs.ListRuns(wire.ListRunsRequest(page_size=2))
        rest = await client.runs.ListRuns(wire.ListRunsRequest(page_size=2, page_token=first.next_page_token))
        assert [run.name for run in (*first.runs, *rest.runs)] == names[::-1]
        assert rest.next_page_token == ""


async def test_metrics_show_the_run_under_a_slot(serving: Make, settings: Make, workers: Make, plan: Make) -> None:
    async with serving(settings()) as (server, client), aiohttp.ClientSession() as session:
        await workers(server.grpc_address)
        run = await client.create(plan((0.5, 100.0)))
        await client.ended(run.name)
        async with session.get(f"http://{server.http_address}/metrics") as response:
            text = await response.text()
        assert f'burstline_run_info{{id="{run.name[5:]}",name="test",run="0"}} 1.0' in text
        assert 'burstline_requests_total{run="0",signature="plain.ok"} 50.0' in text
        assert 'burstline_request_duration_seconds_count{run="0"} 50.0' in text
        assert 'burstline_quota_limit{function="",quota="lambda:L-B99A9384"} 1000.0' in text
        assert "burstline_workers 1.0" in text
        async with session.get(f"http://{server.http_address}/") as response:
            link = (await response.json())["runs"][0]["report"]
        async with session.get(f"http://{server.http_address}{link}") as response:
            assert (await response.json())["verdict"] == "passed"
        async with session.get(f"http://{server.http_address}/healthz") as response:
            assert response.status == 200


async def test_workers_are_listed_with_what_they_hold(serving: Make, settings: Make, workers: Make, plan: Make) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        run = await client.create(plan((1.0, 10.0)))
        await client.until(run.name, v1.Run.RUNNING)
        listed = await client.workers.ListWorkers(worker_wire.ListWorkersRequest())
        assert [w.name for w in listed.workers] == [f"workers/{worker.worker_id}"]
        assert list(listed.workers[0].segments) == [f"{run.name}/segments/0"]
        await client.ended(run.name)


async def test_a_server_that_ends_says_so_to_health_checks_before_its_streams_end(
    serving: Make, settings: Make, workers: Make
) -> None:
    seen: list[str] = []

    async def watch(address: str) -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # the published types leave Watch out
            with contextlib.suppress(grpc.aio.AioRpcError):
                async for answer in stub.Watch(health_pb2.HealthCheckRequest()):
                    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
                    seen.append(name)

    async with serving(settings()) as (server, _):
        (worker,) = await workers(server.grpc_address)
        watching = asyncio.create_task(watch(server.grpc_address))
        worker.on_end = lambda: seen.append("the worker's stream ended")
        while not seen:  # noqa: ASYNC110  # a list has no event
            await asyncio.sleep(0.01)
    await watching
    assert seen[:2] == ["SERVING", "NOT_SERVING"]
    assert "the worker's stream ended" in seen[2:]
