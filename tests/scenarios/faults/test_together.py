"""Eight workers far from the server, with clocks of their own: every burst starts together."""

import os
from collections.abc import Callable, Iterable

import pytest
from faults.clocks import bursts, due_times, first_times, off_due_s, skewed
from faults.laws import account, note
from faults.network import Site
from faults.pauses import Pauses, first, paused_s, put_first
from faults.world import World

DELAYS_S = (0.0005, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04)
"""Each way: round trips of 1 to 80 ms."""

COUNT = int(os.environ.get("BURSTLINE_TOGETHER_BURSTS", "12"))
"""Bursts, one a second. BURSTLINE_TOGETHER_BURSTS=900 is the 15-minute form."""

SIZE = 16
"""Two requests of each worker: what the target reads before a worker's first one costs it 0.1 ms each."""


@pytest.mark.timeout(200 + 2 * COUNT)
def test_eight_workers_behind_1_to_80_ms_with_drifting_clocks_start_every_burst_within_5_ms(
    world: World, sites: Callable[[int], list[Site]], pauses: Pauses
) -> None:
    """The instants are the target's: they include the way there (the same for all) and the machine's own pauses.

    Each worker and the target stand for a machine of their own, and the wires for networks, which are never busy; so
    they go before whatever else runs here, and wires before workers. The server does not: it takes in windows while
    others send, and put first it took a core from four of the workers in one burst of 90.
    """
    made = sites(len(DELAYS_S))
    world.start_target(within=first(2))
    world.serve()
    for index, (site, delay_s) in enumerate(zip(made, DELAYS_S, strict=True)):
        put_first(site.wire, 4)
        site.wire.tell(f"delay {delay_s}")
        script = skewed(drift_ppm=200.0 if index % 2 else -200.0)
        world.work(1, server=site.server, within=(*first(1), *site.within), script=script)
    run = world.submit(bursts(world, SIZE, 1.0, COUNT), len(made))
    report = world.report(run, COUNT + 100.0)
    account(world, report, scheduled=SIZE * COUNT)
    bursts_seen = enumerate(first_times(world.seen(), SIZE, len(made)))
    firsts = {number: times for number, times in bursts_seen if len(times) == len(made)}
    due_s, paused = due_times(firsts, 1.0), pauses.seen()
    off_s = {number: off_due_s(times, due_s[number]) for number, times in firsts.items()}
    ours_s = {n: one - paused_s(paused, due_s[n], due_s[n] + one) for n, one in off_s.items()}
    late = [f"{ms(off_s[n])} ({ms(ours_s[n])})" for n in off_s if off_s[n] > 0.005]
    errors_s = [worker["clock_error_s"] for worker in report["workers"]]
    note(bursts=COUNT, whole=len(firsts), within_5_ms=COUNT - len(late), late=late, of_all_ms=spread(off_s.values()),
         without_pauses_ms=spread(ours_s.values()), pauses=len(paused), skew_s=report["start_skew_s"],
         clock_error_ms=ms(max(errors_s)))  # fmt: skip
    assert len(firsts) == COUNT
    assert sum(one > 0.005 for one in ours_s.values()) <= (1 if COUNT < 60 else 0), late
    assert report["start_skew_s"] is not None
    assert all(error_s <= 0.045 for error_s in errors_s)  # half the longest round trip


def spread(seconds: Iterable[float]) -> list[float]:
    """Return median, 90th percentile and greatest, milliseconds."""
    ordered = sorted(seconds)
    return [ms(ordered[len(ordered) // 2]), ms(ordered[len(ordered) * 9 // 10]), ms(ordered[-1])]


def ms(seconds: float) -> float:
    """Return milliseconds to a hundredth."""
    return round(seconds * 1e3, 2)
