"""What a plan will do, from the plan alone: requests, length, highest rate, estimated cost."""

from dataclasses import dataclass

from burstline.core.load.plan import Bursts, Constant, Front, Pause, Phase, Plan, Ramp, Sine, Step, Users
from burstline.core.load.schedule import Schedule
from burstline.core.quota.quotas import Account, Function

LAMBDA_USD_PER_REQUEST = 0.20e-6
LAMBDA_USD_PER_GB_S = 0.0000166667
"""Lambda's x86 prices of us-east-1, first tier. Source: AWS Lambda pricing; read 2026-11-23."""

FRONT_USD_PER_REQUEST = {Front.REST: 3.50e-6, Front.HTTP: 1.00e-6}
"""API Gateway's prices of us-east-1, first tier. Source: Amazon API Gateway pricing; read 2026-11-23."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a plan will do.

    Attributes:
        request_count: arrivals of the open-model phases; users' requests are not known ahead.
        closed: whether some phases have users, whose requests come on top.
        duration_s: length of the plan, seconds.
        peak_per_s: an upper bound of the requests due in one second.
        cost_usd: estimate at list prices of us-east-1, without free tier, logs and data transfer; None if the front
            is not AWS's.
    """

    request_count: int
    closed: bool
    duration_s: float
    peak_per_s: float
    cost_usd: float | None


def preview(plan: Plan, account: Account) -> Preview:
    """Return what a plan will do."""
    schedule = Schedule(plan.load, plan.seed)
    return Preview(
        request_count=schedule.count,
        closed=bool(schedule.users_phases),
        duration_s=schedule.duration_s,
        peak_per_s=max(_peak_per_s(phase) for phase in plan.load),
        cost_usd=_cost_usd(plan, account, schedule.count),
    )


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


def _cost_usd(plan: Plan, account: Account, count: int) -> float | None:
    if plan.target.front is Front.PLAIN:
        return None
    function = account.functions.get(plan.target.function, Function(plan.target.function))
    gb = function.memory_mb / 1024
    each = LAMBDA_USD_PER_REQUEST + gb * function.duration.p50_s * LAMBDA_USD_PER_GB_S
    return count * (each + FRONT_USD_PER_REQUEST.get(plan.target.front, 0.0))
