"""Workers that die, fall silent or come back; a server that is restarted: the ledger stays exact."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1.windows_pb2 import Window

Make = Callable[..., Any]


async def test_a_dead_worker_s_segment_is_taken_over_and_every_arrival_is_accounted_for(
    serving: Make, settings: Make, workers: Make, plan: Make, eventually: Make
) -> None:
    async with serving(settings()) as (server, client):
        doomed, other = await workers(server.grpc_address, 2)
        run = await client.create(plan((3.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.8)
        await doomed.die()
        began = asyncio.get_running_loop().time()
        await eventually(lambda: len(other.assigned) == 2)
        assert asyncio.get_running_loop().time() - began < 2.0
        taken = other.assigned[1]
        assert (taken.key.epoch, taken.start_nanos > 0, taken.from_count > 0) == (2, True, True)
        ended = await client.ended(run.name)
        report = await client.report(run.name)
        ledger = report["ledger"]
        assert ended.state == v1.Run.SUCCEEDED
        assert report["imbalances"] == []
        assert ledger["scheduled"] == ledger["due"] == 300
        told = doomed.sent_count + other.sent_count
        assert told - _unacknowledged(doomed) <= ledger["sent"] <= told
        assert ledger["unsent"] > 0, "what was due between the death and the takeover"
        assert ledger["sent"] + ledger["unsent"] + ledger["lost"] == 300
        assert [f"workers/{doomed.worker_id}", [doomed.assigned[0].key.segment], True] in report["workers"]


def _unacknowledged(worker: Any) -> int:
    """Requests of windows that may not have reached the server."""
    bodies = [report.window for m in worker.unacknowledged.values() for report in m.heartbeat.windows]
    return sum(load.sent_count for body in bodies for load in Window.FromString(body).loads)


async def test_a_silent_worker_keeps_its_segment_until_its_lease_is_over(
    serving: Make, settings: Make, workers: Make, plan: Make, eventually: Make
) -> None:
    async with serving(settings()) as (server, client):
        silent, other = await workers(server.grpc_address, 2)
        run = await client.create(plan((4.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.5)
        silent.silent = True
        began = asyncio.get_running_loop().time()
        await eventually(lambda: len(other.assigned) == 2)
        waited_s = asyncio.get_running_loop().time() - began
        assert 1.0 <= waited_s < 1.8, "lease of 1 s + margin of 0.2 s"
        silent.stopped.add(silent._name(silent.assigned[0].key))
        await client.ended(run.name)
        report = await client.report(run.name)
        ledger = report["ledger"]
        assert report["imbalances"] == []
        assert ledger["scheduled"] == 400
        assert ledger["lost"] > 20, "due while its lease lived"
        assert ledger["unsent"] > 0, "due between the end of its lease and the takeover"


async def test_late_windows_of_an_old_epoch_turn_lost_into_known_numbers(
    serving: Make, settings: Make, workers: Make, plan: Make, eventually: Make
) -> None:
    async with serving(settings()) as (server, client):
        cut, other = await workers(server.grpc_address, 2)
        run = await client.create(plan((3.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.5)
        cut.silent = True  # its windows gather
        await asyncio.sleep(0.4)
        cut.stopped.add(cut._name(cut.assigned[0].key))
        await cut.cut()
        await eventually(lambda: len(other.assigned) == 2)
        cut.kept.clear()
        assert cut.unacknowledged
        cut.silent = False
        await cut.attach()
        await eventually(lambda: not cut.unacknowledged)
        await client.ended(run.name)
        report = await client.report(run.name)
        assert report["imbalances"] == []
        assert report["ledger"]["scheduled"] == 300
        assert report["ledger"]["sent"] == cut.sent_count + other.sent_count
        assert report["ledger"]["lost"] + report["ledger"]["unsent"] == 300 - report["ledger"]["sent"]


async def test_a_worker_that_comes_back_in_time_keeps_its_segment(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        run = await client.create(plan((1.5, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.5)
        await worker.cut()
        await worker.attach()
        assert len(worker.welcome.segments) == 1
        await client.ended(run.name)
        report = await client.report(run.name)
        assert report["ledger"]["sent"] == 150
        assert len(worker.assigned) == 1


async def test_without_any_worker_left_the_run_is_settled_with_what_is_known(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client):
        (worker,) = await workers(server.grpc_address)
        run = await client.create(plan((30.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.5)
        await worker.die()
        await client.ended(run.name)
        report = await client.report(run.name)
        ledger = report["ledger"]
        assert report["imbalances"] == []
        assert ledger["scheduled"] == 3000
        assert ledger["unsent"] > 50
        assert ledger["not_due"] > 2000
        assert "no worker came back: settled with what is known" in report["notes"]


async def test_a_restarted_server_goes_on_with_its_run(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    chosen = settings(lease_s=3.0)
    async with serving(chosen) as (server, client):
        (worker,) = await workers(server.grpc_address)
        run = await client.create(plan((3.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.8)
    await worker.cut()
    async with serving(chosen) as (server, client):
        worker.address = server.grpc_address
        await worker.attach()
        assert len(worker.welcome.segments) == 1
        ended = await client.ended(run.name)
        assert ended.state == v1.Run.SUCCEEDED
        report = await client.report(run.name)
        assert report["imbalances"] == []
        assert report["ledger"]["sent"] == report["totals_sent"] == 300
        assert "the server was restarted during this run" in report["notes"]


async def test_a_run_that_was_queued_at_the_restart_still_runs(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    chosen = settings()
    async with serving(chosen) as (_, client):
        run = await client.create(plan((0.3, 100.0)))
    async with serving(chosen) as (server, client):
        await workers(server.grpc_address)
        assert (await client.ended(run.name)).state == v1.Run.SUCCEEDED
        again = await client.runs.GetRun(wire.GetRunRequest(name=run.name))
        assert again.state == v1.Run.SUCCEEDED


async def test_a_second_run_waits_for_busy_workers(serving: Make, settings: Make, workers: Make, plan: Make) -> None:
    async with serving(settings()) as (server, client):
        await workers(server.grpc_address)
        first = await client.create(plan((0.8, 50.0)))
        await client.until(first.name, v1.Run.RUNNING)
        second = await client.create(plan((0.3, 50.0)))
        assert (await client.runs.GetRun(wire.GetRunRequest(name=second.name))).state == v1.Run.QUEUED
        one, two = await client.ended(first.name), await client.ended(second.name)
        assert two.start_time.ToNanoseconds() > one.start_time.ToNanoseconds() + 800_000_000
        assert (await client.report(second.name))["ledger"]["sent"] == 15


async def test_a_worker_that_leaves_by_itself_hands_its_segment_on(
    serving: Make, settings: Make, workers: Make, plan: Make, eventually: Make
) -> None:
    async with serving(settings()) as (server, client):
        leaving, other = await workers(server.grpc_address, 2)
        run = await client.create(plan((2.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.6)
        leaving.stopped.add(leaving._name(leaving.assigned[0].key))  # as it does at its own end
        await eventually(lambda: len(other.assigned) == 2)
        assert len(leaving.assigned) == 1
        await client.ended(run.name)
        report = await client.report(run.name)
        assert report["imbalances"] == []
        assert report["ledger"]["scheduled"] == 200
        assert report["ledger"]["lost"] == 0, "it told everything before it left"
        assert report["ledger"]["sent"] + report["ledger"]["unsent"] == 200
        assert report["ledger"]["sent"] > 150


async def test_a_run_of_another_living_server_is_shown_and_not_touched(
    serving: Make, settings: Make, plan: Make
) -> None:
    async with serving(settings(server_id="blue")) as (_, blue), serving(settings(server_id="green")) as (_, green):
        run = await blue.create(plan())
        with pytest.raises(grpc.aio.AioRpcError, match="driven by another server"):
            await green.runs.StopRun(wire.StopRunRequest(name=run.name))
        watch = green.runs.WatchRun(wire.WatchRunRequest(name=run.name))
        seen = [await anext(aiter(watch))]
        assert (seen[0].run.state, seen[0].final) == (v1.Run.QUEUED, False)
        await blue.runs.StopRun(wire.StopRunRequest(name=run.name))
        seen += [progress async for progress in watch]
        assert seen[-1].final
