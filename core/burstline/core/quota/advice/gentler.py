"""Advice where no increase will help: how much gentler the plan must be, and the plan that is."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from burstline.core.load.plan import Phase, Plan
from burstline.core.quota.advice.demand import Demand, scaled, with_load
from burstline.core.quota.advice.frontier import burst_needed
from burstline.core.quota.advice.playing import is_cut, outgrows_scaling, play, refused_by_laws
from burstline.core.quota.advice.proposals import Advice
from burstline.core.quota.advice.provisioning import provisioned_ahead
from burstline.core.quota.advice.slowing import changes_text, least_slowness, slowed
from burstline.core.quota.advice.ways_out import Limit, ways_out
from burstline.core.quota.answers.limits import GATEWAY_FRONTS
from burstline.core.quota.quotas import SCALING_PERIOD_S, SCALING_STEP, Account, Layer, Scaling

DRAWS = 12
"""Draws of arrivals and service times in each of which a plan must stay below the scaling rate."""

ROOM = 1.2
"""Recommended over required: what the slowness adds, times this."""

TRIES = 4

MOST_CONCURRENCY = 1000
"""Of a queue's mapping; `MaximumConcurrency` of its ScalingConfig (Lambda API reference; read 2026-11-23)."""


def gentler(
    plan: Plan, account: Account, demand: Demand, *, burst: bool, scaling_count: int, grows: bool
) -> list[Advice]:
    """Return the advice to change the plan, one for each limit that cannot be raised; the same change solves all.

    Args:
        account: with everything else that is recommended in force.
        burst: the account's burst is in the way.
        scaling_count: requests that the scaling rate would refuse.
        grows: whether it would refuse any in the part that was not replayed.
    """
    load = scaled(plan.load, demand.scale)
    least = least_slowness(_holds(plan, account, demand, load, DRAWS))
    found: tuple[Phase, ...] | None = None
    text: tuple[str, ...] = (
        "No slower ramp of this plan passes: it needs fewer requests, shorter ones, or another account.",
    )
    verified, chosen = False, None
    if least is not None:
        for extra in range(TRIES):
            chosen = 1 + (least - 1) * ROOM * 1.15**extra
            found = slowed(load, chosen, account.gateway.rate_per_s)
            verified = _passes(plan, account, with_load(demand, plan, found))
            if verified:
                break
        text = changes_text(load, found or load)
    # like a quota's required number, the slowness without headroom is what this very plan needs
    usual = least_slowness(_holds(plan, account, demand, load, 1)) if least is not None else None
    pace = (usual, chosen) if usual is not None and chosen is not None else None
    advices = []
    if burst:
        served = min(0.99, account.gateway.burst / max(1.0, burst_needed(demand.times_s, account.gateway.rate_per_s)))
        others = _others(plan, account, demand, Layer.ACCOUNT_GATEWAY, served, None)
        advices.append(_burst_advice(account, demand, (*text, *others), verified, found, pace))
    if scaling_count or grows:
        others = _others(plan, account, demand, Layer.SCALING_RATE, 0.95, min(account.unreserved(), MOST_CONCURRENCY))
        ahead = provisioned_ahead(plan, account, demand)
        advices.append(_scaling_advice(account, scaling_count, (*text, *others, *ahead), verified, found, pace))
    return advices


def with_pace(plan: Plan, account: Account, demand: Demand, advices: Sequence[Advice]) -> list[Advice]:
    """Return the advice with the slowness that is required on an account as it will be.

    Args:
        account: with what the changed plan needs in force.
        demand: of the unchanged plan.
    """
    load = scaled(plan.load, demand.scale)
    least = least_slowness(_holds(plan, account, demand, load, 1))
    return [
        replace(one, slowness=(least, one.slowness[1])) if least is not None and one.slowness is not None else one
        for one in advices
    ]


def _others(
    plan: Plan, account: Account, demand: Demand, layer: Layer, served: float, concurrency: float | None
) -> tuple[str, ...]:
    """What else would do than a gentler plan."""

    def refused(changed: Demand, seed: int) -> int:
        return play(plan, account, changed, seed).throttled_count.get(layer, 0)

    return ways_out(plan, demand, Limit(refused, max(0.01, served), concurrency, ramps=False))


def _holds(
    plan: Plan, account: Account, demand: Demand, load: tuple[Phase, ...], draws: int
) -> Callable[[float], bool]:
    bucket = account.gateway
    gateway = plan.target.front in GATEWAY_FRONTS

    def holds(slowness: float) -> bool:
        slower = slowed(load, slowness, bucket.rate_per_s)
        for draw in range(draws):
            # random arrivals of a later run are others than this one's
            gentle = with_load(demand, replace(plan, seed=plan.seed + draw), slower)
            if gateway and burst_needed(gentle.times_s, bucket.rate_per_s) > bucket.burst:
                return False
            if outgrows_scaling(account, gentle, draw):
                return False
        return True

    return holds


def _passes(plan: Plan, account: Account, demand: Demand) -> bool:
    if any(refused_by_laws(plan, account, demand).values()):
        # the laws are tried one by one and so are sometimes too strict: the model itself decides where it can
        return not is_cut(demand) and not play(plan, account, demand).throttled_count
    return not play(plan, account, demand).throttled_count


def _burst_advice(
    account: Account,
    demand: Demand,
    text: tuple[str, ...],
    verified: bool,
    load: tuple[Phase, ...] | None,
    pace: tuple[float, float] | None,
) -> Advice:
    bucket = account.gateway
    return Advice(
        quota="plan:bursts",
        adjustable=True,
        unit="requests",
        current=burst_needed(demand.times_s, bucket.rate_per_s),
        required=bucket.burst,
        recommended=bucket.burst if verified else None,
        derivation=(
            f"The plan's bursts need a burst of {burst_needed(demand.times_s, bucket.rate_per_s):,.0f} at the "
            f"account's rate of {bucket.rate_per_s:,.0f} requests/s; the account's is {bucket.burst:,.0f} and cannot "
            "be requested: what sends the bursts has to spread them."
        ),
        alternatives=text,
        verified=verified,
        load=load,
        slowness=pace,
    )


def _scaling_advice(
    account: Account,
    refused: int,
    text: tuple[str, ...],
    verified: bool,
    load: tuple[Phase, ...] | None,
    pace: tuple[float, float] | None,
) -> Advice:
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
            f"Replayed with all other limits as high as the unchanged plan needs them, {refused:,} requests would come "
            f"while Lambda may not start more environments ({rate}). AWS does not raise this rate: an increase will "
            "not help."
        ),
        alternatives=text,
        verified=verified,
        load=load,
        slowness=pace,
    )
