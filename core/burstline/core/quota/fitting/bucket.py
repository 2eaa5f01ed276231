"""The token bucket: what passed by the time of a rejection lies on a line of slope `rate`.

At a rejection at t the bucket is empty, so with s the last time at which it was full,

    passed(t) - passed(s) = burst + rate * (t - s)      (within one request)

and s is where `passed(s) - rate * s` was lowest so far. A bucket is taken as full at the run's start. If that
comes out at no burst at all, it was empty, or its size is 1, which look alike; then the burst is not stated, unless a
later rest, long enough to fill it, shows it. One that was partly full at the start looks like a smaller one.

Not every throttle decides exactly, and errors can look like rejections. If there are rejections while the bucket must
have tokens, a share `wrong` of its decisions to pass comes out as a rejection; a pure throttle signature is taken to
err as often the other way round. What it took from the bucket is then, per bin, `tried` while there is room, and
`(passed - lenient * tried) / (1 - wrong - lenient)` while there is none.

The 10x rule of Lambda is this law, too: nobody documents its window, and the admission model's one second's worth of
burst is an assumption; only its rate is stated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BIN_S
from burstline.core.quota.fitting.errors import ErrorShare, best_share, by_calm
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import Estimate, Explanation, in_span
from burstline.core.quota.fitting.lines import Noise, noise_of, robust_fit, weighted_median
from burstline.core.quota.fitting.stretches import Anchors, anchors_of, filled_only, passage_of
from burstline.core.quota.quotas import Family
from burstline.core.quota.series import Floats

FEWEST_POINTS = 6
LOW_BY = 1.0
"""Requests by which a stretch's level is less than the burst: half a token is left over at a rejection on average, and
half a request lies between the instant the bucket was last full and the request that was seen to begin the stretch."""

SMALLEST_BURST = 3.0
"""Requests; what is smaller cannot be told from a bucket that was empty at the start."""

GAINS = (0.15, 0.4, 0.85)
"""How much of a bin's surprise is taken for lasting, where exceptions add up: more, the less jitter there is."""

LEAST_PASSED = 5
"""Requests that must pass amid the rejections: where all is refused, an outage explains it as well as any bucket."""

ROUNDS = 6
UNSURE = (0.02, 0.003)
"""Relative error of the rate that is allowed for, at first and later."""

WINDOW_REQUESTS = 60
"""Requests over which a share of rejections is taken where time matters."""

CALM_SHARE = 0.35
"""Of the usual share of rejections, below which a stretch counts as calm at first sight."""

CALM_ROOM = 3.0
"""Requests of room, and multiples of the scatter, from which a bin counts as calm."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A fitted bucket.

    Attributes:
        found: rate, level of the first stretch and, if there are more, of all later ones.
        anchors: for each point, since when.
        at_s: the points.
        noise: around the line.
        scatter: median distance from the line, requests.
        room: by bin of the span.
    """

    found: Floats
    anchors: Anchors
    at_s: Floats
    noise: Noise
    scatter: float
    room: Floats


def fit_bucket(evidence: Evidence, low: int, high: int, errors: ErrorShare | None = None) -> list[Explanation]:
    """Return the buckets that explain the rejections in bins low..high: an exact one and, if need be, a noisy one.

    Args:
        evidence: of one signature.
        low: first bin.
        high: bin after the last.
        errors: share of errors that look like the rejection, where latency shows it.
    """
    chosen = in_span(evidence, low, high)
    used = evidence.passed.astype(np.float64)
    exact = _fit(evidence, used, chosen, low, high)
    if exact is None or exact.found[0] * exact.noise.span_s < LEAST_PASSED:
        return []
    plain = Explanation(Family.BUCKET, _estimates(evidence, exact, low, 0.0), exact.room)
    return [plain, *_fit_noisy(evidence, exact, chosen, low, high, errors)]


