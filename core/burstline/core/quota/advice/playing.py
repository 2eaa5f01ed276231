"""A demand played through the admission model, and for long demands the same laws over every arrival.

Replaying costs 0.3 s per 100,000 arrivals, so of a longer demand the busiest stretch is replayed, and every arrival is
held to the laws that the admission model is made of: what a bucket refuses, the 10x rule, the peak of calls in flight,
and the pace of environments started.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Plan
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import ReplayResult, replay
from burstline.core.quota.advice.demand import Demand
from burstline.core.quota.advice.frontier import burst_needed
from burstline.core.quota.advice.peaks import MOST_ARRIVALS, busiest, starts_of
from burstline.core.quota.answers.limits import GATEWAY_FRONTS, LAMBDA_FRONTS, concurrency_limits
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.findings.candidates import buckets_of
from burstline.core.quota.quotas import (
    INVOCATIONS_PER_ENVIRONMENT_PER_S,
    LEGACY_REFILL_PER_S,
    SCALING_PERIOD_S,
    SCALING_STEP,
    Account,
    Layer,
    Scaling,
)

VERIFY_SEED = 2


def play(plan: Plan, account: Account, demand: Demand, seed: int = VERIFY_SEED) -> ReplayResult:
    """Play the demand (of a long one its busiest stretch) through the admission model."""
    target = plan.target
    calls = tuple(
        Call(name, target.stage, target.usage_plan, gateway=target.front in GATEWAY_FRONTS) for name in demand.functions
    )
    start, stop = 0, len(demand.times_s)
    if stop > MOST_ARRIVALS and demand.services:
        stretch = busiest(demand.times_s, next(iter(demand.services.values())))
        start = int(np.searchsorted(demand.times_s, stretch[0]))
        stop = start + len(stretch)
    chosen = slice(start, stop)
    service_s = drawn_services(replace(demand, times_s=demand.times_s[chosen], function=demand.function[chosen]), seed)
    # the measured times hold, whatever a function that nobody declared would be cut off at
    longest_s = float(service_s.max(initial=0.0)) + 1.0
    functions = {
        name: replace(function, timeout_s=max(function.timeout_s, longest_s))
        for name, function in account.functions.items()
    }
    return replay(
        replace(account, functions=functions),
        demand.times_s[chosen],
        service_s,
        calls=calls,
        call_index=demand.function[chosen],
        seed=seed,
    )


def drawn_services(demand: Demand, seed: int) -> Floats:
    """Return a service time for each arrival, seconds; 0 for functions of which nothing is known."""
    random = np.random.default_rng(seed)
    service_s = np.full(len(demand.times_s), 0.0)
    for index, name in enumerate(demand.functions):
        mine = demand.function == index
        if name in demand.services:
            service_s[mine] = demand.services[name].draw(int(np.count_nonzero(mine)), random)
    return service_s


def is_cut(demand: Demand) -> bool:
    """Whether `play` replays only a part of the demand."""
    return len(demand.times_s) > MOST_ARRIVALS and bool(demand.services)


def refused_by_laws(plan: Plan, account: Account, demand: Demand, seed: int = VERIFY_SEED) -> Mapping[Layer, bool]:
    """Return, per layer that stands in the way, whether its law refuses any arrival of the whole demand.

    Each law is tried on all arrivals, as if no other refused any: right whenever the answer is "none is refused".
    """
    times_s = demand.times_s
    found = {
        layer: burst_needed(times_s, bucket.rate_per_s) > bucket.burst + 1e-6
        for layer, bucket in buckets_of(plan, account).items()
    }
    if plan.target.front not in LAMBDA_FRONTS:
        return found
    usage_plan = account.usage_plans.get(plan.target.usage_plan)
    if usage_plan is not None and usage_plan.quota_limit is not None:
        full = len(times_s) > usage_plan.quota_limit
        found[Layer.USAGE_PLAN] = found.get(Layer.USAGE_PLAN, False) or full
    for cap in concurrency_limits(plan, account):
        mine = _under(cap.layer, cap.function, account, demand)
        rate = float(INVOCATIONS_PER_ENVIRONMENT_PER_S * cap.value)
        over = bool(mine.any()) and burst_needed(demand.times_of(mine), rate) > rate + 1e-6
        found[Layer.INVOCATION_RATE] = found.get(Layer.INVOCATION_RATE, False) or over
        high = peak_of(demand, mine, seed) > cap.value
        found[cap.layer] = found.get(cap.layer, False) or high
    found[Layer.SCALING_RATE] = outgrows_scaling(account, demand, seed)
    return found


def peak_of(demand: Demand, mine: NDArray[np.bool_], seed: int) -> int:
    """Return the most calls in flight of some arrivals when nothing is refused."""
    count = 0
    random = np.random.default_rng(seed)
    levels = []
    for index, name in enumerate(demand.functions):
        own = mine & (demand.function == index)
        if name in demand.services and own.any():
            levels.append(starts_of(demand.times_of(own), demand.services[name], random)[1])
    if levels:
        # peaks of several functions need not coincide: their sum is an upper bound
        count = sum(levels)
    return count


def outgrows_scaling(account: Account, demand: Demand, seed: int = VERIFY_SEED) -> bool:
    """Whether environments would have to be started faster than Lambda starts them."""
    legacy = account.scaling is Scaling.LEGACY
    size = float(account.legacy_burst if legacy else SCALING_STEP)
    refill_per_s = LEGACY_REFILL_PER_S if legacy else SCALING_STEP / SCALING_PERIOD_S
    random = np.random.default_rng(seed)
    every: list[Floats] = []
    for index, name in enumerate(demand.functions):
        mine = demand.function == index
        services = demand.services.get(name)
        if services is None or not mine.any():
            continue
        function = account.functions.get(name)
        starts_s, _ = starts_of(demand.times_of(mine), services, random)
        # provisioned environments are there already
        starts_s = starts_s[function.provisioned if function else 0 :]
        if not legacy and burst_needed(starts_s, refill_per_s) > size:
            return True
        every.append(starts_s)
    if legacy and every:
        return burst_needed(np.sort(np.concatenate(every)), refill_per_s) > size
    return False


def _under(layer: Layer, function: str, account: Account, demand: Demand) -> NDArray[np.bool_]:
    """Which arrivals run under a cap."""
    if layer is Layer.RESERVED_CONCURRENCY:
        indices = [index for index, name in enumerate(demand.functions) if name == function]
    else:
        indices = [
            index
            for index, name in enumerate(demand.functions)
            if account.functions.get(name) is None or account.functions[name].reserved is None
        ]
    found: NDArray[np.bool_] = np.isin(demand.function, indices)
    return found
