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
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.fitting.errors import ErrorShare
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import Estimate, Explanation, likelihood_of
from burstline.core.quota.quotas import Family

SHORTEST_S = 0.5
SMALLEST_COUNT = 8
EVERY_TO = 600
COARSE_RATIO = 1.015
"""Periods are tried bin by bin up to so many; longer ones in steps of this ratio, then bin by bin around the best."""

MOST_BEST = 5
CLOSER = 8
"""Periods that are compared by likelihood in the end."""

AS_LIKELY = 2.0
"""Log-likelihood by which a period may be less likely than the best and still be stated in its interval."""

LASTING = 6
"""Bins with requests over which refusing must last to have begun."""

QUIET_BINS = 20
"""Bins without a refusal between two episodes."""

PRIOR = 40.0
"""Taken off a counter's log-likelihood: hundreds of periods were tried to find it, and laws with less freedom come
first (a cap with a fixed service time is a log of that length)."""

MOST_SAMPLED = 8000
"""Bins that a period is judged by while searching; a longer run is sampled evenly and around its turns."""

TURN_BINS = 4
"""Bins on either side of a turn (refusing begins or ends) that are always looked at."""

HOPELESS = 0.8
"""Share of the rejections that are in the wrong place for all rough periods, beyond which no closer look helps."""

WORST = 0.45
"""The same for the best period: errors that look like rejections are in the wrong place, too."""

VAGUE = 1.25
"""Ratio of the longest to the shortest period that explains as much, from which the period is not stated."""

Counter = Callable[[int, NDArray[np.int64]], tuple[Floats, bool]]
"""From a period in bins, and ends of bins, to what was counted at those, and whether it counts refused requests."""


