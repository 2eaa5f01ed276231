"""Seeded random accounts whose quotas the fit must find from a run's totals alone.

Each account is driven in virtual time through the one admission model: requests leave several workers (whose clocks
are up to 1 ms wrong) as the schedule says, travel half a round trip with jitter, are decided on in the order of their
arrival, run, and travel back; the workers' own `Recorder` makes the windows. What is hidden: kind, numbers, service
times, error rate, and the shape of the pressure. A seed fixes all of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Front, Phase
from burstline.core.load.plan import Constant, Pause
from burstline.core.load.schedule import Schedule, Stripe
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Totals
from burstline.core.load.window import Window
from burstline.core.quota.admission import Admission, Call, Decision
from burstline.core.quota.classify import meaning, signatures
from burstline.core.quota.quotas import Account, Bucket, Family, Function, Layer, Scaling
from burstline.core.quota.signatures import PREFIXES
from burstline.workers.recording import WRITTEN, Gauges, Recorder, what

Floats = NDArray[np.float64]

ROUND_TRIPS_S = (0.0003, 0.01, 0.04)
JITTER = 0.1
CLOCK_ERROR_S = 0.001
PRESSURE_S = 20.0
CODES = {
    Front.REST: {Family.BUCKET: "429.too_many", None: "500.internal"},
    Front.HTTP: {Family.BUCKET: "429.too_many", None: "503.unavailable"},
    Front.ALB: {None: "502"},
    Front.FUNCTION_URL: {Family.INVOCATION_RATE: "429.reserved_rate", None: "429.account"},
    Front.LAMBDA: {Family.INVOCATION_RATE: "429.reserved_rate", None: "429.account"},
    Front.PLAIN: {None: "503"},
}
"""Per front, the signature of a throttle by family; None is all others."""

AMBIGUOUS = {Front.REST: "500.internal", Front.HTTP: "503.unavailable", Front.ALB: "502", Front.PLAIN: "503"}
"""Per front, how real errors look that cannot be told from a throttle."""

PLAIN_ERRORS = {Front.FUNCTION_URL: "502.error", Front.LAMBDA: "502.other"}


class Throttle(Protocol):
    """What decides: the admission model, or another law."""

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        """Return family and signature of a refusal (None, "" admits), and what `finish` wants."""
        ...

    def finish(self, now_s: float, decision: Decision | None) -> None:
        """End an admitted call."""
        ...


@dataclass(slots=True)
class Truth:
    """One law that binds, with its numbers.

    Attributes:
        family: its family.
        values: parameter -> value; a parameter that the pressure cannot show is missing.
        from_s: when it first can bind, seconds of run time.
        to_s: when it ends.
    """

    family: Family
    values: dict[str, float]
    from_s: float = 0.0
    to_s: float = float("inf")


@dataclass(slots=True)
class Hidden:
    """One hidden account and how it is pressed.

    Attributes:
        kind: its kind's name.
        front: what the client knows.
        truths: laws, in the order in time in which they first throttle (after the run: only those that did).
        load: the schedule's phases.
        throttle: what decides.
        service: draws service times, seconds, given arrival times.
        error_ratio: share of admitted requests that fail.
        error_signature: how they look; "" is the front's plain failure.
        errors_quick: they fail at once instead of after the service time.
        worker_count: 1..4.
        round_trip_s: mean.
        outage: span in which all requests fail, seconds.
    """

    kind: str
    front: Front
    truths: list[Truth]
    load: tuple[Phase, ...]
    throttle: Throttle
    service: Callable[[Floats], Floats]
    error_ratio: float = 0.0
    error_signature: str = ""
    errors_quick: bool = False
    worker_count: int = 1
    round_trip_s: float = 0.0
    outage: tuple[float, float] | None = None
    about: str = ""


@dataclass(slots=True)
class Pressed:
    """What a run against a hidden account left behind.

    Attributes:
        totals: what judging gets.
        throttled_count: what the account itself counted.
        throttled: by family and signature.
        first_s: when each family first refused.
    """

    totals: Totals
    throttled_count: int
    throttled: dict[tuple[Family, str], int]
    first_s: dict[Family, float]


class Admitting:
    """The admission model as a throttle; its clock may run `pace` times faster, which scales every rate in it."""

    def __init__(self, front: Front, account: Account, call: Call, *, seed: int = 0, pace: float = 1.0, noise: float = 0.0):
        self.admission = Admission(account, seed, noise_ratio=noise)
        self.pace = pace
        self._call = call
        self._codes = {family: f"{PREFIXES[front]}.{code}" for family, code in CODES[front].items()}

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        decision = self.admission.arrive(now_s * self.pace, self._call)
        if decision.family is None:
            return None, "", decision
        return decision.family, self._codes.get(decision.family, self._codes[None]), decision

    def finish(self, now_s: float, decision: Decision | None) -> None:
        assert decision is not None
        self.admission.finish(now_s * self.pace, decision)


class Changing:
    """One throttle up to a time, another from then on; what the first let in, it also ends."""

    def __init__(self, first: Throttle, second: Throttle, at_s: float) -> None:
        self._first, self._second, self._at_s = first, second, at_s
        self._owner: dict[int, Throttle] = {}

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        owner = self._first if now_s < self._at_s else self._second
        family, code, decision = owner.arrive(now_s)
        if decision is not None:
            self._owner[id(decision)] = owner
        return family, code, decision

    def finish(self, now_s: float, decision: Decision | None) -> None:
        self._owner.pop(id(decision)).finish(now_s, decision)


class MovingCap:
    """A concurrency cap that changes while calls are in flight."""

    def __init__(self, inner: Admitting, at_s: float, cap: int) -> None:
        self._inner, self._at_s, self._cap = inner, at_s, cap

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        if now_s >= self._at_s:
            self._inner.admission._shared.limit = self._cap
        return self._inner.arrive(now_s)

    def finish(self, now_s: float, decision: Decision | None) -> None:
        self._inner.finish(now_s, decision)


class WindowCounter:
    """At most `count` requests per `period_s`: fixed windows, or a sliding log, which may count refused ones too."""

    def __init__(self, code: str, count: int, period_s: float, *, sliding: bool, counts_refused: bool, phase_s: float) -> None:
        self._code, self._count, self._period_s = code, count, period_s
        self._sliding, self._counts_refused, self._phase_s = sliding, counts_refused, phase_s
        self._log: list[float] = []
        self._window = -1
        self._used = 0
        self._head = 0

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        if self._sliding:
            while self._head < len(self._log) and self._log[self._head] <= now_s - self._period_s:
                self._head += 1
            refused = len(self._log) - self._head >= self._count
            if not refused or self._counts_refused:
                self._log.append(now_s)
        else:
            window = int((now_s - self._phase_s) // self._period_s)
            if window != self._window:
                self._window, self._used = window, 0
            refused = self._used >= self._count
            self._used += 1
        return (Family.WINDOW_COUNTER, self._code, None) if refused else (None, "", None)

    def finish(self, now_s: float, decision: Decision | None) -> None:
        """Nothing is held."""


class Stick:
    """HAProxy's rate: this period's count so far, and the last one's for the share of it that is still in reach.

    The first request begins the first period.
    """

    def __init__(self, code: str, count: int, period_s: float) -> None:
        self._code, self._count, self._period_s = code, count, period_s
        self._phase_s: float | None = None
        self._window, self._now, self._last = -1, 0, 0

    def arrive(self, now_s: float) -> tuple[Family | None, str, Decision | None]:
        if self._phase_s is None:
            self._phase_s = now_s
        window, share = divmod((now_s - self._phase_s) / self._period_s, 1.0)
        if window != self._window:
            self._last = self._now if window == self._window + 1 else 0
            self._window, self._now = int(window), 0
        self._now += 1
        rate = self._now + self._last * (1 - share)
        return (Family.WINDOW_COUNTER, self._code, None) if rate > self._count else (None, "", None)

    def finish(self, now_s: float, decision: Decision | None) -> None:
        """Nothing is held."""


def press(hidden: Hidden, seed: int) -> Pressed:
    """Run the schedule against the account in virtual time and record it as workers do."""
    random = np.random.default_rng([seed, 77])
    schedule = Schedule(hidden.load, 0)
    due = schedule.offsets(0, schedule.count)
    worker = np.arange(len(due)) % hidden.worker_count
    sent = due + np.abs(random.normal(0, 1e-4, len(due)))
    half = hidden.round_trip_s / 2
    there = half * np.maximum(0.2, 1 + JITTER * random.normal(size=len(due)))
    back = half * np.maximum(0.2, 1 + JITTER * random.normal(size=len(due)))
    arrive = sent + there
    service = np.maximum(hidden.service(arrive), 1e-4)
    fails = random.random(len(due)) < hidden.error_ratio
    if hidden.outage:
        fails |= (arrive >= hidden.outage[0]) & (arrive < hidden.outage[1])
    if hidden.errors_quick:
        service = np.where(fails, 5e-4, service)
    codes, families, ends, first = _decide(hidden.throttle, arrive, service)
    prefix = PREFIXES[hidden.front]
    failure = hidden.error_signature or PLAIN_ERRORS.get(hidden.front, "5xx")
    throttled: dict[tuple[Family, str], int] = {}
    names = []
    for code, family, failing in zip(codes, families, fails.tolist(), strict=True):
        if family is not None:
            throttled[family, code] = throttled.get((family, code), 0) + 1
            names.append(code)
        else:
            names.append(f"{prefix}.{failure if failing else 'ok'}")
    done = np.maximum(ends, sent) + back + 1e-4
    totals = _record(hidden, schedule, due, sent, done, names, worker, random)
    return Pressed(totals, sum(throttled.values()), throttled, first)


def _decide(
    throttle: Throttle, arrive: Floats, service: Floats
) -> tuple[list[str], list[Family | None], Floats, dict[Family, float]]:
    count = len(arrive)
    codes: list[str] = [""] * count
    families: list[Family | None] = [None] * count
    ends = arrive.copy()
    running: list[tuple[float, int, Decision | None]] = []
    first: dict[Family, float] = {}
    for index in np.argsort(arrive, kind="stable").tolist():
        now_s = float(arrive[index])
        while running and running[0][0] <= now_s:
            end_s, _, decision = heappop(running)
            throttle.finish(end_s, decision)
        family, code, decision = throttle.arrive(now_s)
        if family is not None:
            codes[index], families[index] = code, family
            first.setdefault(family, now_s)
            continue
        ends[index] = now_s + service[index]
        heappush(running, (float(ends[index]), index, decision))
    return codes, families, ends, first


def _record(
    hidden: Hidden, schedule: Schedule, due: Floats, sent: Floats, done: Floats, names: Sequence[str], worker: NDArray[Any], random: np.random.Generator
) -> Totals:
    """Feed each worker's events to its recorder, on its own slightly wrong clock, and add the windows up."""
    totals = Totals()
    all_names = signatures(hidden.front)
    phases = schedule.phase_of(np.arange(len(due)))
    meanings = [meaning(name) for name in all_names]
    took = (Outcome.OK, Outcome.FAILED, Outcome.REJECTED)
    index_of = {name: index for index, name in enumerate(all_names)}
    code = np.array([index_of[name] for name in names])
    for segment in range(hidden.worker_count):
        windows: list[Window] = []
        recorder = Recorder(
            all_names, [m.rejects for m in meanings], [m.outcome in took for m in meanings], [True] * len(hidden.load), 0, Gauges, windows.append
        )
        error_s = random.uniform(-CLOCK_ERROR_S, CLOCK_ERROR_S)
        mine = np.flatnonzero(worker == segment)
        s, d = sent[mine] + error_s, done[mine] + error_s
        order_s, order_d = np.argsort(s, kind="stable"), np.argsort(d, kind="stable")
        s_list, due_list, phase_list = s[order_s].tolist(), due[mine][order_s].tolist(), phases[mine][order_s].tolist()
        for phase, due_s, sent_s in zip(phase_list, due_list, s_list, strict=True):
            recorder.due(WRITTEN, phase, due_s, sent_s)
        whats = [what(p, 0, c) for p, c in zip(phases[mine][order_d].tolist(), code[mine][order_d].tolist(), strict=True)]
        for kind, due_s, sent_s, done_s in zip(
            whats, due[mine][order_d].tolist(), s[order_d].tolist(), d[order_d].tolist(), strict=True
        ):
            recorder.done(kind, due_s, sent_s, done_s)
        recorder.finish(float(max(s.max(), d.max())) + 0.02 if len(mine) else 0.0)
        for window in windows:
            totals.add(segment, window)
    totals.clock_error_s = CLOCK_ERROR_S
    return totals


