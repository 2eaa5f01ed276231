"""Seeded accounts for the search: what it finds, against the truth and against a linear ramp, in virtual time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from burstline.core.load.plan import Constant, Front, Phase, Plan, Request, Target
from burstline.core.load.schedule import Schedule
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import replay
from burstline.core.quota.admission.service_times import sample
from burstline.core.quota.answers.limits import GATEWAY_FRONTS
from burstline.core.quota.quotas import Account, Bucket, Family, Function, ServiceTime
from burstline.core.quota.search.answer import Bounds, Found
from burstline.core.quota.search.capped import highest_rate_under
from burstline.core.quota.search.finding import search
from burstline.core.quota.search.probing import Probe, outcome_of_report
from burstline.server.judging.judging import judge
from virtual_runs import play_run

STEP = 0.05
"""The linear ramp goes up by this share of the truth, and holds each step for `STEP_S`."""

STEP_S = 10.0
JITTER_S = 0.0005
"""Of one way over the network, standard deviation: `play_run`'s 5 % of 10 ms."""

URL = "https://abc.execute-api.eu-west-1.amazonaws.com/prod"
PLENTY = Bucket(1e9, 1e9)


@dataclass(frozen=True, slots=True)
class SearchCase:
    """What is searched: the account, how the target looks, and the true answer."""

    seed: int
    family: Family
    front: Front
    real_front: Front
    account: Account
    rate_per_s: float
    burst: float | None
    about: str


@dataclass(frozen=True, slots=True)
class Searched:
    """What came of one search; `ramp_count` is what a linear ramp would have sent."""

    case: SearchCase
    found: Found
    ramp_count: int

    @property
    def error(self) -> float:
        """Of the rate, relative."""
        return self.found.rate_per_s / self.case.rate_per_s - 1

    @property
    def share(self) -> float:
        """Of the ramp's requests."""
        return self.found.request_count / self.ramp_count


def search_case(seed: int) -> SearchCase:
    """Return the case of a seed, >= 0: buckets, the 10x rule, caps with fixed and with random service times."""
    random = np.random.default_rng([seed, 21])
    return KINDS[seed % len(KINDS)](seed, random)


def searched(seed: int) -> Searched:
    """Search one account in virtual time."""
    case = search_case(seed)
    probing = search(Bounds(rate_per_s=20_000))
    probe = next(probing)
    turn = 0
    while True:
        turn += 1
        try:
            probe = probing.send(outcome_of_report(_report(case, probe, turn)))
        except StopIteration as end:
            return Searched(case, end.value, ramp_count(case))


def ramp_count(case: SearchCase) -> int:
    """Return what a linear ramp sends until it is first throttled, by the same account."""
    steps = [
        Phase(f"step {index}", STEP_S, Constant(STEP * index * case.rate_per_s)) for index in range(1, 61)
    ]  # fmt: skip
    schedule = Schedule(steps, 0)
    sent = 0
    for index in range(
        20, 61, 4
    ):  # a throttle before the truth is reached is rare: play on in pieces until there is one
        last = schedule.phase_first[index]
        times = schedule.offsets(0, last)
        service = sample(case.account.functions["f"].duration, last, np.random.default_rng([case.seed, 8]))
        call = Call("f", "prod", gateway=case.real_front in GATEWAY_FRONTS)
        result = replay(case.account, times, service, calls=(call,))
        sent = last
        if result.first_throttle_s is not None:
            return int(np.searchsorted(times, result.first_throttle_s)) + 1
    return sent


def _report(case: SearchCase, probe: Probe, turn: int) -> Mapping[str, Any]:
    stage = "prod" if case.front in GATEWAY_FRONTS or case.real_front in GATEWAY_FRONTS else ""
    target = Target(URL, case.front, "f", stage)
    plan = Plan("search", target, (Request("quote"),), probe.load, seed=turn)
    known = Account(concurrency=1_000_000, gateway=PLENTY)
    played = play_run(
        plan, case.account, known, service_seed=case.seed * 1000 + turn, worker_count=2, front_of_target=case.real_front
    )
    return judge(played.record)


def _bucket(seed: int, random: np.random.Generator) -> SearchCase:
    front = Front(random.choice(["rest", "http", "plain"]))
    rate = round(float(np.exp(random.uniform(np.log(40), np.log(1500)))))
    burst = max(5, round(rate * float(np.exp(random.uniform(np.log(0.2), np.log(2))))))
    p50 = float(np.exp(random.uniform(np.log(0.005), np.log(0.2))))
    account = _open(ServiceTime(p50, 2 * p50), stages={"prod": Bucket(rate, burst)})
    about = f"{front} rate {rate} burst {burst}"
    real = Front.REST if front is Front.PLAIN else front
    return SearchCase(seed, Family.BUCKET, front, real, account, rate, burst, about)


def _cap(seed: int, random: np.random.Generator) -> SearchCase:
    front = Front(random.choice(["rest", "alb", "function_url", "http", "plain"]))
    cap = int(np.exp(random.uniform(np.log(12), np.log(300))))
    p50 = float(np.exp(random.uniform(np.log(0.12), np.log(1.0))))
    spread = float(random.choice([1.0, 1.0, 1.5, 3.0]))
    duration = ServiceTime(p50, p50 * spread)
    account = replace(_open(duration), functions={"f": Function("f", reserved=cap, duration=duration, timeout_s=60.0)})
    draws = np.random.default_rng(seed)
    times_s = sample(duration, 400_000, draws)
    # requests arrive with the network's jitter on either end of the time from one to the next
    times_s = np.maximum(times_s + JITTER_S * np.sqrt(2) * draws.normal(size=len(times_s)), 1e-4)
    rate = highest_rate_under(cap, times_s, calls=6_000_000, seed=1)  # other draws than the search's own
    about = f"{front} cap {cap}, {p50 * 1000:.0f} ms, p99 x{spread:g}"
    real = Front.ALB if front is Front.PLAIN else front
    return SearchCase(seed, Family.CONCURRENCY, front, real, account, rate, None, about)


def _ten_times(seed: int, random: np.random.Generator) -> SearchCase:
    front = Front(random.choice(["rest", "function_url", "alb"]))
    cap = int(np.exp(random.uniform(np.log(8), np.log(100))))
    p50 = float(np.exp(random.uniform(np.log(0.003), np.log(0.02))))
    duration = ServiceTime(p50, p50 * 1.5)
    account = replace(_open(duration), functions={"f": Function("f", reserved=cap, duration=duration, timeout_s=60.0)})
    about = f"{front} 10x of {cap}, {p50 * 1000:.0f} ms"
    return SearchCase(seed, Family.INVOCATION_RATE, front, front, account, 10.0 * cap, 10.0 * cap, about)


def _open(duration: ServiceTime, **limits: Any) -> Account:
    function = Function("f", duration=duration, timeout_s=60.0)
    return Account(gateway=PLENTY, concurrency=1_000_000, functions={"f": function}, **limits)


KINDS: tuple[Callable[[int, np.random.Generator], SearchCase], ...] = (_bucket, _cap, _bucket, _ten_times)
"""They take turns."""
