"""Seeded random accounts, plans and service times for the closed loop: something throttles in most of them.

The kinds: each quota that can be raised, bursts larger than the account's (which cannot), both scaling regimes (which
cannot), several functions sharing an account, cold starts, goals above what the plan sends, and all fronts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from burstline.core.load.plan import (
    Arrivals,
    Bursts,
    Constant,
    Front,
    Goal,
    Phase,
    Plan,
    Ramp,
    Request,
    Sine,
    Step,
    Target,
)
from burstline.core.quota.quotas import Account, Bucket, Function, Scaling, ServiceTime, UsagePlan

URL = "https://abc.execute-api.eu-west-1.amazonaws.com/prod"
AMPLE = Bucket(50_000.0, 25_000.0)
DECLARED = frozenset({"apigateway", "lambda"})
BEHIND_GATEWAY = (Front.REST, Front.HTTP)


@dataclass(frozen=True, slots=True)
class LoopCase:
    """One account and the plan that is run against it; a seed fixes both."""

    seed: int
    kind: str
    plan: Plan
    account: Account


def loop_case(seed: int) -> LoopCase:
    """Return the case of a seed, >= 0; kinds take turns."""
    random = np.random.default_rng([seed, 11])
    kind = list(KINDS)[seed % len(KINDS)]
    plan, account = KINDS[kind](random)
    return LoopCase(seed, kind, plan, account)


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _service(random: np.random.Generator, low: float = 0.02, high: float = 0.5) -> ServiceTime:
    p50 = _log_uniform(random, low, high)
    return ServiceTime(p50, p50 * float(random.choice([1.0, 1.5, 3.0, 6.0])))


def _load(random: np.random.Generator, rate: float) -> tuple[Phase, ...]:
    """A load whose highest second is about `rate`."""
    arrivals = Arrivals.POISSON if random.random() < 0.6 else Arrivals.EVEN
    shape = str(random.choice(["steady", "ramp", "steps", "train", "wave", "jump"]))
    if shape == "steady":
        return (Phase("steady", 12.0, Constant(rate), arrivals),)
    if shape == "ramp":
        return (Phase("ramp", 15.0, Ramp(rate * 0.1, rate), arrivals), Phase("hold", 5.0, Constant(rate), arrivals))
    if shape == "steps":
        return (Phase("steps", 16.0, Step(rate * 0.25, rate, 4), arrivals),)
    if shape == "train":
        base = rate * 0.2
        every, width = float(random.uniform(2, 5)), float(random.choice([0.02, 0.1, 0.5]))
        return (Phase("train", 4 * every, Bursts(max(1, round(rate * 0.8)), every, width, base), arrivals),)
    if shape == "wave":
        return (Phase("wave", 20.0, Sine(rate * 0.6, rate * 0.4, 10.0), arrivals),)
    return (Phase("low", 5.0, Constant(rate * 0.2), arrivals), Phase("high", 10.0, Constant(rate), arrivals))


def _plan(random: np.random.Generator, front: Front, rate: float, load: tuple[Phase, ...] | None = None) -> Plan:
    goal = Goal(rate * float(random.uniform(1.2, 2.5))) if random.random() < 0.3 and load is None else None
    target = Target(URL, front, "f", "prod" if front in BEHIND_GATEWAY else "")
    seed = int(random.integers(1 << 30))
    return Plan("loop", target, (Request("quote"),), load or _load(random, rate), goal=goal, seed=seed)


def _gateway_front(random: np.random.Generator) -> Front:
    return Front(random.choice([front.value for front in BEHIND_GATEWAY]))


def _any_front(random: np.random.Generator) -> Front:
    return Front(random.choice(["rest", "http", "alb", "function_url"]))


def _function(random: np.random.Generator, name: str = "f", **fields: object) -> Function:
    init = float(random.uniform(0.1, 0.8)) if random.random() < 0.3 else 0.0
    values: dict[str, object] = {"duration": _service(random), "init_s": init, "timeout_s": 60.0, "memory_mb": 512}
    return Function(name, **{**values, **fields})  # type: ignore[arg-type]  # the fields are those of Function


def _stage(random: np.random.Generator) -> tuple[Plan, Account]:
    rate = _log_uniform(random, 60, 800)
    bucket = Bucket(round(rate * random.uniform(0.3, 0.9)), round(rate * random.uniform(0.1, 1.0)) + 1)
    function = _function(random)
    return _plan(random, _gateway_front(random), rate), _open({"f": function}, stages={"prod": bucket})


def _usage_plan(random: np.random.Generator) -> tuple[Plan, Account]:
    rate = _log_uniform(random, 60, 600)
    bucket = Bucket(round(rate * random.uniform(0.3, 0.9)), round(rate * random.uniform(0.1, 1.0)) + 1)
    plan = _plan(random, Front.REST, rate)
    target = Target(URL, Front.REST, "f", "prod", "gold")

    limit = int(rate * 5) if random.random() < 0.4 else None
    usage = UsagePlan("gold", bucket, limit, "day" if limit else None)
    return replace(plan, target=target), _open({"f": _function(random)}, usage_plans={"gold": usage})


def _account_rate(random: np.random.Generator) -> tuple[Plan, Account]:
    rate = _log_uniform(random, 100, 800)
    bucket = Bucket(round(rate * random.uniform(0.4, 0.9)), round(rate * random.uniform(0.4, 1.0)))
    load = (Phase("hold", 15.0, Constant(rate), Arrivals.POISSON),)
    return _plan(random, _gateway_front(random), rate, load), _open({"f": _function(random)}, gateway=bucket)


def _account_burst(random: np.random.Generator) -> tuple[Plan, Account]:
    """Bursts that are larger than the account's, which nobody raises."""
    size = int(_log_uniform(random, 100, 1500))
    bucket = Bucket(round(size * random.uniform(0.3, 1.0)), round(size * random.uniform(0.2, 0.8)))
    every = float(random.uniform(3, 6))
    base = float(random.uniform(0, 0.1)) * size
    load = (Phase("train", 3 * every, Bursts(size, every, float(random.choice([0.0, 0.02, 0.05])), base)),)
    return _plan(random, _gateway_front(random), size, load), _open({"f": _function(random)}, gateway=bucket)


