"""How many connections should be open, and when: pure arithmetic from the plan and a latency."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from burstline.core.load.plan import Bursts, Connections, Phase, Shape, Sine, Users, Warm
from burstline.core.load.schedule import Schedule

MOST_PER_WORKER = 2000
"""Never more per worker: each costs a file descriptor at both ends and, over TLS, 0.6 ms of CPU (measured)."""

LEAD_S = 1.0
"""How long before a burst its connections are opened, seconds."""


@dataclass(frozen=True, slots=True)
class WarmPoint:
    """At run time `at_s` (seconds; the first is before T0) this worker should have `connections` open."""

    at_s: float
    connections: int


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


def warm_points(
    load: Sequence[Phase], schedule: Schedule, connections: Connections, segment_count: int, latency_s: float
) -> list[WarmPoint]:
    """Return what one of `segment_count` workers should have open and when, ascending in time; empty for `none`.

    Args:
        load: the plan's phases.
        schedule: of the same phases.
        connections: the plan's policy.
        segment_count: among how many workers the load is shared, >= 1.
        latency_s: of one request on an open connection, an estimate, seconds, > 0.
    """
    if connections.warm_count:
        return [WarmPoint(-LEAD_S, _share(connections.warm_count, segment_count))]
    if connections.warm is Warm.NONE:
        return []
    points = []
    for phase, start_s in zip(load, schedule.phase_starts_s, strict=False):
        shape = phase.shape
        if isinstance(shape, Bursts):
            count = _for_bursts(shape, segment_count, latency_s)
            starts = range(math.ceil(phase.duration_s / shape.every_s - 1e-9))
            points += [WarmPoint(start_s + k * shape.every_s - LEAD_S, count) for k in starts]
        elif isinstance(shape, Users):
            points.append(WarmPoint(start_s - LEAD_S, _share(shape.users, segment_count)))
        else:
            rate = _highest_rate(shape, schedule, start_s, start_s + phase.duration_s) / segment_count
            points.append(WarmPoint(start_s - LEAD_S, _bounded(needed(rate, latency_s))))
    early = max([1, *(point.connections for point in points if point.at_s <= 0)])
    return [WarmPoint(-LEAD_S, early), *(point for point in points if point.at_s > 0)]


def _for_bursts(shape: Bursts, segment_count: int, latency_s: float) -> int:
    burst = needed_for_burst(-(-shape.size // segment_count), shape.width_s, latency_s)
    base = needed(shape.base_per_s / segment_count, latency_s) if shape.base_per_s else 0
    return _bounded(burst + base)


def _highest_rate(shape: Shape, schedule: Schedule, start_s: float, end_s: float) -> float:
    if isinstance(shape, Sine):
        return shape.mean_per_s + shape.amplitude_per_s
    return max(schedule.rate_at(start_s), schedule.rate_at(end_s - 1e-9))


def _share(count: int, segment_count: int) -> int:
    return _bounded(-(-count // segment_count))


def _bounded(count: int) -> int:
    return min(MOST_PER_WORKER, count)
