"""How many connections should be open, and when: pure arithmetic from the plan and a latency."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from burstline.core.load.plan import Bursts, Connections, Phase, Shape, Sine, Users, Warm
from burstline.core.load.schedule import Schedule

MOST_PER_WORKER = 2000
"""Never more per worker: each costs a file descriptor at both ends and, over TLS, 0.6 ms of CPU (measured)."""

LEAD_S = 1.0
"""How long before a burst its connections are opened, seconds."""


def needed(rate_per_s: float, latency_s: float) -> int:
    """Return the connections for a steady rate: Little's law, L = rate * latency, with room for its fluctuation.

    The number in flight of a Poisson stream is Poisson with mean L: L + 3 sqrt(L) holds all but one in a thousand.
    """
    mean = rate_per_s * latency_s
    return max(1, math.ceil(mean + 3 * math.sqrt(mean)))


def needed_for_burst(size: int, width_s: float, latency_s: float) -> int:
    """Return the connections for `size` requests over `width_s` seconds: all of them if answers take longer."""
    if latency_s >= width_s:
        return size
    return min(size, needed(size / width_s, latency_s))


@dataclass(frozen=True, slots=True)
class WarmPoint:
    """When one worker should have connections open, and what they are for.

    Attributes:
        at_s: run time, seconds; before T0 it is negative.
        rate_per_s: steady rate of this worker, requests/s.
        size: requests of a burst of this worker; 0 is no burst.
        width_s: of that burst, seconds.
        fixed: connections needed whatever the latency.
    """

    at_s: float
    rate_per_s: float = 0.0
    size: int = 0
    width_s: float = 0.0
    fixed: int = 0

    def connections(self, latency_s: float) -> int:
        """Return how many, 1..MOST_PER_WORKER, if one request takes `latency_s` seconds (> 0)."""
        burst = needed_for_burst(self.size, self.width_s, latency_s) if self.size else 0
        steady = needed(self.rate_per_s, latency_s) if self.rate_per_s else 0
        return min(MOST_PER_WORKER, max(1, self.fixed + burst + steady))


def warm_points(
    load: Sequence[Phase], schedule: Schedule, connections: Connections, segment_count: int
) -> Iterator[WarmPoint]:
    """Yield what one of `segment_count` (>= 1) workers should have open and when, ascending; nothing for `none`.

    Args:
        load: the plan's phases.
        schedule: of the same phases.
        connections: the plan's policy.
        segment_count: among how many workers the load is shared.
    """
    if connections.warm_count:
        yield WarmPoint(-LEAD_S, fixed=-(-connections.warm_count // segment_count))
        return
    if connections.warm is Warm.NONE:
        return
    for phase, start_s in zip(load, schedule.phase_starts_s, strict=False):
        shape = phase.shape
        if isinstance(shape, Bursts):
            size, base = -(-shape.size // segment_count), shape.base_per_s / segment_count
            for burst in range(math.ceil(phase.duration_s / shape.every_s - 1e-9)):
                yield WarmPoint(start_s + burst * shape.every_s - LEAD_S, base, size, shape.width_s)
        elif isinstance(shape, Users):
            yield WarmPoint(start_s - LEAD_S, fixed=-(-shape.users // segment_count))
        else:
            rate = _highest_rate(shape, schedule, start_s, start_s + phase.duration_s) / segment_count
            yield WarmPoint(start_s - LEAD_S, rate)


def warm_at_start(points: Iterator[WarmPoint], latency_s: float) -> tuple[int, Iterator[WarmPoint]]:
    """Return how many connections should be open at T0 (0: none), and the points after it."""
    count = 0
    for point in points:
        if point.at_s > 0:
            return count, chain([point], points)
        count = max(count, point.connections(latency_s))
    return count, iter(())


def _highest_rate(shape: Shape, schedule: Schedule, start_s: float, end_s: float) -> float:
    if isinstance(shape, Sine):
        return shape.mean_per_s + shape.amplitude_per_s
    return max(schedule.rate_at(start_s), schedule.rate_at(end_s - 1e-9))
