"""Window counters: at most `count` requests per `period`, as WAFs and proxies count.

Four ways of counting are tried, each over all periods that fit into the run:

- sliding: passed in the last period (a log of what was let in);
- sliding, all: tried in the last period, refused ones too: under steady pressure everything is refused for good;
- two periods, all: HAProxy's stick tables: tried in this period, and in the last one for the share of it still in
  reach; the first request begins the first period;
- fixed: tried since the period began, wherever its beginnings lie.

The period shows only where load lets up or the counter starts anew. Periods below `SHORTEST_S` are not tried: with
them a counter is a bucket in all but name. HAProxy's formula is that of its frequency counters as we know them from
memory, not checked against its source.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BIN_S, BINS_PER_S
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import Estimate, Explanation
from burstline.core.quota.quotas import Family
from burstline.core.quota.series import Floats

SHORTEST_S = 0.5
SMALLEST_COUNT = 8
COARSE_RATIO = 1.015
"""Periods are tried in steps of this ratio first, then bin by bin around the best of them."""

MOST_BEST = 5
LASTING = 6
"""Bins with requests over which refusing must last to have begun."""

QUIET_BINS = 20
"""Bins without a refusal between two episodes."""

PRIOR = 40.0
"""Taken off a counter's log-likelihood: hundreds of periods were tried to find it, and laws with less freedom come
first (a cap with a fixed service time is a log of that length)."""

Counter = Callable[[int], tuple[Floats, bool]]
"""From a period in bins to what was counted at each bin's end, and whether it counts refused requests."""


