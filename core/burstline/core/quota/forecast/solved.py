"""What the fluid solver found, from which runs are drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.forecast.environment_flow import EnvironmentFlow, Flowed
from burstline.core.quota.forecast.events import Pools
from burstline.core.quota.forecast.streams import Streams
from burstline.core.quota.quotas import Layer

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solved:
    """All that runs are drawn from.

    Attributes:
        streams: expected arrivals.
        passed: calls that passed the buckets, per step and call.
        at_gates: by layer, requests of ours refused and the first's time, per run.
        gate_losses: by layer, expected refusals per call (others' too).
        flow: the environments, for their holding times and pools.
        flowed: what flowed through them.
        pools: their limits.
        pool_spread: variance over mean of each pool's load.
        own_spread: of each function's.
        jitter_s: mean delay of arrivals, seconds.
    """

    streams: Streams
    passed: Floats
    at_gates: dict[Layer, tuple[Floats, Floats]]
    gate_losses: dict[Layer, Floats]
    flow: EnvironmentFlow
    flowed: Flowed
    pools: Pools
    pool_spread: Floats
    own_spread: Floats
    jitter_s: float
