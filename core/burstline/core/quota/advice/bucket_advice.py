"""Advice on API Gateway's token buckets: usage plan and stage are yours to set, the account's rate can be asked for."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil, inf, isfinite

from burstline.core.load.plan import Plan
from burstline.core.quota.advice.commands import (
    GATEWAY_RATE_QUOTA,
    request_increase,
    update_stage,
    update_usage_plan,
    update_usage_plan_quota,
)
from burstline.core.quota.advice.demand import Demand
from burstline.core.quota.advice.frontier import burst_needed, highest_rate, rate_needed
from burstline.core.quota.advice.proposals import (
    HEADROOM,
    Advice,
    BurstAdvice,
    Proposal,
    with_headroom,
)
from burstline.core.quota.advice.widening import plan_changes
from burstline.core.quota.answers.limits import GATEWAY_FRONTS, is_declared
from burstline.core.quota.quotas import Account, Bucket, Layer, UsagePlan

SUSTAINED_S = 10.0
"""A rate that lasts this long has to be met by a bucket's rate; what is shorter may come out of its burst."""

ABSURD = 3.0
"""A required rate this many times the highest 1 s rate is no number to ask AWS for: the plan's bursts must change."""

UNIT = "requests/s"
ROUNDING = 1e-6


def bucket_proposals(plan: Plan, account: Account, demand: Demand) -> list[Proposal]:
    """Return a proposal for each bucket in the demand's way, outermost first."""
    target = plan.target
    if target.front not in GATEWAY_FRONTS:
        return []
    found = []
    usage_plan = account.usage_plans.get(target.usage_plan)
    if usage_plan is not None and usage_plan.quota_limit is not None:
        found.append(_plan_quota(usage_plan, usage_plan.quota_limit, account, demand))
    if usage_plan is not None and usage_plan.bucket is not None:
        rate, burst = needed_setting(demand)
        found.append(
            _own(
                f"apigateway:usage-plan:{usage_plan.name}",
                Layer.USAGE_PLAN,
                usage_plan.bucket,
                (rate, burst),
                demand,
                update_usage_plan(account.region, *_recommended(usage_plan.bucket, rate, burst)),
                _change_usage_plan(usage_plan.name),
                plan,
            )
        )
    stage = account.stages.get(target.stage)
    if stage is not None:
        rate, burst = needed_setting(demand)
        command = update_stage(target, account.region, *_recommended(stage, rate, burst))
        name = f"apigateway:stage:{target.stage}"
        change = _change_stage(target.stage)
        found.append(_own(name, Layer.STAGE, stage, (rate, burst), demand, command, change, plan))
    found.append(_account(plan, account, demand))
    return found


def _plan_quota(usage_plan: UsagePlan, limit: int, account: Account, demand: Demand) -> Proposal:
    required = len(demand.times_s)
    recommended = max(limit, int(with_headroom(required)))
    advice = Advice(
        f"apigateway:usage-plan:{usage_plan.name}:quota",
        True,
        f"requests per {usage_plan.quota_period}",
        limit,
        required,
        recommended,
        f"For {demand.what}: this run alone has {required:,} requests; what else the key sends in the period comes on "
        "top. It is your own setting: no request to AWS.",
        command=update_usage_plan_quota(account.region, recommended),
    )

    def change(old: Account) -> Account:
        changed = replace(old.usage_plans[usage_plan.name], quota_limit=recommended)
        return replace(old, usage_plans=old.usage_plans | {usage_plan.name: changed})

    return Proposal(advice, Layer.USAGE_PLAN, change, required > limit)


def needed_setting(demand: Demand) -> tuple[float, float]:
    """Return what a bucket of one's own needs: the rate that lasts, and the burst on the frontier at it."""
    lasts_s = float(demand.times_s[-1] - demand.times_s[0])
    rate = float(ceil(highest_rate(demand.times_s, max(1.0, min(SUSTAINED_S, lasts_s))) - ROUNDING))
    return rate, float(ceil(burst_needed(demand.times_s, rate) - ROUNDING))


def _recommended(bucket: Bucket, rate: float, burst: float) -> tuple[float, float]:
    return max(bucket.rate_per_s, with_headroom(rate)), max(bucket.burst, with_headroom(burst))


