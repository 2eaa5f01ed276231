"""What a plan will do, from the plan alone, and which of its own ceilings that exceeds: the same for whoever asks."""

from collections.abc import Iterator
from dataclasses import dataclass

from burstline.core.load.plan import Bursts, Constant, Pause, Phase, Plan, Ramp, Sine, Step, Users
from burstline.core.load.schedule import Schedule
from burstline.core.quota.answers.limits import LAMBDA_FRONTS, functions_of
from burstline.core.quota.prices import GATEWAY_USD_PER_MILLION, Billed, cost_parts
from burstline.core.quota.quotas import Account


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a plan will do.

    Attributes:
        request_count: arrivals of the open-model phases; users' requests are not known ahead.
        closed: whether some phases have users, whose requests come on top.
        duration_s: length of the plan, seconds.
        peak_per_s: an upper bound of the requests due in one second, without users.
        cost_usd: estimate at list prices of us-east-1, without free tier, logs and data transfer; None if nothing is
            known of what the target costs.
    """

    request_count: int
    closed: bool
    duration_s: float
    peak_per_s: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A ceiling that the plan's load exceeds before anything is sent.

    Attributes:
        field: path of the plan's message, such as `ceilings.request_count`.
        text: what the plan asks for and what the ceiling is, without a full stop.
    """

    field: str
    text: str


def ahead_of(plan: Plan, account: Account) -> Ahead:
    """Return what a plan will do."""
    schedule = Schedule(plan.load, plan.seed)
    return Ahead(
        request_count=schedule.count,
        closed=bool(schedule.users_phases),
        duration_s=schedule.duration_s,
        peak_per_s=max(_peak_per_s(phase) for phase in plan.load),
        cost_usd=planned_cost_usd(plan, account, schedule.count, schedule.duration_s),
    )


def exceeded(plan: Plan, ahead: Ahead) -> Iterator[Exceeded]:
    """Yield each of the plan's own ceilings that its load exceeds: such a run is not started."""
    ceilings, cost = plan.ceilings, ahead.cost_usd
    if ceilings.request_count is not None and ahead.request_count > ceilings.request_count:
        text = f"the plan schedules {ahead.request_count:,} requests; its own ceiling is {ceilings.request_count:,}"
        yield Exceeded("ceilings.request_count", text)
    if ceilings.duration_s is not None and ahead.duration_s > ceilings.duration_s:
        text = f"the plan takes {ahead.duration_s:g} s; its own ceiling is {ceilings.duration_s:g} s"
        yield Exceeded("ceilings.run_duration", text)
    if ceilings.cost_usd is not None and cost is not None and cost > ceilings.cost_usd:
        text = f"the plan costs an estimated {usd_text(cost)}; its own ceiling is {usd_text(ceilings.cost_usd)}"
        yield Exceeded("ceilings.cost_usd", text)


def planned_cost_usd(plan: Plan, account: Account, count: int, lasts_s: float) -> float | None:
    """Return what `count` requests cost if nothing refuses any, USD; None where nothing is known of the target's price.

    The forecast's prices without its replays: no cold starts, and functions that are not declared take no time.

    Args:
        plan: of the requests.
        account: declared functions; their mean durations count.
        count: requests, >= 0.
        lasts_s: the run, seconds.
    """
    front = plan.target.front
    if front not in GATEWAY_USD_PER_MILLION and front not in LAMBDA_FRONTS:
        return None
    from burstline.core.quota.advice.concurrency_advice import mean_service_s  # with much that only advice needs

    total = sum(request.weight for request in plan.requests)
    billed = []
    for name, request in zip(functions_of(plan), plan.requests, strict=True):
        calls = count * request.weight / total
        function = account.functions.get(name)
        if front in LAMBDA_FRONTS and function is None:
            billed.append(Billed(calls, 0.0, 0))
        elif front in LAMBDA_FRONTS and function is not None:
            billed.append(Billed(calls, calls * mean_service_s(function.duration), function.memory_mb))
    kept = [account.functions[name] for name in dict.fromkeys(functions_of(plan)) if name in account.functions]
    billed += [Billed(0.0, 0.0, function.memory_mb, function.provisioned) for function in kept]
    return sum(cost_parts(front, count, billed, lasts_s).values())


def usd_text(usd: float) -> str:
    """Return an amount as a reader writes it: `$12.34`, and `$0.0021` where cents would show nothing."""
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.2g}"


def _peak_per_s(phase: Phase) -> float:
    match phase.shape:
        case Constant(rate):
            return rate
        case Ramp(start, end) | Step(start, end, _):
            return max(start, end)
        case Sine(mean, amplitude, _):
            return mean + amplitude
        case Bursts(size, every_s, _, base):
            return base + size * max(1.0, 1.0 / every_s)
        case Pause() | Users():
            return 0.0