def _reserved(random: np.random.Generator) -> tuple[Plan, Account]:
    function = _function(random)
    need = _log_uniform(random, 30, 200)
    rate = min(1200.0, need / function.duration.p50_s)
    need = rate * function.duration.p50_s

    function = replace(function, reserved=max(1, round(need * random.uniform(0.3, 0.9))))
    return _plan(random, _any_front(random), rate), _open({"f": function}, concurrency=int(need) + 1000)


def _account_concurrency(random: np.random.Generator) -> tuple[Plan, Account]:
    function = _function(random)
    rate = min(1200.0, _log_uniform(random, 30, 250) / function.duration.p50_s)
    need = rate * function.duration.p50_s
    concurrency = max(2, round(need * random.uniform(0.3, 0.9)))
    return _plan(random, _any_front(random), rate), _open({"f": function}, concurrency=concurrency)


def _ten_times(random: np.random.Generator) -> tuple[Plan, Account]:
    function = _function(random, duration=_service(random, 0.003, 0.02), init_s=0.0)
    rate = _log_uniform(random, 600, 1500)
    concurrency = round(rate / 10 * random.uniform(0.3, 0.9))
    return _plan(random, _any_front(random), rate), _open({"f": function}, concurrency=concurrency)


def _legacy_scaling(random: np.random.Generator) -> tuple[Plan, Account]:
    """The account's initial burst of environments is too small for a jump, and cannot be raised."""
    p50 = _log_uniform(random, 0.3, 1.0)
    burst = int(random.integers(50, 200))
    rate = burst * float(random.uniform(1.1, 1.6)) / p50
    function = _function(random, duration=ServiceTime(p50, p50 * 1.5))
    load = (Phase("low", 3.0, Constant(rate * 0.1)), Phase("high", 10.0, Constant(rate), Arrivals.POISSON))
    account = _open({"f": function}, scaling=Scaling.LEGACY, legacy_burst=burst)
    return _plan(random, _any_front(random), rate, load), account


