"""Bursts that would open their connections while they last, and so measure TLS handshakes instead of the target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from burstline.core.load.plan import Bursts, Connections, Phase, Warm
from burstline.core.load.warming import MOST_PER_WORKER, needed_for_burst

HANDSHAKE_S = 0.0006
"""CPU time of one TLS handshake at the client, seconds (measured with ECDSA P-256; RSA chains cost more)."""

LARGEST_SHARE = 0.5
"""Of a worker's core, for handshakes during a burst; the other half sends and reads."""

SHORTEST_S = 0.02
"""Shorter bursts are given so long: what is a little late is still sent."""


@dataclass(frozen=True, slots=True)
class ColdBurst:
    """A burst whose handshakes take more than their share.

    Attributes:
        phase: its name.
        count: connections to open while it lasts, on each worker.
        cpu_s: of their handshakes, seconds.
        width_s: of the burst, seconds.
        worker_count: workers with which it would be no more than the share.
    """

    phase: str
    count: int
    cpu_s: float
    width_s: float
    worker_count: int


def cold_burst(
    load: Sequence[Phase], connections: Connections, worker_count: int, latency_s: float
) -> ColdBurst | None:
    """Return the worst burst that needs more than half of the workers' CPU for TLS handshakes, or None.

    Args:
        load: the plan's phases.
        connections: the plan's policy.
        worker_count: among how many workers the load is shared, >= 1.
        latency_s: of one request, seconds, > 0.
    """
    found = [
        (phase.name, phase.shape.width_s, _cold(phase.shape, connections, worker_count, latency_s))
        for phase in load
        if isinstance(phase.shape, Bursts)
    ]
    worst = max(found, key=lambda one: one[2] / max(SHORTEST_S, one[1]), default=None)
    if worst is None:
        return None
    name, width_s, count = worst
    allowed = LARGEST_SHARE * max(SHORTEST_S, width_s) / HANDSHAKE_S
    if count <= allowed:
        return None
    return ColdBurst(name, count, count * HANDSHAKE_S, width_s, math.ceil(count * worker_count / allowed))


def _cold(shape: Bursts, connections: Connections, worker_count: int, latency_s: float) -> int:
    """Return how many connections of a burst are not open when it starts, on each worker."""
    need = needed_for_burst(-(-shape.size // worker_count), shape.width_s, latency_s)
    if connections.warm_count:
        return max(0, need - -(-connections.warm_count // worker_count))
    if connections.warm is Warm.NONE:
        return need
    return max(0, need - MOST_PER_WORKER)
