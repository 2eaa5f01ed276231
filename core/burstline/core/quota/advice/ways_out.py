"""Ways out that are no quota: a cache, shorter calls, a slower ramp, a queue in front, more accounts.

Each is tried by playing the demand, changed so, through the admission model with the limit as it is and everything
else that is recommended in force. Ratios of limits only say where to begin. What is not said was not found to suffice.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from burstline.core.load.plan import Plan
from burstline.core.quota.admission.queueing import WorkedOff, work_off
from burstline.core.quota.advice.demand import Demand, scaled, with_load
from burstline.core.quota.advice.peaks import busiest
from burstline.core.quota.advice.playing import VERIFY_SEED, drawn_services
from burstline.core.quota.advice.slowing import changes_text, slowed
from burstline.core.quota.quotas import Queue

MOST_REPLAYED = 15_000
"""Arrivals that a way out is tried on: of longer demands the busiest stretch."""

STEPS_PERCENT = (0, 1, 2, 4, 8, 14, 22, 32)
"""Added to the share that the limits' ratio suggests, until nothing is refused."""

MOST_PERCENT = 95
"""Beyond this nobody would call it a cache."""

MOST_SLOWED = 200_000
"""Arrivals of plans that are tried with slower ramps, which lengthen them up to tenfold."""

SLOWNESS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
MOST_ACCOUNTS = 20
QUEUE_SHARES = (1.0, 0.9, 0.8, 0.65, 0.5)
"""Of the limit: what a queue's mapping may invoke at a time, the largest that refuses nothing."""

QUEUE_STEP_S, QUEUE_RATIO = 0.005, 20
"""A queue is followed in such steps, and at most so many times as long as messages come."""

DRAWS = 2
PASSED = "replayed, none is throttled"

Refused = Callable[[Demand, int], int]
"""How many requests of a demand a limit refuses, with everything else recommended in force, and a replay's seed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that is too small, as it is.

    Attributes:
        refused: plays a demand against it.
        served: about which share of the demand it lets through, above 0, below 1.
        concurrency: calls in flight that it allows; None where it is not about work.
        ramps: whether a slower ramp is asked for, too.
        passed: how it was checked that nothing is refused, for a reader.
    """

    refused: Refused
    served: float
    concurrency: float | None = None
    ramps: bool = True
    passed: str = PASSED


def ways_out(plan: Plan, demand: Demand, limit: Limit) -> tuple[str, ...]:
    """Return what else would do than raising a limit, each replayed; sentences.

    Args:
        plan: of the demand.
        demand: what the limit refuses a part of, or of which only a part meets it.
        limit: as it is.
    """
    stretch, text = _stretch(demand)
    if not limit.refused(stretch, VERIFY_SEED):
        return ()
    return tuple(f"{way}{text}." for way in _ways(plan, demand, stretch, limit))


def _ways(plan: Plan, demand: Demand, stretch: Demand, limit: Limit) -> Iterator[str]:
    least = round(100 * (1 - limit.served))
    percent = _first(_steps(least), lambda share: _all_pass(limit, stretch, lambda d, s: thinned(d, share / 100, s)))
    if percent is not None:
        yield f"A cache in front that answers {percent:.0f} % of the requests (GET only): {limit.passed}"
    if limit.concurrency is not None:
        shorter = _first(_steps(least), lambda share: _all_pass(limit, stretch, lambda d, _: quicker(d, share / 100)))
        if shorter is not None:
            mean_s = float(np.mean([one.mean_s for one in demand.services.values()]))
            yield (
                f"Calls that take {shorter:.0f} % less time (a mean of {mean_s * (1 - shorter / 100):.3g} s instead of "
                f"{mean_s:.3g} s): {limit.passed}"
            )
    if limit.ramps and len(demand.times_s) <= MOST_SLOWED:
        yield from _slower(plan, demand, limit)
    if limit.concurrency is not None and len(demand.functions) == 1:
        yield from _queue(stretch, limit)
    first = max(2, int(np.ceil(1 / limit.served)))
    accounts = _first(
        range(first, min(first + 4, MOST_ACCOUNTS)),
        lambda count: _all_pass(limit, stretch, lambda d, s: thinned(d, 1 - 1 / count, s)),
    )
    if accounts is not None:
        shares = "accounts or regions with these limits, an equal part of the requests each"
        yield f"{accounts:.0f} {shares}: {limit.passed}"


