"""Concurrency: in flight at a rejection is the cap (`concurrency`), or grows by a constant slope (`scaling_rate`).

In flight at the time of sending t is accepted requests sent up to t less those completed up to t + r, r the median
latency of rejections: exact without jitter. Jitter moves a rejection away from the instant at which all slots
were taken, so single values scatter mostly downwards; that is corrected by the free slots to be expected.

Environments added at a constant rate: at a rejection none is idle, so in flight is the environments there are, which
by then are `burst + slope * (t - s)`, s the start of the growth.
"""

import numpy as np

from burstline.core.load.window import BIN_S
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.fitting.evidence import Evidence, in_flight_at
from burstline.core.quota.fitting.laws import Estimate, Explanation, in_span
from burstline.core.quota.fitting.lines import noise_of, robust_fit, weighted_median
from burstline.core.quota.quotas import Family

FEWEST_POINTS = 6

LOW_BY, LOW_BY_S = 0.06, 0.0006
"""What estimates of a cap are too low by: requests, and seconds' worth of what passes. A slot that is free for a moment
lowers the count, and places within bins are interpolated. Measured on hidden accounts (benchmarks/fit.py)."""


def flight_at_ends(evidence: Evidence, low: int, high: int) -> Floats:
    """Return requests in flight at the ends of bins low..high."""
    ends_s = (np.arange(low, high, dtype=np.float64) + 1) * BIN_S
    return in_flight_at(ends_s, evidence.inside_sent, evidence.inside_done, evidence.peak.median_s)


def fit_concurrency(evidence: Evidence, low: int, high: int) -> Explanation | None:
    """Return the cap that explains the rejections in bins low..high best; None if they are too few."""
    chosen = in_span(evidence, low, high)
    points = evidence.points
    at_s, flight, weight = points.at_s[chosen], points.in_flight[chosen], points.weight[chosen]
    if len(at_s) < FEWEST_POINTS:
        return None
    cap = weighted_median(flight, weight)
    near = np.ones(len(flight), dtype=bool)
    for _ in range(4):
        near = np.abs(flight - cap) <= max(1.5, 3 * 1.4826 * weighted_median(np.abs(flight - cap), weight))
        cap = float(np.average(flight[near], weights=weight[near]))
    if cap < 0.5 or weighted_median(np.abs(flight - cap), weight) > max(2.0, 0.2 * cap):
        return None
    noise = noise_of(at_s[near], flight[near] - cap)
    through_per_s = float(evidence.passed[low:high].sum()) / max((high - low) * BIN_S, BIN_S)
    value = float(round(cap + LOW_BY + LOW_BY_S * through_per_s))
    wide = 0.55 + 2 * noise.level_deviation + LOW_BY_S * through_per_s
    estimate = Estimate("concurrency", value, max(0.0, value - wide), value + wide, "requests in flight")
    return Explanation(Family.CONCURRENCY, (estimate,), cap - flight_at_ends(evidence, low, high))


def fit_scaling(evidence: Evidence, low: int, high: int) -> Explanation | None:
    """Return the growing cap that explains the rejections best; None if they are too few or nothing grows."""
    chosen = in_span(evidence, low, high)
    points = evidence.points
    at_s, flight, weight = points.at_s[chosen], points.in_flight[chosen], points.weight[chosen]
    if len(at_s) < FEWEST_POINTS or at_s[-1] - at_s[0] < 10 * BIN_S:
        return None
    middle_s = float(np.average(at_s, weights=weight))
    columns = np.column_stack([at_s - middle_s, np.ones(len(at_s))])
    found, kept = robust_fit(columns, flight, weight)
    noise = noise_of(at_s[kept], (flight - columns @ found)[kept])
    slope, span_s = float(found[0]), float(at_s[-1] - at_s[0])
    wide = 2 * noise.slope_deviation + 0.5 / max(span_s, BIN_S) + 0.0015 * abs(slope)
    if slope <= 2 * wide or slope * span_s < 3 or slope * span_s < 0.02 * found[1]:
        return None
    ends_s = (np.arange(low, high) + 1) * BIN_S
    room = found[1] + slope * (ends_s - middle_s) - flight_at_ends(evidence, low, high)
    estimate = Estimate("slope", slope, slope - wide, slope + wide, "environments/s")
    return Explanation(Family.SCALING_RATE, (estimate,), room)
