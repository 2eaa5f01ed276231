"""What every law of throttling has to offer, and how well one explains what was refused.

A law says, at the end of each 10 ms bin, how much *room* was left given everything that passed before. It predicts,
one bin ahead, that `clip(rejected - room, 0, tried)` requests are refused in the bin: all that did not fit. The
likelihood of the actual number, bin for bin, is what laws of all families are compared by. Noise (jitter, clocks,
places within a bin) is a logistic error of the room, whose width is fitted but never below what is physically there;
errors that look like the rejection are a small share of what passed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.answers.series import Floats, Ints
from burstline.core.quota.fitting.errors import ErrorShare
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.quotas import Family

WIDTHS = (0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.2, 3.3, 5.0, 7.5, 11.0, 17.0, 25.0, 40.0, 60.0, 100.0)
"""Candidate widths of the error of the room, requests."""

MOST_ERRORS = 16
"""Errors in one group of bins that look like the rejection, beyond which it is a surprise."""

SURPRISE = 0.01
"""Share of bins that may be anything: a law is not refuted by a few of them."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A parameter's value and 95 % interval, in `unit`."""

    parameter: str
    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One law with its numbers over one span of bins.

    Attributes:
        family: which law.
        estimates: its parameters.
        room: by bin of the span, see the module.
        likelihood: natural logarithm, of the rejections in all bins of the span.
        width: the error of the room that fits best, requests.
        errors: share of errors among what passed, if the law itself says so.
        period_s: what a counter counts over, also where that is not stated, seconds; 0 for other laws.
        sort: which variant of the law, in words; "" if there is one.
    """

    family: Family
    estimates: tuple[Estimate, ...]
    room: Floats
    likelihood: float = 0.0
    width: float = 0.0
    sort: str = ""
    errors: ErrorShare | None = None
    period_s: float = 0.0


def likelihood_of(evidence: Evidence, low: int, high: int, room: Floats, error_ratio: float) -> tuple[float, float]:
    """Return the best log-likelihood over `WIDTHS` of the rejections in bins low..high, and its width.

    Args:
        room: by bin of the span, requests that would still have fitted at its end.
        error_ratio: share of passed requests that fail looking like the rejection, 0..1.
    """
    rejected = grouped(evidence.rejected[low:high], evidence.step).astype(np.float64)
    tried = grouped(evidence.tried[low:high], evidence.step).astype(np.float64)
    room = room[np.minimum(np.arange(len(tried)) * evidence.step + evidence.step, high - low) - 1]
    some = tried > 0
    rejected, tried, room = rejected[some], tried[some], room[some]
    errors = error_ratio * np.maximum(tried - rejected, 0)
    middle = np.clip(rejected - room, -1e6, tried + 1e6)
    found: dict[int, float] = {}
    # every other width first, up to two that are worse than the best; then the neighbours of the best
    for place in range(0, len(WIDTHS), 2):
        found[place] = _one_width(rejected, tried, middle, errors, WIDTHS[place])
        if place >= 4 and max(found[place], found[place - 2]) < max(found.values()):
            break
    best = max(found, key=lambda place: found[place])
    for place in (best - 1, best + 1):
        if 0 <= place < len(WIDTHS):
            found[place] = _one_width(rejected, tried, middle, errors, WIDTHS[place])
    best = max(found, key=lambda place: found[place])
    return found[best], WIDTHS[best]


def _one_width(rejected: Floats, tried: Floats, middle: Floats, errors: Floats, width: float) -> float:
    spread = width * 0.5513  # a logistic's scale for its deviation
    chance, term = np.zeros_like(middle), np.exp(-errors)
    most = float(errors.max(initial=0.0))
    term_count = min(MOST_ERRORS, int(np.ceil(most + 6 * np.sqrt(most) + 4))) if most > 0 else 1
    for error_count in range(term_count):
        refused = rejected - error_count
        upper = np.where(refused >= tried, 1.0, _logistic((refused + 0.5 - middle) / spread))
        lower = np.where(refused <= 0, 0.0, _logistic((refused - 0.5 - middle) / spread))
        chance += np.where(refused >= 0, term * np.maximum(upper - lower, 0.0), 0.0)
        term = term * errors / (error_count + 1)
    return float(np.log((1 - SURPRISE) * chance + SURPRISE / (tried + 1)).sum())


def _logistic(x: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return result


def grouped(bins: Ints, step: int) -> Ints:
    """Return sums over `step` bins each; the last group may be shorter."""
    if step == 1:
        return bins
    sums: Ints = np.add.reduceat(bins, np.arange(0, len(bins), step))
    return sums


def at_random(evidence: Evidence, low: int, high: int) -> float:
    """Return the log-likelihood of a constant share of failures, whatever the load: no throttle at all."""
    rejected, tried = (grouped(bins[low:high], evidence.step) for bins in (evidence.rejected, evidence.tried))
    some = tried > 0
    rejected, tried = rejected[some], tried[some]
    share = float((rejected.sum() + 0.5) / (tried.sum() + 1))
    terms = log_choose(tried, rejected) + rejected * np.log(share) + (tried - rejected) * np.log(1 - share)
    surprised = np.logaddexp(np.log(1 - SURPRISE) + terms, np.log(SURPRISE) - np.log(tried + 1.0))
    return float(surprised.sum())


def log_choose(total: Ints, chosen: Ints) -> Floats:
    """Return the logarithm of the binomial coefficient, element for element."""
    table = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, int(total.max(initial=1)) + 1)))))
    result: Floats = table[total] - table[chosen] - table[total - chosen]
    return result


def in_span(evidence: Evidence, low: int, high: int) -> NDArray[np.bool_]:
    """Return which of the points lie in bins low..high."""
    return (evidence.points.bins >= low) & (evidence.points.bins < high)
