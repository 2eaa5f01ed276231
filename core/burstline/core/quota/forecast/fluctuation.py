"""What a fluid does not have: how far a run strays from the mean. Peaks, counts of refusals, and when they begin.

Estimates, each from a textbook limit: the maximum of a stationary process whose correlation starts off straight
(as M/G/inf's does: `r(h) = 1 - h / E[S]` near 0) stays below u deviations for a time T with probability
`Phi(u) exp(-T/E[S] u phi(u))`; refusals come in clusters, as a full pool stays full for a while.
"""

from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.forecast.records import NEVER

Floats = NDArray[np.float64]

_LEVELS = np.linspace(-4.0, 9.0, 1301)
_PHI = np.array([0.5 * (1.0 + erf(u / sqrt(2.0))) for u in _LEVELS.tolist()])
_DENSITY = np.exp(-(_LEVELS**2) / 2.0) / sqrt(2.0 * np.pi)


def highest(spans: float, chances: Floats) -> Floats:
    """Return the highest value of a stationary standard normal process, in deviations, one for each chance (0..1).

    Args:
        spans: time watched over mean holding time, >= 0.
        chances: uniform random numbers.
    """
    below = _PHI * np.exp(-spans * np.maximum(_LEVELS, 0.0) * _DENSITY)
    return np.interp(chances, below, _LEVELS)


def time_at_top(means: Floats, widths_s: Floats, peakedness: float) -> tuple[float, float]:
    """Return the highest mean number in flight, and for how long the load is so near it that the peak may fall there.

    A stretch counts by how much less likely the peak is in it: `exp(-3 d)` at d deviations below the top.
    """
    top = float(means.max(initial=0.0))
    if top <= 0:
        return 0.0, 0.0
    deviation = sqrt(max(top * peakedness, 1e-12))
    return top, float(widths_s @ np.exp(-3.0 * (top - means) / deviation))


def peaks(top: float, peakedness: float, spans: float, random: np.random.Generator, runs: int) -> Floats:
    """Return the highest number in flight of each run (not whole, not capped); with the skew that counts have."""
    if top <= 0:
        return np.zeros(runs)
    u = highest(spans, random.random(runs))
    found: Floats = np.maximum(top + u * sqrt(top * peakedness) + (u * u - 1.0) / 6.0 * peakedness, min(top, 1.0))
    return found


def recurring_starts(peakedness: float, mean_in_flight: float, hold_s: float, watched_s: float, idle_s: float) -> float:
    """Return how many environments a steady load starts again because fluctuations use them too rarely.

    The environment at u deviations above the mean is needed `u phi(u) / E[S]` times a second; it is gone when that
    does not happen within `idle_s`.
    """
    if mean_in_flight <= 0 or watched_s <= idle_s:
        return 0.0
    rate = np.maximum(_LEVELS, 0.0) * _DENSITY / max(hold_s, 1e-9)
    again = rate * np.exp(-rate * idle_s)
    step = float(_LEVELS[1] - _LEVELS[0])
    return float(again.sum()) * step * sqrt(mean_in_flight * peakedness) * (watched_s - idle_s)


def clusters(offered: Floats, servers: float, peakedness: float) -> Floats:
    """Return how many refusals come together, about, when a pool of `servers` has these loads."""
    if servers <= 0:
        return np.ones_like(offered)
    slack = np.abs(1.0 - offered / servers)
    return 1.0 + peakedness / np.maximum(slack, sqrt(peakedness / servers))


def counts(mean: float, variance: float, random: np.random.Generator, runs: int) -> Floats:
    """Return counts with this mean and variance, one for each run: negative binomial where it is over-dispersed."""
    if mean <= 0:
        return np.zeros(runs)
    if variance > mean * 1.001 and mean < 1e7:
        return random.negative_binomial(mean * mean / (variance - mean), mean / variance, runs).astype(np.float64)
    return np.maximum(0.0, mean + sqrt(max(variance, 0.0)) * random.standard_normal(runs))


def begins(
    edges_s: Floats, onset: Floats, refused: Floats, cluster: Floats, random: np.random.Generator, runs: int
) -> Floats:
    """Return when the first of the refusals expected per step happens, one for each run, or `NEVER`.

    Clusters begin as a Poisson process: one when `sum refused / cluster` has passed an exponential random number.

    Args:
        edges_s: step edges.
        onset: share of each step that is over before its refusals begin, 0..1.
        refused: expected per step.
        cluster: how many come together, per step.
        random: where chance comes from.
        runs: how many to draw.
    """
    passed = np.concatenate(([0.0], np.cumsum(refused / np.maximum(cluster, 1.0))))
    wanted = random.exponential(1.0, runs)
    step = np.minimum(np.searchsorted(passed[1:], wanted), len(refused) - 1)
    grown = passed[step + 1] - passed[step]
    part = np.clip((wanted - passed[step]) / np.maximum(grown, 1e-300), 0.0, 1.0)
    width = edges_s[step + 1] - edges_s[step]
    at = edges_s[step] + width * (onset[step] + (1.0 - onset[step]) * part)
    return np.where(wanted > passed[-1], NEVER, at)
