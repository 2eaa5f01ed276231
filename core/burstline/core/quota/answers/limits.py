"""Which declared limits stand behind a target, and in which bins the run was at one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Front, Plan
from burstline.core.load.window import BIN_S, BINS_PER_S
from burstline.core.quota.answers.series import Floats, Ints
from burstline.core.quota.quotas import (
    INVOCATIONS_PER_ENVIRONMENT_PER_S,
    LEGACY_REFILL_PER_S,
    SCALING_PERIOD_S,
    SCALING_STEP,
    Account,
    Layer,
    Scaling,
)

Mask = NDArray[np.bool_]

GATEWAY_FRONTS = frozenset({Front.REST, Front.HTTP})
"""Fronts that are API Gateway's, and so behind its buckets."""

LAMBDA_FRONTS = frozenset({Front.REST, Front.HTTP, Front.FUNCTION_URL, Front.ALB, Front.LAMBDA})
"""Fronts that Lambda can stand behind."""

NEAR = 0.1
"""How far an observed value may be from a limit and still be "at" it, as a share of the limit: client-side
estimates from 10 ms bins, against limits that AWS itself calls best effort."""

NEAR_COUNT = 2.0
"""The same for small limits, in requests."""


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """A cap on calls in flight.

    Attributes:
        layer: whose it is.
        function: the function it belongs to; "" for the account's.
        value: calls in flight.
        declared: it was stated (else it is AWS's default).
    """

    layer: Layer
    function: str
    value: int
    declared: bool


def functions_of(plan: Plan) -> tuple[str, ...]:
    """Return the function each request of the plan invokes, by request index; "" is unknown."""
    by_request = dict(plan.target.function_of)
    return tuple(by_request.get(request.name, plan.target.function) for request in plan.requests)


def is_declared(account: Account, path: str) -> bool:
    """Whether the account's value at a dotted path, or one that holds it, was stated rather than defaulted."""
    return any(path == stated or path.startswith(stated + ".") for stated in account.declared) or any(
        stated.startswith(path + ".") for stated in account.declared
    )


def concurrency_limits(plan: Plan, account: Account) -> tuple[ConcurrencyLimit, ...]:
    """Return the caps that the plan's requests run under: reserved ones, and the account's if a function has none."""
    if plan.target.front not in LAMBDA_FRONTS:
        return ()
    found = []
    names = dict.fromkeys(functions_of(plan))
    for name in names:
        function = account.functions.get(name)
        if function is not None and function.reserved is not None:
            found.append(ConcurrencyLimit(Layer.RESERVED_CONCURRENCY, name, function.reserved, True))
    if len(found) < len(names):
        declared = is_declared(account, "lambda.concurrency")
        found.append(ConcurrencyLimit(Layer.ACCOUNT_CONCURRENCY, "", account.unreserved(), declared))
    return tuple(found)


def is_near(value: float, limit: float) -> bool:
    """Whether an observed value is at a limit, within what an estimate can tell."""
    return abs(value - limit) <= max(NEAR_COUNT, NEAR * limit)


def slack(limit: float) -> float:
    """Return by how much an observed value may miss `limit`."""
    return max(NEAR_COUNT, NEAR * limit)


def level_in_bins(in_flight: Floats) -> Floats:
    """Return the higher of the estimate at each bin's start and end."""
    return np.maximum(in_flight, np.concatenate(([0.0], in_flight))[: len(in_flight)])


def at_concurrency(in_flight: Floats, limit: float) -> Mask:
    """Return the bins in which calls in flight were at `limit`."""
    # Half as much again as what tells two limits apart: calls end within a bin before others take their place.
    mask: Mask = level_in_bins(in_flight) >= limit - 1.5 * slack(limit)
    return mask


def at_invocation_rate(admitted: Ints, concurrency: Sequence[ConcurrencyLimit]) -> Mask:
    """Return the bins in which the last second's admitted calls were at 10 x the smallest of the caps."""
    if not concurrency or not len(admitted):
        return np.zeros(len(admitted), np.bool_)
    limit = INVOCATIONS_PER_ENVIRONMENT_PER_S * min(cap.value for cap in concurrency)
    mask: Mask = last_second(admitted) >= limit * (1 - NEAR)
    return mask


def at_scaling_rate(in_flight: Floats, account: Account) -> Mask:
    """Return the bins in which new environments (the running maximum of calls in flight) had used up their rate."""
    used, size = scaling_use(in_flight, account)
    mask: Mask = used >= size - slack(size)
    return mask


def scaling_use(in_flight: Floats, account: Account) -> tuple[Floats, float]:
    """Return the scaling allowance used at the end of each bin, and its size, environments."""
    legacy = account.scaling is Scaling.LEGACY
    size = float(account.legacy_burst if legacy else SCALING_STEP)
    refill_per_s = LEGACY_REFILL_PER_S if legacy else SCALING_STEP / SCALING_PERIOD_S
    if not len(in_flight):
        return in_flight, size
    environments = np.maximum.accumulate(in_flight)
    level = environments - refill_per_s * BIN_S * np.arange(1, len(in_flight) + 1)
    used = level - np.minimum.accumulate(np.minimum(level, 0.0))
    return used.astype(np.float64), size


def last_second(bins: Ints) -> Floats:
    """Return, for each bin, the sum over the second that ends with it."""
    total = np.concatenate((np.zeros(BINS_PER_S, np.int64), np.cumsum(bins)))
    return (total[BINS_PER_S:] - total[: len(bins)]).astype(np.float64)
