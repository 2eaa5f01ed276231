"""Which law explains a span best: all that the signature allows compete, chance competes with them, ties stay open."""

from dataclasses import dataclass, replace

import numpy as np

from burstline.core.load.window import BIN_S
from burstline.core.quota.fitting.bucket import calm_by_share, fit_bucket
from burstline.core.quota.fitting.concurrency import fit_concurrency, fit_scaling
from burstline.core.quota.fitting.errors import NO_ERRORS, ErrorShare, by_calm
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import Explanation, at_random, likelihood_of
from burstline.core.quota.fitting.lines import weighted_median
from burstline.core.quota.fitting.windows import PRIOR, QUIET_BINS, fit_windows
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Family

MARGIN = 20.0
"""Log-likelihood by which the best law must beat chance and every law of another family to be named."""

FEWEST_REJECTIONS = 8

LEAST_GOODNESS = 0.12
"""Share of the deviance from chance that a law must take away to turn ambiguous answers into throttles."""

WIDEST = 15.0
"""Width of a law's error, requests, beyond which it is no explanation of answers that may be errors."""

CLEAR = 0.1
"""Share of chance's log-likelihood that a law may leave to be one all the same, however wide its error."""

CLOSE = 0.45
"""Width of a law's error, requests, from which it leaves nothing to explain."""

EDGE = 0.05
"""Share of an outage's answers at either end that is left out of account."""

FLIGHT_SLACK, FLIGHT_SLACK_COUNT = 1.2, 3.0
"""Of calls in flight, relative and absolute: errors, jitter and clocks blur them."""

LEAST_PASSED = 5
"""Requests that must pass in the later half of the rejections: where all is refused, an outage explains it, too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one span says.

    Attributes:
        low: its first bin.
        high: the bin after its last.
        family: the law that explains it; `UNKNOWN`: a throttle, but by which law cannot be told; None: no throttle.
        law: the best law, also if it is not named; None if there is none.
        likelihood: of the best explanation, chance included.
        goodness: 0..1, the share of the deviance from chance that the law takes away.
        gain: log-likelihood by which the law beats the next best explanation.
    """

    low: int
    high: int
    family: Family | None
    law: Explanation | None
    likelihood: float
    goodness: float = 0.0
    gain: float = 0.0


def judge_span(evidence: Evidence, low: int, high: int, errors: ErrorShare | None) -> Verdict:
    """Return the best explanation of the rejections in bins low..high."""
    count = int(evidence.rejected[low:high].sum())
    if not count:
        return Verdict(low, high, None, None, 0.0)
    chance = at_random(evidence, low, high)
    without = None if evidence.ambiguous else Family.UNKNOWN
    if count < FEWEST_REJECTIONS or _all_errors(evidence, low, high, errors):
        return Verdict(low, high, without, None, chance)
    laws = sorted(
        _plausible(evidence, chance, _rated(evidence, low, high, errors)), key=lambda law: law.likelihood, reverse=True
    )
    laws = [law for law in laws if law.width <= WIDEST or law.likelihood > CLEAR * chance or not evidence.ambiguous]
    needed = chance + max(MARGIN, LEAST_GOODNESS * abs(chance) if evidence.ambiguous else 0.0)
    if not laws or laws[0].likelihood < needed:
        return Verdict(low, high, without, None, chance)
    best = laws[0]
    others = [law.likelihood for law in laws if law.family is not best.family]
    gain = best.likelihood - max([chance, *others])
    family = best.family if gain >= MARGIN else Family.UNKNOWN
    goodness = max(0.0, 1 - best.likelihood / chance) if chance < 0 else 0.0
    return Verdict(low, high, family, best, best.likelihood, goodness, gain)


def _all_errors(evidence: Evidence, low: int, high: int, errors: ErrorShare | None) -> bool:
    """Whether latencies alone say that the ambiguous answers of the span are errors: they took as long as work."""
    if errors is None or not evidence.ambiguous:
        return False
    count = int(evidence.rejected[low:high].sum())
    expected = errors.ratio / max(1e-9, 1 - errors.ratio) * float(evidence.passed[low:high].sum())
    return bool(count - expected < 3 * np.sqrt(count))


def _rated(evidence: Evidence, low: int, high: int, errors: ErrorShare | None) -> list[Explanation]:
    rated = _rating(evidence, low, high, errors, _candidates(evidence, low, high, errors))
    # Counters are tried where nothing simpler fits closely: their search is long.
    closest = max(rated, key=lambda law: law.likelihood, default=None)
    if Family.WINDOW_COUNTER in evidence.families and not (closest is not None and closest.width <= CLOSE):
        counters = _rating(evidence, low, high, errors, fit_windows(evidence, low, high, errors or NO_ERRORS))
        if evidence.ambiguous and errors is None and counters:
            best = max(counters, key=lambda law: law.likelihood)
            seen = by_calm(evidence, low, high, best.room > 3 + 3 * best.width) or NO_ERRORS
            counters += _rating(evidence, low, high, errors, fit_windows(evidence, low, high, seen))
        rated += counters
    return rated


