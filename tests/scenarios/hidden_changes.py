"""Hidden accounts whose throttle comes or moves in mid-run, and targets without any."""

import numpy as np
from burstline.core.load.plan import Front, Phase
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.quotas import Family
from hidden_accounts import Floats, Hidden, Truth
from hidden_parts import (
    AMBIGUOUS,
    PRESSURE_S,
    SHAPES,
    bucket_throttle,
    capped,
    constant,
    log_uniform,
    open_account,
    service_of,
    where_of,
)
from hidden_throttles import Admitting, Changing, MovingCap, Throttle


def no_quota(random: np.random.Generator) -> Hidden:
    """No quota at all: a slow target, one that fails at random, or one that is out for a while."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.PLAIN, Front.FUNCTION_URL]))
    pressure = log_uniform(random, 50, 2000)
    mean_s = min(log_uniform(random, 0.01, 0.8), 120 / pressure)  # slower by 6 it still starts < 1,000 at once
    base = service_of(random, mean_s, str(random.choice(SHAPES)))
    sort = str(random.choice(["slow", "failing", "outage"]))
    where = where_of(random, front)
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
    throttle = Admitting(front, open_account(), Call("f"))
    return Hidden(
        f"no quota, {sort}", front, [], load, throttle, service, outage=outage, about=f"{sort} {front}", **where
    )


def changing(random: np.random.Generator) -> Hidden:
    """A throttle that appears or moves half-way."""
    at = float(random.uniform(7, 13))
    factor = float(random.choice([random.uniform(0.5, 0.8), random.uniform(1.25, 1.6)]))
    pressure = log_uniform(random, 80, 2000)
    sort = str(random.choice(["appears", "bucket moves", "cap moves", "cap appears"]))
    load: tuple[Phase, ...] = (constant(pressure, PRESSURE_S, "p"),)
    mean_s = min(log_uniform(random, 0.3, 1.0), 700 / pressure)
    if sort.startswith("cap"):
        front = Front(random.choice([Front.REST, Front.ALB, Front.FUNCTION_URL, Front.HTTP]))
        cap = max(8, round(pressure * mean_s / 2.0))
        later = round(cap * factor)
        throttle: Throttle = MovingCap(capped(front, cap, reserved=False), at, later)
        truths = [
            Truth(Family.CONCURRENCY, {"concurrency": cap}, 0, at),
            Truth(Family.CONCURRENCY, {"concurrency": later}, at),
        ]
        if sort == "cap appears":
            throttle = MovingCap(capped(front, 100_000, reserved=False), at, cap)
            truths = [Truth(Family.CONCURRENCY, {"concurrency": cap}, at)]
    else:
        front = Front(random.choice([Front.REST, Front.HTTP, Front.PLAIN]))
        rate = round(pressure / 2.0)
        burst = max(2, round(rate * float(random.uniform(0.05, 1.5))))
        second = bucket_throttle(front, round(rate * factor), burst, 2)
        first = (
            Admitting(front, open_account(), Call("f")) if sort == "appears" else bucket_throttle(front, rate, burst, 1)
        )
        throttle = Changing(first, second, at)
        # Its burst cannot be told: a bucket that appears is, to a client, one that was larger all along.
        truths = [Truth(Family.BUCKET, {"rate": round(rate * factor)}, at)]
        if sort != "appears":
            truths.insert(0, Truth(Family.BUCKET, {"rate": rate, "burst": burst}, 0, at))
        mean_s = log_uniform(random, 0.005, 0.5)
    service = service_of(random, mean_s, str(random.choice(SHAPES)))
    return Hidden(
        f"change, {sort}", front, truths, load, throttle, service, about=f"at {at:.2f}", **where_of(random, front)
    )
