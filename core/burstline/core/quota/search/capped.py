"""The highest rate that a cap on calls in flight lets through."""

import numpy as np

from burstline.core.quota.advice.demand import TABLE_SIZE, ServiceTimes
from burstline.core.quota.advice.peaks import peak_in_flight
from burstline.core.quota.answers.series import Floats

SAMPLED_S = 10.0
"""How long the highest rate has to hold against a cap on calls in flight, seconds."""


def highest_rate_under(cap: int, services_s: Floats) -> float:
    """Return the highest even rate at which calls in flight stay below a cap in 99 of 100 stretches of `SAMPLED_S`.

    Args:
        cap: calls in flight, >= 1.
        services_s: service times, ascending, equally likely, seconds, > 0; not empty.
    """
    ranks = (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE * len(services_s)
    services = ServiceTimes(np.sort(services_s)[ranks.astype(np.int64)], 0.0, "")
    low, high = 0.0, cap / services.mean_s * 1.05
    while high - low > 0.003 * high:
        middle = (low + high) / 2
        lasts_s = max(SAMPLED_S, 4 * services.mean_s)
        times_s = np.arange(max(1, int(middle * lasts_s))) / middle
        if peak_in_flight(times_s, services, replays=40).p99 <= cap:
            low = middle
        else:
            high = middle
    return low or high
