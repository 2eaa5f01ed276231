"""What a forecast is asked about: streams of arrivals, and which call each arrival becomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.curves import curve_of
from burstline.core.load.plan import (
    DataOrder,
    Front,
    Phase,
    Plan,
)
from burstline.core.load.schedule import Schedule, UsersPhase
from burstline.core.load.selection import Selection
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.service_times import sample
from burstline.core.quota.answers.limits import GATEWAY_FRONTS, functions_of
from burstline.core.quota.quotas import Account, Function

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Load:
    """One stream of arrivals, split over calls by a hash of (seed, number), as the workers do it.

    Attributes:
        phases: its shape over time.
        calls: the kinds of call, at least one.
        weights: share of each, > 0; same length.
        seed: of Poisson arrivals and of the split, 0 <= seed < 2**63.
    """

    phases: tuple[Phase, ...]
    calls: tuple[Call, ...]
    weights: tuple[float, ...] = (1.0,)
    seed: int = 0

    @property
    def shares(self) -> Floats:
        """The weights, summing to 1."""
        weights = np.asarray(self.weights, np.float64)
        shares: Floats = weights / weights.sum()
        return shares


@dataclass(frozen=True, slots=True)
class ForecastInput:
    """Everything that arrives, apart from the functions' `other_rate_per_s`.

    Attributes:
        loads: streams, all starting at run time 0.
        front: what a request through the gateway is priced as.
        fixed: arrivals are drawn from each load's own seed, as a run of the plan would (False: each simulated
            run has Poisson arrivals and a split of its own).
    """

    loads: tuple[Load, ...]
    front: Front = Front.REST
    fixed: bool = True

    @property
    def duration_s(self) -> float:
        """When the last phase of all ends, seconds."""
        return max((sum(p.duration_s for p in load.phases) for load in self.loads), default=0.0)

    @property
    def calls(self) -> tuple[Call, ...]:
        """All kinds of call, load after load; a call's index here is its number everywhere in the forecast."""
        return tuple(call for load in self.loads for call in load.calls)


def input_of(plan: Plan) -> ForecastInput:
    """Return the arrivals of a plan: one stream, split over its requests' functions by their weights.

    A `plain` front counts as API Gateway where the plan names a stage or a usage plan.
    """
    target = plan.target
    plain = target.front is Front.PLAIN and bool(target.stage or target.usage_plan)
    gateway = target.front in GATEWAY_FRONTS or plain
    calls = tuple(Call(name, target.stage, target.usage_plan, gateway) for name in functions_of(plan))
    load = Load(plan.load, calls, tuple(r.weight for r in plan.requests), plan.seed)
    return ForecastInput((load,), target.front)


def highest_rate(phases: Sequence[Phase], resolution_s: float = 0.01) -> float:
    """Return the highest mean rate over any 1 s, requests/s, to a grid of `resolution_s` (users phases left out)."""
    grid = np.arange(0.0, sum(p.duration_s for p in phases) + 1.0, resolution_s)
    totals = totals_at(phases, grid)
    span = round(1.0 / resolution_s)
    return float(np.max(totals[span:] - totals[:-span])) if len(grid) > span else float(totals[-1])


def totals_at(phases: Sequence[Phase], times_s: Floats) -> Floats:
    """Return the planned arrivals before each time, a real number; a closed-model phase asks for none."""
    totals = np.zeros(len(times_s))
    start = 0.0
    for phase in phases:
        curve = curve_of(phase.shape, phase.duration_s)
        if curve is not None:
            local = np.clip(times_s - start, 0.0, np.nextafter(phase.duration_s, 0.0))
            totals += np.where(times_s > start, curve.total(local), 0.0)
        start += phase.duration_s
    return totals


@dataclass(frozen=True, slots=True)
class Arrived:
    """Arrivals of one simulated run, ascending.

    Attributes:
        times_s: seconds of run time.
        which: index into the input's calls, then (for others' traffic) into the functions that have some.
        ours_count: calls with an index below this are ours.
    """

    times_s: Floats
    which: NDArray[np.int64]
    ours_count: int


def arrivals_of(asked: ForecastInput, account: Account, random: np.random.Generator, round_trip_s: float) -> Arrived:
    """Return the arrivals of one run, closed-model phases included.

    A user is taken to send again a service time, `round_trip_s` and its think time after it sent, throttled or not.
    """
    times, which, first = [], [], 0
    for load in asked.loads:
        seed = load.seed if asked.fixed else int(random.integers(2**62))
        schedule = Schedule(load.phases, seed)
        open_model = schedule.offsets(0, schedule.count)
        closed = [_users(phase, load, account, random, round_trip_s) for phase in schedule.users_phases]
        at = np.concatenate([open_model, *closed]) if closed else open_model
        picks = Selection(seed, load.weights, 0, DataOrder.RANDOM).requests(np.arange(len(at), dtype=np.int64))
        times.append(at)
        which.append(picks + first)
        first += len(load.calls)
    return _sorted(times, which, first)


def with_others(arrived: Arrived, account: Account, duration_s: float, random: np.random.Generator) -> Arrived:
    """Add the Poisson traffic of others, `other_rate_per_s` of each function that has some, over the run."""
    times, which = [arrived.times_s], [arrived.which]
    for index, function in enumerate(others(account)):
        count = int(random.poisson(function.other_rate_per_s * duration_s))
        times.append(random.uniform(0.0, duration_s, count))
        which.append(np.full(count, arrived.ours_count + index, np.int64))
    return _sorted(times, which, arrived.ours_count) if len(times) > 1 else arrived


def others(account: Account) -> list[Function]:
    """Return the functions that have traffic of others, in the account's order."""
    return [function for function in account.functions.values() if function.other_rate_per_s > 0]


def _sorted(times: list[Floats], which: list[NDArray[np.int64]], ours_count: int) -> Arrived:
    at = np.concatenate(times) if times else np.empty(0)
    picks = np.concatenate(which) if which else np.empty(0, np.int64)
    if bool(np.any(np.diff(at) < 0)):
        order = np.argsort(at, kind="stable")
        at, picks = at[order], picks[order]
    return Arrived(at, picks, ours_count)


def mean_service_s(load: Load, account: Account) -> float:
    """Return the mean service time over a load's calls, seconds, from samples of a fixed seed (an estimate)."""
    random = np.random.default_rng(0)
    functions = [account.functions.get(call.function, Function(call.function)) for call in load.calls]
    means = [float(np.minimum(sample(f.duration, 4000, random), f.timeout_s).mean()) for f in functions]
    return float(reduce(add, (share * mean for share, mean in zip(load.shares.tolist(), means, strict=True))))


def _users(phase: UsersPhase, load: Load, account: Account, random: np.random.Generator, round_trip_s: float) -> Floats:
    """Return when a closed-model phase's users send, ascending: all of them first at the phase's start."""
    functions = [account.functions.get(call.function, Function(call.function)) for call in load.calls]
    at = np.full(phase.users, phase.start_s)
    sent = []
    while len(at):
        sent.append(at)
        picked = random.choice(len(functions), len(at), p=load.shares)
        busy = np.empty(len(at))
        for index, function in enumerate(functions):
            chosen = picked == index
            count = int(np.count_nonzero(chosen))
            busy[chosen] = np.minimum(sample(function.duration, count, random), function.timeout_s)
        at = at + busy + max(round_trip_s, 1e-3) + phase.think_s
        at = at[at < phase.end_s]
    return np.sort(np.concatenate(sent))
