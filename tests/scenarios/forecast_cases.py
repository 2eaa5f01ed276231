"""Seeded cases for the forecast: plans and accounts at random, and what a run of them would really meet.

The truth is the object-based `replay` through `Admission` with seeds of its own: another code path than the solvers',
though the same model. Whether AWS follows that model is not tested here.
"""

from dataclasses import dataclass

import numpy as np
from burstline.core.load.plan import Arrivals, Bursts, Constant, Phase, Ramp, Shape, Sine
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import ReplayResult, replay
from burstline.core.quota.forecast.exact import traffic
from burstline.core.quota.forecast.loads import ForecastInput, Load, arrivals_of
from burstline.core.quota.forecast.records import NEVER, Forecast
from burstline.core.quota.forecast.solving import Assumptions
from burstline.core.quota.quotas import Account, Bucket, Function, Scaling, ServiceTime, UsagePlan

KINDS = ("bucket", "bucket_edge", "concurrency", "overload", "scaling", "shared", "bursts")
"""`bucket` asks for 1.1 to 2 times the rate, `bucket_edge` for 0.97 to 1.03; `concurrency` for 0.8 to 1.3 times the
cap, `overload` for 1.6 to 3 times; `shared` has several functions, reserved and provisioned concurrency among them."""

SHARP = frozenset({"bucket", "overload"})
"""Kinds for which the total and the first throttle are to be right to 3 % and 0.5 s."""

WIDE = Bucket(1e7, 1e7)


@dataclass(frozen=True, slots=True)
class Case:
    """A question for the forecast."""

    kind: str
    seed: int
    asked: ForecastInput
    account: Account


@dataclass(frozen=True, slots=True)
class Truth:
    """What one run meets: requests of ours throttled, and when the first was (`NEVER`: none)."""

    throttled_count: int
    first_s: float


