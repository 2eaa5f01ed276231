"""Workers with wrong clocks, and workers that join all at once: they send together, each request once."""

import sys

import pytest
from faults.clocks import bursts, first_times, skewed, spread_s
from faults.laws import account
from faults.world import HERE, World


@pytest.mark.slow
def test_a_worker_whose_wall_clock_is_5_minutes_off_and_one_that_drifts_send_together_with_the_others(
    world: World,
) -> None:
    world.start_target()
    world.serve()
    world.work(script=skewed(wall_s=300.0))
    world.work(script=skewed(drift_ppm=200.0))
    world.work(1)
    run = world.submit(bursts(world, 30, 0.5, 14), 3)
    report = world.report(run, 40.0)
    found = account(world, report, scheduled=420)
    assert found["lost"] == found["unsent"] == found["orphaned"] == 0
    together = [spread_s(times) for times in first_times(world.seen(), 30, 3) if len(times) == 3]
    assert sorted(together)[len(together) // 2] <= 0.005, together
    assert max(worker["clock_error_s"] for worker in report["workers"]) <= 0.005


@pytest.mark.slow
def test_a_drifting_worker_is_steered_all_through_a_minute(world: World) -> None:
    """Left alone it would be 12 ms off at the end."""
    world.start_target()
    world.serve()
    world.work(script=skewed(drift_ppm=200.0))
    world.work(script=skewed(drift_ppm=-200.0))
    run = world.submit(bursts(world, 20, 1.0, 60), 2)
    account(world, world.report(run, 100.0), scheduled=1200)
    late = [spread_s(times) for times in first_times(world.seen(), 20, 2)[40:] if len(times) == 2]
    assert sorted(late)[len(late) * 3 // 4] <= 0.005, late  # the machine's own pauses make the rest


@pytest.mark.slow
def test_200_workers_that_join_at_once_share_a_run(world: World) -> None:
    world.start_target()
    world.serve()
    world.work(8, script=(sys.executable, str(HERE / "many_agents.py"), "--count", "25"))
    run = world.submit(world.patient_plan(15.0, 200.0), 200)
    report = world.report(run, 100.0)
    found = account(world, report, scheduled=3000)
    assert len(report["workers"]) == 200
    assert found["lost"] == found["unsent"] == found["orphaned"] == 0
    assert found["sent_on_wire"] == found.count
