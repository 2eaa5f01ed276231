"""What a simulated run would cost at list prices: an estimate, rather high."""

from burstline.core.load.plan import Front
from burstline.core.quota.forecast.records import Outcome
from burstline.core.quota.prices import Billed, cost_parts
from burstline.core.quota.quotas import Account, Function


def cost_of(outcome: Outcome, account: Account, front: Front, duration_s: float) -> dict[str, float]:
    """Return the cost of one simulated run by part, and `total`, USD; only our own requests count."""
    billed = []
    for name, use in outcome.functions.items():
        function = account.functions.get(name, Function(name))
        billed.append(Billed(use.invocation_count, use.billed_s, function.memory_mb, function.provisioned))
    parts = cost_parts(front, outcome.gateway_count, billed, duration_s)
    return parts | {"total": sum(parts.values())}
