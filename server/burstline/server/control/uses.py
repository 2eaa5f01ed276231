"""What a run uses of the quotas in its way, second by second while it goes on: for whoever watches.

An estimate from the client's side, on what is known within a second; the report judges with everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from burstline.core.load.plan import Plan
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Second
from burstline.core.quota.advice.commands import CONCURRENCY_QUOTA, GATEWAY_RATE_QUOTA
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.limits import concurrency_limits
from burstline.core.quota.findings.candidates import buckets_of
from burstline.core.quota.findings.findings import NEARLY_NOTHING
from burstline.core.quota.quotas import Account, Layer
from burstline.server.control.active import ActiveRun

RECENT_S = 2
"""Use is the highest of so many last full seconds, in one of which requests were refused if a quota binds: shorter, and
nobody would see a burst."""

FULL_RATIO = 0.9
"""From this share on, a quota may be what an answer of two meanings comes from."""


@dataclass(frozen=True, slots=True)
class Use:
    """A quota and what is used of it.

    Attributes:
        quota: as in a report's findings.
        title: for a reader, short.
        layer: whose it is.
        limit: its value: requests/s, or calls in flight; > 0.
        use: in the same unit, >= 0; above the limit it is what was asked for.
        binding: requests are refused, and this quota is the likeliest to do it.
    """

    quota: str
    title: str
    layer: Layer
    limit: float
    use: float
    binding: bool = False


def uses_of(run: ActiveRun, full_second: int) -> list[Use]:
    """Return a run's quotas in its newest full seconds, outermost first."""
    recent = [run.live.seconds.get(full_second - back, Second()) for back in range(RECENT_S)]
    return uses_in(run.plan, run.account, recent)


def uses_in(plan: Plan, account: Account, recent: list[Second]) -> list[Use]:
    """Return the quotas in a plan's way with their use.

    A bucket's use is what was sent in a second; a concurrency's the mean in flight, from Little's law, or what was
    in flight at the second's end if that is more: the network is in it, so it is an upper bound.

    Args:
        plan: whose target says what stands in the way.
        account: the quotas' values.
        recent: the newest full second first, then those before it.
    """
    highest: dict[str, Use] = {}
    for second in recent:
        for use in _all(plan, account, second):
            if use.limit > NEARLY_NOTHING and (use.quota not in highest or use.use > highest[use.quota].use):
                highest[use.quota] = use
    uses = list(highest.values())
    binding = _binding(uses, recent)
    return [replace(use, binding=True) if use.quota in binding else use for use in uses]


def _all(plan: Plan, account: Account, second: Second) -> Iterator[Use]:
    sent, flight = float(second.load.sent), max(second.latency.sum_s, float(second.in_flight))
    for layer, bucket in buckets_of(plan, account).items():
        quota, title = {
            Layer.USAGE_PLAN: (f"apigateway:usage-plan:{plan.target.usage_plan}:rate", "usage plan rate"),
            Layer.STAGE: (f"apigateway:stage:{plan.target.stage}:rate", "stage rate"),
        }.get(layer, (GATEWAY_RATE_QUOTA, "account rate"))
        yield Use(quota, title, layer, bucket.rate_per_s, sent)
    for cap in concurrency_limits(plan, account):
        if cap.layer is Layer.RESERVED_CONCURRENCY:
            yield Use(f"lambda:reserved:{cap.function}", f"reserved {cap.function}", cap.layer, cap.value, flight)
        else:
            yield Use(CONCURRENCY_QUOTA, "concurrency", cap.layer, cap.value, flight)


def _binding(uses: list[Use], recent: list[Second]) -> set[str]:
    """Return the quotas that bind: for each kind of refusal, the fullest of those that could have made it."""
    found = set()
    for signature in {name for second in recent for name, count in second.answers.items() if count}:
        known = meaning(signature)
        suspects = [use for use in uses if known.rejects and use.layer in known.layers]
        if known.outcome is not Outcome.THROTTLED:  # it may be the function's own failure: only a full quota is named
            suspects = [use for use in suspects if use.use >= FULL_RATIO * use.limit]
        if suspects:
            found.add(max(suspects, key=lambda use: use.use / use.limit).quota)
    return found
