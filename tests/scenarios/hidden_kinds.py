"""The kinds of hidden accounts, and which numbers they draw."""

from collections.abc import Callable

import numpy as np
from burstline.core.load.plan import Front, Phase
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.quotas import Account, Bucket, Family, Function, Scaling
from hidden_accounts import Hidden, Truth
from hidden_bursts import bucket_bursts, cap_bursts, scaling_bursts
from hidden_changes import changing, no_quota
from hidden_parts import (
    PRESSURE_S,
    SHAPES,
    bucket_throttle,
    capped,
    constant,
    log_uniform,
    pause,
    service_of,
    where_of,
)
from hidden_throttles import Admitting, Stick, Throttle, WindowCounter


def bucket(
    random: np.random.Generator, *, empty: bool = False, noise: float = 0.0, kind: str = "bucket full"
) -> Hidden:
    """A token bucket, full or empty at the start; half of the loads have a pause in which it refills."""
    # Who throttles by best effort is API Gateway; on a plain front a throttle that errs cannot be told from errors.
    front = Front(random.choice([Front.REST, Front.HTTP] if noise else [Front.REST, Front.HTTP, Front.PLAIN]))
    over = float(random.uniform(1.15, 3.0))
    pressure = log_uniform(random, 60, 2000)
    rate = round(pressure / over, int(random.integers(0, 2)))
    burst = float(max(2, round(random.uniform(0.05, 0.6) * (pressure - rate) * 10)))
    throttle = bucket_throttle(front, rate, burst, int(random.integers(1 << 30)), noise)
    values = {"rate": rate, "burst": burst}
    refill_s = burst / rate * 1.2 + 0.5
    where = where_of(random, front)
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
    service = service_of(random, log_uniform(random, 0.005, 0.5), str(random.choice(SHAPES)))
    return Hidden(kind, front, [Truth(Family.BUCKET, values)], load, throttle, service, **where)


def concurrency(random: np.random.Generator, shape: str) -> Hidden:
    """A concurrency cap, pressed 1.15 to 2.5 times over it."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.FUNCTION_URL, Front.LAMBDA, Front.PLAIN]))
    over = float(random.uniform(1.15, 2.5))
    while True:
        pressure, mean_s = log_uniform(random, 50, 2000), log_uniform(random, over / 8, 1.5)
        cap = round(pressure * mean_s / over)
        if 5 <= cap <= 1000:
            break
    warm = constant(0.4 * cap / mean_s, float(random.uniform(1, 4)), "warm")
    load = (warm, constant(pressure, PRESSURE_S, "p"))
    throttle = capped(front, cap, reserved=bool(random.random() < 0.5))
    service = service_of(random, mean_s, shape)
    truth = Truth(Family.CONCURRENCY, {"concurrency": cap})
    about = f"over {over:.2f} mean {mean_s:.3f} s {shape} {front}"
    return Hidden(
        f"concurrency {shape}", front, [truth], load, throttle, service, about=about, **where_of(random, front)
    )


def scaling(random: np.random.Generator) -> Hidden:
    """Environments may be added only so fast; pace varies the slope of the model's own two regimes."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.FUNCTION_URL, Front.LAMBDA]))
    while True:
        burst, pace, mean_s = int(random.integers(40, 500)), float(random.uniform(0.5, 8)), log_uniform(random, 0.4, 3)
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
        **where_of(random, front),
    )


def invocation(random: np.random.Generator) -> Hidden:
    """The 10x rule on fronts that separate it from a bucket, with calls too short for the cap to bind."""
    front = Front(random.choice([Front.REST, Front.FUNCTION_URL, Front.LAMBDA, Front.HTTP, Front.ALB]))
    over = float(random.uniform(1.15, 3.0))
    cap = max(8, round(log_uniform(random, 100, 2000) / over / 10))
    pressure = 10 * cap * over
    mean_s = log_uniform(random, 0.003, 0.02)
    load = (constant(5 * cap, float(random.uniform(1, 3)), "warm"), constant(pressure, PRESSURE_S, "p"))
    service = service_of(random, mean_s, "lognormal")
    truth = Truth(Family.INVOCATION_RATE, {"rate_limit": 10.0 * cap})
    return Hidden(
        "10x rule", front, [truth], load, capped(front, cap, reserved=True), service, **where_of(random, front)
    )


def two_limits(random: np.random.Generator) -> Hidden:
    """A cap that binds at once and a bucket that binds when its burst is used, or the other way round."""
    front = Front(random.choice([Front.REST, Front.HTTP]))
    where = where_of(random, front)
    mean_s, pressure = log_uniform(random, 0.25, 1.0), log_uniform(random, 100, 1500)
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


def window_counter(random: np.random.Generator) -> Hidden:
    """N per T, as WAFs and proxies count; the pressure lets up now and then, or T could not be told."""
    front = Front.PLAIN
    code = str(random.choice(["plain.429", "plain.503"]))
    pressure, period = log_uniform(random, 60, 1500), float(random.choice([1.0, 2.0, 3.0, 5.0]))
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
    service = service_of(random, log_uniform(random, 0.005, 0.3), "lognormal")
    truth = Truth(Family.WINDOW_COUNTER, {"count": count, "period": period})
    return Hidden(f"window, {sort}", front, [truth], load, throttle, service, about=code, **where_of(random, front))


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
    "bursts of a bucket": bucket_bursts,
    "bursts of a cap": cap_bursts,
    "bursts of scaling": scaling_bursts,
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
