"""Workers with wrong clocks, and workers that join all at once: they send together, each request once."""

import sys
from collections.abc import Sequence

import pytest
from burstline.v1 import resources_pb2 as v1
from faults.laws import account
from faults.world import HERE, Seen, World


def skewed(*, wall_s: float = 0.0, drift_ppm: float = 0.0) -> tuple[str, ...]:
    """Return the command of a worker with wrong clocks."""
    return (sys.executable, str(HERE / "skewed_worker.py"), "--wall", str(wall_s), "--drift", str(drift_ppm))


def bursts(world: World, size: int, every_s: float, count: int) -> v1.Plan:
    """Return a plan of bursts of no width."""
    plan = world.plan(every_s * count, 1.0)
    phase = plan.load[0]
    phase.ClearField("constant")
    phase.bursts.size_count = size
    phase.bursts.every_duration.FromNanoseconds(round(every_s * 1e9))
    return plan


def first_times(seen: Seen, size: int, stripes: int) -> list[list[float]]:
    """Return, burst by burst, when the first request of each stripe was read; stripe = number modulo `stripes`."""
    at = dict(zip(seen.numbers, seen.times_s, strict=True))
    found = []
    for start in range(0, max(seen.numbers) + 1, size):
        numbers = [n for n in range(start, start + size) if n in at]
        firsts = {n % stripes: at[n] for n in reversed(numbers)}
        found.append([firsts[stripe] for stripe in sorted(firsts)])
    return found


def spread_s(times: Sequence[float]) -> float:
    return max(times) - min(times)


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
    run = world.submit(world.plan(15.0, 200.0), 200)
    report = world.report(run, 100.0)
    found = account(world, report, scheduled=3000)
    assert len(report["workers"]) == 200
    assert found["lost"] == found["unsent"] == found["orphaned"] == 0
    assert found["sent_on_wire"] == found.count