def constant(rate_per_s: float, duration_s: float, name: str) -> Phase:
    """One phase of even arrivals."""
    return Phase(name, duration_s, Constant(rate_per_s))


def pause(duration_s: float, name: str) -> Phase:
    """One phase of nothing."""
    return Phase(name, duration_s, Pause())


def service_of(random: np.random.Generator, mean_s: float, shape: str) -> Callable[[Floats], Floats]:
    """Return a drawer of service times with about this mean: fixed, lognormal or bimodal."""
    seed = int(random.integers(1 << 40))
    if shape == "fixed":
        return lambda at: np.full(len(at), mean_s)
    if shape == "lognormal":
        sigma = float(random.uniform(0.2, 0.8))
        mu = np.log(mean_s) - sigma**2 / 2
        return lambda at: np.random.default_rng(seed).lognormal(mu, sigma, len(at))
    share, ratio = float(random.uniform(0.05, 0.5)), float(random.uniform(3, 10))
    short = mean_s / (1 - share + share * ratio)

    def bimodal(at: Floats) -> Floats:
        r = np.random.default_rng(seed)
        return np.where(r.random(len(at)) < share, short * ratio, short) * r.lognormal(0, 0.05, len(at))

    return bimodal


SHAPES = ("fixed", "lognormal", "bimodal")


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _where(random: np.random.Generator, front: Front, *, errors: bool = True) -> dict[str, Any]:
    """What all kinds share: workers, network, and errors that may look like throttles."""
    ambiguous = AMBIGUOUS.get(front, "")
    ratio = float(random.choice([0.0, random.uniform(0, 0.05)])) if errors else 0.0
    return {
        "worker_count": int(random.integers(1, 5)),
        "round_trip_s": float(random.choice(ROUND_TRIPS_S)),
        "error_ratio": ratio,
        "error_signature": ambiguous if random.random() < 0.7 else "",
        "errors_quick": bool(random.random() < 0.2),
    }


