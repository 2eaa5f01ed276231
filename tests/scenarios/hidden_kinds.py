"""The kinds of hidden accounts, and which numbers they draw."""

from collections.abc import Callable
from typing import Any

import numpy as np
from burstline.core.load.plan import Constant, Front, Pause, Phase
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.quotas import Account, Bucket, Family, Function, Scaling
from hidden_accounts import Floats, Hidden, Truth
from hidden_throttles import Admitting, Changing, MovingCap, Stick, Throttle, WindowCounter

ROUND_TRIPS_S = (0.0003, 0.01, 0.04)
PRESSURE_S = 20.0
AMBIGUOUS = {Front.REST: "500.internal", Front.HTTP: "503.unavailable", Front.ALB: "502", Front.PLAIN: "503"}
"""Per front, how real errors look that cannot be told from a throttle."""


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


def bucket(
    random: np.random.Generator, *, empty: bool = False, noise: float = 0.0, kind: str = "bucket full"
) -> Hidden:
    """A token bucket, full or empty at the start; half of the loads have a pause in which it refills."""
    # Who throttles by best effort is API Gateway; on a plain front a throttle that errs cannot be told from errors.
    front = Front(random.choice([Front.REST, Front.HTTP] if noise else [Front.REST, Front.HTTP, Front.PLAIN]))
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
        gateway=Bucket(1e9, 1e9),
        concurrency=1_000_000,
        scaling=Scaling.LEGACY,
        legacy_burst=burst,
        functions={"f": Function("f")},
    )
    throttle = Admitting(front, account, Call("f"), pace=pace)
    service = service_of(random, mean_s, str(random.choice(SHAPES)))
    truth = Truth(Family.SCALING_RATE, {"slope": slope})
    return Hidden(
        "scaling slope",
        front,
        [truth],
        (constant(pressure, PRESSURE_S, "p"),),
        throttle,
        service,
        **_where(random, front),
    )


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
    return Hidden(
        "10x rule", front, [truth], load, _capped(front, cap, reserved=True), service, **_where(random, front)
    )


def two_limits(random: np.random.Generator) -> Hidden:
    """A cap that binds at once and a bucket that binds when its burst is used, or the other way round."""
    front = Front(random.choice([Front.REST, Front.HTTP]))
    where = _where(random, front)
    mean_s, pressure = _log_uniform(random, 0.25, 1.0), _log_uniform(random, 100, 1500)
    rate = round(pressure / float(random.uniform(1.3, 2.0)))
    cap = max(8, round(rate * mean_s / float(random.uniform(1.2, 1.8))))
    burst = max(5, round((pressure - rate) * float(random.uniform(2, 8))))
    account = Account(
        gateway=Bucket(1e9, 1e9),
        stages={"s": Bucket(rate, burst)},
        concurrency=100_000,
        functions={"f": Function("f", reserved=cap)},
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
    slow_from_s, factor = float("inf"), 1.0
    if sort == "slow":
        slow_from_s, factor = float(random.uniform(4, 12)), float(random.uniform(2, 6))
    else:
        where |= {"error_signature": AMBIGUOUS.get(front, "")}
    if sort == "failing":
        where["error_ratio"] = float(random.uniform(0.01, 0.5))
    outage = None

    def service(at: Floats) -> Floats:
        return base(at) * np.where(at > slow_from_s, factor, 1.0)

    if sort == "outage":
        start = float(random.uniform(3, 12))
        outage = (start, start + float(random.uniform(1, 6)))
    load = (constant(pressure * 0.5, 3.0, "warm"), constant(pressure, PRESSURE_S, "p"))
    throttle = Admitting(front, _open(), Call("f"))
    return Hidden(
        f"no quota, {sort}", front, [], load, throttle, service, outage=outage, about=f"{sort} {front}", **where
    )


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
    return Hidden(
        f"change, {sort}", front, truths, load, throttle, service, about=f"at {at:.2f}", **_where(random, front)
    )


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
    load = tuple(constant(pressure if i % 2 == 0 else low, 5.0 + period, f"p{i}") for i in range(4))
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
