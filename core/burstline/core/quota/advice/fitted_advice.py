"""Advice on limits that nobody declared: what the fit found, against what the demand needs.

Which layer owns such a limit is often not to be told from outside: then every owner's command is among the
alternatives, and none is the command.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import ceil

from burstline.core.load.plan import Front, Plan
from burstline.core.quota.advice.bucket_advice import UNIT as RATE_UNIT
from burstline.core.quota.advice.bucket_advice import needed_setting
from burstline.core.quota.advice.commands import (
    CONCURRENCY_QUOTA,
    GATEWAY_RATE_QUOTA,
    put_reserved,
    request_increase,
    update_stage,
    update_usage_plan,
)
from burstline.core.quota.advice.concurrency_advice import UNIT as CONCURRENCY_UNIT
from burstline.core.quota.advice.concurrency_advice import need_of_all
from burstline.core.quota.advice.demand import Demand
from burstline.core.quota.advice.frontier import burst_needed, highest_rate, invocation_concurrency_needed
from burstline.core.quota.advice.playing import VERIFY_SEED, play
from burstline.core.quota.advice.proposals import HEADROOM, Advice, BurstAdvice, with_headroom
from burstline.core.quota.advice.ways_out import Limit, ways_out
from burstline.core.quota.advice.widening import plan_changes
from burstline.core.quota.answers.limits import GATEWAY_FRONTS, LAMBDA_FRONTS, functions_of
from burstline.core.quota.findings.fitted import FittedLimit
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Bucket, Family, Layer

PLENTY = 1e9
OWNER_UNKNOWN = "Which layer owns it cannot be told from outside; whoever set it can raise it."


def advise_fitted(limits: Iterable[FittedLimit], plan: Plan, account: Account, demand: Demand) -> tuple[Advice, ...]:
    """Return what the demand needs of each fitted limit that stands in its way, each replayed."""
    if not len(demand.times_s):
        return ()
    found = []
    for limit in limits:
        if limit.family is Family.BUCKET:
            advice = _bucket(limit, plan, account, demand)
        elif limit.family is Family.CONCURRENCY:
            advice = _concurrency(limit, plan, account, demand)
        elif limit.family is Family.INVOCATION_RATE:
            advice = _invocations(limit, plan, account, demand)
        elif limit.family is Family.WINDOW_COUNTER:
            advice = _counter(limit, plan, demand)
        else:
            advice = None
        if advice is not None:
            found.append(advice)
    return tuple(found)


def _bucket(limit: FittedLimit, plan: Plan, account: Account, demand: Demand) -> Advice | None:
    now = Bucket(limit.values["rate"], limit.values.get("burst", 0.0))
    rate, burst = needed_setting(demand)
    if burst_needed(demand.times_s, now.rate_per_s) <= now.burst:
        return None
    new = Bucket(max(now.rate_per_s, with_headroom(rate)), max(now.burst, with_headroom(burst)))
    new = Bucket(float(ceil(new.rate_per_s)), float(ceil(new.burst)))
    served = min(1.0, max(0.01, now.rate_per_s / rate))
    others = ways_out(plan, demand, Limit(lambda changed, seed: _refused_by(now, plan, changed, seed), served))
    owners = []
    if plan.target.front in GATEWAY_FRONTS:
        owners = [
            f"If it is the stage's: {update_stage(plan.target, account.region, new.rate_per_s, new.burst)}",
            f"If it is a usage plan's: {update_usage_plan(account.region, new.rate_per_s, new.burst)}",
            f"If it is the account's: {request_increase(GATEWAY_RATE_QUOTA, account.region, new.rate_per_s)} "
            "(its burst cannot be requested)",
        ]
    return Advice(
        "fitted:bucket",
        True,
        RATE_UNIT,
        now.rate_per_s,
        rate,
        new.rate_per_s,
        f"Fitted from this run: {limit.text}. For {demand.what}: arrivals in any t seconds stay within burst + rate "
        f"x t at a rate of {rate:,.0f} and a burst of {burst:,.0f}. Recommended: {HEADROOM - 1:.0%} more, rounded up. "
        f"{OWNER_UNKNOWN}",
        BurstAdvice(now.burst, burst, new.burst, True),
        "",
        (*owners, *plan_changes(plan, now, demand.scale), *others),
        not _refused_by(new, plan, demand, VERIFY_SEED),
    )


def _refused_by(bucket: Bucket, plan: Plan, demand: Demand, seed: int) -> int:
    """Throttles when the demand is played against a bucket alone."""
    target = replace(plan.target, front=Front.REST, stage="fitted", usage_plan="")
    trial = Account(gateway=Bucket(PLENTY, PLENTY), stages={"fitted": bucket}, concurrency=int(PLENTY))
    return play(replace(plan, target=target), trial, demand, seed).throttled_count.get(Layer.STAGE, 0)


def _concurrency(limit: FittedLimit, plan: Plan, account: Account, demand: Demand) -> Advice | None:
    need = need_of_all(demand)
    now = limit.values["concurrency"]
    if need is None or need.safe <= now:
        return None
    recommended = int(with_headroom(need.safe))
    quota, command, owners = _owner(limit, plan, account, recommended)
    result = _played_capped(plan, demand, recommended, VERIFY_SEED)
    served = min(1.0, max(0.01, now / need.required))
    limit_now = Limit(lambda changed, seed: _played_capped(plan, changed, int(now), seed), served, now)
    return Advice(
        quota,
        True,
        CONCURRENCY_UNIT,
        now,
        need.required,
        recommended,
        f"Fitted from this run: {limit.text}. For {demand.what}: {need.text()} Recommended: {HEADROOM - 1:.0%} more, "
        f"rounded up.{'' if command else ' ' + OWNER_UNKNOWN}",
        command=command,
        alternatives=(*owners, *ways_out(plan, demand, limit_now)),
        verified=not result,
    )


def _invocations(limit: FittedLimit, plan: Plan, account: Account, demand: Demand) -> Advice | None:
    now = limit.values["rate_limit"] / INVOCATIONS_PER_ENVIRONMENT_PER_S
    required = ceil(invocation_concurrency_needed(demand.times_s, INVOCATIONS_PER_ENVIRONMENT_PER_S))
    if required <= now:
        return None
    recommended = int(with_headroom(required))
    _, _, owners = _owner(limit, plan, account, recommended)
    rate, rate_now = float(INVOCATIONS_PER_ENVIRONMENT_PER_S * recommended), limit.values["rate_limit"]
    # the admission model's rule is a bucket of one second's worth
    old, new = Bucket(rate_now, rate_now), Bucket(rate, rate)
    others = ways_out(plan, demand, Limit(lambda changed, seed: _refused_by(old, plan, changed, seed), now / required))
    return Advice(
        "fitted:invocation_rate",
        True,
        CONCURRENCY_UNIT,
        now,
        required,
        recommended,
        f"Fitted from this run: {limit.text}, that is ten times a concurrency of {now:,.0f}. For {demand.what} the "
        f"10x rule needs a concurrency of {required:,}. {OWNER_UNKNOWN}",
        alternatives=(*owners, *others, "Batch several items into one call: the 10x rule counts calls, not work."),
        verified=not _refused_by(new, plan, demand, VERIFY_SEED),
    )


def _counter(limit: FittedLimit, plan: Plan, demand: Demand) -> Advice | None:
    now, period_s = limit.values["count"], limit.values.get("period")
    if not period_s:
        return None
    required = ceil(highest_rate(demand.times_s, period_s) * period_s - 1e-6)
    if required <= now:
        return None
    others = ways_out(
        plan,
        demand,
        Limit(
            lambda changed, _: int(highest_rate(changed.times_s, period_s) * period_s > now),
            now / required,
            passed="counted arrival by arrival, none is throttled",
        ),
    )
    return Advice(
        "fitted:window_counter",
        True,
        f"requests per {period_s:.3g} s",
        now,
        required,
        with_headroom(required),
        f"Fitted from this run: {limit.text}. For {demand.what}, the busiest {period_s:.3g} s have {required:,} "
        "requests. Played through the counter's own law, arrival by arrival: the admission model has no such limit. "
        f"{OWNER_UNKNOWN}",
        alternatives=others,
        # any window of that length holds no more than the busiest one
        verified=True,
    )


def _owner(limit: FittedLimit, plan: Plan, account: Account, value: int) -> tuple[str, str, tuple[str, ...]]:
    """Quota, command, and commands of possible owners."""
    function = next((name for name in functions_of(plan) if name), "FUNCTION")
    reserved, raised = (
        put_reserved(function, account.region, value),
        request_increase(CONCURRENCY_QUOTA, account.region, value),
    )
    if limit.layer is Layer.RESERVED_CONCURRENCY:
        return f"lambda:reserved:{function}", reserved, ()
    if plan.target.front not in LAMBDA_FRONTS:
        return "fitted:concurrency", "", ()
    return (
        "fitted:concurrency",
        "",
        (f"If it is the function's reserved concurrency: {reserved}", f"If it is the account's: {raised}"),
    )


def _played_capped(plan: Plan, demand: Demand, cap: int, seed: int) -> int:
    """Throttles by concurrency when the demand is played against a cap alone."""
    trial = Account(concurrency=cap)
    result = play(replace(plan, target=replace(plan.target, front=Front.ALB)), trial, demand, seed)
    return result.throttled_count.get(Layer.ACCOUNT_CONCURRENCY, 0)
