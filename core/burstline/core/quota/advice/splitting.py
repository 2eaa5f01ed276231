"""Reserved concurrency split anew among functions that share an account, so that the smallest headroom is largest.

Headroom of a function is 1 - need / share. The smallest one is largest when all are equal, that is when shares are in
proportion to needs, to whole environments; the pool of functions without reserved concurrency is one of them, and never
below AWS's minimum.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heapreplace
from math import ceil

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.quota.advice.concurrency_advice import need_of
from burstline.core.quota.advice.concurrency_advice import pooled as as_one
from burstline.core.quota.advice.demand import Demand
from burstline.core.quota.advice.playing import play
from burstline.core.quota.answers.limits import LAMBDA_FRONTS
from burstline.core.quota.quotas import UNRESERVED_MINIMUM, Account, Layer

POOL = ""
"""Stands for all functions without reserved concurrency."""

REPLAYS = 30
LAMBDA_LAYERS = (Layer.RESERVED_CONCURRENCY, Layer.ACCOUNT_CONCURRENCY, Layer.INVOCATION_RATE)


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets what.

    Attributes:
        shares: function -> environments; `POOL` is what stays unreserved.
        headroom: the smallest one, 0..1.
    """

    shares: Mapping[str, int]
    headroom: float


def best_split(total: int, needs: Mapping[str, float], pool_minimum: int = UNRESERVED_MINIMUM) -> Split | None:
    """Return the split of `total` environments with the largest smallest headroom; None if the needs do not fit.

    Args:
        needs: function -> environments, each >= 0; `POOL` for what shares the rest, if anything does.
        pool_minimum: what must stay unreserved.
    """
    own = [name for name in needs if name != POOL]
    if not own or sum(needs[name] for name in own) <= 0:
        return None
    shares = {name: max(1, ceil(needs[name])) for name in own}
    shares[POOL] = max(pool_minimum, ceil(needs.get(POOL, 0.0)))
    left = total - sum(shares.values())
    if left < 0:
        return None
    # one after the other to whoever is tightest then: no other whole numbers leave the tightest one more
    tightest = [(-need / max(1, shares[name]), name) for name, need in needs.items() if need > 0]
    heapify(tightest)
    for _ in range(left):
        name = tightest[0][1]
        shares[name] += 1
        heapreplace(tightest, (-needs[name] / shares[name], name))
    return Split(shares, 1 + tightest[0][0])


def split_account(account: Account, split: Split) -> Account:
    """Return the account with a split in force."""
    functions = dict(account.functions)
    for name, share in split.shares.items():
        if name != POOL:
            functions[name] = replace(functions[name], reserved=share)
    return replace(account, functions=functions)


def split_text(plan: Plan, account: Account, demand: Demand) -> str:
    """Return, for a reader, the best split of the concurrency that is there, replayed; "" where there is none."""
    if plan.target.front not in LAMBDA_FRONTS:
        return ""
    needs = needs_of(account, demand)
    elsewhere = sum(f.reserved or 0 for name, f in account.functions.items() if name not in needs)
    total = account.concurrency - elsewhere
    split = best_split(total, needs)
    if split is None:
        most = sum(needs.values())
        return f"No other split of the {total:,} that are there suffices: the functions need {most:,.0f} together."
    result = play(plan, split_account(account, split), demand)
    refused = sum(result.throttled_count.get(layer, 0) for layer in LAMBDA_LAYERS)
    shares = ", ".join(f"{name} {share:,}" for name, share in split.shares.items() if name != POOL)
    checked = "replayed, none is throttled" if not refused else f"replayed, {refused:,} are still throttled"
    return (
        f"Without an increase: split the {total:,} anew as {shares} reserved, {split.shares[POOL]:,} unreserved; the "
        f"smallest headroom is {split.headroom:.0%} ({checked})."
    )


def needs_of(account: Account, demand: Demand) -> dict[str, float]:
    """Return what each function with reserved concurrency needs, and `POOL` for the others of the demand together."""
    needs: dict[str, float] = {}
    pooled = np.zeros(len(demand.times_s), np.bool_)
    for index, name in enumerate(demand.functions):
        mine = demand.function == index
        function = account.functions.get(name)
        if function is not None and function.reserved is not None and name in demand.services and mine.any():
            needs[name] = need_of(demand.times_of(mine), demand.services[name], REPLAYS).safe
        elif name in demand.services:
            pooled |= mine
    services = [demand.services[n] for i, n in enumerate(demand.functions) if n in demand.services
                and pooled[demand.function == i].any()]  # fmt: skip
    if services:
        needs[POOL] = need_of(demand.times_of(pooled), as_one(services), REPLAYS).safe
    return needs