class _Counts:
    """The span's cumulative numbers, with nothing before its beginning."""

    def __init__(self, evidence: Evidence, low: int, high: int, errors: ErrorShare) -> None:
        self.tried = evidence.tried[low:high].astype(np.float64)
        self.rejected = evidence.rejected[low:high].astype(np.float64)
        self.all = np.concatenate(([0.0], np.cumsum(self.tried)))
        let_in = self.tried - self.rejected + errors.among_passed(evidence.passed)[low:high]
        self.let_in = np.concatenate(([0.0], np.cumsum(let_in)))
        self.ends = np.arange(1, high - low + 1)
        self.first = int(np.argmax(self.tried > 0))
        self.onsets = self._onsets()
        refused = np.concatenate(([0.0], np.cumsum(self.rejected)))
        starts = (self.ends - 1) // evidence.step * evidence.step
        self.refused_in_group = refused[self.ends] - refused[starts]
        self.stopped = self._recoveries()
        self.sampled = self._sample()

    def sliding(self, period: int, ends: NDArray[np.int64]) -> tuple[Floats, bool]:
        """Passed in the last period."""
        return self.let_in[ends] - self.let_in[np.maximum(ends - period, 0)], False

    def sliding_all(self, period: int, ends: NDArray[np.int64]) -> tuple[Floats, bool]:
        """Tried in the last period."""
        return self.all[ends] - self.all[np.maximum(ends - period, 0)], True

    def two_periods(self, period: int, ends: NDArray[np.int64]) -> tuple[Floats, bool]:
        """HAProxy's: this period's, and what is still in reach of the last one's."""
        begun = self.first + (ends - self.first - 1) // period * period
        before = np.maximum(begun - period, 0)
        begun = np.maximum(begun, 0)
        now = self.all[ends] - self.all[begun]
        last = self.all[begun] - self.all[before]
        return now + last * np.clip(1 - (ends - begun) / period, 0, 1), True

    def fixed(self, period: int, ends: NDArray[np.int64]) -> tuple[Floats, bool]:
        """Since the period began, the beginnings taken from where rejections stop."""
        if not len(self.stopped):
            return np.zeros(len(ends)), True
        turns = np.exp(2j * np.pi * self.stopped / period)
        phase = round(float(np.angle(turns.sum())) / (2 * np.pi) * period) % period
        begun = np.maximum((ends - 1 - phase) // period * period + phase, 0)
        return self.all[ends] - self.all[begun], True

    def _sample(self) -> NDArray[np.int64]:
        """Ends of the bins that a period is judged by."""
        if len(self.ends) <= MOST_SAMPLED:
            return self.ends
        turns = np.concatenate((self.onsets, self.stopped))
        turns = turns[:: max(1, len(turns) * (2 * TURN_BINS + 1) * 2 // MOST_SAMPLED)]
        near = (turns[:, None] + np.arange(-TURN_BINS, TURN_BINS + 1)).ravel() + 1
        # an odd stride: an even one could keep step with a period, or with a schedule's
        even = self.ends[:: 2 * len(self.ends) // MOST_SAMPLED | 1]
        near = near[(near >= 1) & (near <= len(self.ends))]
        found: NDArray[np.int64] = np.unique(np.concatenate((near, even, self.onsets + 1)))
        return found

    def _onsets(self) -> NDArray[np.int64]:
        """Bins in which refusing begins, for good if there are such (errors are not), or is partial."""
        busy = np.flatnonzero(self.tried > 0)
        refused = self.rejected[busy] / self.tried[busy]
        ahead = np.convolve(refused, np.ones(LASTING), "full")[LASTING - 1 :] / LASTING
        begins = (refused > 0) & (np.concatenate(([0.0], refused[:-1])) < 1)
        lasting = begins & (np.concatenate((ahead[1:], ahead[-1:])) > 0.7)
        found: NDArray[np.int64] = busy[lasting] if lasting.any() else busy[begins]
        return found

    def _recoveries(self) -> NDArray[np.int64]:
        """Bins in which requests pass again for some time after nearly all were refused for some time."""
        busy = np.flatnonzero(self.tried > 0)
        if len(busy) < 2 * LASTING:
            return busy[:0]
        total = np.concatenate(([0.0], np.cumsum(self.rejected[busy] / self.tried[busy])))
        middle = np.arange(LASTING, len(busy) - LASTING + 1)
        behind = (total[middle] - total[middle - LASTING]) / LASTING
        ahead = (total[middle + LASTING] - total[middle]) / LASTING
        drop = np.where((behind > 0.7) & (ahead < 0.3), behind - ahead, 0.0)
        # of neighbours the place at which it shows most
        around = np.lib.stride_tricks.sliding_window_view(np.pad(drop, LASTING), 2 * LASTING + 1)
        at = np.flatnonzero((drop > 0) & (drop >= around.max(axis=1)))
        at = at[np.diff(at, prepend=-2 * LASTING) > LASTING]
        found: NDArray[np.int64] = busy[middle[at]]
        return found


def fit_windows(evidence: Evidence, low: int, high: int, errors: ErrorShare) -> list[Explanation]:
    """Return the best counter of each sort for bins low..high, those that explain anything.

    Args:
        evidence: of one signature.
        low: first bin.
        high: bin after the last.
        errors: those that look like the rejection; what was let in counts, also if it failed then.
    """
    counts = _Counts(evidence, low, high, errors)
    longest = min(high - low, int(60 * BINS_PER_S))
    if longest < 2 * SHORTEST_S * BINS_PER_S or not counts.rejected.any():
        return []
    sorts: list[tuple[str, Counter]] = [
        ("sliding", counts.sliding),
        ("sliding, refused ones count", counts.sliding_all),
        ("two periods, refused ones count", counts.two_periods),
        ("fixed periods", counts.fixed),
    ]
    return [law for name, counter in sorts for law in _best(evidence, low, counts, counter, name, longest)]


def _best(
    evidence: Evidence, low: int, counts: _Counts, counter: Counter, name: str, longest: int
) -> Iterator[Explanation]:
    errors = _errors_by_period(counts, counter, longest)
    if not errors:
        return
    rough = min(errors, key=lambda period: errors[period][0])
    error, count = errors[rough]
    if count < SMALLEST_COUNT or error > WORST * counts.rejected[counts.sampled - 1].sum():
        return
    best, as_good = rough, [p for p, (other, _) in errors.items() if other <= error + max(2.0, 0.02 * error)]
    refused_count = counter(rough, counts.ends)[1]
    alike = max(as_good)
    if refused_count:
        best = int(np.median(as_good))
    else:
        best, as_good = _likeliest(evidence, low, counts, counter, errors, rough)
        count = errors[best][1]
    counted = counter(best, counts.ends)[0]
    if evidence.ambiguous and _episodes(counts, counted, count, refused_count) < 2:
        return
    wide = 1.0 + 0.01 * count
    estimates = [Estimate("count", count, max(0.0, count - wide), count + wide, "requests")]
    shortest, highest = min(as_good), max(as_good)
    # the longest period of all only says that the counter was never seen to start anew
    if max(alike, highest) <= max(VAGUE * shortest, shortest + 4) and max(alike, highest) < max(errors):
        low_s, high_s = (shortest - 1) * BIN_S, (highest + 1) * BIN_S
        estimates.append(Estimate("period", best * BIN_S, low_s, high_s, "s"))
    room = _room(counts, counted, count, refused_count)
    yield Explanation(Family.WINDOW_COUNTER, tuple(estimates), room, sort=name, period_s=best * BIN_S)


def _likeliest(
    evidence: Evidence,
    low: int,
    counts: _Counts,
    counter: Counter,
    errors: dict[int, tuple[float, float]],
    rough: int,
) -> tuple[int, list[int]]:
    """The likeliest period and those about as likely.

    Within a bin nobody knows what came first, so that the rough error prefers logs a little too short.
    """
    near = sorted(errors, key=lambda period: errors[period][0])[:CLOSER]
    near += [period for period in range(rough - 2, rough + 8) if period in errors and period not in near]
    likely = {period: _likelihood(evidence, low, counts, counter, period, errors[period][1]) for period in near}
    best = max(likely, key=lambda period: likely[period])
    return best, [period for period in near if likely[period] >= likely[best] - AS_LIKELY]


def _room(counts: _Counts, counted: Floats, limit: float, refused_count: bool) -> Floats:
    return counts.refused_in_group - (counted - limit) if refused_count else limit - counted


def _likelihood(evidence: Evidence, low: int, counts: _Counts, counter: Counter, period: int, limit: float) -> float:
    counted, refused_count = counter(period, counts.ends)
    room = _room(counts, counted, limit, refused_count)
    return likelihood_of(evidence, low, low + len(counts.ends), room, 0.0)[0]


def _errors_by_period(counts: _Counts, counter: Counter, longest: int) -> dict[int, tuple[float, float]]:
    """Return, for each period tried, its error and its limit; nothing if none comes near."""
    shortest = int(SHORTEST_S * BINS_PER_S)
    # valleys are narrow: a period that is a bin too long is a cliff where many periods fit into the run
    fine = np.arange(shortest, min(longest, EVERY_TO) + 1)
    coarse = EVERY_TO * COARSE_RATIO ** np.arange(
        1, int(np.log(max(1.0, longest / EVERY_TO)) / np.log(COARSE_RATIO)) + 1
    )
    grid = np.unique(np.concatenate((fine, np.round(coarse).astype(np.int64)))).tolist()
    errors = {period: _error(counts, counter, period) for period in grid}
    rough = [errors[period][0] for period in grid]
    if min(rough) > HOPELESS * counts.rejected[counts.sampled - 1].sum():
        return {}
    padded = [np.inf, *rough, np.inf]
    dips = [i for i, error in enumerate(rough) if error <= padded[i] and error <= padded[i + 2]]
    dips.sort(key=lambda i: rough[i])
    for i in dips[:MOST_BEST]:
        for period in range(grid[max(i - 2, 0)], grid[min(i + 2, len(grid) - 1)] + 1):
            if period not in errors:
                errors[period] = _error(counts, counter, period)
    return errors


def _episodes(counts: _Counts, counted: Floats, limit: float, refused_count: bool) -> int:
    """How often the counter came to refuse; once is an outage as well."""
    refuses = counted > limit if refused_count else (counted >= limit) & (counts.rejected > 0)
    at = np.flatnonzero(refuses)
    return 1 + int(np.count_nonzero(np.diff(at) > QUIET_BINS)) if len(at) else 0


def _error(counts: _Counts, counter: Counter, period: int) -> tuple[float, float]:
    """Return how many rejections are not where a counter would put them, and its limit."""
    counted, refused_count = counter(period, counts.sampled)
    tried, rejected = counts.tried[counts.sampled - 1], counts.rejected[counts.sampled - 1]
    if refused_count:
        at = counts.onsets
        at_onsets = counter(period, at + 1)[0] - counts.rejected[at]
        limit = float(np.median(at_onsets)) if len(at) else 0.0
        predicted = np.clip(counted - limit, 0, tried)
    else:
        limit = float(np.median(counted[rejected > 0]))
        predicted = np.clip(rejected - (limit - counted), 0, tried)
    return float(np.abs(rejected - predicted).sum()), limit