def _rating(
    evidence: Evidence, low: int, high: int, errors: ErrorShare | None, laws: list[Explanation]
) -> list[Explanation]:
    rated = []
    for law in laws:
        calm = law.room > 3 + 3 * law.width
        shares = {0.0, (by_calm(evidence, low, high, calm) or NO_ERRORS).ratio}
        shares |= {one.ratio for one in (errors if evidence.ambiguous else None, law.errors) if one is not None}
        likelihood, width = max(likelihood_of(evidence, low, high, law.room, min(share, 0.3)) for share in shares)
        prior = PRIOR if law.family is Family.WINDOW_COUNTER else 0.0
        rated.append(replace(law, likelihood=likelihood - prior, width=width))
    return rated


def _plausible(evidence: Evidence, chance: float, laws: list[Explanation]) -> list[Explanation]:
    """Leave out what other evidence speaks against, if a cap explains the rejections.

    Counters whose period is once to three times what work takes; and 10x rules of a concurrency that is smaller than
    what was in flight: the rule is ten times the very cap on calls in flight.
    """
    capped = any(law.family is Family.CONCURRENCY and law.likelihood > chance + MARGIN for law in laws)
    if not capped:
        return laws
    return [law for law in laws if not (_is_turnover(evidence, law) or _is_below_flight(evidence, law))]


def _is_turnover(evidence: Evidence, law: Explanation) -> bool:
    slack_s = 0.03 + 0.03 * evidence.work_s
    return law.period_s > 0 and any(abs(law.period_s - n * evidence.work_s) <= slack_s for n in (1, 2, 3))


def _is_below_flight(evidence: Evidence, law: Explanation) -> bool:
    if law.family is not Family.INVOCATION_RATE or not law.estimates:
        return False
    points = evidence.points
    flight = weighted_median(points.in_flight, points.weight)
    return flight > FLIGHT_SLACK * law.estimates[0].value / INVOCATIONS_PER_ENVIRONMENT_PER_S + FLIGHT_SLACK_COUNT


def _candidates(evidence: Evidence, low: int, high: int, errors: ErrorShare | None) -> list[Explanation]:
    allowed = set(evidence.families)
    found: list[Explanation] = []
    where = np.flatnonzero(evidence.rejected[low:high]) + low
    if int(evidence.passed[(where[0] + where[-1]) // 2 : where[-1] + 1].sum()) < LEAST_PASSED:
        return found
    if evidence.ambiguous and _is_outage(evidence, low, high):
        return found
    if allowed & {Family.BUCKET, Family.INVOCATION_RATE}:
        buckets = fit_bucket(evidence, low, high, errors if evidence.ambiguous else None)
        found += buckets if Family.BUCKET in allowed else [_as_invocation_rate(law) for law in buckets]
    # What starts and ends within a group of bins leaves no trace in flight: any cap would fit.
    visible = evidence.quick and evidence.mean_work_s >= evidence.step * BIN_S
    if Family.CONCURRENCY in allowed and visible:
        found.append(law) if (law := fit_concurrency(evidence, low, high)) else None
    if Family.SCALING_RATE in allowed and visible:
        found.append(law) if (law := fit_scaling(evidence, low, high)) else None
    return found


def _is_outage(evidence: Evidence, low: int, high: int) -> bool:
    """Whether nothing passes amid the rejections, and that once: every law lets something pass, or lets up.

    Scattered errors before and after are left out, and so are the edges, at which jitter mixes answers.
    """
    pressed = np.flatnonzero(~calm_by_share(evidence, low, high))
    if not len(pressed) or np.any(np.diff(pressed) > QUIET_BINS):
        return False
    rejected = np.cumsum(evidence.rejected[low:high][pressed[0] : pressed[-1] + 1])
    edges = np.searchsorted(rejected, np.array([EDGE, 1 - EDGE]) * rejected[-1]) + low + pressed[0]
    return int(evidence.passed[edges[0] : edges[1]].sum()) < LEAST_PASSED


def _as_invocation_rate(law: Explanation) -> Explanation:
    """A bucket where only the 10x rule can act like one; what its burst is, nobody documents."""
    estimates = tuple(replace(one, parameter="rate_limit") for one in law.estimates if one.parameter == "rate")
    return replace(law, family=Family.INVOCATION_RATE, estimates=estimates)
