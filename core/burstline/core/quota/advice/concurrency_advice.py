"""Advice on Lambda's concurrency: the account's quota, and reserved concurrency, which is yours to set."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, exp, sqrt
from statistics import NormalDist

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.quota.admission.service_times import lognormal
from burstline.core.quota.advice.bucket_advice import support_text
from burstline.core.quota.advice.commands import CONCURRENCY_QUOTA, put_reserved, request_increase
from burstline.core.quota.advice.demand import Demand, ServiceTimes
from burstline.core.quota.advice.frontier import highest_rate, invocation_concurrency_needed
from burstline.core.quota.advice.peaks import REPLAYS, Peak, peak_in_flight
from burstline.core.quota.advice.proposals import HEADROOM, Advice, Proposal, with_headroom
from burstline.core.quota.answers.limits import LAMBDA_FRONTS, is_declared
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.prices import (
    LAMBDA_USD_PER_GB_S,
    PROVISIONED_DURATION_USD_PER_GB_S,
    PROVISIONED_USD_PER_GB_S,
)
from burstline.core.quota.quotas import (
    INVOCATIONS_PER_ENVIRONMENT_PER_S,
    UNRESERVED_MINIMUM,
    Account,
    Layer,
    ServiceTime,
)

UNIT = "concurrent executions"
PROVISIONED_BREAK_EVEN = PROVISIONED_USD_PER_GB_S / (LAMBDA_USD_PER_GB_S - PROVISIONED_DURATION_USD_PER_GB_S)
"""Use of provisioned concurrency from which it costs less than on demand, 0.6."""


@dataclass(frozen=True, slots=True)
class Need:
    """What some functions' calls need together."""

    peak: Peak
    invocations: float
    mean_s: float
    how: str

    @property
    def required(self) -> int:
        """Environments at the peak of a usual run: with fewer, some calls are throttled in most runs."""
        return ceil(max(self.peak.mean, self.invocations) - 1e-9)

    @property
    def safe(self) -> int:
        """Environments that 99 of 100 runs do not exceed: what recommendations start from."""
        return ceil(max(self.peak.p99, self.invocations))

    def text(self) -> str:
        """Where it comes from, for a reader."""
        rule = "" if self.peak.p99 >= self.invocations else "10x rule; "
        part = "" if self.peak.whole else " around the busiest stretch"
        return (
            f"{rule}{self.peak.mean:,.0f} calls in flight at the peak (mean of {self.peak.replays} replays{part}; 99th "
            f"percentile {self.peak.p99:,.0f}); Little's law gives a mean of {self.peak.little:,.0f}; the 10x rule "
            f"needs {self.invocations:,.0f}. From {self.how}."
        )


def concurrency_proposals(plan: Plan, account: Account, demand: Demand) -> list[Proposal]:
    """Return a proposal per reserved function the plan calls, and one for the account; none without service times."""
    if plan.target.front not in LAMBDA_FRONTS:
        return []
    found = []
    shared = np.zeros(len(demand.times_s), np.bool_)
    shared_services: list[ServiceTimes] = []
    reserved_now = account.reserved_total()
    for index, name in enumerate(demand.functions):
        services = demand.services.get(name)
        mine = demand.function == index
        if services is None or not mine.any():
            continue
        function = account.functions.get(name)
        if function is None or function.reserved is None:
            shared |= mine
            shared_services.append(services)
            continue
        need = need_of(demand.times_of(mine), services)
        found.append(_reserved(account, demand, name, need))
        reserved_now += int(max(0.0, (found[-1].advice.recommended or 0) - function.reserved))
    own = need_of(demand.times_of(shared), pooled(shared_services)) if shared_services else None
    if own is not None or (reserved_now and reserved_now + UNRESERVED_MINIMUM > account.concurrency):
        found.append(_account(account, demand, own, reserved_now))
    return found


def need_of(times_s: Floats, services: ServiceTimes, replays: int = REPLAYS) -> Need:
    """Return what the calls at `times_s` need, ascending seconds."""
    return Need(
        peak_in_flight(times_s, services, replays=replays),
        invocation_concurrency_needed(times_s, INVOCATIONS_PER_ENVIRONMENT_PER_S),
        services.mean_s,
        services.how,
    )


def need_of_all(demand: Demand) -> Need | None:
    """Return what all of a demand's calls need together; None if no service time is known."""
    if not demand.services:
        return None
    return need_of(demand.times_s, pooled(list(demand.services.values())))


def pooled(services: list[ServiceTimes]) -> ServiceTimes:
    """Functions that share the account's pool, as one: a mixture by function, which the peak hardly tells apart."""
    if len(services) == 1:
        return services[0]
    table = np.sort(np.concatenate([one.table_s[:: len(services)] for one in services]))
    return ServiceTimes(table, max(one.init_s for one in services), "; ".join(one.how for one in services))