def _bucket_throttle(front: Front, rate: float, burst: float, seed: int, noise: float = 0.0) -> Admitting:
    # The account's bucket, not a stage's: noise would strike twice on the way through both.
    account = Account(gateway=Bucket(rate, burst), concurrency=1_000_000, functions={"f": Function("f")})
    return Admitting(front, account, Call("f"), seed=seed, noise=noise)


def _open() -> Account:
    return Account(gateway=Bucket(1e9, 1e9), concurrency=1_000_000, functions={"f": Function("f")})


def _capped(front: Front, cap: int, *, reserved: bool) -> Admitting:
    if reserved:
        account = Account(concurrency=100_000, functions={"f": Function("f", reserved=cap)}, gateway=Bucket(1e9, 1e9))
    else:
        account = Account(concurrency=cap, functions={"f": Function("f")}, gateway=Bucket(1e9, 1e9))
    return Admitting(front, account, Call("f"))


def bucket(random: np.random.Generator, *, empty: bool = False, noise: float = 0.0, kind: str = "bucket full") -> Hidden:
    """A token bucket, full or empty at the start; half of the loads have a pause in which it refills."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.PLAIN]))
    over = float(random.uniform(1.15, 3.0))
    pressure = _log_uniform(random, 60, 2000)
    rate = round(pressure / over, int(random.integers(0, 2)))
    burst = float(max(2, round(random.uniform(0.05, 0.6) * (pressure - rate) * 10)))
    throttle = _bucket_throttle(front, rate, burst, int(random.integers(1 << 30)), noise)
    values = {"rate": rate, "burst": burst}
    refill_s = burst / rate * 1.2 + 0.5
    where = _where(random, front)
    if empty:
        first_s = where["round_trip_s"] / 2  # when the first request arrives
        while (answer := throttle.arrive(first_s))[0] is None:
            throttle.finish(first_s, answer[2])
        load: tuple[Phase, ...] = (constant(pressure, PRESSURE_S, "p"),)
        if random.random() < 0.5 and refill_s < 20:
            load = (constant(pressure, 10.0, "p"), pause(refill_s, "rest"), constant(pressure, 10.0, "again"))
        else:
            del values["burst"]
    else:
        warm = constant(rate * float(random.uniform(0.2, 0.9)), float(random.uniform(1, 4)), "warm")
        load = (warm, constant(pressure, PRESSURE_S, "p"))
        if random.random() < 0.3 and refill_s < 20:
            load = (warm, constant(pressure, 10.0, "p"), pause(refill_s, "rest"), constant(pressure, 10.0, "again"))
        elif random.random() < 0.3:
            load = (constant(pressure, PRESSURE_S, "p"),)
    service = service_of(random, _log_uniform(random, 0.005, 0.5), str(random.choice(SHAPES)))
    return Hidden(kind, front, [Truth(Family.BUCKET, values)], load, throttle, service, **where)


def concurrency(random: np.random.Generator, shape: str) -> Hidden:
    """A concurrency cap, pressed 1.15 to 2.5 times over it."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.FUNCTION_URL, Front.LAMBDA, Front.PLAIN]))
    over = float(random.uniform(1.15, 2.5))
    while True:
        pressure, mean_s = _log_uniform(random, 50, 2000), _log_uniform(random, over / 8, 1.5)
        cap = round(pressure * mean_s / over)
        if 5 <= cap <= 1000:
            break
    warm = constant(0.4 * cap / mean_s, float(random.uniform(1, 4)), "warm")
    load = (warm, constant(pressure, PRESSURE_S, "p"))
    throttle = _capped(front, cap, reserved=bool(random.random() < 0.5))
    service = service_of(random, mean_s, shape)
    truth = Truth(Family.CONCURRENCY, {"concurrency": cap})
    about = f"over {over:.2f} mean {mean_s:.3f} s {shape} {front}"
    return Hidden(f"concurrency {shape}", front, [truth], load, throttle, service, about=about, **_where(random, front))


