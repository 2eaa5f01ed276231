"""How sure a change is: 95 % intervals from resampled histograms and counts.

Each replicate draws both runs' answers anew, with replacement, from what was observed: a multinomial over the
histogram's buckets for latencies, a binomial for shares. The interval is the middle 95 % of the replicates'
differences (Efron's percentile interval). Answers are taken as independent of each other; in a run they are not quite,
so intervals are a little too narrow, and the difference between two runs of one plan on one day says more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.histogram import Histogram, bounds_of

REPLICATES = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a difference (second run less first) lies with 95 % confidence, in the measure's unit."""

    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether it leaves out 0."""
        return self.low > 0 or self.high < 0


def latency_changes(first: Histogram, second: Histogram, shares: Sequence[float], seed: int = 0) -> list[Interval]:
    """Return the interval of the change of each quantile, seconds; empty if one run has no answers.

    Args:
        first: latencies of the first run.
        second: of the second.
        shares: the quantiles, each 0..1, below 1: a maximum has no interval.
        seed: fixes the draws, so that the same reports give the same interval.
    """
    if not first.count or not second.count:
        return []
    draws = np.random.default_rng(seed)
    before, after = (_quantiles(histogram, shares, draws) for histogram in (first, second))
    return [_interval(late - early) for early, late in zip(before, after, strict=True)]


def share_change(first: tuple[int, int], second: tuple[int, int], seed: int = 0) -> Interval | None:
    """Return the interval of the change of a share; each run as (count, of how many). None if one has none.

    A share that was 0 (or 1) in a run is drawn as if half a request had been (not): resampling 0 of n alone would
    claim to be certain.
    """
    if not first[1] or not second[1]:
        return None
    draws = np.random.default_rng(seed)
    before, after = (
        draws.binomial(of, min(max(count, 0.5), of - 0.5) / of, REPLICATES) / of for count, of in (first, second)
    )
    return _interval(after - before)


def _quantiles(histogram: Histogram, shares: Sequence[float], draws: np.random.Generator) -> list[NDArray[np.float64]]:
    """Quantiles of the replicates, interpolated inside their bucket so that its width does not show."""
    indices = sorted(histogram.counts)
    counts = np.array([histogram.counts[index] for index in indices], np.float64)
    lows, highs = np.array([bounds_of(index) for index in indices]).T
    total = int(counts.sum())
    drawn = draws.multinomial(total, counts / total, REPLICATES)
    below, row = np.cumsum(drawn, axis=1), np.arange(REPLICATES)
    found = []
    for share in shares:
        rank = max(1.0, share * total)
        at = (below >= rank).argmax(axis=1)
        inside = 1 - (below[row, at] - rank) / drawn[row, at]
        found.append(lows[at] + inside * (highs - lows)[at])
    return found


def _interval(differences: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
