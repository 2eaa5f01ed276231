"""A bucket's line through its rejections: what was used since it was last full against the time since then."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BIN_S
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.lines import BLOCK_S, Noise, Walk, noise_of, robust_fit, walk_of
from burstline.core.quota.fitting.stretches import Anchors, Passage, anchors_of, filled_only, passage_of

FEWEST_POINTS = 6
ROUNDS = 6
REST_S, REST_GAPS = 0.1, 6
"""Rejections further apart than these seconds, and than so many of their usual gaps, are two bursts. While a bucket
rejects it has no time to fill up: slopes within bursts are right where it fills between them, those across are too low.
"""

APART = 0.05
"""Relative difference of the guesses within bursts and across them that makes both worth a try."""

UNSURE = (0.0005, 0.02)
"""Relative error of the first guess of the rate that is allowed for, where that fits closely, and else."""


@dataclass(frozen=True, slots=True)
class BucketLine:
    """A fitted bucket.

    Attributes:
        found: rate, level of the first stretch and, if there are more, of all later ones.
        anchors: for each point, since when.
        at_s: the points.
        noise: around the line.
        walk: what adds up in it.
        scatter: median distance from the line, requests.
        room: by bin of the span.
        other: rate and burst of the farthest bucket that explains the points as well; None if none does.
    """

    found: Floats
    anchors: Anchors
    at_s: Floats
    noise: Noise
    walk: Walk
    scatter: float
    room: Floats
    other: tuple[float, float] | None = None

    @property
    def lasts_s(self) -> float:
        """From the first point to the last, seconds."""
        return float(self.at_s[-1] - self.at_s[0])


def fit_line(
    evidence: Evidence, used: Floats, chosen: NDArray[np.bool_], low: int, high: int, block_s: float = BLOCK_S
) -> BucketLine | None:
    """Fit a bucket from which each bin took `used` tokens through the chosen points.

    Args:
        evidence: of one signature.
        used: by bin of the run.
        chosen: which of the evidence's points.
        low: first bin of the span.
        high: bin after its last.
        block_s: seconds within which errors of `used` hang together.
    """
    points = evidence.points
    at_s, bins = points.at_s[chosen], points.bins[chosen]
    if len(at_s) < FEWEST_POINTS or at_s[-1] - at_s[0] < 5 * BIN_S:
        return None
    passed, total = np.cumsum(evidence.passed), np.cumsum(used)
    inner = points.passed[chosen] - (passed[bins] - evidence.passed[bins])
    level = total[bins] - used[bins] + inner * used[bins] / np.maximum(evidence.passed[bins], 1)
    within = _within_bursts(at_s, level)
    far, near = _guess(at_s, level, (at_s[-1] - at_s[0]) / 6), within.rate
    lines = [_line(evidence, level, total, chosen, low, high, used, far, UNSURE[0], block_s)]
    if lines[0].scatter > 1:
        lines.append(_line(evidence, level, total, chosen, low, high, used, far, UNSURE[1], block_s))
    if abs(near - far) > APART * far:
        lines.append(_line(evidence, level, total, chosen, low, high, used, near, UNSURE[1], block_s))
    best = min(lines, key=lambda line: line.scatter)
    other = _filling(best, within, passage_of(evidence.tried, used, low, high), at_s, level)
    return replace(best, other=other)


def _line(
    evidence: Evidence,
    level: Floats,
    total: Floats,
    chosen: NDArray[np.bool_],
    low: int,
    high: int,
    used: Floats,
    rate: float,
    unsure: float,
    block_s: float,
) -> BucketLine:
    """Fit in rounds, from a first guess of the rate: stretches from the rate, the rate from the stretches."""
    at_s, weight = evidence.points.at_s[chosen], evidence.points.weight[chosen]
    passage = passage_of(evidence.tried, used, low, high)
    anchors = anchors_of(passage, at_s, rate, 1.5, unsure)
    scatter = 0.0
    for _ in range(ROUNDS):
        columns = _columns(at_s, anchors)
        found, kept = robust_fit(columns, level - anchors.before, weight)
        off = level - anchors.before - columns @ found
        scatter = float(np.median(np.abs(off)))
        slack = 1.0 + 3 * scatter
        anchors = anchors_of(passage, at_s, max(0.0, float(found[0])), slack, min(unsure, 0.003))
        anchors = filled_only(anchors, at_s, level, float(found[0]), min(unsure, 0.003))
        if abs(found[0] - rate) <= 1e-6 * max(1.0, rate):
            break
        rate = max(0.0, float(found[0]))
    columns = _columns(at_s, anchors)
    found, kept = robust_fit(columns, level - anchors.before, weight)
    off = level - anchors.before - columns @ found
    noise = noise_of(at_s[kept], off[kept], block_s, anchors.stretch[kept])
    walk = walk_of(at_s[kept], off[kept])
    return BucketLine(found, anchors, at_s, noise, walk, scatter, _room(total, low, high, found, anchors, at_s))


def _guess(at_s: Floats, level: Floats, lag_s: float) -> float:
    """Median slope between points about `lag_s` apart."""
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


@dataclass(frozen=True, slots=True)
class _Within:
    """The slope that all bursts of points have in common.

    Attributes:
        rate: the slope, per second.
        high: the upper end of its 95 % interval; infinite if none can be told.
    """

    rate: float
    high: float


def _within_bursts(at_s: Floats, level: Floats) -> _Within:
    gaps_s = np.diff(at_s)
    rests = gaps_s > max(REST_S, REST_GAPS * float(np.median(gaps_s)))
    number = np.concatenate(([0], np.cumsum(rests)))
    count = np.bincount(number)
    x = at_s - (np.bincount(number, at_s) / count)[number]
    y = level - (np.bincount(number, level) / count)[number]
    square = float(x @ x)
    rate = max(0.0, float(x @ y) / square) if square > 0 else 0.0
    noise = noise_of(at_s, y - rate * x, stretch=number)
    return _Within(rate, rate + 2 * noise.slope_deviation)


def _filling(
    best: BucketLine, within: _Within, passage: Passage, at_s: Floats, level: Floats
) -> tuple[float, float] | None:
    """Another bucket, faster than the best one, that fills up between bursts, where that explains them as well.

    A bucket that is never full again gives each burst what came back since the last one; one that fills up gives each
    its whole size. Where both are the same, only slopes within bursts tell, as far as they do.
    """
    is_one = not np.any(best.anchors.stretch)
    if not is_one or not best.found[0] < within.high < np.inf:
        return None
    anchors = anchors_of(passage, at_s, within.high, 1.5, UNSURE[0])
    first = anchors.stretch == 0
    sizes = level - anchors.before - within.high * (at_s - anchors.at_s)
    # it was full to begin with: if the first burst was given more, the others did not find it full
    if first.all() or np.median(sizes[first]) > np.median(sizes[~first]) + 2 + 3 * best.scatter:
        return None
    return within.high, float(np.median(sizes[~first]))


def _columns(at_s: Floats, anchors: Anchors) -> Floats:
    """The rate's column, then one for the level of the first stretch and one for all later ones, if there are any."""
    later = anchors.stretch > 0
    columns = [at_s - anchors.at_s, (~later).astype(np.float64)]
    if later.any() and not later.all():
        columns.append(later.astype(np.float64))
    elif later.all():
        columns[1] = later.astype(np.float64)
    return np.column_stack(columns)


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