def scaling(random: np.random.Generator) -> Hidden:
    """Environments may be added only so fast; pace varies the slope of the model's own two regimes."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.FUNCTION_URL, Front.LAMBDA]))
    while True:
        burst, pace, mean_s = int(random.integers(40, 500)), float(random.uniform(0.5, 8)), _log_uniform(random, 0.4, 3)
        slope = 500 / 60 * pace
        pressure = (burst + slope * PRESSURE_S) * float(random.uniform(1.1, 1.6)) / mean_s
        if 50 <= pressure <= 2000 and pressure * mean_s > burst * 1.2:
            break
    account = Account(
        gateway=Bucket(1e9, 1e9), concurrency=1_000_000, scaling=Scaling.LEGACY, legacy_burst=burst, functions={"f": Function("f")}
    )
    throttle = Admitting(front, account, Call("f"), pace=pace)
    service = service_of(random, mean_s, str(random.choice(SHAPES)))
    truth = Truth(Family.SCALING_RATE, {"slope": slope})
    return Hidden("scaling slope", front, [truth], (constant(pressure, PRESSURE_S, "p"),), throttle, service, **_where(random, front))


def invocation(random: np.random.Generator) -> Hidden:
    """The 10x rule on fronts that separate it from a bucket, with calls too short for the cap to bind."""
    front = Front(random.choice([Front.REST, Front.FUNCTION_URL, Front.LAMBDA, Front.HTTP, Front.ALB]))
    over = float(random.uniform(1.15, 3.0))
    cap = max(8, round(_log_uniform(random, 100, 2000) / over / 10))
    pressure = 10 * cap * over
    mean_s = _log_uniform(random, 0.003, 0.02)
    load = (constant(5 * cap, float(random.uniform(1, 3)), "warm"), constant(pressure, PRESSURE_S, "p"))
    service = service_of(random, mean_s, "lognormal")
    truth = Truth(Family.INVOCATION_RATE, {"rate_limit": 10.0 * cap})
    return Hidden("10x rule", front, [truth], load, _capped(front, cap, reserved=True), service, **_where(random, front))


def two_limits(random: np.random.Generator) -> Hidden:
    """A cap that binds at once and a bucket that binds when its burst is used, or the other way round."""
    front = Front(random.choice([Front.REST, Front.HTTP]))
    where = _where(random, front)
    mean_s, pressure = _log_uniform(random, 0.25, 1.0), _log_uniform(random, 100, 1500)
    rate = round(pressure / float(random.uniform(1.3, 2.0)))
    cap = max(8, round(rate * mean_s / float(random.uniform(1.2, 1.8))))
    burst = max(5, round((pressure - rate) * float(random.uniform(2, 8))))
    account = Account(
        gateway=Bucket(1e9, 1e9), stages={"s": Bucket(rate, burst)}, concurrency=100_000, functions={"f": Function("f", reserved=cap)}
    )
    truths = [Truth(Family.CONCURRENCY, {"concurrency": cap}), Truth(Family.BUCKET, {"rate": rate, "burst": burst})]
    load = (constant(0.4 * cap / mean_s, 2.0, "warm"), constant(pressure, PRESSURE_S, "p"))
    service = service_of(random, mean_s, str(random.choice(SHAPES)))
    return Hidden("two limits", front, truths, load, Admitting(front, account, Call("f", "s")), service, **where)


def no_quota(random: np.random.Generator) -> Hidden:
    """No quota at all: a slow target, one that fails at random, or one that is out for a while."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.PLAIN, Front.FUNCTION_URL]))
    pressure = _log_uniform(random, 50, 2000)
    mean_s = min(_log_uniform(random, 0.01, 0.8), 120 / pressure)  # slower by 6 it still starts < 1,000 at once
    base = service_of(random, mean_s, str(random.choice(SHAPES)))
    sort = str(random.choice(["slow", "failing", "outage"]))
    where = _where(random, front)
    if sort == "slow":
        start, factor = float(random.uniform(4, 12)), float(random.uniform(2, 6))

        def service(at: Floats) -> Floats:
            return base(at) * np.where(at > start, factor, 1.0)
    else:
        service = base
        where |= {"error_signature": AMBIGUOUS.get(front, "")}
    if sort == "failing":
        where["error_ratio"] = float(random.uniform(0.01, 0.5))
    outage = None
    if sort == "outage":
        start = float(random.uniform(3, 12))
        outage = (start, start + float(random.uniform(1, 6)))
    load = (constant(pressure * 0.5, 3.0, "warm"), constant(pressure, PRESSURE_S, "p"))
    throttle = Admitting(front, _open(), Call("f"))
    return Hidden(f"no quota, {sort}", front, [], load, throttle, service, outage=outage, about=f"{sort} {front}", **where)


