"""Where in a run the law changes: a throttle that appears, goes, moves, or gives way to another.

A span is split where two straight lines explain its points far better than one, and where rejections begin or end,
if the two halves, each with its own best law, are far likelier than the whole with one.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from burstline.core.quota.answers.series import Floats
from burstline.core.quota.fitting.bucket import CALM_ROOM, calm_by_share
from burstline.core.quota.fitting.choosing import MARGIN, Verdict, judge_span
from burstline.core.quota.fitting.concurrency import flight_at_ends
from burstline.core.quota.fitting.errors import ErrorShare
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import at_random, in_span, likelihood_of
from burstline.core.quota.quotas import Family

SHORTEST_BINS = 10
DEEPEST = 3
LEAST_GAIN = 50.0
LEAST_RELATIVE_GAIN = 0.06
"""A split must add this much to the log-likelihood, and this share of it: noise alone can be split, too."""

MOST_STARTS = 80
"""Places at which a drain is tried to begin."""

LEAST_IMPROVEMENT = 4.0
"""Ratio of squared residuals of one line and of two from which a kink is worth trying."""


def verdicts_of(evidence: Evidence, errors: ErrorShare | None) -> list[Verdict]:
    """Return verdicts over spans that follow each other and together cover all bins of the run."""
    busy = np.flatnonzero(evidence.tried)
    if not len(busy):
        return []
    spans = _split(evidence, errors, judge_span(evidence, int(busy[0]), int(busy[-1]) + 1, errors), 0)
    return _drains_joined(evidence, spans)


def _split(evidence: Evidence, errors: ErrorShare | None, whole: Verdict, depth: int) -> list[Verdict]:
    if depth >= DEEPEST or not evidence.rejected[whole.low : whole.high].any():
        return [whole]
    best: tuple[float, Verdict, Verdict] | None = None
    for cut in _cuts(evidence, whole):
        left, right = judge_span(evidence, whole.low, cut, errors), judge_span(evidence, cut, whole.high, errors)
        total = left.likelihood + right.likelihood
        if best is None or total > best[0]:
            best = total, left, right
    if best is None or best[0] - whole.likelihood < LEAST_GAIN + LEAST_RELATIVE_GAIN * abs(whole.likelihood):
        return [whole]
    left, right = best[1:]
    if (_calm_in(whole, left) and right.family is whole.family) or (
        _calm_in(whole, right) and left.family is whole.family
    ):
        return [whole]
    return [one for half in best[1:] for one in _split(evidence, errors, half, depth + 1)]


def _calm_in(whole: Verdict, half: Verdict) -> bool:
    """Whether a half without a throttle is one in which the whole's law had nothing to refuse: then nothing changed."""
    if half.family is not None or whole.family in (None, Family.UNKNOWN) or whole.law is None:
        return False
    room = whole.law.room[half.low - whole.low : half.high - whole.low]
    return float(np.mean(room > CALM_ROOM)) > 0.9


def _drains_joined(evidence: Evidence, spans: list[Verdict]) -> list[Verdict]:
    """Join to a cap what the span before it refused last, if no law explains that and more than the cap was in flight.

    A cap that appears or sinks refuses everything until enough calls have ended, which alone looks like an outage.
    """
    joined: list[Verdict] = []
    for span in reversed(spans):
        after = joined[-1] if joined else None
        unexplained = span.family in (None, Family.UNKNOWN) and evidence.rejected[span.low : span.high].any()
        if unexplained and after is not None and after.family is Family.CONCURRENCY and after.law is not None:
            found = _drain(evidence, span, after.law.estimates[0].value)
            if found is not None:
                start, room, likelihood = found
                law = replace(after.law, room=np.concatenate((room, after.law.room)))
                joined[-1] = replace(after, low=start, law=law, likelihood=after.likelihood + likelihood)
                if start == span.low:
                    continue
                span = replace(span, high=start, law=None, likelihood=at_random(evidence, span.low, start))
        joined.append(span)
    return joined[::-1]


def _drain(evidence: Evidence, span: Verdict, cap: float) -> tuple[int, Floats, float] | None:
    """Return since when a cap explains the end of a span, the room it left and its likelihood; None if it does not."""
    where = np.flatnonzero(evidence.rejected[span.low : span.high]) + span.low
    places = np.linspace(0, len(where) - 1, min(MOST_STARTS, len(where))).astype(int)
    best: tuple[float, int, Floats, float] | None = None
    for start in dict.fromkeys([span.low, *where[places].tolist()]):
        room = cap - flight_at_ends(evidence, start, span.high)
        own, _ = likelihood_of(evidence, start, span.high, room, 0.0)
        total = own + (at_random(evidence, span.low, start) if start > span.low else 0.0)
        if best is None or total > best[0]:
            best = total, start, room, own
    if best is None or best[0] < span.likelihood - (MARGIN if best[1] == span.low else 0.0):
        return None
    return best[1], best[2], best[3]


def _cuts(evidence: Evidence, whole: Verdict) -> Iterator[int]:
    low, high = whole.low, whole.high
    chosen = in_span(evidence, low, high)
    points = evidence.points
    cuts = set()
    for values in (points.passed[chosen], points.in_flight[chosen]):
        kink = _kink(points.at_s[chosen], values)
        if kink is not None:
            cuts.add(int(points.bins[chosen][kink]))
    pressed = np.flatnonzero(~calm_by_share(evidence, low, high))
    if len(pressed) and (whole.law is None or whole.goodness < 0.5 or whole.law.width > 5):
        cuts |= {low + int(pressed[0]), low + int(pressed[-1]) + 1}
        gaps = [(b - a, b) for a, b in pairwise(pressed.tolist()) if b - a > 50]
        cuts |= {low + start for _, start in sorted(gaps, reverse=True)[:2]}
    yield from (cut for cut in sorted(cuts) if low + SHORTEST_BINS <= cut <= high - SHORTEST_BINS)


def _kink(at_s: Floats, values: Floats) -> int | None:
    """Return the first point of the second of two lines that are far better than one; None if there is no such."""
    count = len(at_s)
    if count < 20:
        return None
    x, y = at_s - at_s[0], values - values[0]
    left, right = _line_errors(x, y), _line_errors(x[::-1], y[::-1])[::-1]
    cuts = np.arange(5, count - 5)
    sums = left[cuts - 1] + right[cuts]
    best = int(np.argmin(sums))
    whole = left[-1]
    noise = 0.05 * count
    if (whole + noise) / (sums[best] + noise) < LEAST_IMPROVEMENT:
        return None
    return int(cuts[best])


def _line_errors(x: Floats, y: Floats) -> Floats:
    """Return, for each number of leading points, the squared residuals of their least-squares line."""
    n = np.arange(1, len(x) + 1)
    sx, sy, sxx, sxy, syy = (np.cumsum(v) for v in (x, y, x * x, x * y, y * y))
    vx, vy, cxy = sxx - sx * sx / n, syy - sy * sy / n, sxy - sx * sy / n
    errors: Floats = np.maximum(0.0, vy - np.where(vx > 1e-12, cxy**2 / np.maximum(vx, 1e-12), 0.0))
    return errors
