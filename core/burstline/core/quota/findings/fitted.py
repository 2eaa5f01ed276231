"""Limits that nobody declared and the fit found: who bound when, what was used of them, and what the demand needs.

A declared limit (or AWS's default) that a fit agrees with is left to the paths that know its name; only what no known
limit explains is spoken of here, by its law and its numbers, and by a layer only if the answer itself named one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from burstline.core.load.plan import Plan
from burstline.core.load.samples import Outcome
from burstline.core.quota.advice.demand import spread_blocks
from burstline.core.quota.advice.frontier import burst_needed_of
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.honesty import LimitedSpan, overlaps
from burstline.core.quota.answers.inflight import Floor, in_flight
from burstline.core.quota.answers.limits import concurrency_limits
from burstline.core.quota.answers.series import Series, highest_in_window
from burstline.core.quota.answers.settle import Decided
from burstline.core.quota.findings.bindings import Binding
from burstline.core.quota.findings.candidates import Candidate, buckets_of
from burstline.core.quota.findings.findings import Finding
from burstline.core.quota.fitting.fitting import Bound, Fit, FitResult
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Bucket, Family, Layer

AGREES = 0.03
"""A known limit this close to a fitted number (relative) is the one that was fitted."""

AGREES_COUNT = 2.0
"""The same for small limits, in requests."""

LAYERS_OF = {
    Family.BUCKET: (Layer.USAGE_PLAN, Layer.STAGE, Layer.ACCOUNT_GATEWAY, Layer.WAF, Layer.OTHER),
    Family.CONCURRENCY: (Layer.RESERVED_CONCURRENCY, Layer.ACCOUNT_CONCURRENCY, Layer.OTHER),
    Family.SCALING_RATE: (Layer.SCALING_RATE, Layer.OTHER),
    Family.INVOCATION_RATE: (Layer.INVOCATION_RATE, Layer.OTHER),
    Family.WINDOW_COUNTER: (Layer.WAF, Layer.OTHER),
}
"""Who can own each law."""


@dataclass(frozen=True, slots=True)
class FittedLimit:
    """A limit that no known number explains.

    Attributes:
        family: its law.
        values: parameter -> value.
        text: the values with their intervals, for a reader.
        signature: which answers it gives.
        layer: who owns it, where the answer says so.
    """

    family: Family
    values: Mapping[str, float]
    text: str
    signature: str
    layer: Layer | None


def honest(result: FitResult, limited: tuple[LimitedSpan, ...]) -> FitResult:
    """Return a fit without what lies in spans in which the generator was the limit."""
    return replace(
        result,
        fits=tuple(one for one in result.fits if not overlaps(limited, one.from_s, one.to_s)),
        bounds=tuple(one for one in result.bounds if not overlaps(limited, one.from_s, one.to_s)),
    )


def fitted_decisions(
    result: FitResult, plan: Plan, account: Account, decided: Mapping[str, Decided]
) -> Mapping[str, Decided]:
    """Return `decided` (what CloudWatch says), and what the fit says of other ambiguous answers.

    Only where nobody declared Lambda's limits: declared ones are tried by `settle` itself.
    """
    found = dict(decided)
    if any(cap.declared for cap in concurrency_limits(plan, account)):
        return found
    for signature, bins in result.throttled.items():
        bounds = [one for one in result.bounds if one.signature == signature and one.family is not Family.UNKNOWN]
        if signature in found or meaning(signature).outcome is not Outcome.UNSETTLED or not bounds:
            continue
        most = max(bounds, key=lambda one: one.throttled_count)
        found[signature] = (most.family, bins, f"{most.text} (fitted; {signature})")
    return found


def fitted_limits(
    result: FitResult, plan: Plan, account: Account, bindings: Sequence[Binding]
) -> tuple[FittedLimit, ...]:
    """Return the limits, one per law and signature (the one that throttled most), that nothing known explains.

    Args:
        bindings: as `with_fits` returns them: only of those that it gave fitted numbers to.
    """
    open_signatures = {name for binding in bindings if binding.fitted for name in binding.signatures}
    groups: dict[tuple[Family, str], list[Fit]] = {}
    for one in result.fits:
        groups.setdefault((one.family, one.signature), []).append(one)
    found = []
    for (family, signature), fits in groups.items():
        if signature not in open_signatures:
            continue
        longest = max(fits, key=lambda one: (_throttled_in(result, one), one.to_s))
        same = [one for one in fits if (one.from_s, one.to_s) == (longest.from_s, longest.to_s)]
        values = {one.parameter: one.value for one in same}
        if not _is_known(family, values, plan, account):
            layers = meaning(signature).layers
            found.append(
                FittedLimit(family, values, fit_text(same), signature, layers[0] if len(layers) == 1 else None)
            )
    return tuple(found)


def fit_text(fits: Iterable[Fit]) -> str:
    """Return parameters with values and 95 % intervals, for a reader."""
    order = ("rate", "burst", "concurrency", "slope", "rate_limit", "count", "period")
    return ", ".join(
        f"{one.parameter.replace('_', ' ')} {_short(one.value)} ({_short(one.low)} to {_short(one.high)}) {one.unit}"
        for one in sorted(fits, key=lambda one: order.index(one.parameter))
    )


def with_fits(bindings: Sequence[Binding], result: FitResult) -> tuple[Binding, ...]:
    """Return the bindings; those that no declared limit explains say what was fitted, span by span."""
    kept: list[Binding] = []
    opened: dict[tuple[str, ...], list[Binding]] = {}
    for binding in bindings:
        bounds = [one for one in result.bounds if one.signature in binding.signatures]
        # who declared a limit of the kind is told about that one
        kinds = {layer for one in bounds for layer in LAYERS_OF.get(one.family, ()) if layer is not Layer.SCALING_RATE}
        known = any(one.declared and (one.explains or one.layer in kinds) for one in binding.candidates)
        if known or all(one.family is Family.UNKNOWN for one in bounds):
            kept.append(binding if known or not bounds else _unknown(binding))
        else:
            opened.setdefault(binding.signatures, []).append(binding)
    for signatures, group in opened.items():
        for bound in (one for one in result.bounds if one.signature in signatures):
            fits = [f for f in result.fits if f.signature == bound.signature and f.family is bound.family]
            kept.append(_fitted(_nearest(group, bound), bound, [f for f in fits if _overlap_s(f, bound) > 0]))
    return tuple(sorted(kept, key=lambda binding: binding.from_s))


def _unknown(binding: Binding) -> Binding:
    """A binding whose law the fit cannot tell; what a known limit or the answer itself says stays."""
    families = {family for name in binding.signatures for family in meaning(name).families}
    settled = all(meaning(name).outcome is Outcome.THROTTLED for name in binding.signatures)
    if len(families) < 2 or binding.layer or not settled or any(one.explains for one in binding.candidates):
        return binding
    return replace(binding, family=Family.UNKNOWN)


def _fitted(binding: Binding, bound: Bound, fits: Sequence[Fit]) -> Binding:
    values = {one.parameter: one.value for one in fits}
    limit = Bucket(values["rate"], values.get("burst", 0.0)) if "rate" in values else None
    text = f"Fitted: {fit_text(fits)}." if fits else "No law fits what was refused."
    layers = LAYERS_OF.get(bound.family, ())
    mine = [one for one in binding.candidates if one.layer in layers or binding.layer is one.layer]
    candidates = (
        tuple(Candidate(one.layer, f"{text} {one.evidence}", one.explains, one.declared) for one in mine)
        or binding.candidates
    )
    named = meaning(bound.signature).layers
    if len(named) == 1 and not candidates:
        candidates = (Candidate(named[0], f"{text} The answer itself names it.", True, False),)
    return replace(
        binding,
        from_s=round(bound.from_s, 2),
        to_s=round(bound.to_s, 2),
        family=bound.family,
        part=bound.part or "",
        layer=named[0] if len(named) == 1 else binding.layer,
        candidates=candidates,
        limit=limit,
        throttled_count=bound.throttled_count,
        confidence=bound.confidence,
        fitted=", ".join(f"{one.parameter.replace('_', ' ')} {_short(one.value)} {one.unit}" for one in fits),
    )


def fitted_findings(limits: Iterable[FittedLimit], series: Series, floor: Floor) -> tuple[Finding, ...]:
    """Return what the run used of each fitted limit."""
    found = []
    for limit in limits:
        for parameter, value in limit.values.items():
            use = _use(limit, parameter, series, floor)
            name = f"{limit.family.value.replace('_', ' ').capitalize()}, its {parameter.replace('_', ' ')} (fitted)"
            if use is not None:
                found.append(Finding(f"fitted:{limit.family.value}:{parameter}", name, value, "fitted", use))
    return tuple(found)


def _use(limit: FittedLimit, parameter: str, series: Series, floor: Floor) -> float | None:
    if parameter in ("rate", "rate_limit"):
        return highest_in_window(series.sent, 1.0)
    if parameter == "burst":
        return burst_needed_of(spread_blocks(series.sent), limit.values["rate"])
    if parameter == "concurrency":
        return float(round(in_flight(series, floor.value_s).max(initial=0.0)))
    if parameter == "count" and (period_s := limit.values.get("period")):
        return highest_in_window(series.sent, period_s) * 1.0
    return None


def _is_known(family: Family, values: Mapping[str, float], plan: Plan, account: Account) -> bool:
    caps = concurrency_limits(plan, account)
    if family is Family.BUCKET:
        return any(_agrees(bucket.rate_per_s, values["rate"]) for bucket in buckets_of(plan, account).values())
    if family is Family.CONCURRENCY:
        return any(_agrees(cap.value, values["concurrency"]) for cap in caps)
    if family is Family.INVOCATION_RATE:
        limits = [INVOCATIONS_PER_ENVIRONMENT_PER_S * cap.value for cap in caps]
        return any(_agrees(limit, values["rate_limit"]) for limit in limits)
    # AWS's scaling rate is the same for all: what it does to a demand is always replayed
    return family is Family.SCALING_RATE and bool(caps)


def _agrees(known: float, fitted: float) -> bool:
    return abs(known - fitted) <= max(AGREES_COUNT, AGREES * known)


def _throttled_in(result: FitResult, fit: Fit) -> int:
    return sum(
        one.throttled_count
        for one in result.bounds
        if one.signature == fit.signature and one.family is fit.family and _overlap_s(fit, one) > 0
    )


def _overlap_s(fit: Fit, bound: Bound) -> float:
    return min(fit.to_s, bound.to_s) - max(fit.from_s, bound.from_s)


def _nearest(group: Sequence[Binding], bound: Bound) -> Binding:
    return max(group, key=lambda one: min(one.to_s, bound.to_s) - max(one.from_s, bound.from_s))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"