def changing(random: np.random.Generator) -> Hidden:
    """A throttle that appears or moves half-way."""
    at = float(random.uniform(7, 13))
    factor = float(random.choice([random.uniform(0.5, 0.8), random.uniform(1.25, 1.6)]))
    pressure = _log_uniform(random, 80, 2000)
    sort = str(random.choice(["appears", "bucket moves", "cap moves", "cap appears"]))
    load: tuple[Phase, ...] = (constant(pressure, PRESSURE_S, "p"),)
    mean_s = min(_log_uniform(random, 0.3, 1.0), 700 / pressure)
    if sort.startswith("cap"):
        front = Front(random.choice([Front.REST, Front.ALB, Front.FUNCTION_URL, Front.HTTP]))
        cap = max(8, round(pressure * mean_s / 2.0))
        later = round(cap * factor)
        throttle: Throttle = MovingCap(_capped(front, cap, reserved=False), at, later)
        truths = [
            Truth(Family.CONCURRENCY, {"concurrency": cap}, 0, at),
            Truth(Family.CONCURRENCY, {"concurrency": later}, at),
        ]
        if sort == "cap appears":
            throttle = MovingCap(_capped(front, 100_000, reserved=False), at, cap)
            truths = [Truth(Family.CONCURRENCY, {"concurrency": cap}, at)]
    else:
        front = Front(random.choice([Front.REST, Front.HTTP, Front.PLAIN]))
        rate = round(pressure / 2.0)
        burst = max(2, round(rate * float(random.uniform(0.05, 1.5))))
        second = _bucket_throttle(front, round(rate * factor), burst, 2)
        first = Admitting(front, _open(), Call("f")) if sort == "appears" else _bucket_throttle(front, rate, burst, 1)
        throttle = Changing(first, second, at)
        # Its burst cannot be told: a bucket that appears is, to a client, one that was larger all along.
        truths = [Truth(Family.BUCKET, {"rate": round(rate * factor)}, at)]
        if sort != "appears":
            truths.insert(0, Truth(Family.BUCKET, {"rate": rate, "burst": burst}, 0, at))
        mean_s = _log_uniform(random, 0.005, 0.5)
    service = service_of(random, mean_s, str(random.choice(SHAPES)))
    return Hidden(f"change, {sort}", front, truths, load, throttle, service, about=f"at {at:.2f}", **_where(random, front))


