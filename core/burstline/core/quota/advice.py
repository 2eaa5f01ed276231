"""Advice: for each limit in the demand's way, the number that lets it through, why, and the command."""

from dataclasses import replace

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.quota.admission import Call
from burstline.core.quota.bucket_advice import bucket_proposals
from burstline.core.quota.concurrency_advice import concurrency_proposals
from burstline.core.quota.demand import Demand
from burstline.core.quota.limits import GATEWAY_FRONTS
from burstline.core.quota.peaks import MOST_ARRIVALS, busiest
from burstline.core.quota.proposals import Advice
from burstline.core.quota.quotas import SCALING_PERIOD_S, SCALING_STEP, Account, Layer, Scaling
from burstline.core.quota.replay import ReplayResult, replay

VERIFY_SEED = 2


def advise(plan: Plan, account: Account, demand: Demand) -> tuple[Advice, ...]:
    """Return what to change for the demand, outermost limit first; empty if every limit has headroom.

    Each advice is checked by playing the demand through the admission model with all of them in force.
    """
    if not len(demand.times_s):
        return ()
    proposals = [*bucket_proposals(plan, account, demand), *concurrency_proposals(plan, account, demand)]
    if not proposals:
        return ()
    changed = account
    for proposal in proposals:
        changed = proposal.apply(changed)
    result = play(plan, changed, demand)
    found = []
    for proposal in proposals:
        solved = proposal.advice.recommended is not None and not result.throttled_count.get(proposal.layer, 0)
        if proposal.needed:
            found.append(replace(proposal.advice, verified=solved))
    refused = result.throttled_count.get(Layer.SCALING_RATE, 0)
    if refused:
        found.append(_scaling_advice(account, refused))
    return tuple(found)


def play(plan: Plan, account: Account, demand: Demand) -> ReplayResult:
    """Play the demand (of a long one its busiest stretch) through the admission model."""
    target = plan.target
    calls = tuple(
        Call(name, target.stage, target.usage_plan, gateway=target.front in GATEWAY_FRONTS) for name in demand.functions
    )
    random = np.random.default_rng(VERIFY_SEED)
    service_s = np.full(len(demand.times_s), 0.0)
    for index, name in enumerate(demand.functions):
        mine = demand.function == index
        if name in demand.services:
            service_s[mine] = demand.services[name].draw(int(np.count_nonzero(mine)), random)
    start, stop = 0, len(demand.times_s)
    if stop > MOST_ARRIVALS and demand.services:
        stretch = busiest(demand.times_s, next(iter(demand.services.values())))
        start = int(np.searchsorted(demand.times_s, stretch[0]))
        stop = start + len(stretch)
    chosen = slice(start, stop)
    # the measured times hold, whatever a function that nobody declared would be cut off at
    longest_s = float(service_s.max(initial=0.0)) + 1.0
    functions = {
        name: replace(function, timeout_s=max(function.timeout_s, longest_s))
        for name, function in account.functions.items()
    }
    return replay(
        replace(account, functions=functions),
        demand.times_s[chosen],
        service_s[chosen],
        calls=calls,
        call_index=demand.function[chosen],
    )


def _scaling_advice(account: Account, refused: int) -> Advice:
    legacy = account.scaling is Scaling.LEGACY
    rate = "500 a minute for the account" if legacy else f"{SCALING_STEP:,} every {SCALING_PERIOD_S:.0f} s per function"
    return Advice(
        quota="lambda:scaling-rate",
        adjustable=False,
        unit="environments per 10 s",
        current=None if legacy else float(SCALING_STEP),
        required=None,
        recommended=None,
        derivation=(
            f"Replayed with everything else recommended here in force, {refused:,} requests would come while Lambda "
            f"may not start more environments ({rate}). AWS does not raise this rate: an increase will not help."
        ),
        alternatives=(
            "Ramp up more slowly, so that concurrency grows by less than 100 a second.",
            "Provisioned concurrency, allocated before the peak (up to 6,000 environments a minute).",
            "Put SQS in front, where a caller need not wait for the answer.",
        ),
    )
