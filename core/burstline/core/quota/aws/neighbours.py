"""The other functions of an account: what they take of the concurrency that all share, and whether a run hurts them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from burstline.core.load.plan import Plan, Users
from burstline.core.load.schedule import Schedule
from burstline.core.quota.admission.event_source import most_of
from burstline.core.quota.answers.limits import functions_of
from burstline.core.quota.quotas import Account

MOST_ARRIVALS = 200_000
"""Arrivals that are looked at one by one; of longer plans every n-th."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Other functions' use before a run.

    Attributes:
        window_s: how far back was looked, seconds, > 0.
        peaks: function -> its highest concurrency in that time, environments; the run's own functions are missing.
        throttles: function -> throttled calls in that time, > 0; functions without are missing.
        claimed: highest `ClaimedAccountConcurrency` in that time, environments; None if unknown.
        reserved_by_others: environments reserved for functions outside the run; None if unknown.
        problems: sentences about what could not be read.
    """

    window_s: float
    peaks: Mapping[str, float] = field(default_factory=dict)
    throttles: Mapping[str, float] = field(default_factory=dict)
    claimed: float | None = None
    reserved_by_others: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def concurrency(self) -> float:
        """Upper bound of what they took together, environments: the sum of their peaks, which may not coincide."""
        return sum(self.peaks.values())


@dataclass(frozen=True, slots=True)
class PoolShare:
    """How much of the shared pool a run takes.

    Attributes:
        pool: environments that functions without reserved concurrency share.
        run: what the run needs of it at its peak, environments.
        others: what others took before it, environments.
        ratio: run/pool, 0 and up; None for an empty pool.
        crowded: run and others together need more than there is.
        text: a sentence for a reader.
    """

    pool: int
    run: float
    others: float
    ratio: float | None
    crowded: bool
    text: str = ""

    @property
    def share(self) -> str:
        """The ratio in words."""
        return "all and more" if self.ratio is None or self.ratio > 1 else f"{self.ratio:.0%}"


def run_concurrency(plan: Plan, account: Account, durations_s: Mapping[str, float]) -> float | None:
    """Return what a plan needs of the shared pool at its peak, environments; None if no duration is known.

    The most arrivals of any stretch as long as one call takes, bursts included; of functions without reserved
    concurrency only. A rough number for a sentence: cold starts and slow calls come on top.

    Args:
        plan: the plan.
        account: its functions.
        durations_s: plain function name -> how long a call takes, seconds, > 0.
    """
    all_weights = sum(request.weight for request in plan.requests)
    weights: dict[str, float] = {}
    queue = account.queues.get(plan.target.queue)
    for request, name in zip(plan.requests, functions_of(plan), strict=True):
        plain = name.rpartition(":function:")[2].split(":")[0] or (queue.function if queue else "")
        # A queue's function is called once a batch: full ones at best.
        calls = max(1.0, request.message_count / queue.batch) if queue else 1.0
        weights[plain] = weights.get(plain, 0.0) + request.weight * calls
    shared = {
        name: weight / all_weights
        for name, weight in weights.items()
        if name in durations_s and (name not in account.functions or account.functions[name].reserved is None)
    }
    if not any(name in durations_s for name in weights):
        return None
    schedule = Schedule(plan.load, plan.seed)
    step = max(1, schedule.count // MOST_ARRIVALS)
    due_s = schedule.offsets(0, schedule.count, step)
    users = sum(phase.shape.users for phase in plan.load if isinstance(phase.shape, Users))
    total = float(users) * sum(shared.values())
    for name, ratio in shared.items():
        before = np.searchsorted(due_s, due_s - durations_s[name], side="right")
        most = int((np.arange(1, len(due_s) + 1) - before).max(initial=0))
        total += ratio * most * step
    return min(total, float(most_of(queue))) if queue else total


def taken(account: Account, run: float, others: float, reserved_by_others: int) -> PoolShare:
    """Return how much of the shared pool is taken, without a sentence.

    Args:
        account: its limit, and the run's functions.
        run: what the run needs of the pool at its peak, environments.
        others: what others take of it, environments.
        reserved_by_others: environments reserved for functions outside the run.
    """
    pool = max(0, account.unreserved() - reserved_by_others)
    return PoolShare(pool, run, others, run / pool if pool else None, run + others > pool)


def pool_share(account: Account, run_concurrency: float, neighbours: Neighbours) -> PoolShare:
    """Return how much of the shared pool a run takes.

    Args:
        account: its limit, and the run's functions.
        run_concurrency: what the run's functions without reserved concurrency need at their peak, environments.
        neighbours: what others took.
    """
    found = taken(account, run_concurrency, neighbours.concurrency, neighbours.reserved_by_others or 0)
    if not run_concurrency:
        text = "The run's functions have concurrency of their own: it takes nothing of the pool that others share."
        return replace(found, crowded=False, text=text)
    text = (
        f"The run needs about {run_concurrency:,.0f} of the {found.pool:,} environments that functions without "
        f"reserved concurrency share ({found.share}); others took up to {found.others:,.0f} in the last "
        f"{neighbours.window_s / 60:.0f} min."
    )
    if found.crowded and found.others:
        text += " Together that is more than there is: other functions will be throttled."
    return replace(found, text=text)


@dataclass(frozen=True, slots=True)
class NeighbourThrottles:
    """Other functions were throttled while a run was under way: what an abort rule looks at.

    Attributes:
        period_start_s: the minute it happened in, seconds since the Unix epoch.
        counts: function -> throttled calls in that minute, > 0; "" stands for functions that are not told apart.
    """

    period_start_s: float
    counts: Mapping[str, float]

    @property
    def count(self) -> float:
        """Throttled calls of all of them."""
        return sum(self.counts.values())

    @property
    def text(self) -> str:
        """Why a run is stopped for it, a sentence."""
        names = ", ".join(sorted(name for name in self.counts if name)) or "other functions"
        return f"other functions are throttled while this run is under way: {names} ({self.count:,.0f} calls)"


def new_throttles(before: Neighbours, now: NeighbourThrottles) -> NeighbourThrottles | None:
    """Return the throttles that started with the run: functions that were throttled before it are left out."""
    counts = {name: count for name, count in now.counts.items() if count > 0 and name not in before.throttles}
    return NeighbourThrottles(now.period_start_s, counts) if counts else None
