"""Settlement: once, at the end, every ambiguous signature becomes throttled or failed, with its reasons.

A throttle by a Lambda limit appears only while that limit is reached, and is faster than work. A background error
appears at any load. So an unsettled signature is tried against each limit in turn: were its answers where we were at
the limit (declared, or a plateau of the in-flight estimate that was never exceeded), and not elsewhere? The share of
errors below the limit is taken as the background at the limit, too. What no limit explains is `failed`, with a note.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S, AnswerKey
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.inflight import admitted_latency, admitted_signatures, floor_of, in_flight, merged
from burstline.core.quota.answers.limits import (
    Mask,
    at_concurrency,
    at_invocation_rate,
    at_scaling_rate,
    concurrency_limits,
    is_near,
    level_in_bins,
    slack,
)
from burstline.core.quota.answers.series import Floats, Ints, Series
from burstline.core.quota.quotas import Account, Family

TIMES_MORE = 3.0
"""At a limit a throttle must be this many times as frequent as below it."""

EXPECTED_BELOW = 5.0
"""Below a limit that nobody declared, so many answers would have to be expected at the limit's frequency, and be
missing, before the pattern counts."""

OVER_THE_TOP = 0.01
"""Share of bins in which the estimate may lie above a plateau that is still called a cap."""


Decided = tuple[Family, Ints, str]
"""What CloudWatch says of an ambiguous signature: the law, throttled answers by bin of their send time, and why."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The final account of every answer.

    Attributes:
        counts: per phase, request and signature, counts by final outcome; they sum to the answers exactly.
        throttled: per signature, throttled requests by bin of their send time.
        explained: per unsettled signature that was a throttle: the family, and why, for a reader.
        notes: sentences about what could not be told.
    """

    counts: Mapping[AnswerKey, Mapping[Outcome, int]]
    throttled: Mapping[str, Ints]
    explained: Mapping[str, tuple[Family, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def outcomes(self) -> dict[Outcome, int]:
        """Return counts by outcome over everything."""
        total: dict[Outcome, int] = dict.fromkeys(
            (outcome for outcome in Outcome if outcome is not Outcome.UNSETTLED), 0
        )
        for split in self.counts.values():
            for outcome, count in split.items():
                total[outcome] += count
        return total

    def outcome_of(self, request: int | None, signature: str) -> Outcome:
        """Return what most answers of a request, or with None of all requests, with a signature were."""
        total: dict[Outcome, int] = {}
        for key, split in self.counts.items():
            if request in (None, key.request) and key.signature == signature:
                for outcome, count in split.items():
                    total[outcome] = total.get(outcome, 0) + count
        found = meaning(signature).outcome
        default = Outcome.FAILED if found is Outcome.UNSETTLED else found
        return max(total, key=lambda outcome: total[outcome]) if total else default


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """A limit, the bins in which we were at it, and how strongly it must show."""

    family: Family
    mask: Mask
    declared: bool
    text: str


def settle(
    plan: Plan, account: Account, totals: Totals, series: Series, decided: Mapping[str, Decided] | None = None
) -> Settlement:
    """Settle every answer of a run; see the module for how. What CloudWatch `decided` is not guessed at."""
    throttled: dict[str, Ints] = {}
    explained: dict[str, tuple[Family, str]] = {}
    notes: list[str] = []
    for signature in sorted(totals.signatures()):
        seen = series.sum_of({signature})
        outcome = meaning(signature).outcome
        if outcome is Outcome.THROTTLED:
            throttled[signature] = seen
        elif outcome is Outcome.UNSETTLED and signature in (decided or {}):
            family, bins, text = (decided or {})[signature]
            notes.append(text)
            if bins.any():
                throttled[signature] = bins
                explained[signature] = (family, text)
        elif outcome is Outcome.UNSETTLED:
            found = _explain(plan, account, totals, series, signature)
            if found is None:
                notes.append(
                    f"{totals.signatures()[signature]:,} answers {signature} may be throttled Lambda calls or errors; "
                    "no limit explains when they came, so they are counted as failed."
                )
                continue
            hypothesis, bins = found
            throttled[signature] = bins
            explained[signature] = (hypothesis.family, hypothesis.text)
            rest = int(seen.sum() - bins.sum())
            if rest:
                notes.append(f"{rest:,} of {int(seen.sum()):,} answers {signature} are background errors: failed.")
    return Settlement(_counts(plan, totals, series, throttled), throttled, explained, tuple(notes))


def apportion(total: int, weights: Iterable[int]) -> list[int]:
    """Return whole shares of `total` in proportion to `weights`, none above its weight, summing to it exactly.

    Args:
        total: 0..sum of weights.
        weights: each >= 0.
    """
    whole = list(weights)
    everything = sum(whole)
    if not everything:
        return [0] * len(whole)
    shares = [total * weight // everything for weight in whole]
    remainders = sorted(range(len(whole)), key=lambda i: (total * whole[i]) % everything, reverse=True)
    for index in remainders[: total - sum(shares)]:
        shares[index] += 1
    return shares


def _explain(
    plan: Plan, account: Account, totals: Totals, series: Series, signature: str
) -> tuple[_Hypothesis, Ints] | None:
    """Return the limit that explains a signature best, and its throttled answers by bin; None if none does."""
    seen = series.sum_of({signature})
    admitted = series.sum_of(admitted_signatures(series))
    quick, floor_s = is_quick(totals, signature)
    best: tuple[float, _Hypothesis, Ints] | None = None
    single = list(_hypotheses(plan, account, signature, seen, admitted, in_flight(series, floor_s)))
    for hypothesis in (*single, *_together(single)):
        if not (quick or hypothesis.declared):
            continue
        bins = at_limit(hypothesis.mask, hypothesis.declared, seen, admitted)
        if bins is not None and (best is None or bins.sum() > best[0]):
            best = float(bins.sum()), hypothesis, bins
    return None if best is None else best[1:]


def is_quick(totals: Totals, signature: str) -> tuple[bool, float]:
    """Whether the answers came faster than nearly all work, and the latency that is network and front, seconds."""
    answers = merged(latency.sent for key, latency in totals.latencies.items() if key.signature == signature)
    work = admitted_latency(totals).quantile(0.1)
    median = answers.quantile(0.5)
    if median is not None and (work is None or median <= work):
        return True, median
    return False, floor_of(totals).value_s


def _hypotheses(
    plan: Plan, account: Account, signature: str, seen: Ints, admitted: Ints, level: Floats
) -> Iterator[_Hypothesis]:
    """Yield the limits that the signature's families allow."""
    families = meaning(signature).families
    caps = concurrency_limits(plan, account)
    plateau = _plateau(seen, level)
    if plateau is not None and Family.CONCURRENCY in families:
        near = [cap for cap in caps if is_near(plateau, cap.value)]
        limit = float(near[0].value) if near else plateau
        text = f"they came only while about {limit:,.0f} calls were in flight"
        stated = f", the {'declared' if near[0].declared else 'default'} limit" if near else ", never more"
        yield _Hypothesis(Family.CONCURRENCY, at_concurrency(level, limit), bool(near), text + stated)
    if caps and Family.INVOCATION_RATE in families:
        mask = at_invocation_rate(admitted, caps)
        text = "they came only while calls a second were at ten times the concurrency limit"
        yield _Hypothesis(Family.INVOCATION_RATE, mask, True, text)
    if caps and Family.SCALING_RATE in families:
        mask = at_scaling_rate(level, account)
        yield _Hypothesis(Family.SCALING_RATE, mask, True, "they came only while concurrency grew as fast as it may")


