"""The fit: from a run's totals to the laws that throttled it, their numbers, and who bound when. No AWS access.

What cannot be told from outside, and is not claimed: which layer owns a law; the 10x rule from a bucket on a plain
front (it is called a bucket); the burst of a bucket that was not seen full (one that appears in mid-run looks like a
larger one from the start, one that was partly full at the start like a smaller one); a counter's period while load
never lets up; a cap on work shorter than the groups of bins that laws are compared over (30 to 200 ms); which single
answers of an ambiguous signature were errors (their number is), and errors that come at once from rejections, but by
their share where nothing is refused; on a plain front, a throttle that errs at random from errors.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Front
from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S, BINS_PER_S
from burstline.core.quota.answers.series import Ints
from burstline.core.quota.fitting.changes import verdicts_of
from burstline.core.quota.fitting.choosing import Verdict
from burstline.core.quota.fitting.errors import ErrorShare, best_share, by_calm, by_latency
from burstline.core.quota.fitting.evidence import Evidence, evidence_of
from burstline.core.quota.quotas import Family

GAP_S = 1.0
"""Rejections further apart than this, and than a few times their usual distance, are two attributions."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One parameter of one law, as in the report's `fits`.

    Attributes:
        family: the law.
        parameter: `rate`, `burst`, `concurrency`, `slope`, `rate_limit`, `count` or `period`.
        value: in `unit`.
        low: of the 95 % interval.
        high: of the 95 % interval.
        unit: in words.
        from_s: first rejection that it explains, run time in seconds.
        to_s: the last.
        goodness: 0..1, share of the deviance from chance that the law takes away.
        signature: which answers it explains.
    """

    family: Family
    parameter: str
    value: float
    low: float
    high: float
    unit: str
    from_s: float
    to_s: float
    goodness: float
    signature: str


@dataclass(frozen=True, slots=True)
class Bound:
    """One stretch of time in which one law throttled.

    Attributes:
        from_s: first rejection, run time in seconds.
        to_s: end of the last.
        family: the law; `UNKNOWN` where a throttle follows none, or two equally well.
        part: for a bucket, `rate` if more was tried than it refills, else `burst`; None for other laws.
        signature: which answers.
        throttled_count: settled, errors excluded.
        confidence: 0..1, how surely this law and not another.
        text: the binding in words.
    """

    from_s: float
    to_s: float
    family: Family
    part: str | None
    signature: str
    throttled_count: int
    confidence: float
    text: str


@dataclass(frozen=True, slots=True)
class FitResult:
    """What the run's bins say about throttles.

    Attributes:
        fits: parameters with intervals, in order of time.
        bounds: who throttled when, in order of time; stretches of several laws may overlap.
        throttled: signature -> settled throttled answers by 10 ms bin (by send time, from run time 0).
        errors: ambiguous signature -> share of accepted requests that failed looking like it.
        slow: the same by latency alone, whatever law was found; signatures that latency says nothing of are missing.
        notes: sentences about what could not be told.
    """

    fits: tuple[Fit, ...]
    bounds: tuple[Bound, ...]
    throttled: dict[str, Ints] = field(default_factory=dict)
    errors: dict[str, ErrorShare] = field(default_factory=dict)
    slow: dict[str, ErrorShare] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def throttled_count(self) -> int:
        """Settled throttled answers of all signatures."""
        return sum(int(bins.sum()) for bins in self.throttled.values())


def fit(totals: Totals, front: Front) -> FitResult:
    """Fit every law that the front's signatures allow to a run.

    Args:
        totals: the run's windows, summed; at least the bins, completions, marks and latencies.
        front: the kind of entry point.
    """
    fits: list[Fit] = []
    bounds: list[Bound] = []
    throttled: dict[str, Ints] = {}
    errors: dict[str, ErrorShare] = {}
    slow: dict[str, ErrorShare] = {}
    notes: list[str] = []
    for evidence in evidence_of(totals, front):
        by_time = by_latency(totals, evidence) if evidence.ambiguous else None
        if by_time is not None:
            slow[evidence.signature] = by_time
        verdicts = verdicts_of(evidence, by_time)
        share = _error_share(evidence, verdicts, by_time)
        settled = _settled(evidence, verdicts, share)
        throttled[evidence.signature] = settled
        if share is not None:
            errors[evidence.signature] = share
        for verdict in verdicts:
            fits += _fits(evidence, verdict, settled)
            bounds += _bounds(evidence, verdict, settled)
            notes += _notes(evidence, verdict)
    fits.sort(key=lambda one: (one.from_s, one.family, one.parameter))
    bounds.sort(key=lambda one: (one.from_s, one.to_s))
    return FitResult(tuple(fits), tuple(bounds), throttled, errors, slow, tuple(dict.fromkeys(notes)))


def calm_bins(verdict: Verdict) -> NDArray[np.bool_]:
    """Return which bins of a span its law leaves well alone; none without a law."""
    if verdict.law is None:
        return np.full(verdict.high - verdict.low, verdict.family is None)
    return np.greater(verdict.law.room, 3 + 4 * verdict.law.width)


def _error_share(evidence: Evidence, verdicts: list[Verdict], by_time: ErrorShare | None) -> ErrorShare | None:
    if not evidence.ambiguous:
        return None
    if not any(verdict.family for verdict in verdicts):
        rejected, tried = int(evidence.rejected.sum()), int(evidence.tried.sum())
        ratio = rejected / max(1, tried)
        return ErrorShare(ratio, float(np.sqrt(ratio * (1 - ratio) / max(1, tried))))
    calm = np.zeros(evidence.count, dtype=bool)
    for verdict in verdicts:
        calm[verdict.low : verdict.high] = calm_bins(verdict)
    for verdict in verdicts[1:]:  # when a law changed is known to about a second: until then the old one may refuse
        calm[max(0, verdict.low - BINS_PER_S) : verdict.low + BINS_PER_S] = False
    return best_share(by_time, by_calm(evidence, 0, evidence.count, calm))


def _settled(evidence: Evidence, verdicts: list[Verdict], share: ErrorShare | None) -> Ints:
    """Throttled answers by bin; errors are spread over the bins of a span so that their sum is right."""
    settled: Ints = np.zeros(evidence.count, np.int64)
    for verdict in verdicts:
        if verdict.family is None:
            continue
        part = slice(verdict.low, verdict.high)
        rejected = evidence.rejected[part]
        if share is None:
            settled[part] = rejected
            continue
        own = share if verdict.law is None or verdict.law.errors is None else verdict.law.errors
        settled[part] = _less_errors(rejected, float(own.among_passed(evidence.passed)[part].sum()), calm_bins(verdict))
    return settled


def _less_errors(rejected: Ints, errors: float, calm: NDArray[np.bool_]) -> Ints:
    """Take `errors` out of a span's rejections, first where the law refuses nothing."""
    errors = min(errors, float(rejected.sum()))
    at_rest = float(rejected[calm].sum())
    kept_calm = max(0.0, 1 - errors / at_rest) if at_rest else 1.0
    bound = float(rejected[~calm].sum())
    kept_bound = 1 - max(0.0, errors - at_rest) / bound if bound else 1.0
    rounded = np.round(np.cumsum(rejected * np.where(calm, kept_calm, kept_bound))).astype(np.int64)
    kept: Ints = np.minimum(np.diff(rounded, prepend=0), rejected)
    return kept


