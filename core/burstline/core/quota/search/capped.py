"""The highest rate that a cap on calls in flight lets through, and how many service times tell it."""

from math import ceil

import numpy as np

from burstline.core.quota.answers.series import Floats

SAMPLED_S = 10.0
"""How long the highest rate has to hold against a cap on calls in flight, seconds."""

REFUSED = 0.01
"""The share of such stretches in which one call too many may be in flight."""

CALLS = 4_000_000
"""Calls that a rate is tried on, in as many stretches as they make, by which the answer is known to about 0.4 %."""

MOST_STRETCHES = 10_000
AT_ONCE = 500_000
"""Calls that are held in memory at a time."""

CLOSE = 0.001
"""Relative width at which the search for it ends."""

WITHIN = 0.004
"""Standard error of the mean service time that is wanted, relative: the rate's is about the same."""

RAMP_S = 105.0
"""A linear ramp in 20 steps of 5 %, `SAMPLED_S` each, sends as much as the rate at its top does in this time."""

SHARE = 0.3
"""Of such a ramp's requests: more are not worth a better answer."""


def highest_rate_under(cap: int, services_s: Floats, *, calls: int = CALLS, seed: int = 0) -> float:
    """Return the highest even rate at which calls in flight stay below a cap in 99 of 100 stretches of `SAMPLED_S`.

    Args:
        cap: calls in flight, >= 1.
        services_s: service times, equally likely, seconds, > 0; not empty.
        calls: that a rate is tried on, > 0.
    """
    mean_s = float(services_s.mean())
    lasts_s = max(SAMPLED_S, 4 * mean_s)
    low, high = 0.0, cap / mean_s * 1.05
    while high - low > CLOSE * high:
        middle = (low + high) / 2
        count = max(1, int(middle * lasts_s))
        if _is_refused(cap, middle, count, services_s, max(1, min(MOST_STRETCHES, calls // count)), seed):
            high = middle
        else:
            low = middle
    return low or high


def _is_refused(cap: int, rate_per_s: float, count: int, services_s: Floats, stretches: int, seed: int) -> bool:
    """Whether more than `REFUSED` of the stretches, of `count` calls each, have more calls in flight than a cap."""
    random = np.random.default_rng(seed)
    over = 0
    for first in range(0, stretches, max(1, AT_ONCE // count)):
        rows = min(stretches - first, max(1, AT_ONCE // count))
        service = services_s[random.integers(0, len(services_s), (rows, count))]
        # arrivals are even: which one a call's end comes before needs no search
        ends = np.minimum(np.arange(count) + np.ceil(service * rate_per_s).astype(np.int64), count)
        cells = (np.arange(rows)[:, np.newaxis] * (count + 1) + ends).ravel()
        ended = np.bincount(cells, minlength=rows * (count + 1)).reshape(rows, count + 1)[:, :count]
        in_flight = np.arange(1, count + 1) - np.cumsum(ended, axis=1)
        over += int(np.count_nonzero(in_flight.max(axis=1) > cap))
        if over > REFUSED * stretches:
            return True
    return False


def wanted_count(services_s: Floats) -> int:
    """Return how many service times more make the standard error of their mean `WITHIN`; below 0 if they are more.

    Args:
        services_s: those seen, seconds, > 0; not empty.
    """
    varies = float(services_s.std() / services_s.mean())
    return ceil((varies / WITHIN) ** 2) - len(services_s)


def allowed_count(rate_per_s: float) -> int:
    """Return how many requests a search for about this rate may send, all in all."""
    return int(SHARE * RAMP_S * rate_per_s)