def _together(single: list[_Hypothesis]) -> Iterator[_Hypothesis]:
    """Yield "one of the declared limits": a function near 100 ms meets its cap and the 10x rule in turn."""
    declared = [hypothesis for hypothesis in single if hypothesis.declared and hypothesis.mask.any()]
    if len(declared) > 1:
        mask = np.logical_or.reduce([hypothesis.mask for hypothesis in declared])
        text = "; or ".join(hypothesis.text for hypothesis in declared)
        yield _Hypothesis(declared[0].family, mask, True, text)


def _plateau(seen: Ints, level: Floats) -> float | None:
    """Return the level that nine tenths of the answers came at or below, if hardly anything ever lay above it."""
    local = level_in_bins(level)
    if not seen.sum():
        return None
    order = np.argsort(local)
    nine_tenths = int(np.searchsorted(np.cumsum(seen[order]), 0.9 * seen.sum()))
    plateau = float(local[order][nine_tenths])
    busy = local > 0
    if plateau < 1 or np.count_nonzero(local > plateau + slack(plateau)) > OVER_THE_TOP * np.count_nonzero(busy):
        return None
    return plateau


def at_limit(mask: Mask, declared: bool, seen: Ints, admitted: Ints) -> Ints | None:
    """Return the throttled answers by bin if they came at a limit and not below it, else None.

    Args:
        mask: bins in which the run was at the limit.
        declared: the limit is known; else the pattern has to be clearer.
        seen: the answers, by bin of sending.
        admitted: requests that got past the limit, likewise.
    """
    # The bins next to one at the limit are neither: sending and the estimate are known to about a bin.
    at = mask | _shifted(mask, 1) | _shifted(mask, -1)
    seen_at, seen_below = int(seen[at].sum()), int(seen[~at].sum())
    tried_at, tried_below = seen_at + int(admitted[at].sum()), seen_below + int(admitted[~at].sum())
    if not seen_at:
        return None
    frequency = seen_at / tried_at
    background = seen_below / tried_below if tried_below else 0.0
    if frequency < TIMES_MORE * background:
        return None
    if not declared and frequency * tried_below < EXPECTED_BELOW:
        return None
    errors = background / (1 - background) * int(admitted[at].sum()) if background < 1 else 0.0
    kept = max(0.0, seen_at - errors) / seen_at
    rounded = np.round(np.cumsum(np.where(at, seen, 0)) * kept).astype(np.int64)
    bins: Ints = np.minimum(np.diff(rounded, prepend=0), seen)
    return bins if bins.sum() else None


