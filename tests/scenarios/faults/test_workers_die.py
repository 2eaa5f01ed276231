"""Workers that are killed, stopped or cut short: others take over, and every arrival is accounted for."""

import signal
import time

import pytest
from faults.laws import account, last_s
from faults.processes import end_all
from faults.world import World

LEASE_S = 10.0


def test_a_killed_worker_s_segment_goes_to_another_and_at_most_4_s_of_its_share_are_lost(world: World) -> None:
    world.start_target()
    world.serve()
    doomed, _ = world.work(2)
    run = world.submit(world.plan(7.0, 200.0), 2)
    world.until_sending(2.3)
    doomed.kill()
    found = account(world, world.report(run, 40.0), scheduled=1400)
    share_per_s = 100
    assert found["lost"] <= 4.0 * share_per_s
    assert found["lost"] + found["unsent"] <= 4.0 * share_per_s
    assert found["orphaned"] <= share_per_s  # answered within milliseconds: only what left in its last window


@pytest.mark.slow
def test_when_all_workers_are_killed_the_run_is_settled_with_what_is_known(world: World) -> None:
    world.start_target()
    world.serve()
    workers = world.work(2)
    run = world.submit(world.plan(30.0, 200.0), 2)
    world.until_sending(3.3)
    for worker in workers:
        worker.kill()
    report = world.report(run, 60.0)
    found = account(world, report, scheduled=6000)
    assert report["verdict"] == "incomplete"
    assert found["lost"] <= 4.0 * 200
    assert found["lost"] + found["unsent"] >= 15.0 * 200


@pytest.mark.slow
def test_a_worker_stopped_for_5_s_drops_what_it_missed_and_loses_nothing(world: World) -> None:
    world.start_target()
    world.serve()
    sleeper, _ = world.work(2)
    run = world.submit(world.plan(14.0, 200.0), 2)
    world.until_sending(3.3)
    sleeper.signal(signal.SIGSTOP)
    time.sleep(5.0)
    sleeper.signal(signal.SIGCONT)
    report = world.report(run, 40.0)
    found = account(world, report, scheduled=2800)
    assert found["lost"] == found["unsent"] == found["orphaned"] == 0
    assert 450 <= report["ledger"]["dropped_by_reason"]["late"] <= 600


@pytest.mark.slow
def test_a_worker_stopped_for_30_s_loses_its_segment_and_tells_the_rest_when_it_wakes(world: World) -> None:
    world.start_target()
    world.serve()
    sleeper, _ = world.work(2)
    run = world.submit(world.patient_plan(42.0, 200.0), 2)
    world.until_sending(3.3)
    sleeper.signal(signal.SIGSTOP)
    time.sleep(30.0)
    sleeper.signal(signal.SIGCONT)
    found = account(world, world.report(run, 60.0), scheduled=8400)
    assert found["lost"] == 0  # its last windows came when it woke
    assert found["unsent"] <= (LEASE_S + 3.0) * 100
    assert found["unsent"] >= 8.0 * 100


@pytest.mark.slow
def test_a_worker_that_never_wakes_costs_at_most_its_lease_and_3_s(world: World) -> None:
    world.start_target()
    world.serve()
    sleeper, _ = world.work(2)
    run = world.submit(world.plan(20.0, 200.0), 2)
    world.until_sending(3.3)
    sleeper.signal(signal.SIGSTOP)
    found = account(world, world.report(run, 60.0), scheduled=4000)
    sleeper.kill()
    assert found["lost"] + found["unsent"] <= (LEASE_S + 3.0) * 100


def test_after_a_stop_nothing_more_is_sent(world: World) -> None:
    world.start_target()
    world.serve()
    world.work(2)
    run = world.submit(world.plan(30.0, 200.0), 2)
    world.until_sending(2.0)
    world.stop(run)
    stopped_s = time.monotonic()
    found = account(world, world.report(run, 30.0), scheduled=6000)
    assert last_s(world.seen()) <= stopped_s
    assert found["lost"] == found["unsent"] == 0
    assert found["not_due"] > 4000


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_hands_its_segment_on_and_loses_nothing(world: World) -> None:
    world.start_target()
    world.serve()
    leaving, _ = world.work(2)
    run = world.submit(world.patient_plan(8.0, 200.0), 2)
    world.until_sending(2.5)
    end_all([leaving])
    found = account(world, world.report(run, 30.0), scheduled=1600)
    assert found["lost"] == found["orphaned"] == 0
    assert found["unsent"] <= 100