def window_counter(random: np.random.Generator) -> Hidden:
    """N per T, as WAFs and proxies count; the pressure lets up now and then, or T could not be told."""
    front = Front.PLAIN
    code = str(random.choice(["plain.429", "plain.503"]))
    pressure, period = _log_uniform(random, 60, 1500), float(random.choice([1.0, 2.0, 3.0, 5.0]))
    count = max(10, round(pressure * period / float(random.uniform(1.3, 3))))
    sort = str(random.choice(["fixed", "sliding", "sliding all", "stick"]))
    phase = float(random.uniform(0, period))
    throttle: Throttle
    if sort == "stick":
        throttle = Stick(code, count, period)
    else:
        throttle = WindowCounter(
            code, count, period, sliding=sort != "fixed", counts_refused=sort == "sliding all", phase_s=-phase
        )
    low = 0.7 * count / period
    load = tuple(
        constant(pressure if i % 2 == 0 else low, 5.0 + period, f"p{i}") for i in range(4)
    )
    service = service_of(random, _log_uniform(random, 0.005, 0.3), "lognormal")
    truth = Truth(Family.WINDOW_COUNTER, {"count": count, "period": period})
    return Hidden(f"window, {sort}", front, [truth], load, throttle, service, about=code, **_where(random, front))


KINDS: dict[str, tuple[float, Callable[[np.random.Generator], Hidden]]] = {
    "bucket full": (3, bucket),
    "bucket empty": (2, lambda r: bucket(r, empty=True, kind="bucket empty")),
    "concurrency fixed": (2, lambda r: concurrency(r, "fixed")),
    "concurrency lognormal": (2, lambda r: concurrency(r, "lognormal")),
    "concurrency bimodal": (2, lambda r: concurrency(r, "bimodal")),
    "scaling slope": (2, scaling),
    "10x rule": (2, invocation),
    "two limits": (2, two_limits),
    "no quota": (2, no_quota),
    "change": (2, changing),
}
"""The kinds of the mix, with their weights."""

EXTRA_KINDS: dict[str, Callable[[np.random.Generator], Hidden]] = {
    "best effort": lambda r: bucket(r, noise=0.05, kind="best effort"),
    "window counter": window_counter,
}
"""Kinds judged by other goals."""


def hidden_account(seed: int, kind: str | None = None) -> Hidden:
    """Return the hidden account of a seed, >= 0; of a kind if one is named, else of one drawn from the mix."""
    random = np.random.default_rng([seed, 3])
    if kind is None:
        weights = np.array([weight for weight, _ in KINDS.values()])
        kind = str(random.choice(list(KINDS), p=weights / weights.sum()))
    make = KINDS[kind][1] if kind in KINDS else EXTRA_KINDS[kind]
    return make(random)
