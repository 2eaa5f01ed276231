"""Bindings: over which spans something throttled, by which law, and whose limit it may have been.

One layer is named only if a `Reason` said so, or if exactly one limit explains what was seen and was declared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from burstline.core.load.plan import Bursts, Plan
from burstline.core.load.window import BIN_S, BINS_PER_S
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.inflight import Floor, admitted_signatures, in_flight
from burstline.core.quota.answers.series import Ints, Series
from burstline.core.quota.answers.settle import Settlement
from burstline.core.quota.findings.candidates import (
    Candidate,
    Observed,
    candidates,
    observe,
    refused_by_invocation_rate,
)
from burstline.core.quota.quotas import Account, Bucket, Family, Layer

GAP_S = 5.0
"""Throttles that lie closer together than this belong to one span; between bursts, than one and a half periods."""

MOST_SPANS = 20
"""With more spans of one kind than this they are reported as one."""

_SURE, _FITTING, _OPEN, _PATTERN = 0.95, 0.85, 0.5, 0.7
"""Confidence: a Reason; one declared limit that fits; several candidates; the last times this when settled by
pattern. Our own grading, not a probability."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A span of run time in which a limit throttled.

    Attributes:
        from_s: of the first throttled request's bin, by send time.
        to_s: end of the last one's bin.
        family: the law it followed, as far as it can be told.
        part: for a named bucket, whether its `rate` or only its `burst` was exceeded; "" for others.
        candidates: limits it can have been, outermost first.
        layer: the one it was; None if that cannot be told.
        limit: value of the named bucket, or None.
        throttled_count: requests throttled in the span.
        confidence: in the attribution, 0..1.
        signatures: the answers that were throttled.
        fitted: the numbers of a limit that nobody declared, with their intervals, for a reader; "" for others.
    """

    from_s: float
    to_s: float
    family: Family
    part: str
    candidates: tuple[Candidate, ...]
    layer: Layer | None
    limit: Bucket | None
    throttled_count: int
    confidence: float
    signatures: tuple[str, ...] = ()
    fitted: str = ""


def bindings_of(
    plan: Plan, account: Account, series: Series, settlement: Settlement, floor: Floor
) -> tuple[Binding, ...]:
    """Return every binding of a run, by start."""
    admitted = series.sum_of(admitted_signatures(series))
    observed = observe(plan, account, series, in_flight(series, floor.value_s), admitted)
    found = []
    # signatures that mean the same are one kind of throttle
    kinds: dict[tuple[tuple[Layer, ...], tuple[Family, ...]], list[str]] = {}
    for signature, bins in settlement.throttled.items():
        if bins.any():
            about = meaning(signature)
            kinds.setdefault((about.layers, about.families), []).append(signature)
    for (layers, families), signatures in kinds.items():
        throttled = np.sum([settlement.throttled[name] for name in signatures], axis=0)
        explained = [settlement.explained[name][0] for name in signatures if name in settlement.explained]
        by_rate = refused_by_invocation_rate(observed, throttled)
        for low, high in _spans(throttled, plan):
            if families == (Family.PLAN_QUOTA,):
                named = [
                    Candidate(Layer.USAGE_PLAN, "The answer says that the usage plan's quota is used up.", True, True)
                ]
            else:
                named = candidates(layers, account, observed, throttled, by_rate, low, high) or _said(layers)
            family = explained[0] if explained else families[0]
            part_of = _part(plan, series, low, high)
            binding = _binding(part_of, observed, throttled, low, high, family, len(layers) == 1, named, explained)
            found.append(replace(binding, signatures=tuple(signatures)))
    return tuple(sorted(found, key=lambda binding: binding.from_s))


def _said(layers: Sequence[Layer]) -> list[Candidate]:
    """The layer that the answer itself names, though nothing is known of a limit there."""
    return [Candidate(layers[0], "The answer itself names it.", True, False)] if len(layers) == 1 else []


def _binding(
    part_of: Callable[[Bucket], str],
    observed: Observed,
    throttled: Ints,
    low: int,
    high: int,
    family: Family,
    by_reason: bool,
    named: list[Candidate],
    explained: Sequence[Family],
) -> Binding:
    explaining = [candidate for candidate in named if candidate.explains]
    layer: Layer | None = None
    confidence = _OPEN / max(1, len(explaining or named))
    if by_reason and named:
        layer, confidence = named[0].layer, _SURE
    elif len(explaining) == 1 and explaining[0].declared:
        layer, confidence = explaining[0].layer, _FITTING
    if explained:
        confidence *= _PATTERN
    if layer is not None:
        family = _FAMILY_OF.get(layer, family)
    bucket = observed.buckets.get(layer) if layer is not None and family is Family.BUCKET else None
    part = part_of(bucket) if bucket is not None else ""
    count = int(throttled[low:high].sum())
    return Binding(
        round(low * BIN_S, 2), round(high * BIN_S, 2), family, part, tuple(named), layer, bucket, count, confidence
    )


_FAMILY_OF = {
    Layer.RESERVED_CONCURRENCY: Family.CONCURRENCY,
    Layer.ACCOUNT_CONCURRENCY: Family.CONCURRENCY,
    Layer.INVOCATION_RATE: Family.INVOCATION_RATE,
    Layer.SCALING_RATE: Family.SCALING_RATE,
}


def _spans(throttled: Ints, plan: Plan) -> list[tuple[int, int]]:
    """Stretches of bins with throttles, without the gaps that belong to them."""
    hit = np.flatnonzero(throttled)
    if not len(hit):
        return []
    gaps_s = np.diff(hit) * BIN_S
    phases = np.searchsorted(np.cumsum([phase.duration_s for phase in plan.load]), hit * BIN_S, side="right")
    allowed_s = np.array([_gap_in(plan, phase) for phase in range(len(plan.load) + 1)])[phases[:-1]]
    # bursts and steady load exceed different parts of a bucket: they are told apart
    trains = np.array([*(isinstance(phase.shape, Bursts) for phase in plan.load), False])[phases]
    cuts = np.flatnonzero((gaps_s > allowed_s) | (trains[1:] != trains[:-1]))
    if len(cuts) >= MOST_SPANS:
        return [(int(hit[0]), int(hit[-1]) + 1)]
    starts = [int(hit[0]), *(int(hit[cut + 1]) for cut in cuts)]
    ends = [*(int(hit[cut]) + 1 for cut in cuts), int(hit[-1]) + 1]
    return list(zip(starts, ends, strict=True))


def _gap_in(plan: Plan, phase: int) -> float:
    shape = plan.load[phase].shape if phase < len(plan.load) else None
    return max(GAP_S, 1.5 * shape.every_s) if isinstance(shape, Bursts) else GAP_S


def _part(plan: Plan, series: Series, low: int, high: int) -> Callable[[Bucket], str]:
    """What a span exceeds of a bucket: its `rate`, if the load would in the long run, else only its `burst`."""
    ends_s = np.cumsum([phase.duration_s for phase in plan.load])
    phase = min(int(np.searchsorted(ends_s, low * BIN_S, side="right")), len(plan.load) - 1)
    shape = plan.load[phase].shape
    if isinstance(shape, Bursts):
        lasting = shape.base_per_s + shape.size / shape.every_s
    else:
        width = max(high - low, BINS_PER_S)
        start = max(0, high - width)
        lasting = float(series.sent[start:high].sum()) / ((high - start) * BIN_S)
    return lambda bucket: "rate" if lasting > bucket.rate_per_s else "burst"
