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

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BIN_S
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.fitting.bucket_line import BucketLine, fit_line
from burstline.core.quota.fitting.errors import ErrorShare, best_share, by_calm
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import Estimate, Explanation, in_span
from burstline.core.quota.fitting.lines import BLOCK_S, Noise, weighted_median
from burstline.core.quota.quotas import Family

LOW_BY = 1.0
"""Requests by which a stretch's level is less than the burst: half a token is left over at a rejection on average, and
half a request lies between the instant the bucket was last full and the request that was seen to begin the stretch."""

SMALLEST_BURST = 3.0
"""Requests; what is smaller cannot be told from a bucket that was empty at the start."""

GAINS = (0.15, 0.4, 0.85)
"""How much of a bin's surprise is taken for lasting, where exceptions add up: more, the less jitter there is."""

WIDER = 1.65
"""What intervals are widened by where exceptions add up: a random walk only approximates how they do. At 1.25 they held
the rate of 85 of 94 hidden accounts, and missed the others by a quarter of their width at most but for two."""

MOST_WRONG = 0.4
"""Share of decisions that may be wrong; what errs more often says nothing about a bucket."""

LEAST_PASSED = 5
"""Requests that must pass amid the rejections: where all is refused, an outage explains it as well as any bucket."""


SEEN_TO_S = 1.0
"""Seconds to which it is known when an error was sent, where latency tells."""

FARTHEST = 2.0
"""How much more a line may wander from near than from far."""

UNMODELLED = 1.5
"""What the standard error of a walk is widened by: noise is not quite white."""

HIDDEN = 0.005
"""Share of errors by which a line must wander more than slow errors explain before quick ones are looked for."""

WINDOW_REQUESTS = 60
"""Requests over which a share of rejections is taken where time matters."""

CALM_SHARE = 0.35
"""Of the usual share of rejections, below which a stretch counts as calm at first sight."""

CALM_ROOM = 3.0
"""Requests of room, and multiples of the scatter, from which a bin counts as calm."""


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
    exact = fit_line(evidence, used, chosen, low, high)
    if exact is None or exact.found[0] * exact.lasts_s < LEAST_PASSED:
        return []
    plain = Explanation(Family.BUCKET, _estimates(evidence, exact, low, 0.0, 0.0), exact.room)
    return [plain, *_fit_noisy(evidence, exact, chosen, low, high, errors)]


def _fit_noisy(
    evidence: Evidence, exact: BucketLine, chosen: NDArray[np.bool_], low: int, high: int, errors: ErrorShare | None
) -> list[Explanation]:
    """Return the bucket that errs, or whose rejections errors hide among; nothing if nothing speaks for it."""
    bins = evidence.points.bins
    calm = calm_by_share(evidence, low, high)
    line = (
        fit_line(evidence, evidence.passed.astype(np.float64), chosen & ~_at(calm, bins, low, high), low, high) or exact
    )
    wrong = ErrorShare(0.0, 0.0)
    for _ in range(4):
        if (
            wrong.begun is None
        ):  # once errors are put in their places, what still wanders is where in a second they were
            wrong = _wrong(evidence, line, calm, low, high, errors)
        if not 0.0003 <= wrong.ratio <= MOST_WRONG:
            return []
        lenient = 0.0 if evidence.ambiguous else wrong.ratio
        used = evidence.passed.astype(np.float64)
        tried = evidence.tried[low:high]
        # below 0 in a bin that refused all; only its sum over time means anything
        bound = (evidence.passed[low:high] - lenient * tried) / (1 - wrong.ratio - lenient)
        if wrong.begun is not None:
            likely = wrong.ratio * used
            likely[low:high] = np.where(calm, evidence.rejected[low:high], likely[low:high])
            bound = evidence.passed[low:high] + wrong.by_bin(likely)[low:high]
        used[low:high] = np.where(calm, tried, bound)
        block_s = BLOCK_S if wrong.begun is None else SEEN_TO_S
        refitted = fit_line(evidence, used, chosen & ~_at(calm, bins, low, high), low, high, block_s)
        if refitted is None or refitted.found[0] * refitted.lasts_s < LEAST_PASSED:
            return []
        line = refitted
        calm = line.room > CALM_ROOM * (1 + 2 * line.scatter)
    tried_per_s = float(evidence.tried[low:high][~calm].sum() / max(1, (~calm).sum()) / BIN_S)
    bias = abs(tried_per_s * (0 if evidence.ambiguous else 1) - float(line.found[0]) * (1 if evidence.ambiguous else 2))
    extra = 2 * wrong.deviation * bias / (1 - wrong.ratio)
    blur = 0.0 if wrong.begun is None else float(np.sqrt(wrong.ratio * line.found[0] * SEEN_TO_S / 3))
    estimates = _estimates(evidence, line, low, extra, blur)
    return [
        Explanation(
            Family.BUCKET,
            estimates,
            _drifting(line.room, calm, gain, evidence.step),
            sort="with exceptions",
            errors=wrong,
        )
        for gain in GAINS
    ]