def thinned(demand: Demand, ratio: float, seed: int) -> Demand:
    """Return a demand without a random share `ratio` (0..1) of its arrivals."""
    kept = np.random.default_rng([seed, 17]).random(len(demand.times_s)) >= ratio
    return replace(demand, times_s=demand.times_s[kept], function=demand.function[kept])


def quicker(demand: Demand, ratio: float) -> Demand:
    """Return a demand whose calls take a share `ratio` (0..1) less time; cold starts stay."""
    services = {name: replace(one, table_s=one.table_s * (1 - ratio)) for name, one in demand.services.items()}
    return replace(demand, services=services)


def _slower(plan: Plan, demand: Demand, limit: Limit) -> Iterator[str]:
    """A slower ramp, if even the slowest helps: what lasts too long at too high a rate, no ramp makes smaller."""
    load = scaled(plan.load, demand.scale)

    def passes(slowness: float) -> bool:
        slow = slowed(load, slowness)
        gentle = with_load(demand, plan, slow)
        return slow != load and not limit.refused(_stretch(gentle)[0], VERIFY_SEED)

    if passes(SLOWNESS[-1]):
        least = _first(SLOWNESS, passes)
        if least is not None:
            changes = " ".join(changes_text(load, slowed(load, least)))
            yield f"A slower ramp. {changes.removesuffix('.')}: {limit.passed}"


def _queue(demand: Demand, limit: Limit) -> Iterator[str]:
    """SQS in front: the queue's mapping invokes as many at a time as the limit bears."""
    for share in QUEUE_SHARES:
        most = int((limit.concurrency or 0) * share)
        if most < 2:
            return
        worked = behind_queue(demand, most)
        starts_s = worked.starts_s(len(demand.times_s))
        if worked.is_empty and not limit.refused(replace(demand, times_s=starts_s), VERIFY_SEED):
            yield _queue_text(most, worked, limit.passed)
            return


def behind_queue(demand: Demand, most: int) -> WorkedOff:
    """Pass a demand's arrivals through a queue, a message a call, whose mapping invokes at most `most` at a time."""
    steps = np.floor(demand.times_s / QUEUE_STEP_S).astype(np.int64)
    came = np.concatenate(([0.0], np.cumsum(np.bincount(steps)).astype(np.float64)))
    queue = Queue("q", "f", batch=1, maximum_concurrency=most)
    service_s = np.maximum(drawn_services(demand, VERIFY_SEED), QUEUE_STEP_S)
    return work_off(came, QUEUE_STEP_S, queue, service_s, most_steps=QUEUE_RATIO * len(came))


def _queue_text(most: int, worked: WorkedOff, passed: str) -> str:
    return (
        f"SQS in front, where a caller need not wait for the answer, with a maximum concurrency of {most:,}: {passed}; "
        f"messages wait up to {worked.longest_wait_s:.3g} s, {worked.waiting.max():,.0f} at a time"
    )


def _steps(least: int) -> Iterator[int]:
    return (share for share in (max(1, least) + step for step in STEPS_PERCENT) if share <= MOST_PERCENT)


def _first(candidates: Iterable[float], holds: Callable[[float], bool]) -> float | None:
    return next((one for one in candidates if holds(one)), None)


def _all_pass(limit: Limit, demand: Demand, changed: Callable[[Demand, int], Demand]) -> bool:
    return not any(limit.refused(changed(demand, draw), draw) for draw in range(DRAWS))


def _stretch(demand: Demand) -> tuple[Demand, str]:
    """The part of a demand that is replayed, and what a reader has to know of it."""
    if len(demand.times_s) <= MOST_REPLAYED or not demand.services:
        chosen = slice(0, MOST_REPLAYED)
    else:
        times_s = busiest(demand.times_s, next(iter(demand.services.values())), MOST_REPLAYED)
        start = int(np.searchsorted(demand.times_s, times_s[0]))
        chosen = slice(start, start + len(times_s))
    text = "" if len(demand.times_s) <= MOST_REPLAYED else f" (the busiest {MOST_REPLAYED:,} requests)"
    return replace(demand, times_s=demand.times_s[chosen], function=demand.function[chosen]), text
