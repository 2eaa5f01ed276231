"""Provisioned concurrency against cold starts: how many environments, what it saves, and from when on it is cheaper."""

from dataclasses import replace
from math import ceil

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.quota.admission.replay import ReplayResult
from burstline.core.quota.advice.commands import put_provisioned
from burstline.core.quota.advice.concurrency_advice import PROVISIONED_BREAK_EVEN, need_of
from burstline.core.quota.advice.demand import Demand
from burstline.core.quota.advice.playing import is_cut, play
from burstline.core.quota.advice.proposals import Advice
from burstline.core.quota.answers.limits import LAMBDA_FRONTS
from burstline.core.quota.prices import (
    LAMBDA_USD_PER_GB_S,
    MB_PER_GB,
    PROVISIONED_DURATION_USD_PER_GB_S,
    PROVISIONED_USD_PER_GB_S,
)
from burstline.core.quota.quotas import Account, Function

COLD_RATIO = 0.01
"""Cold starts above this share are worth an advice; AWS: "typically under 1 % of invocations" (Lambda Developer Guide,
"Understanding the Lambda execution environment lifecycle"; read 2026-11-23)."""

FEWEST_COLD = 10
SPARE = 1.1
"""AWS suggests the expected peak and about 10 % (Lambda Developer Guide, provisioned concurrency; read 2026-11-23)."""

REPLAYS = 30
AHEAD = (1.0, SPARE, 1.25)
"""Of the peak: what provisioned concurrency against the scaling rate is tried with."""

PROVISIONED_PER_MIN = 6000
"""Environments that AWS allocates a minute and function (Lambda Developer Guide, provisioned concurrency; read
2026-11-23)."""


def provisioned_advice(plan: Plan, account: Account, demand: Demand, result: ReplayResult) -> tuple[Advice, ...]:
    """Return an advice for each function that would have many cold starts, replayed with what it recommends.

    Args:
        account: with everything else that is recommended in force.
        result: of playing the demand against it.
    """
    if plan.target.front not in LAMBDA_FRONTS or is_cut(demand):
        return ()
    found = []
    for index, name in enumerate(demand.functions):
        function = account.functions.get(name)
        mine = demand.function == index
        cold, all_count = int(np.count_nonzero(result.cold & mine)), int(np.count_nonzero(mine))
        if function is None or not function.init_s or name not in demand.services:
            continue
        if cold >= FEWEST_COLD and cold > COLD_RATIO * all_count:
            found.append(_advice(plan, account, demand, function, index, cold))
    return tuple(found)


def provisioned_ahead(plan: Plan, account: Account, demand: Demand) -> tuple[str, ...]:
    """Return how many environments, allocated before the peak, spare a demand the scaling rate, replayed; a sentence.

    Empty where no number that was tried does, or only a part of the demand can be replayed.

    Args:
        account: with everything else that is recommended in force.
    """
    if is_cut(demand):
        return ()
    needs = {
        name: need_of(demand.times_of(demand.function == index), replace(demand.services[name], init_s=0.0), REPLAYS)
        for index, name in enumerate(demand.functions)
        if name in account.functions and name in demand.services and np.any(demand.function == index)
    }
    for more in AHEAD:
        counts = {
            name: max(account.functions[name].provisioned, ceil(need.safe * more)) for name, need in needs.items()
        }
        functions = {name: replace(account.functions[name], provisioned=count) for name, count in counts.items()}
        trial = replace(account, functions=account.functions | functions)
        if counts and not play(plan, trial, demand).throttled_count:
            shares = ", ".join(f"{count:,} for {name}" for name, count in counts.items())
            return (
                f"Provisioned concurrency of {shares}, all of it ready before the plan starts (AWS allocates up to "
                f"{PROVISIONED_PER_MIN:,} a minute per function), in an account of "
                f"{account.concurrency:,}: replayed, none is throttled.",
            )
    return ()


def net_usd_per_hour(count: int, concurrency: float, memory_mb: int) -> float:
    """Return what `count` provisioned environments cost more per hour than on demand, USD; below 0 it is cheaper.

    Args:
        concurrency: mean calls in flight, 0..count.
        memory_mb: per environment.
    """
    gb = memory_mb / MB_PER_GB
    saved = concurrency * (LAMBDA_USD_PER_GB_S - PROVISIONED_DURATION_USD_PER_GB_S)
    return (count * PROVISIONED_USD_PER_GB_S - saved) * gb * 3600


def _advice(plan: Plan, account: Account, demand: Demand, function: Function, index: int, cold: int) -> Advice:
    mine = demand.function == index
    times_s, services = demand.times_of(mine), demand.services[function.name]
    need = need_of(times_s, replace(services, init_s=0.0), REPLAYS)
    recommended = max(function.provisioned, ceil(need.safe * SPARE))
    trial = replace(function, provisioned=recommended)
    played = play(plan, replace(account, functions=account.functions | {function.name: trial}), demand)
    still_cold = int(np.count_nonzero(played.cold & mine))
    lasts_s = max(1.0, float(demand.times_s[-1] - demand.times_s[0]))
    mean = min(float(recommended), services.mean_s * len(times_s) / lasts_s)
    cost = net_usd_per_hour(recommended, mean, function.memory_mb)
    slow = float(np.quantile(services.table_s, 0.99)) + function.init_s
    return Advice(
        f"lambda:provisioned:{function.name}",
        True,
        "provisioned environments",
        function.provisioned,
        need.required,
        recommended,
        f"For {demand.what}: {cold:,} of {len(times_s):,} calls would be cold and take {function.init_s:.3g} s longer "
        f"(up to {slow:.3g} s at the 99th percentile). With {recommended:,} environments ready, {still_cold:,} would. "
        f"At the plan's mean of {mean:,.0f} calls in flight they are used {mean / recommended:.0%}; from "
        f"{PROVISIONED_BREAK_EVEN:.0%} on they cost less than on demand, here USD {abs(cost):,.2f} an hour "
        f"{'less' if cost < 0 else 'more'} (list prices, us-east-1). They count against the same concurrency.",
        command=put_provisioned(function.name, account.region, recommended),
        alternatives=("A shorter init, or SnapStart where the runtime has it (not together).",),
        verified=not still_cold and not played.throttled_count,
    )
