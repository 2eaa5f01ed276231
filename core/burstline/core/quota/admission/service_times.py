"""How long warm invocations take: samples of a lognormal through its median and 99th percentile.

`ln X` is normal with mean `mu = ln(p50_s)` and deviation `sigma = ln(p99_s / p50_s) / z99`, where `z99` is the
standard normal's 99th percentile.
"""

from math import log
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.quotas import ServiceTime

Z99 = NormalDist().inv_cdf(0.99)
"""The standard normal's 99th percentile, 2.326."""


def lognormal(duration: ServiceTime) -> tuple[float, float]:
    """Return `(mu, sigma)` of `ln X`, X in seconds; sigma is 0 for a constant.

    Raises:
        ValueError: not 0 < p50_s <= p99_s.
    """
    if not 0 < duration.p50_s <= duration.p99_s:
        raise ValueError(f"0 < p50_s <= p99_s, not {duration.p50_s} and {duration.p99_s}")
    return log(duration.p50_s), log(duration.p99_s / duration.p50_s) / Z99


def sample(duration: ServiceTime, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return `count` service times, seconds, > 0."""
    mu, sigma = lognormal(duration)
    if sigma == 0.0:
        return np.full(count, duration.p50_s)
    return random.lognormal(mu, sigma, count)
