"""What AWS would have to admit: the plan's arrivals, or its goal's, and how long each call works."""

from collections.abc import Mapping
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
from burstline.core.load.schedule import Schedule
from burstline.core.load.selection import Selection
from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S
from burstline.core.quota.frontier import highest_rate
from burstline.core.quota.inflight import Floor, admitted_latency, midpoints
from burstline.core.quota.limits import functions_of
from burstline.core.quota.quotas import Account
from burstline.core.quota.series import Floats, Series
from burstline.core.quota.service_times import sample

ENOUGH_ANSWERS = 50
"""Measured latencies from which service times are resampled; with fewer, declared durations are used."""

TABLE_SIZE = 1 << 16


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
    selection = Selection(plan.seed, [request.weight for request in plan.requests], 0, DataOrder.RANDOM)
    requests = selection.requests(np.arange(len(times_s), dtype=np.int64))
    function = np.array([functions.index(name) for name in names], np.int64)[requests]
    services = {}
    for name in functions:
        found = service_times(account, totals, floor, name, {i: n == name for i, n in enumerate(names)})
        if found is not None:
            services[name] = found
    return Demand(times_s, function, functions, services, scale, what, notes)


def scaled(load: tuple[Phase, ...], factor: float) -> tuple[Phase, ...]:
    """Return the phases with every rate, burst size and user count times `factor` (> 0); times stay."""
    return tuple(replace(phase, shape=_scaled_shape(phase.shape, factor)) for phase in load)


def service_times(
    account: Account, totals: Totals, floor: Floor, function: str, requests: Mapping[int, bool]
) -> ServiceTimes | None:
    """Return a function's service times: measured, else declared, else None.

    A client's best estimate is an answer's latency from actual send less what a request costs without any work.

    Args:
        floor: that cost.
        requests: which requests, by index, invoke the function.
    """
    declared = account.functions.get(function)
    init_s = declared.init_s if declared else 0.0
    measured = admitted_latency(totals, requests)
    if measured.count >= ENOUGH_ANSWERS:
        values, counts = midpoints(measured)
        ranks = np.searchsorted(np.cumsum(counts), (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE * counts.sum())
        table = np.maximum(values[ranks] - floor.value_s, 1e-4)
        how = (
            f"service times of {measured.count:,} answers: latency from actual send less "
            f"{floor.value_s * 1000:.1f} ms ({floor.how})"
        )
        return ServiceTimes(table, init_s, how)
    if declared is None:
        return None
    table = np.sort(sample(declared.duration, TABLE_SIZE, np.random.default_rng(0)))
    return ServiceTimes(table, init_s, f"declared durations of {function}: too few answers to measure them")


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
    total = int(counts.sum())
    starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    bins = np.repeat(np.arange(len(counts)), counts)
    inside = (np.arange(total) - np.repeat(starts, counts) + 0.5) / np.repeat(np.maximum(counts, 1), counts)
    times: Floats = (first_bin + bins + inside) * BIN_S
    return times


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
