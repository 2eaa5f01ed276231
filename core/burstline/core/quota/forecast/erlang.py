"""Blocking of a pool of servers under fluctuating arrivals: Erlang's loss formula, and Hayward's way to use it.

`1 / B(a, c) = integral over t > 0 of a exp(-a t) (1 + t)**c dt` (Fortet), which also holds for c that are no whole
numbers. Arrivals more or less bursty than Poisson's, with variance z times the mean of the calls that an unlimited pool
would hold, are blocked about as `B(a / z, c / z)` (Hayward; Fredericks 1980). An approximation for z other than 1.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NODES = 601
_SCALE = np.linspace(0.0, 1.0, _NODES)
_SIMPSON = np.array([1.0] + [4.0, 2.0] * (_NODES // 2 - 1) + [4.0, 1.0]) / (3.0 * (_NODES - 1))
"""Weights of Simpson's rule over `_SCALE`; nodes go with its square, as the integrand may be highest at 0."""


def blocking(offered: Floats, servers: Floats) -> Floats:
    """Return the share of calls lost, 0..1.

    Args:
        offered: arrival rate times mean holding time, > 0.
        servers: > 0, real; same length.
    """
    top = np.maximum(servers / offered - 1.0, 0.0)
    bell = (1.0 + top) / np.sqrt(servers)
    slope = np.maximum(offered - servers, 1e-12)
    width = np.where(top > 0, bell, np.minimum(1.0 / slope, bell))
    low = np.maximum(top - 10 * width, 0.0)
    high = top + 30 * width
    t = low[:, None] + (high - low)[:, None] * _SCALE**2
    logs = np.log(offered)[:, None] - offered[:, None] * t + servers[:, None] * np.log1p(t)
    most = logs.max(axis=1)
    area = (high - low) * (np.exp(logs - most[:, None]) @ (2.0 * _SCALE * _SIMPSON))
    lost: Floats = np.minimum(1.0, np.exp(-most) / area)
    return lost


def smoothness(offered_ratio: Floats, servers: float, peakedness: float) -> Floats:
    """Return the peakedness that blocking follows at each load, for arrivals smoother than Poisson's.

    As long as nothing is lost it is that of the unlimited pool, z. Once the pool fills up, losses upset the regular
    arrivals, and a higher one acts: `0.5 - 0.4 exp(-9 z)` at the critical load, towards 0.5 in overload. A fit of ours
    to replays of 30 to 1,000 servers with constant to widely spread service times (benchmarks/forecast.py checks it).
    """
    distance = (offered_ratio - 1.0) * np.sqrt(servers)
    critical = max(peakedness, 0.5 - 0.4 * float(np.exp(-9.0 * peakedness)))
    below = peakedness + (critical - peakedness) * np.clip(1.0 + distance, 0.0, 1.0)
    above = critical + (max(critical, 0.5) - critical) * np.clip(0.3 * distance, 0.0, 1.0)
    acting: Floats = np.where(distance < 0, below, above)
    return acting


class LossCurve:
    """Blocking by the mean number in service, for one pool.

    The distribution of the number in service is taken to be the stationary one with that mean: exact when the load is
    steady, and good when it changes slowly against the holding time or pushes the pool far over its size.

    Args:
        servers: size of the pool, >= 0.
        peakedness: variance over mean of an unlimited pool, > 0; 1 for Poisson arrivals.
    """

    def __init__(self, servers: float, peakedness: float) -> None:
        self.servers = servers
        self.peakedness = max(peakedness, 0.02)
        size = max(servers, 1e-9)
        spread = float(np.sqrt(self.peakedness / size))
        near = 1.0 + spread * np.linspace(-9.0, 9.0, 181)
        far = 1.0 + 9.0 * spread + np.geomspace(0.02 * spread, 1e3, 160)
        ratios = np.concatenate((near[near > 0.01], far))
        self._offered = ratios * size
        acting = np.maximum(smoothness(ratios, size, self.peakedness), 0.02)
        self._lost = np.maximum.accumulate(blocking(self._offered / acting, size / acting))
        self._held = self._offered * (1.0 - self._lost)
        self.quiet_below = float(self._held[0]) if servers > 0 else -1.0

    def lost_ratio(self, staying: float, arriving: float) -> float:
        """Return the share b of arrivals lost in a step, where b is the blocking at `staying + (1 - b) arriving` held.

        Args:
            staying: calls from before that are still there at the step's end.
            arriving: calls of the step that would still be there at its end if none were lost.
        """
        if self.servers <= 0:
            return 1.0
        if staying + arriving <= self.quiet_below:
            return 0.0
        surplus = staying + (1.0 - self._lost) * arriving - self._held
        place = int(np.searchsorted(-surplus, 0.0))
        if place == 0:
            return 0.0
        if place >= len(surplus):
            return 1.0
        before, after = surplus[place - 1], surplus[place]
        part = before / (before - after)
        return float(self._lost[place - 1] + part * (self._lost[place] - self._lost[place - 1]))
