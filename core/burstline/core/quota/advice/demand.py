"""What AWS would have to admit: the plan's arrivals, or its goal's, and how long each call works."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import (
    Bursts,
    Constant,
    DataOrder,
    Pause,
    Phase,
    Plan,
    Ramp,
    Shape,
    Sine,
    Step,
    Users,
)
from burstline.core.load.schedule import BLOCK_COUNT, Schedule
from burstline.core.load.selection import Selection
from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S
from burstline.core.quota.admission.service_times import sample
from burstline.core.quota.advice.frontier import highest_rate
from burstline.core.quota.answers.inflight import Floor, admitted_latency, in_flight, midpoints
from burstline.core.quota.answers.limits import functions_of
from burstline.core.quota.answers.series import Floats, Series
from burstline.core.quota.quotas import Account

ENOUGH_ANSWERS = 50
"""Measured latencies from which service times are resampled; with fewer, declared durations are used."""

TABLE_SIZE = 1 << 16

BLOCK_SIZE = 1 << 18
"""Arrivals whose requests are drawn at a time: what a draw needs beside its result stays within some megabytes."""

COARSE = 0.1
"""Relative width of the steps in which cold answers are looked for."""

COLD_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """How long calls of one function work, as a table to draw from.

    Attributes:
        table_s: `TABLE_SIZE` equally likely values, ascending seconds.
        init_s: what a cold start adds, seconds.
        how: where they come from, for a reader.
    """

    table_s: Floats
    init_s: float
    how: str

    @property
    def mean_s(self) -> float:
        """Their mean, seconds."""
        return float(self.table_s.mean())

    def draw(self, count: int, random: np.random.Generator) -> Floats:
        """Return `count` of them, in random order."""
        drawn: Floats = self.table_s[random.integers(0, len(self.table_s), count, dtype=np.uint16)]
        return drawn


@dataclass(frozen=True, slots=True)
class Demand:
    """Arrivals that shall not be throttled.

    Attributes:
        times_s: ascending seconds.
        function: index into `functions` of each arrival; same length.
        functions: the functions that the plan's requests invoke; "" is unknown.
        services: service times by function; a function nothing is known of is missing.
        scale: factor from the plan to its goal, 1 without one.
        what: "the plan" or "the goal", with its numbers, for a reader.
        notes: what is doubtful about it.
    """

    times_s: Floats
    function: NDArray[np.int64]
    functions: tuple[str, ...]
    services: Mapping[str, ServiceTimes]
    scale: float
    what: str
    notes: tuple[str, ...] = ()

    def times_of(self, mine: NDArray[np.bool_]) -> Floats:
        """Return when some of the arrivals are; without a copy if they are all of them, as mostly."""
        return self.times_s if mine.all() else self.times_s[mine]


def demand_of(plan: Plan, account: Account, schedule: Schedule, totals: Totals, series: Series, floor: Floor) -> Demand:
    """Return the demand of a plan's goal, or of the plan itself if it has none."""
    times_s, notes = _arrivals(schedule, series)
    planned = highest_rate(times_s, 1.0)
    scale, what = 1.0, f"the plan (highest second: {planned:,.0f} requests)"
    if plan.goal is not None and planned > 0:
        scale = plan.goal.rate_per_s / planned
        schedule = Schedule(scaled(plan.load, scale), plan.seed)
        times_s, notes = _arrivals(schedule, series, scale)
        what = f"the goal of {plan.goal.rate_per_s:,.0f} requests/s, the plan times {scale:.3g}"
    names = functions_of(plan)
    functions = tuple(dict.fromkeys(names))
    function = _functions(plan, functions, len(times_s))
    started = float(in_flight(series, floor.value_s).max(initial=0.0))
    services = {}
    for name in functions:
        found = service_times(account, totals, floor, name, {i: n == name for i, n in enumerate(names)}, started)
        if found is not None:
            services[name] = found
    return Demand(times_s, function, functions, services, scale, what, notes)


def with_load(demand: Demand, plan: Plan, load: tuple[Phase, ...]) -> Demand:
    """Return the demand of other open-model phases: the same functions, requests and service times."""
    schedule = Schedule(load, plan.seed)
    times_s = schedule.offsets(0, schedule.count)
    return replace(demand, times_s=times_s, function=_functions(plan, demand.functions, len(times_s)))


def _functions(plan: Plan, functions: tuple[str, ...], count: int) -> NDArray[np.int64]:
    """Which function each of the first `count` arrivals invokes."""
    selection = Selection(plan.seed, [request.weight for request in plan.requests], 0, DataOrder.RANDOM)
    by_request = np.array([functions.index(name) for name in functions_of(plan)], np.int64)
    found = np.zeros(count, np.int64)
    for start in range(0, count if len(functions) > 1 else 0, BLOCK_SIZE):
        numbers = np.arange(start, min(start + BLOCK_SIZE, count), dtype=np.int64)
        found[start : start + BLOCK_SIZE] = by_request[selection.requests(numbers)]
    return found


def scaled(load: tuple[Phase, ...], factor: float) -> tuple[Phase, ...]:
    """Return the phases with every rate, burst size and user count times `factor` (> 0); times stay."""
    return tuple(replace(phase, shape=_scaled_shape(phase.shape, factor)) for phase in load)