def _fit(evidence: Evidence, used: Floats, chosen: NDArray[np.bool_], low: int, high: int) -> _Line | None:
    """Fit a bucket from which each bin took `used` tokens through the chosen points."""
    points = evidence.points
    at_s, bins, weight = points.at_s[chosen], points.bins[chosen], points.weight[chosen]
    if len(at_s) < FEWEST_POINTS or at_s[-1] - at_s[0] < 5 * BIN_S:
        return None
    passed, total = np.cumsum(evidence.passed), np.cumsum(used)
    inner = points.passed[chosen] - (passed[bins] - evidence.passed[bins])
    level = total[bins] - used[bins] + inner * used[bins] / np.maximum(evidence.passed[bins], 1)
    passage = passage_of(evidence.tried, used, low, high)
    rate = _first_guess(at_s, level)
    anchors = anchors_of(passage, at_s, rate, 1.5, UNSURE[0])
    scatter = 0.0
    for _ in range(ROUNDS):
        columns = _columns(at_s, anchors)
        found, kept = robust_fit(columns, level - anchors.before, weight)
        off = level - anchors.before - columns @ found
        scatter = float(np.median(np.abs(off)))
        slack = 1.0 + 3 * scatter
        anchors = anchors_of(passage, at_s, max(0.0, float(found[0])), slack, UNSURE[1])
        anchors = filled_only(anchors, at_s, level, float(found[0]), UNSURE[1])
        if abs(found[0] - rate) <= 1e-6 * max(1.0, rate):
            break
        rate = max(0.0, float(found[0]))
    columns = _columns(at_s, anchors)
    found, kept = robust_fit(columns, level - anchors.before, weight)
    off = level - anchors.before - columns @ found
    noise = noise_of(at_s[kept], off[kept])
    return _Line(found, anchors, at_s, noise, scatter, _room(total, low, high, found, anchors, at_s))


def _fit_noisy(
    evidence: Evidence, exact: _Line, chosen: NDArray[np.bool_], low: int, high: int, errors: ErrorShare | None
) -> list[Explanation]:
    """Return the bucket that errs, or whose rejections errors hide among; nothing if nothing speaks for it."""
    bins = evidence.points.bins
    calm = calm_by_share(evidence, low, high)
    line = _fit(evidence, evidence.passed.astype(np.float64), chosen & ~_at(calm, bins, low, high), low, high) or exact
    wrong = ErrorShare(0.0, 0.0)
    for _ in range(4):
        wrong = _wrong(evidence, line, calm, low, high, errors)
        if wrong.ratio < 0.0003:
            return []
        lenient = 0.0 if evidence.ambiguous else wrong.ratio
        used = evidence.passed.astype(np.float64)
        tried = evidence.tried[low:high]
        # below 0 in a bin that refused all; only its sum over time means anything
        bound = (evidence.passed[low:high] - lenient * tried) / (1 - wrong.ratio - lenient)
        used[low:high] = np.where(calm, tried, bound)
        refitted = _fit(evidence, used, chosen & ~_at(calm, bins, low, high), low, high)
        if refitted is None or refitted.found[0] * refitted.noise.span_s < LEAST_PASSED:
            return []
        line = refitted
        calm = line.room > CALM_ROOM * (1 + 2 * line.scatter)
    tried_per_s = float(evidence.tried[low:high][~calm].sum() / max(1, (~calm).sum()) / BIN_S)
    bias = abs(tried_per_s * (0 if evidence.ambiguous else 1) - float(line.found[0]) * (1 if evidence.ambiguous else 2))
    extra = 2 * wrong.deviation * bias / (1 - wrong.ratio)
    estimates = _estimates(evidence, line, low, extra)
    return [
        Explanation(Family.BUCKET, estimates, _drifting(line.room, calm, gain), sort="with exceptions", errors=wrong)
        for gain in GAINS
    ]


def _wrong(
    evidence: Evidence, line: _Line, calm: NDArray[np.bool_], low: int, high: int, errors: ErrorShare | None
) -> ErrorShare:
    """Share of passes that came out as rejections: from calm bins, or from how residuals wander."""
    seen = by_calm(evidence, low, high, calm)
    if evidence.ambiguous and (errors is not None or seen is not None):
        return best_share(errors, seen)
    tried_per_s = float(evidence.tried[low:high][~calm].sum() / max(1, (~calm).sum()) / BIN_S)
    ratio = min(0.2, line.noise.walk_per_s / max(tried_per_s, 1e-9))
    if evidence.ambiguous:  # nothing but the walk to go by
        return ErrorShare(ratio, 0.7 * ratio + 0.005)
    walk = ErrorShare(ratio, 0.25 * ratio)
    if seen is None:
        return walk
    if not walk.ratio:
        return seen
    weights = np.array([1 / max(seen.deviation, 1e-4) ** 2, 1 / max(walk.deviation, 1e-4) ** 2])
    return ErrorShare(float(np.average([seen.ratio, walk.ratio], weights=weights)), float(weights.sum() ** -0.5))


def calm_by_share(evidence: Evidence, low: int, high: int) -> NDArray[np.bool_]:
    """Return the bins around which far fewer are rejected than is usual at a rejection."""
    tried, rejected = evidence.tried[low:high], evidence.rejected[low:high]
    window = int(np.clip(WINDOW_REQUESTS / max(float(tried.mean()), 1e-3), 20, 100))
    around = np.ones(min(window, len(tried)))
    share = np.convolve(rejected, around, "same") / np.maximum(np.convolve(tried, around, "same"), 1)
    usual = weighted_median(share, rejected.astype(np.float64))
    calm: NDArray[np.bool_] = share < CALM_SHARE * usual
    return calm