class _Counts:
    """The span's cumulative numbers, with nothing before its beginning."""

    def __init__(self, evidence: Evidence, low: int, high: int) -> None:
        self.tried = evidence.tried[low:high].astype(np.float64)
        self.rejected = evidence.rejected[low:high].astype(np.float64)
        self.all = np.concatenate(([0.0], np.cumsum(self.tried)))
        self.let_in = np.concatenate(([0.0], np.cumsum(self.tried - self.rejected)))
        self.ends = np.arange(1, high - low + 1)
        self.first = int(np.argmax(self.tried > 0))
        self.onsets = self._onsets()
        refused = np.concatenate(([0.0], np.cumsum(self.rejected)))
        starts = (self.ends - 1) // evidence.step * evidence.step
        self.refused_in_group = refused[self.ends] - refused[starts]

    def sliding(self, period: int) -> tuple[Floats, bool]:
        """Passed in the last period."""
        return self.let_in[self.ends] - self.let_in[np.maximum(self.ends - period, 0)], False

    def sliding_all(self, period: int) -> tuple[Floats, bool]:
        """Tried in the last period."""
        return self.all[self.ends] - self.all[np.maximum(self.ends - period, 0)], True

    def two_periods(self, period: int) -> tuple[Floats, bool]:
        """HAProxy's: this period's, and what is still in reach of the last one's."""
        begun = self.first + (self.ends - self.first - 1) // period * period
        before = np.maximum(begun - period, 0)
        begun = np.maximum(begun, 0)
        now = self.all[self.ends] - self.all[begun]
        last = self.all[begun] - self.all[before]
        return now + last * np.clip(1 - (self.ends - begun) / period, 0, 1), True

    def fixed(self, period: int) -> tuple[Floats, bool]:
        """Since the period began, the beginnings taken from where rejections stop."""
        stopped = self.recoveries()
        if not len(stopped):
            return np.zeros(len(self.ends)), True
        turns = np.exp(2j * np.pi * stopped / period)
        phase = round(float(np.angle(turns.sum())) / (2 * np.pi) * period) % period
        begun = np.maximum((self.ends - 1 - phase) // period * period + phase, 0)
        return self.all[self.ends] - self.all[begun], True

    def _onsets(self) -> NDArray[np.int64]:
        """Bins in which refusing begins, for good if there are such (errors are not), or is partial."""
        busy = np.flatnonzero(self.tried > 0)
        refused = self.rejected[busy] / self.tried[busy]
        ahead = np.convolve(refused, np.ones(LASTING), "full")[LASTING - 1 :] / LASTING
        begins = (refused > 0) & (np.concatenate(([0.0], refused[:-1])) < 1)
        lasting = begins & (np.concatenate((ahead[1:], ahead[-1:])) > 0.7)
        found: NDArray[np.int64] = busy[lasting] if lasting.any() else busy[begins]
        return found

    def recoveries(self) -> NDArray[np.int64]:
        """Bins in which requests pass again after all or nearly all were refused."""
        busy = np.flatnonzero(self.tried > 0)
        refused = self.rejected[busy] >= self.tried[busy]
        passed = self.rejected[busy] == 0
        found: NDArray[np.int64] = busy[1:][passed[1:] & refused[:-1]]
        return found


def fit_windows(evidence: Evidence, low: int, high: int) -> list[Explanation]:
    """Return the best counter of each sort for bins low..high, those that explain anything."""
    counts = _Counts(evidence, low, high)
    longest = min(high - low, int(60 * BINS_PER_S))
    if longest < 2 * SHORTEST_S * BINS_PER_S or not counts.rejected.any():
        return []
    sorts: list[tuple[str, Counter]] = [
        ("sliding", counts.sliding),
        ("sliding, refused ones count", counts.sliding_all),
        ("two periods, refused ones count", counts.two_periods),
        ("fixed periods", counts.fixed),
    ]
    return [law for name, counter in sorts for law in _best(counts, counter, name, longest, evidence.ambiguous)]


def _best(counts: _Counts, counter: Counter, name: str, longest: int, ambiguous: bool) -> Iterator[Explanation]:
    steps = int(np.log(longest / (SHORTEST_S * BINS_PER_S)) / np.log(COARSE_RATIO)) + 1
    grid = np.unique(np.round(SHORTEST_S * BINS_PER_S * COARSE_RATIO ** np.arange(steps)).astype(np.int64)).tolist()
    rough = [_error(counts, *counter(period))[0] for period in grid]
    padded = [np.inf, *rough, np.inf]
    dips = [i for i, error in enumerate(rough) if error <= padded[i] and error <= padded[i + 2]]
    dips.sort(key=lambda i: rough[i])
    near = {
        period for i in dips[:MOST_BEST] for period in range(grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)] + 1)
    }
    errors = {period: _error(counts, *counter(period)) for period in near}
    best = min(errors, key=lambda period: errors[period][0])
    error, count = errors[best]
    if count < SMALLEST_COUNT or error > 0.3 * counts.rejected.sum():
        return
    as_good = [period for period, (other, _) in errors.items() if other <= error + max(2.0, 0.02 * error)]
    counted, refused_count = counter(best)
    if ambiguous and _episodes(counts, counted, count, refused_count) < 2:
        return
    room = counts.refused_in_group - (counted - count) if refused_count else count - counted
    wide = 1.0 + 0.01 * count
    period_s = float(np.median(as_good)) * BIN_S
    low_s, high_s = (min(as_good) - 1) * BIN_S, (max(as_good) + 1) * BIN_S
    estimates = (
        Estimate("count", count, max(0.0, count - wide), count + wide, "requests"),
        Estimate("period", period_s, low_s, high_s, "s"),
    )
    yield Explanation(Family.WINDOW_COUNTER, estimates, room, sort=name)


def _episodes(counts: _Counts, counted: Floats, limit: float, refused_count: bool) -> int:
    """How often the counter came to refuse; once is an outage as well."""
    refuses = counted > limit if refused_count else (counted >= limit) & (counts.rejected > 0)
    at = np.flatnonzero(refuses)
    return 1 + int(np.count_nonzero(np.diff(at) > QUIET_BINS)) if len(at) else 0


def _error(counts: _Counts, counted: Floats, refused_count: bool) -> tuple[float, float]:
    """Return how many rejections are not where a counter would put them, and its limit."""
    at = counts.onsets
    if refused_count:
        limit = float(np.median((counted - counts.rejected)[at])) if len(at) else 0.0
        predicted = np.clip(counted - limit, 0, counts.tried)
    else:
        limit = float(np.median(counted[counts.rejected > 0]))
        predicted = np.clip(counts.rejected - (limit - counted), 0, counts.tried)
    return float(np.abs(counts.rejected - predicted).sum()), limit
