"""The buckets in front of the environments, over all arrivals at once: what they refuse does not hang on what runs.

Every bucket sees what the one before let through and nothing comes back, so they are passed one after the other, each
over its whole array. The decisions are `Admission`'s, bit for bit: a bucket that can be shown never to run dry is
skipped, any other is `bucket_accepts`, and a usage plan's count per period, which does look back, is played.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.admission.admission import Admission, Call
from burstline.core.quota.admission.buckets import bucket_accepts
from burstline.core.quota.admission.replay import LAYER_CODES
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Bucket, Function, Layer

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

_MARGIN = 1e-3
"""Tokens by which a bucket must stay above 1 to be called never dry: far above the rounding of either computation."""


def pass_gates(account: Account, calls: tuple[Call, ...], times_s: Floats, which: NDArray[np.int64]) -> Codes:
    """Return per arrival 0, or the `LAYER_CODES` of the gateway or invocation-rate layer that refuses it.

    Args:
        account: its quotas.
        calls: the kinds of call.
        times_s: seconds, ascending.
        which: index into `calls`; same length.
    """
    codes = np.zeros(len(times_s), np.int8)
    if _quota_may_bind(account, calls, which):
        _play_gateway(account, calls, times_s, which, codes)
    else:
        _pass_gateway(account, calls, times_s, which, codes)
    _pass_invocations(account, calls, times_s, which, codes)
    return codes


def never_dry(times_s: Floats, rate_per_s: float, burst: float) -> bool:
    """Whether a bucket certainly refuses none of the requests at `times_s` (ascending seconds); False is "unknown".

    Before request n (from 0) it has `min over k <= n of burst + rate (t_n - t_k) - (n - k)` tokens.
    """
    if not len(times_s):
        return True
    taken = np.arange(len(times_s)) - rate_per_s * times_s
    tokens = burst + np.minimum.accumulate(taken) - taken
    return bool(tokens.min() >= 1.0 + _MARGIN)


def _refuse(times_s: Floats, codes: Codes, subject: NDArray[np.bool_], bucket: Bucket, layer: Layer) -> None:
    """Let the still living arrivals of `subject` through a bucket; write `layer` where it refuses."""
    index = np.flatnonzero(subject & (codes == 0))
    at = times_s[index]
    if never_dry(at, bucket.rate_per_s, bucket.burst):
        return
    accepted = bucket_accepts(at, bucket.rate_per_s, bucket.burst)
    codes[index[~accepted]] = LAYER_CODES[layer]


def _of_calls(calls: tuple[Call, ...], which: NDArray[np.int64], chosen: list[bool]) -> NDArray[np.bool_]:
    return np.array(chosen, np.bool_)[which] if calls else np.zeros(len(which), np.bool_)


def _pass_gateway(
    account: Account, calls: tuple[Call, ...], times_s: Floats, which: NDArray[np.int64], codes: Codes
) -> None:
    for plan in account.usage_plans.values():
        if plan.bucket is not None:
            subject = _of_calls(calls, which, [c.gateway and c.usage_plan == plan.name for c in calls])
            _refuse(times_s, codes, subject, plan.bucket, Layer.USAGE_PLAN)
    for name, bucket in account.stages.items():
        subject = _of_calls(calls, which, [c.gateway and c.stage == name for c in calls])
        _refuse(times_s, codes, subject, bucket, Layer.STAGE)
    subject = _of_calls(calls, which, [c.gateway for c in calls])
    _refuse(times_s, codes, subject, account.gateway, Layer.ACCOUNT_GATEWAY)


def _quota_may_bind(account: Account, calls: tuple[Call, ...], which: NDArray[np.int64]) -> bool:
    limits = {plan.name: plan.quota_limit for plan in account.usage_plans.values() if plan.quota_limit is not None}
    if not limits:
        return False
    counts = np.bincount(which, minlength=len(calls))
    asked = {name: sum(int(counts[i]) for i, c in enumerate(calls) if c.usage_plan == name) for name in limits}
    return any(asked[name] > limit for name, limit in limits.items())


def _play_gateway(
    account: Account, calls: tuple[Call, ...], times_s: Floats, which: NDArray[np.int64], codes: Codes
) -> None:
    """Send all calls through the gateway part of `Admission`: behind it one function without limits, done at once."""
    unlimited = replace(account, functions={}, concurrency=10**9)
    admission = Admission(unlimited)
    kinds = [replace(call, function="") for call in calls]
    for index, (now_s, kind) in enumerate(zip(times_s.tolist(), which.tolist(), strict=True)):
        if not kinds[kind].gateway:
            continue
        decision = admission.arrive(now_s, kinds[kind])
        if decision.layer is None:
            admission.finish(now_s, decision)
        else:
            codes[index] = LAYER_CODES[decision.layer]


def _pass_invocations(
    account: Account, calls: tuple[Call, ...], times_s: Floats, which: NDArray[np.int64], codes: Codes
) -> None:
    """The 10x rule: a bucket for each function with reserved concurrency, one for all others together."""
    functions = [account.functions.get(call.function, Function(call.function)) for call in calls]
    for name in dict.fromkeys(f.name for f in functions if f.reserved is not None):
        subject = _of_calls(calls, which, [f.name == name for f in functions])
        reserved = account.functions[name].reserved or 0
        _refuse_invocations(times_s, codes, subject, reserved, Layer.RESERVED_CONCURRENCY)
    shared = _of_calls(calls, which, [f.reserved is None for f in functions])
    _refuse_invocations(times_s, codes, shared, account.unreserved(), Layer.ACCOUNT_CONCURRENCY)


def _refuse_invocations(
    times_s: Floats, codes: Codes, subject: NDArray[np.bool_], concurrency: int, owner: Layer
) -> None:
    rate_per_s = float(INVOCATIONS_PER_ENVIRONMENT_PER_S * concurrency)
    layer = Layer.INVOCATION_RATE if concurrency else owner  # as Admission: one switched off is its concurrency's
    _refuse(times_s, codes, subject, Bucket(rate_per_s, rate_per_s), layer)
