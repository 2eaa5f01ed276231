"""Findings: what the run used of each quota, against its value and where that value comes from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.quota.advice.commands import CONCURRENCY_QUOTA, GATEWAY_BURST_QUOTA, GATEWAY_RATE_QUOTA
from burstline.core.quota.advice.demand import spread_blocks
from burstline.core.quota.advice.frontier import burst_needed_of
from burstline.core.quota.answers.inflight import Floor, admitted_signatures, in_flight
from burstline.core.quota.answers.limits import concurrency_limits, is_declared, scaling_use
from burstline.core.quota.answers.series import Series, highest_in_window
from burstline.core.quota.findings.candidates import buckets_of
from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Bucket, Layer

NEARLY_NOTHING = 1e-6
"""A limit that blocks everything: what it leaves cannot be stated as a share of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One quota, observed.

    Attributes:
        quota: `SERVICE:CODE` of Service Quotas, or `SERVICE:setting:NAME`.
        name: for a reader, with its unit.
        limit: its value.
        limit_source: `declared` or `default`.
        peak_use: the most this run used of it; other traffic's use is not seen. Above the limit where requests were
            refused: then it is what was asked for.
        use_source: `client`.
    """

    quota: str
    name: str
    limit: float
    limit_source: str
    peak_use: float
    use_source: str = "client"

    @property
    def headroom_ratio(self) -> float | None:
        """1 - use / limit, below 0 when more was asked for; None for a limit of (nearly) 0."""
        return 1 - self.peak_use / self.limit if self.limit > NEARLY_NOTHING else None


def findings_of(plan: Plan, account: Account, series: Series, floor: Floor) -> tuple[Finding, ...]:
    """Return a finding per quota in the plan's way, outermost first; empty if nothing was sent."""
    if not series.sent.any():
        return ()
    return (*_buckets(plan, account, series), *_lambda(plan, account, series, floor))


def _buckets(plan: Plan, account: Account, series: Series) -> Iterator[Finding]:
    buckets = buckets_of(plan, account)
    if not buckets:
        return
    rate_per_s = highest_in_window(series.sent, 1.0)
    for layer, bucket in buckets.items():
        burst = burst_needed_of(spread_blocks(series.sent), bucket.rate_per_s)
        source = "declared"
        if layer is Layer.ACCOUNT_GATEWAY:
            source = _source(account, "apigateway.rate")
            yield Finding(
                GATEWAY_RATE_QUOTA, "API Gateway account rate, requests/s", bucket.rate_per_s, source, rate_per_s
            )
            source = _source(account, "apigateway.burst")
            yield Finding(GATEWAY_BURST_QUOTA, "API Gateway account burst, requests", bucket.burst, source, burst)
        elif layer is Layer.STAGE:
            yield from _own(f"apigateway:stage:{plan.target.stage}", "Stage throttle", bucket, rate_per_s, burst)
        else:
            yield from _own(f"apigateway:usage-plan:{plan.target.usage_plan}", "Usage plan", bucket, rate_per_s, burst)


def _own(quota: str, name: str, bucket: Bucket, rate_per_s: float, burst: float) -> Iterator[Finding]:
    yield Finding(f"{quota}:rate", f"{name} rate, requests/s", bucket.rate_per_s, "declared", rate_per_s)
    yield Finding(f"{quota}:burst", f"{name} burst, requests", bucket.burst, "declared", burst)


def _lambda(plan: Plan, account: Account, series: Series, floor: Floor) -> Iterator[Finding]:
    caps = concurrency_limits(plan, account)
    if not caps:
        return
    level = in_flight(series, floor.value_s)
    admitted = series.sum_of(admitted_signatures(series))
    peak, per_s = float(np.rint(level.max(initial=0.0))), highest_in_window(admitted, 1.0)
    # The estimate cannot tell one function's calls from another's: with several caps it is an upper bound for each.
    bound = "" if len(caps) == 1 else " (at most: all functions together)"
    for cap in caps:
        source = "declared" if cap.declared else "default"
        if cap.layer is Layer.RESERVED_CONCURRENCY:
            quota, name = f"lambda:reserved:{cap.function}", f"Reserved concurrency of {cap.function}{bound}"
        else:
            quota, name = CONCURRENCY_QUOTA, f"Concurrent executions{bound}"
        yield Finding(quota, name, cap.value, source, peak)
        limit = INVOCATIONS_PER_ENVIRONMENT_PER_S * cap.value
        yield Finding(f"{quota}:rate", f"Invocations/s, 10 x {name[0].lower()}{name[1:]}", limit, source, per_s)
    used, size = scaling_use(level, account)
    name = "Scaling rate: environments started beyond the steady allowance"
    yield Finding("lambda:scaling-rate", name, size, "default", float(np.rint(used.max(initial=0.0))))


def _source(account: Account, path: str) -> str:
    return "declared" if is_declared(account, path) else "default"