def _reserved(account: Account, demand: Demand, name: str, need: Need) -> Proposal:
    current = account.functions[name].reserved or 0
    recommended = int(max(current, with_headroom(need.safe)))
    room = account.concurrency - UNRESERVED_MINIMUM - (account.reserved_total() - current)
    derivation = f"For {demand.what}: {need.text()} Recommended: {HEADROOM - 1:.0%} more, rounded up."
    if recommended > room:
        derivation += (
            f" The account has room for {max(0, room):,} ({UNRESERVED_MINIMUM} must stay unreserved): "
            f"raise {CONCURRENCY_QUOTA} first."
        )
    advice = Advice(
        f"lambda:reserved:{name}",
        True,
        UNIT,
        current,
        need.required,
        recommended,
        derivation,
        command=put_reserved(name, account.region, recommended),
        alternatives=_alternatives(need) if need.required > current else (),
    )

    def change(old: Account) -> Account:
        function = replace(old.functions[name], reserved=recommended)
        return replace(old, functions=old.functions | {name: function})

    served = min(1.0, max(0.01, current / max(1, need.required)))
    needed = recommended > current
    return Proposal(advice, Layer.RESERVED_CONCURRENCY, change, needed, served=served, concurrency=current)


def _account(account: Account, demand: Demand, need: Need | None, reserved: int) -> Proposal:
    current = account.concurrency
    others, others_text = _other_traffic(account, float(demand.times_s[-1] - demand.times_s[0]))
    required = reserved + (max(UNRESERVED_MINIMUM if reserved else 0, need.required + others) if need else 0)
    unreserved = with_headroom(need.safe + others) if need else 0.0
    if reserved:
        unreserved = max(unreserved, UNRESERVED_MINIMUM)
    recommended = max(current, ceil((reserved + unreserved) / 10) * 10)
    default = (
        "" if is_declared(account, "lambda.concurrency") else f" {current:,} is AWS's default; yours was not stated."
    )
    derivation = (
        f"For {demand.what}: {need.text() + ' ' if need else ''}{others_text}"
        f"{f'{reserved:,} are reserved. ' if reserved else ''}"
        f"Recommended: {HEADROOM - 1:.0%} more, rounded up.{default}"
    )
    alternatives = _alternatives(need) if need and required > current else ()
    if recommended > current:
        alternatives += (support_text(account, demand, highest_rate(demand.times_s, 1.0)),)
    advice = Advice(
        CONCURRENCY_QUOTA,
        True,
        UNIT,
        current,
        required,
        recommended,
        derivation,
        command=request_increase(CONCURRENCY_QUOTA, account.region, recommended) if recommended > current else "",
        alternatives=alternatives,
    )
    return Proposal(
        advice,
        Layer.ACCOUNT_CONCURRENCY,
        _set_concurrency(recommended),
        recommended > current,
        served=min(1.0, max(0.01, (current - reserved) / max(1, required - reserved))),
        concurrency=max(0, current - reserved) if need else None,
    )


def _set_concurrency(value: int) -> Callable[[Account], Account]:
    return lambda old: replace(old, concurrency=value)


def _other_traffic(account: Account, lasts_s: float) -> tuple[int, str]:
    """Concurrency of the other traffic that was declared: the 99th percentile of its highest value in `lasts_s`."""
    means_s = {
        name: mean_service_s(function.duration)
        for name, function in account.functions.items()
        if function.reserved is None and function.other_rate_per_s > 0
    }
    mean = sum(account.functions[name].other_rate_per_s * service_s for name, service_s in means_s.items())
    if not mean:
        return 0, ""
    count = highest_of_poisson(mean, lasts_s / min(means_s.values()))
    return count, f"Declared other traffic takes up to {count:,} more. "


def highest_of_poisson(mean: float, times: float, probability: float = 0.99) -> int:
    """Return a number that the highest of `times` independent Poisson values exceeds with 1 - `probability` at most.

    The number in flight of a Poisson stream is Poisson; values further apart than a call lasts are independent. The
    quantile is the normal one with the Poisson's skewness (Cornish-Fisher), which errs to the high side here.

    Args:
        mean: > 0.
        times: how many values, >= 1.
    """
    z = NormalDist().inv_cdf(1 - (1 - probability) / max(1.0, times))
    return ceil(mean + z * sqrt(mean) + (z * z - 1) / 6)


def mean_service_s(duration: ServiceTime) -> float:
    """Return the mean of a declared duration, seconds: of its lognormal, which lies above the median."""
    mu, sigma = lognormal(duration)
    return exp(mu + sigma * sigma / 2)


def _alternatives(need: Need) -> tuple[str, ...]:
    found = []
    if need.invocations > need.peak.p99:
        found.append("The 10x rule binds, not the work: batch several items into one call.")
    found.append(
        f"Provisioned concurrency: cheaper than on demand from {PROVISIONED_BREAK_EVEN:.0%} use, without cold starts; "
        "it counts against the same quota."
    )
    return tuple(found)
