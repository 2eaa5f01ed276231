"""What a run cost, estimated: requests and Lambda time at list prices of us-east-1, without free tier or egress."""

from dataclasses import dataclass

from burstline.core.load.plan import Plan
from burstline.core.quota.advice.demand import Demand
from burstline.core.quota.answers.limits import LAMBDA_FRONTS, functions_of
from burstline.core.quota.prices import GATEWAY_USD_PER_MILLION, MB_PER_GB, Billed, cost_parts
from burstline.core.quota.quotas import Account


@dataclass(frozen=True, slots=True)
class Cost:
    """USD.

    Attributes:
        estimated_usd: all parts; None if nothing is known of what the target costs.
        parts: by name.
    """

    estimated_usd: float | None
    parts: dict[str, float]


def cost_of(plan: Plan, account: Account, demand: Demand, sent_count: int, admitted_count: int) -> Cost:
    """Return what a run's requests cost at most: AWS bills some refused requests and not others.

    Lambda time is counted where the function's memory was declared and its service time is known.

    Args:
        sent_count: requests handed to the network.
        admitted_count: of those, that ran in Lambda.
    """
    front = plan.target.front
    gb_s = _gb_s_per_call(plan, account, demand)
    billed = Billed(admitted_count, admitted_count * (gb_s or 0.0), MB_PER_GB)
    priced = cost_parts(front, sent_count, [billed], 0.0)
    parts: dict[str, float] = {}
    if front in GATEWAY_USD_PER_MILLION:
        parts["api_gateway_requests"] = priced["api"]
    if front in LAMBDA_FRONTS:
        parts["lambda_requests"] = priced["lambda_requests"]
        if gb_s is not None:
            parts["lambda_duration"] = priced["lambda_duration"]
    return Cost(sum(parts.values()) if parts else None, parts)


def _gb_s_per_call(plan: Plan, account: Account, demand: Demand) -> float | None:
    weights = [request.weight for request in plan.requests]
    total = 0.0
    for name, weight in zip(functions_of(plan), weights, strict=True):
        function, services = account.functions.get(name), demand.services.get(name)
        if function is None or services is None:
            return None
        total += weight / sum(weights) * services.mean_s * function.memory_mb / MB_PER_GB
    return total
