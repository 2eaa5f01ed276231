"""What a run would cost at list prices, without free tier, discounts and volume tiers: an estimate, rather high."""

from math import ceil

from burstline.core.load.plan import Front
from burstline.core.quota.advice.cost import (
    GATEWAY_USD_PER_MILLION,
    LAMBDA_USD_PER_GB_S,
    LAMBDA_USD_PER_MILLION,
    MB_PER_GB,
)
from burstline.core.quota.forecast.records import Outcome
from burstline.core.quota.quotas import Account, Function

PROVISIONED_USD_PER_GB_S = 0.0000041667
"""Provisioned concurrency that is kept, x86, us-east-1. Source: copies of the price list; read 2026-11-23."""

PROVISIONED_STEP_S = 300.0
"""It is billed in steps of 5 minutes. Source: Lambda Developer Guide, provisioned concurrency; read 2026-11-23."""


def cost_of(outcome: Outcome, account: Account, front: Front, duration_s: float) -> dict[str, float]:
    """Return the cost of one simulated run by part, and `total`, USD; only our own requests count.

    On the high side twice: requests that API Gateway throttles are priced like others, and time in provisioned
    environments like time on demand. Provisioned concurrency is priced as kept for the length of the run only.
    """
    api = outcome.gateway_count * GATEWAY_USD_PER_MILLION.get(front, 0.0) / 1e6
    invocations = sum(use.invocation_count for use in outcome.functions.values()) * LAMBDA_USD_PER_MILLION / 1e6
    kept_s = ceil(max(duration_s, 1e-9) / PROVISIONED_STEP_S) * PROVISIONED_STEP_S
    duration = provisioned = 0.0
    for name, use in outcome.functions.items():
        function = account.functions.get(name, Function(name))
        gb = function.memory_mb / MB_PER_GB
        duration += use.billed_s * gb * LAMBDA_USD_PER_GB_S
        provisioned += function.provisioned * gb * kept_s * PROVISIONED_USD_PER_GB_S
    parts = {"api": api, "lambda_requests": invocations, "lambda_duration": duration, "provisioned": provisioned}
    return parts | {"total": sum(parts.values())}
