"""Which limits could be behind the throttles of a span, and how well each explains what was seen.

A bucket is tried by playing the sent requests through it and comparing counts; a concurrency limit by the estimate of
calls in flight; the 10x rule by the admitted rate; the scaling rate by the growth of concurrency.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.load.window import BIN_S
from burstline.core.quota.admission.buckets import TokenBucket
from burstline.core.quota.advice.demand import spread_blocks
from burstline.core.quota.advice.frontier import burst_needed_of
from burstline.core.quota.answers.limits import (
    GATEWAY_FRONTS,
    ConcurrencyLimit,
    concurrency_limits,
    is_declared,
    is_near,
    level_in_bins,
    scaling_use,
)
from burstline.core.quota.answers.series import Floats, Ints, Series
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Bucket, Layer

ALIKE_RATIO = 0.1
"""Replayed and observed counts that differ by no more than this share are alike: the replay has 10 ms bins, AWS's
limits are best effort, and other callers' requests are not seen."""

ALIKE_COUNT = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A limit that could be behind the throttles of a span.

    Attributes:
        layer: whose it is.
        evidence: what speaks for or against it, a sentence.
        explains: its declared or default value explains what was seen.
        declared: the value was stated, not defaulted.
    """

    layer: Layer
    evidence: str
    explains: bool
    declared: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What candidates are tried on.

    Attributes:
        in_flight: estimate at the end of each bin.
        admitted: calls that ran, by bin of their send time.
        refused_by: declared bucket's layer -> requests it would have refused alone, by bin.
        buckets: those buckets.
        caps: concurrency limits in the way.
    """

    in_flight: Floats
    admitted: Ints
    refused_by: Mapping[Layer, Ints]
    buckets: Mapping[Layer, Bucket]
    caps: Sequence[ConcurrencyLimit]


def observe(plan: Plan, account: Account, series: Series, in_flight: Floats, admitted: Ints) -> Observed:
    """Play what was sent through each bucket that is known to stand in the way, alone."""
    buckets = buckets_of(plan, account)
    refused = {layer: _refused(series.sent, bucket) for layer, bucket in buckets.items()}
    return Observed(in_flight, admitted, refused, buckets, concurrency_limits(plan, account))


def buckets_of(plan: Plan, account: Account) -> dict[Layer, Bucket]:
    """Return the API Gateway buckets that the plan's requests pass, outermost first."""
    target = plan.target
    if target.front not in GATEWAY_FRONTS:
        return {}
    found = {}
    usage_plan = account.usage_plans.get(target.usage_plan)
    if usage_plan is not None and usage_plan.bucket is not None:
        found[Layer.USAGE_PLAN] = usage_plan.bucket
    if target.stage in account.stages:
        found[Layer.STAGE] = account.stages[target.stage]
    found[Layer.ACCOUNT_GATEWAY] = account.gateway
    return found


def refused_by_invocation_rate(observed: Observed, throttled: Ints) -> Ints:
    """Return what the 10x rule alone would have refused of the calls that reached Lambda, by bin.

    Args:
        throttled: calls that Lambda may have throttled, by bin of their send time.
    """
    if not observed.caps:
        return np.zeros_like(throttled)
    limit = float(INVOCATIONS_PER_ENVIRONMENT_PER_S * min(cap.value for cap in observed.caps))
    return _refused(observed.admitted + throttled, Bucket(limit, limit))


def candidates(
    layers: Sequence[Layer],
    account: Account,
    observed: Observed,
    throttled: Ints,
    by_invocation_rate: Ints,
    low: int,
    high: int,
) -> list[Candidate]:
    """Return each of `layers` as a candidate for the throttles of bins low..high (exclusive), outermost first.

    Args:
        throttled: the throttles to explain, by bin of their send time.
        by_invocation_rate: `refused_by_invocation_rate` of them.
    """
    span = slice(low, high)
    found: list[Candidate] = []
    for layer in layers:
        if layer is Layer.INVOCATION_RATE:
            found += _invocation_candidate(observed, int(throttled[span].sum()), int(by_invocation_rate[span].sum()))
        else:
            found += _candidates_of(layer, account, observed, throttled, span)
    return found


