"""What kinds of hidden accounts are made of: loads, service times, throttles, surroundings."""

from collections.abc import Callable
from typing import Any

import numpy as np
from burstline.core.load.plan import Constant, Front, Pause, Phase
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.quotas import Account, Bucket, Function
from hidden_accounts import Floats
from hidden_throttles import Admitting

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


def log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    """Return a number between `low` and `high`, as likely in each octave."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def where_of(random: np.random.Generator, front: Front, *, errors: bool = True) -> dict[str, Any]:
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


def bucket_throttle(front: Front, rate: float, burst: float, seed: int, noise: float = 0.0) -> Admitting:
    """Return a token bucket."""
    # The account's bucket, not a stage's: noise would strike twice on the way through both.
    account = Account(gateway=Bucket(rate, burst), concurrency=1_000_000, functions={"f": Function("f")})
    return Admitting(front, account, Call("f"), seed=seed, noise=noise)


def open_account() -> Account:
    """Return an account without limits that matter."""
    return Account(gateway=Bucket(1e9, 1e9), concurrency=1_000_000, functions={"f": Function("f")})


def capped(front: Front, cap: int, *, reserved: bool) -> Admitting:
    """Return a cap on calls in flight: the function's own, or the account's."""
    if reserved:
        account = Account(concurrency=100_000, functions={"f": Function("f", reserved=cap)}, gateway=Bucket(1e9, 1e9))
    else:
        account = Account(concurrency=cap, functions={"f": Function("f")}, gateway=Bucket(1e9, 1e9))
    return Admitting(front, account, Call("f"))
