"""The closed loop: run, judge, apply the advice, run again. In virtual time, through recorder and judging."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from burstline.core.load.plan import Phase, Plan
from burstline.core.load.schedule import Schedule
from burstline.core.quota.advice.commands import CONCURRENCY_QUOTA, GATEWAY_RATE_QUOTA
from burstline.core.quota.advice.demand import scaled
from burstline.core.quota.advice.frontier import highest_rate
from burstline.core.quota.advice.proposals import Advice
from burstline.core.quota.advice.slowing import slowed
from burstline.core.quota.quotas import UNRESERVED_MINIMUM, Account, Bucket
from burstline.server.judging.weighing import weigh
from loop_accounts import LoopCase, loop_case
from virtual_runs import play_run

FEWEST = 50
"""Requirements below this are too small for a tenth of them to tell."""

SHORT = 0.9
HARDLY_SLOWER = 1.01
FRESH = 1_000_003


@dataclass(frozen=True, slots=True)
class Loop:
    """What came of one account.

    Attributes:
        first: throttled requests of the first run, by layer.
        quotas: what was advised.
        changed: the plan was changed.
        unverified: advice that says of itself that it does not suffice.
        same: throttled with the recommendations, same seeds.
        fresh: throttled with them, fresh seeds.
        short: per advice with required >= 50, its quota and what was throttled at required x 0.9.
        short_plan: throttled when the plan is only 0.9 times as much gentler as required; None if it was not changed,
            or this very plan needs no change.
    """

    seed: int
    kind: str
    first: int
    quotas: tuple[str, ...]
    changed: bool
    unverified: tuple[str, ...]
    same: int
    fresh: int
    short: tuple[tuple[str, float, int], ...]
    short_plan: int | None


def close_loop(seed: int) -> Loop:
    """Run the loop on the account of a seed."""
    case = loop_case(seed)
    first = play_run(case.plan, case.account, case.account, service_seed=seed)
    advice = [one for one in weigh(first.record).advice if not one.quota.startswith("lambda:provisioned:")]
    load = _load(case, advice)
    account = apply_all(case.account, advice)
    gentle = next((one for one in advice if one.load is not None), None)
    short = []
    for one in advice:
        if one.load is None and one.required is not None and one.required >= FEWEST and one.recommended is not None:
            lacking = apply(account, one, SHORT)
            short.append((one.quota, one.required, _throttled(case.plan, load, lacking, seed)))
    short_plan = None
    # where this very plan needs no change, and only other draws of it do, there is nothing to take a tenth of
    if gentle is not None and gentle.slowness is not None and gentle.slowness[0] > HARDLY_SLOWER:
        almost = 1 + (gentle.slowness[0] - 1) * SHORT
        tight = slowed(scaled(case.plan.load, scale_of(case.plan)), almost, account.gateway.rate_per_s)
        short_plan = _throttled(case.plan, tight, account, seed)
    fresh_plan = replace(case.plan, seed=case.plan.seed + FRESH)
    return Loop(
        seed,
        case.kind,
        sum(first.result.throttled_count.values()),
        tuple(one.quota for one in advice),
        gentle is not None,
        tuple(
            one.quota
            for one in advice
            if not one.verified
            and (one.load is None or one.recommended is not None)
            and (one.recommended is not None or gentle is None)
        ),
        _throttled(case.plan, load, account, seed),
        _throttled(fresh_plan, load, account, seed + FRESH),
        tuple(short),
        short_plan,
    )


def scale_of(plan: Plan) -> float:
    """Return the factor from a plan to its goal."""
    if plan.goal is None:
        return 1.0
    schedule = Schedule(plan.load, plan.seed)
    return plan.goal.rate_per_s / highest_rate(schedule.offsets(0, schedule.count), 1.0)


def apply_all(account: Account, advice: Sequence[Advice]) -> Account:
    """Return the account as advised."""
    for one in advice:
        account = apply(account, one)
    return account


def apply(account: Account, advice: Advice, share_of_required: float | None = None) -> Account:
    """Return the account with one advice followed, or with only a share of what it calls required.

    Raises:
        ValueError: nobody could follow it.
    """
    if advice.recommended is None or advice.quota in ("plan:bursts", "lambda:scaling-rate"):
        return account
    value, burst = advice.recommended, advice.burst.recommended if advice.burst else None
    if share_of_required is not None:
        value = (advice.required or 0) * share_of_required
        burst = advice.burst.required * share_of_required if advice.burst and advice.burst.required else burst
    parts = advice.quota.split(":")
    if advice.quota == GATEWAY_RATE_QUOTA:
        return replace(account, gateway=Bucket(value, account.gateway.burst))
    if advice.quota == CONCURRENCY_QUOTA:
        return replace(account, concurrency=int(value))
    if parts[:2] == ["lambda", "reserved"]:
        function = replace(account.functions[parts[2]], reserved=int(value))
        return replace(account, functions=account.functions | {parts[2]: function})
    if parts[:2] == ["apigateway", "stage"]:
        return replace(account, stages=account.stages | {parts[2]: Bucket(value, burst or 0)})
    if parts[:2] == ["apigateway", "usage-plan"]:
        old = account.usage_plans[parts[2]]
        new = (
            replace(old, quota_limit=int(value))
            if parts[-1] == "quota"
            else replace(old, bucket=Bucket(value, burst or 0))
        )
        return replace(account, usage_plans=account.usage_plans | {parts[2]: new})
    raise ValueError(f"nobody can follow {advice.quota}")


def _load(case: LoopCase, advice: Sequence[Advice]) -> tuple[Phase, ...]:
    changed = next((one.load for one in advice if one.load is not None), None)
    return changed if changed is not None else scaled(case.plan.load, scale_of(case.plan))


def _throttled(plan: Plan, load: tuple[Phase, ...], account: Account, seed: int) -> int:
    """Throttled requests; 1 where AWS would refuse to reserve so much, which no replay shows."""
    if account.reserved_total() and account.reserved_total() > account.concurrency - UNRESERVED_MINIMUM:
        return 1
    again = replace(plan, load=load, goal=None)
    return sum(play_run(again, account, account, service_seed=seed).result.throttled_count.values())
