"""Hidden accounts under bursts with rests between them, in which a bucket refills and a cap drains.

Pressure lasts for some hundredths of a second at a time. What a limit lets in at once shows well, what it gives back
over time shows only where the rests are too short to fill it up.
"""

import numpy as np
from burstline.core.load.plan import Bursts, Front, Phase
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.quotas import Account, Bucket, Family, Function, Scaling
from hidden_accounts import Hidden, Truth
from hidden_parts import (
    PRESSURE_S,
    SHAPES,
    bucket_throttle,
    capped,
    constant,
    log_uniform,
    service_of,
    where_of,
)
from hidden_throttles import Admitting


def bursting(random: np.random.Generator) -> Hidden:
    """One of the sorts, equally likely."""
    return SORTS[int(random.integers(len(SORTS)))](random)


def _bursts(random: np.random.Generator, size: int, base_per_s: float, every_s: float, width_s: float) -> Phase:
    """About `PRESSURE_S` of bursts."""
    return Phase("bursts", round(PRESSURE_S / every_s) * every_s, Bursts(size, every_s, width_s, base_per_s))


def _pace(random: np.random.Generator) -> tuple[float, float]:
    """How far apart bursts are, and how wide, seconds."""
    return float(random.uniform(1.5, 5.0)), float(random.choice([0.05, 0.1, 0.2, 0.5]))


def bucket_bursts(random: np.random.Generator) -> Hidden:
    """A bucket that is full again before each burst, or only partly, with steady traffic between or none."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.PLAIN]))
    every_s, width_s = _pace(random)
    burst = round(log_uniform(random, 20, 600))
    refills = bool(random.random() < 0.6)
    rate = round(burst / every_s * float(random.uniform(1.3, 4) if refills else random.uniform(0.2, 0.8)), 1)
    base = rate * float(random.choice([0.0, random.uniform(0.1, 0.5)]))
    size = round((burst + rate * width_s) * float(random.uniform(1.2, 2.5))) + 5
    load: tuple[Phase, ...] = (_bursts(random, size, base, every_s, width_s),)
    if random.random() < 0.5:
        load = (constant(rate * float(random.uniform(0.2, 0.8)), 3.0, "steady"), *load)
    throttle = bucket_throttle(front, rate, burst, int(random.integers(1 << 30)))
    service = service_of(random, log_uniform(random, 0.005, 0.5), str(random.choice(SHAPES)))
    truth = Truth(Family.BUCKET, {"rate": rate, "burst": burst})
    about = f"{size} every {every_s:.1f} s in {width_s} s on {base:.0f}/s, {'refilled' if refills else 'drained'}"
    kind = f"bursts, bucket {'full' if refills else 'part'}"
    return Hidden(kind, front, [truth], load, throttle, service, about=about, **where_of(random, front))


def cap_bursts(random: np.random.Generator) -> Hidden:
    """A cap that a burst fills at once; calls outlast the burst."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.FUNCTION_URL, Front.LAMBDA]))
    every_s, width_s = _pace(random)
    cap = round(log_uniform(random, 10, 400))
    mean_s = max(log_uniform(random, 0.15, 1.0), 1.5 * width_s)
    base = float(random.choice([0.0, 0.3])) * cap / mean_s
    size = round(cap * float(random.uniform(1.3, 2.5))) + 5
    load = (constant(0.3 * cap / mean_s, 3.0, "steady"), _bursts(random, size, base, every_s, width_s))
    service = service_of(random, mean_s, str(random.choice(SHAPES)))
    truth = Truth(Family.CONCURRENCY, {"concurrency": cap})
    about = f"{size} every {every_s:.1f} s in {width_s} s on {base:.0f}/s, mean {mean_s:.2f} s"
    throttle = capped(front, cap, reserved=bool(random.random() < 0.5))
    return Hidden("bursts, cap", front, [truth], load, throttle, service, about=about, **where_of(random, front))


def scaling_bursts(random: np.random.Generator) -> Hidden:
    """Each burst finds the environments of the last one, and those that may have been added since."""
    front = Front(random.choice([Front.REST, Front.HTTP, Front.ALB, Front.FUNCTION_URL, Front.LAMBDA]))
    every_s, width_s = _pace(random)
    burst, pace = int(random.integers(40, 300)), float(random.uniform(0.5, 4))
    slope = 500 / 60 * pace
    every_s = min(every_s, 0.8 * burst / slope)  # what may be added must not be lost
    size = round((burst + slope * PRESSURE_S) * float(random.uniform(1.1, 1.5)))
    mean_s = max(log_uniform(random, 0.4, 1.5), 3 * width_s)
    account = Account(
        gateway=Bucket(1e9, 1e9),
        concurrency=1_000_000,
        scaling=Scaling.LEGACY,
        legacy_burst=burst,
        functions={"f": Function("f")},
    )
    width_s = min(width_s, every_s / 4)
    load = (_bursts(random, size, 0.0, every_s, width_s),)
    service = service_of(random, mean_s, str(random.choice(SHAPES[:2])))
    truth = Truth(Family.SCALING_RATE, {"slope": slope})
    about = f"{size} every {every_s:.1f} s in {width_s:.2f} s, mean {mean_s:.2f} s, from {burst}"
    throttle = Admitting(front, account, Call("f"), pace=pace)
    return Hidden("bursts, scaling", front, [truth], load, throttle, service, about=about, **where_of(random, front))


SORTS = (bucket_bursts, cap_bursts, scaling_bursts)