def _shifted(mask: Mask, by: int) -> Mask:
    moved = np.zeros_like(mask)
    if by > 0:
        moved[by:] = mask[:-by]
    else:
        moved[:by] = mask[-by:]
    return moved


def _counts(
    plan: Plan, totals: Totals, series: Series, throttled: Mapping[str, Ints]
) -> dict[AnswerKey, dict[Outcome, int]]:
    counts: dict[AnswerKey, dict[Outcome, int]] = {}
    ends_s = np.cumsum([phase.duration_s for phase in plan.load])
    unsettled: dict[tuple[int, str], list[AnswerKey]] = {}
    for key, count in totals.answers.items():
        outcome = meaning(key.signature).outcome
        if outcome is Outcome.UNSETTLED:
            unsettled.setdefault((key.phase, key.signature), []).append(key)
        else:
            counts[key] = {outcome: count}
    for (phase, signature), keys in unsettled.items():
        weights = [totals.answers[key] for key in keys]
        total = round(_throttled_share(series, throttled, signature, phase, ends_s) * sum(weights))
        for key, weight, share in zip(keys, weights, apportion(total, weights), strict=True):
            split = {Outcome.THROTTLED: share, Outcome.FAILED: weight - share}
            counts[key] = {outcome: count for outcome, count in split.items() if count}
    return counts


def _throttled_share(
    series: Series, throttled: Mapping[str, Ints], signature: str, phase: int, ends_s: Floats
) -> float:
    """The throttled share of a signature's answers that were sent in a phase, 0..1."""
    bins, seen = throttled.get(signature), series.sum_of({signature})
    if bins is None:
        return 0.0
    low = round((ends_s[phase - 1] if phase else 0.0) / BIN_S)
    high = round(ends_s[phase] / BIN_S) if phase + 1 < len(ends_s) else series.count
    if not seen[low:high].sum():
        low, high = 0, series.count
    return min(1.0, float(bins[low:high].sum() / max(1, seen[low:high].sum())))