def _wrong(
    evidence: Evidence, line: BucketLine, calm: NDArray[np.bool_], low: int, high: int, errors: ErrorShare | None
) -> ErrorShare:
    """Share of passes that came out as rejections: from calm bins, or from how residuals wander."""
    seen = by_calm(evidence, low, high, calm)
    tried_per_s = float(evidence.tried[low:high][~calm].sum() / max(1, (~calm).sum()) / BIN_S)
    ratio = min(0.2, line.noise.walk_per_s / max(tried_per_s, 1e-9))
    if evidence.ambiguous:
        return _look_alike(line, errors, seen)
    walk = ErrorShare(ratio, 0.25 * ratio)
    if seen is None:
        return walk
    if not walk.ratio:
        return seen
    weights = np.array([1 / max(seen.deviation, 1e-4) ** 2, 1 / max(walk.deviation, 1e-4) ** 2])
    return ErrorShare(float(np.average([seen.ratio, walk.ratio], weights=weights)), float(weights.sum() ** -0.5))


def _look_alike(line: BucketLine, errors: ErrorShare | None, seen: ErrorShare | None) -> ErrorShare:
    """Share of errors that look like the rejection: from latency, else from calm bins and from how residuals wander.

    Each error takes a token that no answer shows, a step of one request off the line: a Poisson walk of variance
    `ratio * rate` a second.
    """
    share = best_share(errors, seen)
    # what is bounded, as the beat of two rates, looks like a walk only from near
    walk_per_s = min(line.walk.per_s, FARTHEST * line.noise.walk_per_s)
    through_per_s = max(float(line.found[0]), 1e-9) + walk_per_s
    walk = ErrorShare(walk_per_s / through_per_s, UNMODELLED * line.walk.deviation / through_per_s)
    # where slow errors were is not known exactly, so that they leave some of the wandering
    left = HIDDEN if share.ratio > 3 * share.deviation else 0.0
    if share.begun is not None and walk.ratio < share.ratio + 3 * np.hypot(walk.deviation, share.deviation) + left:
        return share
    known = [one for one in (seen, walk) if one is not None and np.isfinite(one.deviation)]
    if not known:
        return share
    weights = np.array([max(one.deviation, 1e-4) ** -2 for one in known])
    ratio = float(np.average([one.ratio for one in known], weights=weights))
    return ErrorShare(ratio, float(weights.sum() ** -0.5))


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


def _drifting(room: Floats, calm: NDArray[np.bool_], gain: float, step: int) -> Floats:
    """Room as it looks from the last few bins without room: random exceptions add up and are not forgotten.

    Within a group of `step` bins, over which laws are compared, only what came before the group counts.
    """
    drift, level = np.zeros_like(room), 0.0
    for start in range(0, len(room), step):
        drift[start : start + step] = level
        last = min(start + step, len(room)) - 1
        if not calm[last]:
            level += gain * (float(room[last]) - level)
    return np.where(calm, room, room - drift)


def _estimates(evidence: Evidence, line: BucketLine, low: int, extra: float, blur: float) -> tuple[Estimate, ...]:
    """Return rate and, where it shows, burst.

    Args:
        evidence: of one signature.
        line: the bucket's.
        low: the span's first bin.
        extra: what the rate's interval is widened by, requests/s.
        blur: standard error of what was used up to a moment, as it is not known exactly when errors were, requests.
    """
    rate = max(0.0, float(line.found[0]))
    factor = 1.0 if extra == 0 else WIDER
    spread = factor * float(np.hypot(rate_spread(line.noise, rate), extra))
    other_rate, other_level = line.other or (rate, float(line.found[-1]))
    high = max(rate + spread, other_rate)
    estimates = [Estimate("rate", rate, max(0.0, rate - spread), high, "requests/s")]
    burst = _burst(evidence, line.found, low)
    if burst is not None:
        reach_s = abs(float(np.mean(line.at_s - line.anchors.at_s)))
        statistical = np.hypot(line.noise.level_deviation, reach_s * line.noise.slope_deviation)
        clocks = rate * evidence.clock_error_s / np.sqrt(3 * evidence.segment_count)
        onset = rate * 0.001  # within its bin, the stretch's beginning is known to about this many seconds
        wide = 0.5 + factor * float(
            np.sqrt(4 * (statistical**2 + clocks**2 + onset**2 + blur**2) + (extra * reach_s) ** 2 + 1)
        )
        least = min(burst, other_level + LOW_BY) - wide
        estimates.append(Estimate("burst", burst, max(0.0, least), burst + wide, "requests"))
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
