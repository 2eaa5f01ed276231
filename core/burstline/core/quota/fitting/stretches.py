"""Since when a bucket has been running: the last time at which it was full, for each rejection."""

from dataclasses import dataclass

import numpy as np

from burstline.core.load.window import BIN_S
from burstline.core.quota.answers.series import Floats, Ints


@dataclass(frozen=True, slots=True)
class Passage:
    """Where each bin's requests begin, seconds, and how many had passed before; one entry per bin with requests."""

    at_s: Floats
    before: Floats


@dataclass(frozen=True, slots=True)
class Anchors:
    """For each point, when the bucket was last full and what had passed then; and in which stretch since, from 0."""

    at_s: Floats
    before: Floats
    stretch: Ints


def passage_of(tried: Ints, used: Floats, low: int, high: int) -> Passage:
    """Return the places in bins low..high at which requests begin.

    A bin with fewer requests than the next is taken to hold them at its end: load began in it.
    """
    before = np.concatenate(([0.0], np.cumsum(used)))[:-1]
    following = np.append(tried[1:], 0)
    busy = np.flatnonzero(tried[low:high] > 0) + low
    own, after = tried[busy], following[busy]
    late = 1 - np.minimum(1.0, own / np.maximum(after, 1))
    offset = np.where(own + after <= 2, 0.5, late)
    return Passage(((busy + offset) * BIN_S).astype(np.float64), before[busy])


def anchors_of(passage: Passage, at_s: Floats, rate: float, slack: float, unsure: float) -> Anchors:
    """Find the stretches: a new one begins where, between two rejections, the bucket had time to fill.

    Args:
        passage: of the span.
        at_s: rejections, seconds, ascending.
        rate: tokens per second.
        slack: requests by which a rest must undercut the lowest level so far: noise does not fill a bucket.
        unsure: relative error of the rate, which must not look like filling either.
    """
    level = passage.before - rate * passage.at_s
    ends = np.maximum(np.searchsorted(passage.at_s, at_s, side="right"), 1)
    fresh = np.diff(ends, prepend=0) > 0
    stops = ends[fresh]
    starts = np.concatenate(([0], stops[:-1]))
    lowest, found = np.inf, [(0, 0)]
    for piece, least in enumerate(np.minimum.reduceat(level[: stops[-1]], starts).tolist()):
        if least >= lowest - slack:
            continue
        place = int(starts[piece]) + int(level[starts[piece] : stops[piece]].argmin())
        since_s = passage.at_s[place] - passage.at_s[found[-1][1]]
        if least < lowest - slack - unsure * rate * since_s:
            lowest = least
            found.append((piece, place))
    pieces, places = np.array(found[1:], np.int64).T
    stretch: Ints = np.searchsorted(pieces, np.cumsum(fresh) - 1, side="right") - 1
    where = places[stretch]
    return Anchors(passage.at_s[where], passage.before[where], stretch)


def filled_only(anchors: Anchors, at_s: Floats, level: Floats, rate: float, unsure: float) -> Anchors:
    """Undo stretches that go on along the line of the one before: there the bucket did not fill.

    Filling loses tokens, so the line of a new stretch lies below the old one's by more than noise.

    Args:
        anchors: from `anchors_of`.
        at_s: rejections, seconds.
        level: tokens used by each.
        rate: tokens per second.
        unsure: relative error of the rate.
    """
    height = level - rate * at_s
    where_s, before, stretch = anchors.at_s.copy(), anchors.before.copy(), np.zeros_like(anchors.stretch)
    masks = [anchors.stretch == old for old in np.unique(anchors.stretch)]
    middles = [float(np.median(height[mask])) for mask in masks]
    off = np.concatenate([np.abs(height[mask] - middle) for mask, middle in zip(masks, middles, strict=True)])
    slack = 1.0 + 3 * float(np.median(off))
    current, own, number = np.inf, (0.0, 0.0), -1
    for mask, middle in zip(masks, middles, strict=True):
        first = int(np.argmax(mask))
        lost = unsure * rate * float(where_s[first] - own[0])
        if number < 0 or middle < current - slack - lost:
            current, own, number = middle, (float(where_s[first]), float(before[first])), number + 1
        where_s[mask], before[mask], stretch[mask] = own[0], own[1], number
    return Anchors(where_s, before, stretch)
