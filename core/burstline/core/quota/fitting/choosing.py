"""Which law explains a span best: all that the signature allows compete, chance competes with them, ties stay open."""

from dataclasses import dataclass, replace

import numpy as np

from burstline.core.quota.fitting.bucket import fit_bucket
from burstline.core.quota.fitting.concurrency import fit_concurrency, fit_scaling
from burstline.core.quota.fitting.errors import NO_ERRORS, ErrorShare, by_calm
from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import Explanation, at_random, likelihood_of
from burstline.core.quota.fitting.windows import PRIOR, fit_windows
from burstline.core.quota.quotas import Family

MARGIN = 12.0
"""Log-likelihood by which the best law must beat chance and every law of another family to be named."""

FEWEST_REJECTIONS = 8

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
    if count < FEWEST_REJECTIONS:
        return Verdict(low, high, without, None, chance)
    laws = sorted(
        _plausible(evidence, chance, _rated(evidence, low, high, errors)), key=lambda law: law.likelihood, reverse=True
    )
    if not laws or laws[0].likelihood < chance + MARGIN:
        return Verdict(low, high, without, None, chance)
    best = laws[0]
    others = [law.likelihood for law in laws if law.family is not best.family]
    gain = best.likelihood - max([chance, *others])
    family = best.family if gain >= MARGIN else Family.UNKNOWN
    goodness = max(0.0, 1 - best.likelihood / chance) if chance < 0 else 0.0
    return Verdict(low, high, family, best, best.likelihood, goodness, gain)


def _rated(evidence: Evidence, low: int, high: int, errors: ErrorShare | None) -> list[Explanation]:
    rated = []
    for law in _candidates(evidence, low, high, errors):
        calm = law.room > 3 + 3 * law.width
        shares = {0.0, (by_calm(evidence, low, high, calm) or NO_ERRORS).ratio}
        shares |= {one.ratio for one in (errors if evidence.ambiguous else None, law.errors) if one is not None}
        likelihood, width = max(likelihood_of(evidence, low, high, law.room, min(share, 0.3)) for share in shares)
        prior = PRIOR if law.family is Family.WINDOW_COUNTER else 0.0
        rated.append(replace(law, likelihood=likelihood - prior, width=width))
    return rated


def _plausible(evidence: Evidence, chance: float, laws: list[Explanation]) -> list[Explanation]:
    """Leave out counters whose period is the time that work takes, if a cap explains the rejections, too."""
    capped = any(law.family is Family.CONCURRENCY and law.likelihood > chance + MARGIN for law in laws)
    if not capped:
        return laws
    slack_s = 0.03 + 0.03 * evidence.work_s
    return [
        law
        for law in laws
        if law.family is not Family.WINDOW_COUNTER or abs(law.estimates[1].value - evidence.work_s) > slack_s
    ]


def _candidates(evidence: Evidence, low: int, high: int, errors: ErrorShare | None) -> list[Explanation]:
    allowed = set(evidence.families)
    found: list[Explanation] = fit_windows(evidence, low, high) if Family.WINDOW_COUNTER in allowed else []
    where = np.flatnonzero(evidence.rejected[low:high]) + low
    if int(evidence.passed[(where[0] + where[-1]) // 2 : where[-1] + 1].sum()) < LEAST_PASSED:
        return found
    if allowed & {Family.BUCKET, Family.INVOCATION_RATE}:
        buckets = fit_bucket(evidence, low, high, errors if evidence.ambiguous else None)
        found += buckets if Family.BUCKET in allowed else [_as_invocation_rate(law) for law in buckets]
    if Family.CONCURRENCY in allowed:
        found.append(law) if (law := fit_concurrency(evidence, low, high)) else None
    if Family.SCALING_RATE in allowed:
        found.append(law) if (law := fit_scaling(evidence, low, high)) else None
    return found


def _as_invocation_rate(law: Explanation) -> Explanation:
    """A bucket where only the 10x rule can act like one; what its burst is, nobody documents."""
    estimates = tuple(replace(one, parameter="rate_limit") for one in law.estimates if one.parameter == "rate")
    return replace(law, family=Family.INVOCATION_RATE, estimates=estimates)
