"""Workers with wrong clocks, plans of bursts, and how far apart the workers' shares of a burst reached the target."""

import sys
from collections.abc import Mapping, Sequence

from burstline.v1 import resources_pb2 as v1
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


def due_times(firsts: Mapping[int, Sequence[float]], every_s: float) -> dict[int, float]:
    """Return when each burst was due by the target's clock, by its number.

    T0 by the target's clock is what makes the median request punctual; bursts are due at T0 + number x every.
    """
    starts = sorted(sorted(times)[len(times) // 2] - number * every_s for number, times in firsts.items())
    return {number: starts[len(starts) // 2] + number * every_s for number in firsts}


def off_due_s(times: Sequence[float], due_s: float) -> float:
    """Return how far from its due time the worst worker's first request of a burst was read."""
    return max(abs(one - due_s) for one in times)
