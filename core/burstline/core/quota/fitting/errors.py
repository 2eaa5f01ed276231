"""Errors that look like a throttle: how many of an ambiguous signature's answers are they?

Two ways, each with its condition. By latency: a rejection does no work, so an answer much later than the quick peak
is an error; how many errors hide in the peak follows from how many accepted requests are as quick, which supposes that
failing takes about as long as succeeding. Latencies are known second by second, so that it is also known about when
those errors were sent. By calm: where a law leaves room nothing is refused, so the answers there
give the errors' share of what passed; this also sees errors that come at once, but only as precisely as
`sqrt(share / calm requests)`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.histogram import Histogram, bounds_of, index_of
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Totals
from burstline.core.load.window import BINS_PER_S, Latency
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.series import Floats, Ints
from burstline.core.quota.fitting.evidence import Evidence

FEWEST_CALM = 50
QUIET_BINS = 5
"""A calm bin counts only if so many on either side are calm, too."""

LEAST_SLOW_SHARE = 0.3
"""Share of accepted requests that must be slower than any rejection, or latency says too little."""


@dataclass(frozen=True, slots=True)
class ErrorShare:
    """Errors that look like a rejection.

    Attributes:
        ratio: their share of passed requests, 0..1.
        deviation: its standard error.
        among: passed requests that it was counted among.
        begun: by bin of the run, how many were sent in the second that begins with it, where latency tells.
    """

    ratio: float
    deviation: float
    among: int = 0
    begun: Floats | None = None

    def by_bin(self, likely: Floats) -> Floats:
        """Return how many errors were sent in each bin, from how many in each second.

        Args:
            likely: by bin of the run, how likely one was sent there rather than elsewhere within a second, >= 0.

        Raises:
            ValueError: latency did not tell.
        """
        if self.begun is None:
            raise ValueError("latency did not tell when errors were sent")
        likely = likely + 1e-9
        padded = np.concatenate(([0.0], np.cumsum(likely)))
        ends = np.minimum(np.arange(len(likely)) + BINS_PER_S, len(likely))
        per_chance = self.begun / (padded[ends] - padded[: len(likely)])
        running = np.cumsum(per_chance)
        running[BINS_PER_S:] -= running[:-BINS_PER_S].copy()
        found: Floats = likely * running
        return found

    def among_passed(self, passed: Ints) -> Floats:
        """Return by bin how many errors are to be expected, given what was not answered with the rejection."""
        if self.begun is not None:
            return self.by_bin(passed.astype(np.float64))
        found: Floats = self.ratio / max(1e-9, 1 - self.ratio) * passed.astype(np.float64)
        return found


NO_ERRORS = ErrorShare(0.0, 0.0)


def by_latency(totals: Totals, evidence: Evidence) -> ErrorShare | None:
    """Return the share from latencies; None if rejections and work take equally long, or nothing passed."""
    own, work = Histogram(), Histogram()
    for key, latency in totals.latencies.items():
        if key.signature == evidence.signature:
            own.merge(latency.sent)
        elif meaning(key.signature).outcome in (Outcome.OK, Outcome.FAILED):
            work.merge(latency.sent)
    passed_count, peak = int(evidence.passed.sum()), evidence.peak
    limit_s = 1.02 * peak.median_s + 6 * peak.deviation_s + 0.001
    slow_share = work.share_above(limit_s)
    if slow_share < LEAST_SLOW_SHARE or not passed_count:
        return None
    slow = own.share_above(limit_s) * own.count
    errors = slow / slow_share
    spread = np.sqrt(slow * (1 - slow_share) + 0.25) / slow_share
    total = passed_count + errors
    begun = _sent_slow(totals, evidence, limit_s) / slow_share
    return ErrorShare(float(errors / total), float(spread / total), begun=begun)


def _sent_slow(totals: Totals, evidence: Evidence, limit_s: float) -> Floats:
    """Return the answers that took longer than `limit_s` by the first bin of the second in which they were sent."""
    begun = np.zeros(evidence.count)
    edge = index_of(limit_s)
    for number, second in totals.seconds.items():
        for index, count in second.latencies.get(evidence.signature, Latency()).sent.counts.items():
            if index > edge:
                earliest = round((number - sum(bounds_of(index)) / 2) * BINS_PER_S)
                begun[min(max(earliest, 0), evidence.count - 1)] += count
    return begun


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
