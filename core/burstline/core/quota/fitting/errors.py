"""Errors that look like a throttle: how many of an ambiguous signature's answers are they?

Two ways, each with its condition. By latency: a rejection does no work, so an answer much later than the quick peak
is an error; how many errors hide in the peak follows from how many accepted requests are as quick, which supposes that
failing takes about as long as succeeding. By calm: where a law leaves room nothing is refused, so the answers there
give the errors' share of what passed; this also sees errors that come at once, but only as precisely as
`sqrt(share / calm requests)`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.histogram import Histogram
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Totals
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.fitting.evidence import Evidence, Peak

FEWEST_CALM = 50
QUIET_BINS = 5
"""A calm bin counts only if so many on either side are calm, too."""

LEAST_SLOW_SHARE = 0.3
"""Share of accepted requests that must be slower than any rejection, or latency says too little."""


@dataclass(frozen=True, slots=True)
class ErrorShare:
    """Share of passed requests that fail looking like the rejection, 0..1, its standard error, and among how many."""

    ratio: float
    deviation: float
    among: int = 0


NO_ERRORS = ErrorShare(0.0, 0.0)


def by_latency(totals: Totals, signature: str, peak: Peak, passed_count: int) -> ErrorShare | None:
    """Return the share from latencies; None if rejections and work take equally long.

    Args:
        passed_count: answers other than the signature, > 0.
    """
    own, work = Histogram(), Histogram()
    for key, latency in totals.latencies.items():
        if key.signature == signature:
            own.merge(latency.sent)
        elif meaning(key.signature).outcome in (Outcome.OK, Outcome.FAILED):
            work.merge(latency.sent)
    limit_s = 1.02 * peak.median_s + 6 * peak.deviation_s + 0.001
    slow_share = work.share_above(limit_s)
    if slow_share < LEAST_SLOW_SHARE or not passed_count:
        return None
    slow = own.share_above(limit_s) * own.count
    errors = slow / slow_share
    spread = np.sqrt(slow * (1 - slow_share) + 0.25) / slow_share
    total = passed_count + errors
    return ErrorShare(float(errors / total), float(spread / total))


def by_calm(evidence: Evidence, low: int, high: int, calm: NDArray[np.bool_]) -> ErrorShare | None:
    """Return the share among requests of calm bins (of low..high); None if they are too few."""
    around = 2 * QUIET_BINS + 1
    calm = np.convolve(~calm, np.ones(around), "same")[: len(calm)] == 0 if len(calm) >= around else np.zeros_like(calm)
    rejected = int(evidence.rejected[low:high][calm].sum())
    tried = int(evidence.tried[low:high][calm].sum())
    if tried < FEWEST_CALM:
        return None
    ratio = rejected / tried
    return ErrorShare(ratio, float(np.sqrt((rejected + 0.5) / tried**2)), tried)


def best_share(latency: ErrorShare | None, calm: ErrorShare | None) -> ErrorShare:
    """Return what to believe: latency, unless calm bins hold errors that cannot be slow ones.

    Args:
        latency: from `by_latency`.
        calm: from `by_calm`.
    """
    if latency is None:
        return calm or NO_ERRORS
    if calm is None:
        return latency
    expected = latency.ratio * calm.among
    surplus = calm.ratio * calm.among - expected
    if surplus <= 3 * float(np.sqrt(expected + (latency.deviation * calm.among) ** 2)) + 2:
        return latency
    return calm
