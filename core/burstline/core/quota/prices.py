"""List prices, and what requests cost at them: without free tier, discounts, volume tiers, logs and data transfer."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from burstline.core.load.plan import Front

GATEWAY_USD_PER_MILLION = {Front.REST: 3.50, Front.HTTP: 1.00}
"""First tier. Source: AWS whitepaper "Best Practices for Designing API Gateway Private APIs"; read 2026-11-23."""

LAMBDA_USD_PER_MILLION = 0.20
LAMBDA_USD_PER_GB_S = 0.0000166667
PROVISIONED_USD_PER_GB_S = 0.0000041667
PROVISIONED_DURATION_USD_PER_GB_S = 0.0000097222
"""First tier, x86, us-east-1: on demand; provisioned concurrency that is kept; work in it. Source: third-party copies
of the price list; read 2026-11-23."""

PROVISIONED_STEP_S = 300.0
"""It is billed in steps of 5 minutes. Source: Lambda Developer Guide, provisioned concurrency; read 2026-11-23."""

MB_PER_GB = 1024


@dataclass(frozen=True, slots=True)
class Billed:
    """What one function is billed for.

    Attributes:
        invocation_count: calls that ran.
        work_s: all of them together, seconds.
        memory_mb: of the function.
        provisioned: environments kept ready all the time.
    """

    invocation_count: float
    work_s: float
    memory_mb: int
    provisioned: int = 0


def cost_parts(front: Front, gateway_count: float, functions: Iterable[Billed], lasts_s: float) -> dict[str, float]:
    """Return the cost by part, USD: `api`, `lambda_requests`, `lambda_duration`, `provisioned`.

    On the high side twice: requests that API Gateway throttles are priced like others, and work in provisioned
    environments like work on demand.

    Args:
        front: the entry point.
        gateway_count: requests that reach API Gateway.
        functions: those that run.
        lasts_s: how long provisioned environments are kept, seconds, >= 0.
    """
    kept_s = ceil(max(lasts_s, 1e-9) / PROVISIONED_STEP_S) * PROVISIONED_STEP_S
    invocations = work = provisioned = 0.0
    for one in functions:
        gb = one.memory_mb / MB_PER_GB
        invocations += one.invocation_count
        work += one.work_s * gb
        provisioned += one.provisioned * gb * kept_s
    return {
        "api": gateway_count * GATEWAY_USD_PER_MILLION.get(front, 0.0) / 1e6,
        "lambda_requests": invocations * LAMBDA_USD_PER_MILLION / 1e6,
        "lambda_duration": work * LAMBDA_USD_PER_GB_S,
        "provisioned": provisioned * PROVISIONED_USD_PER_GB_S,
    }