def case(kind: str, seed: int, size: int = 40_000, lasting_s: float | None = None) -> Case:
    """Return a case of about `size` requests over `lasting_s` seconds (None: 20 to 60 by the seed)."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    arrivals = Arrivals.POISSON if random.random() < 0.5 else Arrivals.EVEN
    duration_s = float(random.uniform(20, 60))
    duration_s = duration_s if lasting_s is None else lasting_s
    rate = size / duration_s
    p50_s = float(np.exp(random.uniform(np.log(0.03), np.log(0.6))))
    service = ServiceTime(p50_s, p50_s * float(random.choice([1.0, 1.5, 3.0, 6.0])))
    init_s = float(random.choice([0.0, 0.2, 0.8]))
    function = Function("f", duration=service, init_s=init_s, timeout_s=60.0)
    account = Account(gateway=WIDE, concurrency=100_000, functions={"f": function})
    calls: tuple[Call, ...] = (Call("f", "prod", "gold"),)
    weights: tuple[float, ...] = (1.0,)
    shape: Shape = Constant(rate)
    match kind:
        case "bucket" | "bucket_edge":
            account = _bucketed(account, kind, rate, random)
            if random.random() < 0.4:
                shape = Ramp(0.4 * rate, 1.6 * rate)
        case "concurrency" | "overload":
            account = _capped(account, kind, rate, random)
            if random.random() < 0.3:
                shape = Sine(rate, 0.2 * rate, duration_s / 3)
        case "scaling":
            account, shape, duration_s = _scaled(account, rate, duration_s, random)
        case "shared":
            account, calls, weights = _shared(rate, service, init_s, random)
        case _:
            every_s = float(random.uniform(2, 6))
            shape = Bursts(round(rate * every_s * 0.7), every_s, float(random.uniform(0.05, 0.5)), 0.3 * rate)
            account = _bucketed(account, "bucket", rate, random)
    load = Load((Phase("only", duration_s, shape, arrivals),), calls, weights, seed)
    return Case(kind, seed, ForecastInput((load,), fixed=bool(random.random() < 0.5)), account)


def truth(asked: Case, seed: int, assumed: Assumptions | None = None) -> Truth:
    """Return what a run with randomness of its own meets."""
    assumed = assumed or Assumptions()
    random = np.random.default_rng([seed, 991])
    due = arrivals_of(asked.asked, asked.account, random, assumed.round_trip_s)
    met = traffic(asked.asked, asked.account, due, assumed, random)
    arrived = met.arrived
    found: ReplayResult = replay(
        asked.account, arrived.times_s, met.service_s, calls=met.calls, call_index=arrived.which, seed=seed
    )
    refused = np.flatnonzero((found.layers > 0) & (arrived.which < arrived.ours_count))
    return Truth(len(refused), float(arrived.times_s[refused[0]]) if len(refused) else NEVER)


def holds(found: Forecast, met: Truth) -> bool:
    """Whether total and first throttle both lie inside their intervals."""
    return found.throttled_count.holds(met.throttled_count) and found.first_throttle_s.holds(met.first_s)


def _bucketed(account: Account, kind: str, rate: float, random: np.random.Generator) -> Account:
    over = random.uniform(1.1, 2.0) if kind == "bucket" else random.uniform(0.97, 1.03)
    bucket = Bucket(rate / over, float(round(random.uniform(0.1, 1.5) * rate)))
    if kind == "bucket_edge":
        bucket = Bucket(bucket.rate_per_s, float(random.integers(20, 300)))
    where = random.integers(3)
    if where == 0:
        return _with(account, gateway=bucket)
    if where == 1:
        return _with(account, stages={"prod": bucket})
    return _with(account, usage_plans={"gold": UsagePlan("gold", bucket)})


def _capped(account: Account, kind: str, rate: float, random: np.random.Generator) -> Account:
    function = account.functions["f"]
    sigma = np.log(function.duration.p99_s / function.duration.p50_s) / 2.326
    in_flight = rate * function.duration.p50_s * float(np.exp(sigma**2 / 2))
    over = random.uniform(0.8, 1.3) if kind == "concurrency" else random.uniform(1.6, 3.0)
    cap = max(3, round(in_flight / over))
    if random.random() < 0.5:
        return _with(account, concurrency=cap)
    reserved = Function("f", reserved=cap, duration=function.duration, init_s=function.init_s, timeout_s=60.0)
    return _with(account, functions={"f": reserved})


def _scaled(
    account: Account, rate: float, duration_s: float, random: np.random.Generator
) -> tuple[Account, Shape, float]:
    mean_s = float(random.uniform(1.0, 2.5))
    function = Function("f", duration=ServiceTime(mean_s, mean_s * 2), init_s=0.3, timeout_s=60.0)
    if random.random() < 0.5:
        burst = int(random.choice([500, 1000]))
        account = _with(account, functions={"f": function}, scaling=Scaling.LEGACY, legacy_burst=burst)
        return account, Ramp(0.1 * rate, 1.9 * rate), duration_s
    account = _with(account, functions={"f": function})
    return account, Ramp(0.0, 2 * rate), duration_s


def _shared(
    rate: float, service: ServiceTime, init_s: float, random: np.random.Generator
) -> tuple[Account, tuple[Call, ...], tuple[float, ...]]:
    names = ("a", "b", "c", "d")
    weights = tuple(float(w) for w in random.uniform(0.5, 2.0, 4))
    functions = {name: Function(name, duration=service, init_s=init_s, timeout_s=60.0) for name in names}
    in_flight = rate * service.p50_s * 1.1
    own = max(2, round(in_flight * weights[0] / sum(weights) * float(random.uniform(0.6, 1.4))))
    kept = max(1, round(in_flight * 0.1))
    functions["a"] = Function("a", reserved=own, duration=service, init_s=init_s, timeout_s=60.0)
    functions["b"] = Function(
        "b", provisioned=kept, duration=service, init_s=init_s, timeout_s=60.0, other_rate_per_s=20
    )
    concurrency = own + max(5, round(in_flight * float(random.uniform(0.6, 1.4))))
    account = Account(gateway=WIDE, concurrency=concurrency, functions=functions)
    return account, tuple(Call(name, "prod") for name in names), weights


def _with(
    account: Account,
    *,
    gateway: Bucket | None = None,
    stages: dict[str, Bucket] | None = None,
    usage_plans: dict[str, UsagePlan] | None = None,
    concurrency: int | None = None,
    functions: dict[str, Function] | None = None,
    scaling: Scaling | None = None,
    legacy_burst: int | None = None,
) -> Account:
    """Return the account with what is given replaced."""
    return Account(
        gateway=gateway or account.gateway,
        stages=account.stages if stages is None else stages,
        usage_plans=account.usage_plans if usage_plans is None else usage_plans,
        concurrency=account.concurrency if concurrency is None else concurrency,
        functions=account.functions if functions is None else functions,
        scaling=scaling or account.scaling,
        legacy_burst=legacy_burst or account.legacy_burst,
    )