def _refused(sent: Ints, bucket: Bucket) -> Ints:
    """What a bucket refuses of the requests sent in each bin, by bin."""
    bins, count = np.zeros(len(sent), np.int64), len(sent)
    # the law of the frontier says at once, and much faster, whether anything is refused at all
    if burst_needed_of(spread_blocks(sent), bucket.rate_per_s) <= bucket.burst:
        return bins
    tokens = TokenBucket(bucket.rate_per_s, bucket.burst)
    for times_s in spread_blocks(sent):
        refused = times_s[~tokens.take_all(times_s)]
        bins += np.bincount((refused / BIN_S).astype(np.int64), minlength=count)[:count]
    return bins


def _candidates_of(
    layer: Layer, account: Account, observed: Observed, throttled: Ints, span: slice
) -> Iterator[Candidate]:
    if layer in (Layer.USAGE_PLAN, Layer.STAGE, Layer.ACCOUNT_GATEWAY):
        yield _bucket_candidate(layer, account, observed, throttled, span)
    elif layer in (Layer.RESERVED_CONCURRENCY, Layer.ACCOUNT_CONCURRENCY):
        yield from _concurrency_candidates(layer, observed, throttled, span)
    elif layer is Layer.SCALING_RATE:
        yield from _scaling_candidate(account, observed, span)
    else:
        yield Candidate(layer, "It answers in the same way; nothing is known of its limits.", False, False)


def _bucket_candidate(layer: Layer, account: Account, observed: Observed, throttled: Ints, span: slice) -> Candidate:
    bucket = observed.buckets.get(layer)
    if bucket is None:
        return Candidate(layer, "It answers in the same way; no limit of its own was declared.", False, False)
    declared = layer is not Layer.ACCOUNT_GATEWAY or is_declared(account, "apigateway.rate")
    seen, replayed = int(throttled[span].sum()), int(observed.refused_by[layer][span].sum())
    return Candidate(
        layer,
        f"Played through {bucket.rate_per_s:,.0f} requests/s and a burst of {bucket.burst:,.0f} "
        f"({'declared' if declared else 'default'}), what was sent loses {replayed:,}; {seen:,} were throttled.",
        _are_alike(seen, replayed),
        declared,
    )


def _concurrency_candidates(layer: Layer, observed: Observed, throttled: Ints, span: slice) -> Iterator[Candidate]:
    local = level_in_bins(observed.in_flight)[span]
    hit = throttled[span] > 0
    level = float(np.quantile(local[hit], 0.9)) if hit.any() else 0.0
    caps = [cap for cap in observed.caps if cap.layer is layer]
    for cap in caps:
        whose = f"of {cap.function}" if cap.function else "of the account"
        yield Candidate(
            layer,
            f"About {level:,.0f} calls were in flight when it throttled; "
            f"the {'declared' if cap.declared else 'default'} limit {whose} is {cap.value:,}.",
            is_near(level, cap.value),
            cap.declared,
        )
    if not caps and not observed.caps:
        yield Candidate(layer, f"About {level:,.0f} calls were in flight; no limit was declared.", False, False)


def _invocation_candidate(observed: Observed, seen: int, replayed: int) -> Iterator[Candidate]:
    if not observed.caps:
        return
    cap = min(observed.caps, key=lambda one: one.value)
    limit = INVOCATIONS_PER_ENVIRONMENT_PER_S * cap.value
    yield Candidate(
        Layer.INVOCATION_RATE,
        f"Played through ten times a concurrency of {cap.value:,} a second ({limit:,.0f}), what reached Lambda loses "
        f"{replayed:,}; {seen:,} were throttled.",
        _are_alike(seen, replayed),
        cap.declared,
    )


def _are_alike(seen: int, replayed: int) -> bool:
    return replayed > 0 and abs(seen - replayed) <= max(ALIKE_COUNT, ALIKE_RATIO * max(seen, replayed))


def _scaling_candidate(account: Account, observed: Observed, span: slice) -> Iterator[Candidate]:
    used, size = scaling_use(observed.in_flight, account)
    most = float(used[span].max(initial=0.0))
    yield Candidate(
        Layer.SCALING_RATE,
        f"Concurrency grew by {most:,.0f} beyond the steady allowance; Lambda's own limit is {size:,.0f}.",
        is_near(most, size) or most > size,
        True,
    )
