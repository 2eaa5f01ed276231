"""Eight workers far from the server, with clocks of their own: every burst starts together."""

from collections.abc import Callable

import pytest
from faults.clocks import bursts, first_times, skewed
from faults.laws import account
from faults.network import Site
from faults.world import World

DELAYS_S = (0.0005, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04)
"""Each way: round trips of 1 to 80 ms."""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_eight_workers_behind_1_to_80_ms_with_drifting_clocks_start_every_burst_within_5_ms(
    world: World, sites: Callable[[int], list[Site]]
) -> None:
    """The instants are the target's: they include the way there (the same for all) and the machine's own pauses."""
    made = sites(len(DELAYS_S))
    world.start_target()
    world.serve()
    for index, (site, delay_s) in enumerate(zip(made, DELAYS_S, strict=True)):
        site.wire.tell(f"delay {delay_s}")
        script = skewed(drift_ppm=200.0 if index % 2 else -200.0)
        world.work(1, server=site.server, within=site.within, script=script)
    every_s, count, size = 1.0, 45, 32
    run = world.submit(bursts(world, size, every_s, count), len(made))
    report = world.report(run, 150.0)
    account(world, report, scheduled=size * count)
    firsts = [times for times in first_times(world.seen(), size, len(made)) if len(times) == len(made)]
    # T0 by the target's clock: what makes the median request punctual. Bursts are due at T0 + n x every.
    starts = [sorted(times)[len(times) // 2] - number * every_s for number, times in enumerate(firsts)]
    t0_s = sorted(starts)[len(starts) // 2]
    worst = [max(abs(one - t0_s - n * every_s) for one in times) for n, times in enumerate(firsts)]
    assert len(firsts) >= count - 5
    assert sorted(worst)[len(worst) * 3 // 4] <= 0.005, worst
    assert report["start_skew_s"] is not None
    assert all(worker["clock_error_s"] <= 0.045 for worker in report["workers"])  # half the longest round trip