def _fits(evidence: Evidence, verdict: Verdict, settled: Ints) -> list[Fit]:
    where = np.flatnonzero(settled[verdict.low : verdict.high])
    if verdict.law is None or verdict.family in (None, Family.UNKNOWN) or not len(where):
        return []
    from_s, to_s = (verdict.low + int(where[0])) * BIN_S, (verdict.low + int(where[-1]) + 1) * BIN_S
    return [
        Fit(
            verdict.law.family, one.parameter, one.value, one.low, one.high, one.unit, from_s, to_s,
            verdict.goodness, evidence.signature,
        )
        for one in verdict.law.estimates
    ]  # fmt: skip


def _bounds(evidence: Evidence, verdict: Verdict, settled: Ints) -> list[Bound]:
    if verdict.family is None:
        return []
    where = np.flatnonzero(settled[verdict.low : verdict.high]) + verdict.low
    if not len(where):
        return []
    usual = float(np.median(np.diff(where))) * BIN_S if len(where) > 1 else BIN_S
    breaks = np.flatnonzero(np.diff(where) * BIN_S > max(GAP_S, 8 * usual))
    starts, stops = np.append(where[0], where[breaks + 1]), np.append(where[breaks], where[-1]) + 1
    found = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        count = int(settled[start:stop].sum())
        part = _part(evidence, verdict, start, stop)
        text = _text(evidence, verdict, start * BIN_S, stop * BIN_S, count)
        confidence = 1 - 1 / (1 + max(0.0, verdict.gain)) if verdict.family is not Family.UNKNOWN else 0.0
        found.append(
            Bound(start * BIN_S, stop * BIN_S, verdict.family, part, evidence.signature, count, confidence, text)
        )
    return found


def _part(evidence: Evidence, verdict: Verdict, start: int, stop: int) -> str | None:
    if verdict.family is not Family.BUCKET or verdict.law is None:
        return None
    tried_per_s = evidence.tried[start:stop].sum() / ((stop - start) * BIN_S)
    return "rate" if stop - start >= 100 and tried_per_s > verdict.law.estimates[0].value else "burst"


def _text(evidence: Evidence, verdict: Verdict, from_s: float, to_s: float, count: int) -> str:
    span = f"from {from_s:.1f} s to {to_s:.1f} s"
    if verdict.law is None or verdict.family is Family.UNKNOWN:
        return f"{span} a throttle ({evidence.signature}) whose law cannot be told; {count:,} requests"
    numbers = ", ".join(f"{one.parameter} {_short(one.value)} {one.unit}" for one in verdict.law.estimates)
    return f"{span} {str(verdict.family).replace('_', ' ')} ({numbers}) bound; {count:,} requests"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.4g}"


def _notes(evidence: Evidence, verdict: Verdict) -> list[str]:
    count = int(evidence.rejected[verdict.low : verdict.high].sum())
    if verdict.family is None and count and evidence.ambiguous:
        return [f"answers {evidence.signature} came as by chance or as an outage, not as any quota refuses: errors."]
    if verdict.family is Family.UNKNOWN:
        return [f"{count:,} answers {evidence.signature} are a throttle, but two laws or none explain them."]
    return []