def service_times(
    account: Account,
    totals: Totals,
    floor: Floor,
    function: str,
    requests: Mapping[int, bool],
    started: float = 0.0,
) -> ServiceTimes | None:
    """Return a function's service times: measured, else declared, else None.

    A client's best estimate is an answer's latency from actual send less what a request costs without any work.

    Args:
        floor: that cost.
        requests: which requests, by index, invoke the function.
        started: environments that were probably started in the run (the most calls in flight): so many answers may
            hold a cold start, which is taken out of them, or a declared `init` would be counted twice.
    """
    declared = account.functions.get(function)
    init_s = declared.init_s if declared else 0.0
    measured = admitted_latency(totals, requests)
    if measured.count >= ENOUGH_ANSWERS:
        values, counts = midpoints(measured)
        values = np.maximum(values - floor.value_s, 1e-4)
        cold = cold_answers(values, counts.astype(np.float64), init_s, min(started, float(measured.count)))
        values, weights = _warm(values, counts.astype(np.float64), cold, init_s)
        ranks = np.searchsorted(np.cumsum(weights), (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE * weights.sum())
        table = values[ranks]
        how = (
            f"service times of {measured.count:,} answers: latency from actual send less "
            f"{floor.value_s * 1000:.1f} ms ({floor.how})"
        )
        if cold.sum() >= 0.5:
            how += f"; {cold.sum():,.0f} of them taken as cold starts, less the declared {init_s:.3g} s"
        return ServiceTimes(table, init_s, how)
    if declared is None:
        return None
    table = np.sort(sample(declared.duration, TABLE_SIZE, np.random.default_rng(0)))
    return ServiceTimes(table, init_s, f"declared durations of {function}: too few answers to measure them")


def cold_answers(values: Floats, counts: Floats, init_s: float, started: float) -> Floats:
    """Return how many answers of each value were probably cold starts (an estimate, no whole numbers).

    Cold answers are distributed as warm ones, `init_s` later: so many of them as were started are looked for there,
    in steps of `COARSE`, and no more are taken than there are.

    Args:
        values: service times, ascending seconds, > 0.
        counts: answers of each; same length.
        init_s: what a cold start adds, seconds.
        started: environments started.
    """
    cold = np.zeros(len(values))
    if init_s <= 0 or started < 1 or not len(values):
        return cold
    groups = np.floor(np.log(values) / COARSE).astype(np.int64)
    low = int(groups[0])
    later = np.clip(np.floor(np.log(values + init_s) / COARSE).astype(np.int64), low, int(groups[-1])) - low
    groups = groups - low
    there = np.bincount(groups, weights=counts)
    for _ in range(COLD_ROUNDS):
        warm = counts - cold
        wanted = np.bincount(later, weights=started * warm / warm.sum(), minlength=len(there))
        share = np.minimum(1.0, wanted / np.maximum(there, 1e-9))
        cold = counts * np.minimum(share[groups], 0.999)
    return cold


def _warm(values: Floats, counts: Floats, cold: Floats, init_s: float) -> tuple[Floats, Floats]:
    """All answers as if they had been warm, ascending."""
    every = np.concatenate((values, np.maximum(values - init_s, 1e-4)))
    weight = np.concatenate((counts - cold, cold))
    order = np.argsort(every, kind="stable")
    return every[order], weight[order]


def _arrivals(schedule: Schedule, series: Series, scale: float = 1.0) -> tuple[Floats, tuple[str, ...]]:
    """Open-model arrivals, merged with what users sent (a closed model has no arrivals until it runs)."""
    times_s = schedule.offsets(0, schedule.count)
    if not schedule.users_phases:
        return times_s, ()
    pieces = [times_s]
    for phase in schedule.users_phases:
        low, high = round(phase.start_s / BIN_S), round(phase.end_s / BIN_S)
        counts = np.rint(series.sent[low:high] * scale).astype(np.int64)
        pieces.append(spread_bins(counts, low))
    note = "Phases with users have no arrivals of their own: what was sent stands for them, which throttling slows."
    return np.sort(np.concatenate(pieces)), (note,)


def spread_bins(counts: NDArray[np.int64], first_bin: int = 0) -> Floats:
    """Return one time per request of 10 ms bins, evenly within each bin, ascending seconds."""
    return np.concatenate([np.empty(0), *spread_blocks(counts, first_bin)])


def spread_blocks(counts: NDArray[np.int64], first_bin: int = 0) -> Iterator[Floats]:
    """Yield `spread_bins` some whole bins at a time, in about the memory of one block; none is empty."""
    ends = np.cumsum(counts)
    low = 0
    while low < len(counts):
        done = int(ends[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(ends, done + BLOCK_COUNT, side="right")))
        here, total = counts[low:high], int(ends[high - 1]) - done
        if total:
            starts = np.repeat(ends[low:high] - here - done, here)
            bins = np.repeat(np.arange(low, high), here)
            inside = (np.arange(total) - starts + 0.5) / np.repeat(np.maximum(here, 1), here)
            yield (first_bin + bins + inside) * BIN_S
        low = high


def _scaled_shape(shape: Shape, factor: float) -> Shape:
    match shape:
        case Constant(rate):
            return Constant(rate * factor)
        case Ramp(start, end):
            return Ramp(start * factor, end * factor)
        case Step(start, end, steps):
            return Step(start * factor, end * factor, steps)
        case Bursts(size, every_s, width_s, base):
            return Bursts(max(1, round(size * factor)), every_s, width_s, base * factor)
        case Sine(mean, amplitude, period_s):
            return Sine(mean * factor, amplitude * factor, period_s)
        case Users(users, think_s):
            return Users(max(1, round(users * factor)), think_s)
        case Pause():
            return shape