def _at(mask: NDArray[np.bool_], bins: NDArray[np.int64], low: int, high: int) -> NDArray[np.bool_]:
    """Look a mask over bins low..high up at some bins; False outside."""
    inside = (bins >= low) & (bins < high)
    found: NDArray[np.bool_] = inside & mask[np.clip(bins - low, 0, high - low - 1)]
    return found


def _drifting(room: Floats, calm: NDArray[np.bool_], gain: float) -> Floats:
    """Room as it looks from the last few bins without room: random exceptions add up and are not forgotten."""
    drift, level = np.zeros_like(room), 0.0
    for index, (own, resting) in enumerate(zip(room.tolist(), calm.tolist(), strict=True)):
        drift[index] = level
        if not resting:
            level += gain * (own - level)
    return np.where(calm, room, room - drift)


def _first_guess(at_s: Floats, level: Floats) -> float:
    """Median slope between points about a sixth of the span apart."""
    lag_s = (at_s[-1] - at_s[0]) / 6
    later = np.searchsorted(at_s, at_s + lag_s)
    early = np.flatnonzero(later < len(at_s))
    if not len(early):
        return 0.0
    later = later[early]
    gap_s = at_s[later] - at_s[early]
    close = gap_s < 2 * lag_s
    if not close.any():
        close = np.ones(len(gap_s), dtype=bool)
    return max(0.0, float(np.median((level[later] - level[early])[close] / gap_s[close])))


def _columns(at_s: Floats, anchors: Anchors) -> Floats:
    """The rate's column, then one for the level of the first stretch and one for all later ones, if there are any."""
    later = anchors.stretch > 0
    columns = [at_s - anchors.at_s, (~later).astype(np.float64)]
    if later.any() and not later.all():
        columns.append(later.astype(np.float64))
    elif later.all():
        columns[1] = later.astype(np.float64)
    return np.column_stack(columns)


def _estimates(evidence: Evidence, line: _Line, low: int, extra: float) -> tuple[Estimate, ...]:
    """Return rate and, where it shows, burst; `extra` widens the rate's interval, requests/s."""
    rate = max(0.0, float(line.found[0]))
    spread = float(np.hypot(rate_spread(line.noise, rate), extra))
    estimates = [Estimate("rate", rate, max(0.0, rate - spread), rate + spread, "requests/s")]
    burst = _burst(evidence, line.found, low)
    if burst is not None:
        reach_s = abs(float(np.mean(line.at_s - line.anchors.at_s)))
        statistical = np.hypot(line.noise.level_deviation, reach_s * line.noise.slope_deviation)
        clocks = rate * evidence.clock_error_s / np.sqrt(3 * evidence.segment_count)
        onset = rate * 0.001  # within its bin, the stretch's beginning is known to about this many seconds
        wide = 0.5 + float(np.sqrt(4 * (statistical**2 + clocks**2 + onset**2) + (extra * reach_s) ** 2 + 1))
        estimates.append(Estimate("burst", burst, max(0.0, burst - wide), burst + wide, "requests"))
    return tuple(estimates)


def rate_spread(noise: Noise, rate: float) -> float:
    """Half-width of a rate's 95 % interval: statistics, and half a request over the span for what is not known."""
    return 2 * noise.slope_deviation + 0.5 / max(noise.span_s, BIN_S) + 1e-5 * rate


def _burst(evidence: Evidence, found: Floats, low: int) -> float | None:
    """The burst, if the bucket was full when a stretch began; a span in mid-run begins with no such thing."""
    if len(found) > 2:
        return float(found[2]) + LOW_BY
    from_start = not evidence.tried[:low].any()
    if from_start and found[1] + LOW_BY >= SMALLEST_BURST:
        return float(found[1]) + LOW_BY
    return None


def _room(total: Floats, low: int, high: int, found: Floats, anchors: Anchors, at_s: Floats) -> Floats:
    """Tokens at each bin's end: what the line allows less what was taken."""
    ends_s = (np.arange(low, high) + 1) * BIN_S
    before = total[low:high]
    follows = np.minimum(np.searchsorted(at_s, ends_s - BIN_S), len(at_s) - 1)
    # A bin belongs to the stretch of the next rejection once that stretch has begun.
    begun = anchors.at_s[follows] <= ends_s
    follows = np.where(begun, follows, np.maximum(follows - 1, 0))
    level = np.where(anchors.stretch[follows] > 0, found[-1], found[1])
    room: Floats = anchors.before[follows] + level + found[0] * (ends_s - anchors.at_s[follows]) - before
    # Before the first stretch the bucket was about full.
    return np.where(ends_s < anchors.at_s[follows], np.maximum(room, level), room)