def _own(
    quota: str,
    layer: Layer,
    bucket: Bucket,
    needed: tuple[float, float],
    demand: Demand,
    command: str,
    change: Callable[[Account, Bucket], Account],
    plan: Plan,
) -> Proposal:
    rate, burst = needed
    new_rate, new_burst = _recommended(bucket, rate, burst)
    shortfall = burst_needed(demand.times_s, bucket.rate_per_s) > bucket.burst
    advice = Advice(
        quota,
        True,
        UNIT,
        bucket.rate_per_s,
        rate,
        new_rate,
        f"For {demand.what}: arrivals in any t seconds stay within burst + rate x t at a rate of {rate:,.0f} "
        f"(the highest that lasts {SUSTAINED_S:.0f} s, or the whole plan) and a burst of {burst:,.0f}. "
        f"Recommended: {HEADROOM - 1:.0%} more, rounded up. It is your own setting: no request to AWS.",
        BurstAdvice(bucket.burst, burst, new_burst, True),
        command,
        plan_changes(plan, bucket, demand.scale) if shortfall else (),
    )
    return Proposal(
        advice,
        layer,
        lambda account: change(account, Bucket(new_rate, new_burst)),
        shortfall or new_rate > bucket.rate_per_s or new_burst > bucket.burst,
        served=_served(bucket.rate_per_s, rate),
    )


def _account(plan: Plan, account: Account, demand: Demand) -> Proposal:
    bucket = account.gateway
    required = rate_needed(demand.times_s, bucket.burst)
    if isfinite(required):
        required = float(ceil(required - ROUNDING))
    peak = highest_rate(demand.times_s, 1.0)
    absurd = required > ABSURD * max(peak, bucket.rate_per_s)
    lasting = with_headroom(needed_setting(demand)[0])
    # what lasts must be met by the rate, also when the bursts cannot be met at all
    recommended = (
        max(bucket.rate_per_s, with_headroom(required))
        if not absurd
        else (lasting if lasting > bucket.rate_per_s else None)
    )
    default = "" if is_declared(account, "apigateway.rate") else " (AWS's default; yours was not stated)"
    derivation = (
        f"For {demand.what}: at the account's burst of {bucket.burst:,.0f}{default}, which cannot be requested, the "
        f"smallest rate that refuses nobody is {_number(required)} requests/s"
    )
    if absurd:
        derivation += ": no number to ask for. An increase will not help; the bursts must be wider."
        if recommended is not None:
            derivation += f" What lasts needs {recommended:,.0f} requests/s all the same."
    else:
        derivation += f"; {HEADROOM - 1:.0%} more is recommended. Ask, it is not promised; AWS sets the burst itself."
    alternatives = plan_changes(plan, bucket, demand.scale) if required > bucket.rate_per_s else ()
    if recommended is not None and required > bucket.rate_per_s:
        alternatives += (support_text(account, demand, peak),)
    advice = Advice(
        GATEWAY_RATE_QUOTA,
        True,
        UNIT,
        bucket.rate_per_s,
        required if isfinite(required) else None,
        recommended,
        derivation,
        BurstAdvice(bucket.burst, _burst_at(demand, max(bucket.rate_per_s, recommended or 0)), None, False),
        "" if recommended is None else request_increase(GATEWAY_RATE_QUOTA, account.region, recommended),
        alternatives,
    )
    return Proposal(
        advice,
        Layer.ACCOUNT_GATEWAY,
        lambda old: replace(old, gateway=Bucket(recommended or bucket.rate_per_s, bucket.burst)),
        recommended is None or recommended > bucket.rate_per_s,
        absurd,
        _served(bucket.rate_per_s, required),
    )


def _served(rate_per_s: float, needed_per_s: float) -> float:
    """About which share of a demand a bucket's rate serves; its burst may serve less."""
    return min(1.0, max(0.01, rate_per_s / needed_per_s)) if 0 < needed_per_s < inf else 1.0


def _burst_at(demand: Demand, rate_per_s: float) -> float:
    return float(ceil(burst_needed(demand.times_s, rate_per_s) - ROUNDING))


def support_text(account: Account, demand: Demand, peak_per_s: float) -> str:
    """Return what AWS support wants to know, as far as it is known here."""
    times = "; ".join(
        f"function {name or 'FUNCTION'}: average {service.mean_s:.3f} s, p95 "
        f"{service.table_s[int(0.95 * len(service.table_s))]:.3f} s"
        for name, service in demand.services.items()
    )
    average = len(demand.times_s) / max(1.0, float(demand.times_s[-1] - demand.times_s[0]))
    return (
        f"For the support case: region {account.region}, account ACCOUNT_ID; synchronous calls, peak "
        f"{ceil(peak_per_s):,} requests/s, average {average:,.0f}; {times or 'durations unknown'}; measured by a load "
        "test on DATE; needed by DATE because BUSINESS_REASON; caching, shorter durations and a slower ramp considered."
    )


def _number(value: float) -> str:
    return "infinite" if value == inf else f"{value:,.0f}"


def _change_stage(name: str) -> Callable[[Account, Bucket], Account]:
    return lambda account, bucket: replace(account, stages=account.stages | {name: bucket})


def _change_usage_plan(name: str) -> Callable[[Account, Bucket], Account]:
    def change(account: Account, bucket: Bucket) -> Account:
        usage_plan = replace(account.usage_plans[name], bucket=bucket)
        return replace(account, usage_plans=account.usage_plans | {name: usage_plan})

    return change
