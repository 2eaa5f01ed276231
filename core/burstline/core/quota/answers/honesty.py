"""Whether we sent what we were asked to send: the spans in which the generator, not AWS, was the limit.

A client limit reported as an AWS limit is the costliest error this program can make.
"""

from dataclasses import dataclass

import numpy as np

from burstline.core.load.totals import Totals
from burstline.core.load.window import BINS_PER_S
from burstline.core.quota.answers.series import Series

DROPPED_RATIO = 0.001
LATENESS_S = 0.010
LATE_RATIO = 0.01
CLUMP_RATIO = 1.25
CLUMP_SLACK = 2
"""A second is generator-limited when more than 0.1 % of its due requests were dropped, lateness p99 is over 10 ms,
or one of its bins sent more than 1.25 x due + 2 (design 4)."""

UNMADE = "requests dropped (template)"
"""The reason of spans in which nothing was wrong with us, but requests could not be made as the plan has them."""

FEWEST = 2
"""A single dropped or late request limits no second: at 60/s it alone would be over both shares."""

TARGET_LATENESS_S = 0.002
"""An emulator later than this at its 99th percentile is itself the limit (design 7)."""


@dataclass(frozen=True, slots=True)
class LimitedSpan:
    """Seconds [from_s, to_s) of run time in which we were the limit, and why, for a reader."""

    from_s: float
    to_s: float
    reason: str


def limited_spans(totals: Totals, series: Series) -> tuple[LimitedSpan, ...]:
    """Return the generator-limited spans: ascending, apart, whole seconds."""
    clumps = _clumped_seconds(series)
    spans: list[LimitedSpan] = []
    for second in sorted(set(totals.seconds) | clumps):
        reason = _reason(totals, second, second in clumps)
        if not reason:
            continue
        if spans and spans[-1].to_s == second and spans[-1].reason == reason:
            spans[-1] = LimitedSpan(spans[-1].from_s, second + 1.0, reason)
        else:
            spans.append(LimitedSpan(float(second), second + 1.0, reason))
    return tuple(spans)


def limited_s(spans: tuple[LimitedSpan, ...]) -> float:
    """Return their length together, seconds."""
    return sum(span.to_s - span.from_s for span in spans)


def overlaps(spans: tuple[LimitedSpan, ...], from_s: float, to_s: float) -> bool:
    """Whether one of them overlaps [from_s, to_s)."""
    return any(span.from_s < to_s and from_s < span.to_s for span in spans)


def _clumped_seconds(series: Series) -> set[int]:
    # What was due at the end of a bin leaves, a millisecond late, in the next one: without looking back a bin, the
    # end of every clean burst would count as a clump.
    before = np.concatenate(([0], series.due))[: series.count]
    allowed = CLUMP_RATIO * np.maximum(series.due, before) + CLUMP_SLACK
    planned = np.cumsum(series.due) > 0
    bins = np.flatnonzero((series.sent > allowed) & planned)
    return {int(index) for index in np.unique(bins // BINS_PER_S)}


def _reason(totals: Totals, second: int, clumped: bool) -> str:
    reasons = []
    measured = totals.seconds.get(second)
    if measured is not None:
        dropped = sum(measured.load.dropped.values())
        if dropped >= FEWEST and dropped > DROPPED_RATIO * measured.load.due:
            kinds = ", ".join(sorted(reason.value for reason, count in measured.load.dropped.items() if count))
            reasons.append(f"requests dropped ({kinds})")
        late = measured.lateness.share_above(LATENESS_S)
        if late > LATE_RATIO and round(late * measured.lateness.count) >= FEWEST:
            reasons.append("sent late")
    if clumped:
        reasons.append("sent in clumps")
    return "; ".join(reasons)