def _scaling(random: np.random.Generator) -> tuple[Plan, Account]:
    """More than 1,000 environments at once: today's regime, per function."""
    p50 = _log_uniform(random, 0.8, 1.5)
    size = int(random.integers(1200, 1800))
    function = _function(random, duration=ServiceTime(p50, p50 * 1.2))
    load: tuple[Phase, ...] = (Phase("wall", 4.0, Constant(size / p50)),)
    if random.random() < 0.5:
        load = (Phase("train", 12.0, Bursts(size, 6.0, 0.1)),)
    return _plan(random, _any_front(random), size, load), _open({"f": function})


def _shared(random: np.random.Generator) -> tuple[Plan, Account]:
    """Two or three functions in one account, some with reserved concurrency."""
    names = ["f", "g", "h"][: int(random.integers(2, 4))]
    functions = {name: _function(random, name) for name in names}
    rate = _log_uniform(random, 150, 600)
    weights = {name: float(random.uniform(1, 4)) for name in names}
    total = sum(weights.values())

    need = {name: rate * weights[name] / total * functions[name].duration.p50_s for name in names}
    for name in names[1:]:
        reserved = max(2, round(need[name] * float(random.uniform(0.5, 1.5))))
        functions[name] = replace(functions[name], reserved=reserved)
    others = sum(f.reserved or 0 for f in functions.values())
    concurrency = others + max(100, round(need["f"] * float(random.uniform(0.4, 1.2))))
    plan = _plan(random, _any_front(random), rate)
    requests = tuple(Request(f"to-{name}", weights[name]) for name in names)
    target = replace(plan.target, function="", function_of=tuple((f"to-{name}", name) for name in names))
    return replace(plan, requests=requests, target=target), _open(functions, concurrency=concurrency)


def _everything(random: np.random.Generator) -> tuple[Plan, Account]:
    """Stage, account and Lambda limits together."""
    function = _function(random)
    rate = min(800.0, _log_uniform(random, 30, 150) / function.duration.p50_s)
    need = rate * function.duration.p50_s
    stage = Bucket(round(rate * random.uniform(0.5, 1.5)) + 1, round(rate * random.uniform(0.2, 1.0)) + 1)
    gateway = Bucket(round(rate * random.uniform(0.7, 2)) + 1, round(rate * random.uniform(1.5, 2.5)) + 1)
    concurrency = max(2, round(need * random.uniform(0.4, 1.5)))
    account = _open({"f": function}, stages={"prod": stage}, gateway=gateway, concurrency=concurrency)
    return _plan(random, _gateway_front(random), rate), account


def _open(functions: dict[str, Function], **limits: object) -> Account:
    """An account whose limits are far away, but for those that are given."""
    fields: dict[str, object] = {"gateway": AMPLE, "concurrency": 20_000}
    return Account(region="eu-west-1", functions=functions, declared=DECLARED, **{**fields, **limits})  # type: ignore[arg-type]  # the fields are those of Account


KINDS: dict[str, Callable[[np.random.Generator], tuple[Plan, Account]]] = {
    "stage": _stage,
    "usage plan": _usage_plan,
    "account rate": _account_rate,
    "account burst": _account_burst,
    "reserved": _reserved,
    "account concurrency": _account_concurrency,
    "10x rule": _ten_times,
    "legacy scaling": _legacy_scaling,
    "scaling": _scaling,
    "shared account": _shared,
    "everything": _everything,
}
"""The kinds, which take turns."""
