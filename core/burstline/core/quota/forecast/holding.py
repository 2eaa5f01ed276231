"""How long calls hold an environment, as tables: the integral of the survival function of the service time.

`I(x) = integral from 0 to x of P(S > u) du`, seconds. Calls that started evenly over ages lo..hi are still there with
the mean probability `(I(hi) - I(lo)) / (hi - lo)`, and a steady rate r keeps `r I(inf) = r E[S]` in flight (Little).
"""

from collections.abc import Sequence
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.admission.service_times import lognormal
from burstline.core.quota.quotas import Function

Floats = NDArray[np.float64]

_POINTS = 1200
_NEGLIGIBLE = 1e-7

_erf = np.vectorize(erf, otypes=[np.float64])


def survival(function: Function, ages_s: Floats, extra_s: float = 0.0) -> Floats:
    """Return `P(S + extra > age)` for each age; S is the service time, cut at the function's timeout."""
    mu, sigma = lognormal(function.duration)
    rest = ages_s - extra_s
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(rest > 0, np.log(np.maximum(rest, 1e-300)), -np.inf)
        if sigma == 0.0:
            alive = (rest < function.duration.p50_s).astype(np.float64)
        else:
            alive = 0.5 * (1.0 - _erf((logs - mu) / (sigma * sqrt(2.0))))
    alive = np.where(rest >= function.timeout_s, 0.0, alive)
    return np.where(rest <= 0, 1.0, alive)


class Holding:
    """Tables for several functions on one common scale of ages.

    Args:
        functions: whose service times.
        cold: with each function's `init_s` added.

    Attributes:
        mean_s: mean holding time by function, seconds.
        longest_s: the age at which practically no call of any function is left, seconds.
    """

    def __init__(self, functions: Sequence[Function], *, cold: bool) -> None:
        extra = [f.init_s if cold else 0.0 for f in functions]
        longest = max(_longest(f) + x for f, x in zip(functions, extra, strict=True))
        shortest = min(min(f.duration.p50_s, f.timeout_s) for f in functions)
        self._first = min(shortest, longest) * 1e-3
        self._step = np.log(longest * 1.01 / self._first) / (_POINTS - 1)
        ages = self._first * np.exp(self._step * np.arange(_POINTS))
        fine = np.concatenate(([0.0], np.repeat(ages, 8)[:-7]))
        fine[1:] = np.interp(np.arange(len(fine) - 1) / 8.0, np.arange(_POINTS), ages)
        table = np.empty((_POINTS, len(functions)))
        known: dict[object, Floats] = {}
        for column, (f, x) in enumerate(zip(functions, extra, strict=True)):
            key = (f.duration, f.timeout_s, x)
            if key not in known:
                alive = survival(f, (fine[1:] + fine[:-1]) / 2, x)
                integral = np.concatenate(([0.0], np.cumsum(alive * np.diff(fine))))
                known[key] = integral[1::8]
            table[:, column] = known[key]
        self._table = table
        self.mean_s: Floats = table[-1].copy()
        self.longest_s = float(ages[-1])

    def integral(self, ages_s: Floats) -> Floats:
        """Return `I(age)` for each age (rows) and function (columns), seconds."""
        scale = np.log(np.maximum(ages_s, 1e-300) / self._first) / self._step
        place = np.clip(scale, 0.0, _POINTS - 1.000001)
        low = place.astype(np.int64)
        part = (place - low)[:, None]
        found: Floats = self._table[low] * (1.0 - part) + self._table[low + 1] * part
        young = ages_s <= self._first
        if young.any():
            found[young] = ages_s[young, None]
        return found


def _longest(function: Function) -> float:
    mu, sigma = lognormal(function.duration)
    return float(min(function.timeout_s, np.exp(mu + 5.2 * sigma)))
