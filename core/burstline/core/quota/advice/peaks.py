"""The highest number of calls in flight that a demand makes, over many replays with redrawn service times.

A cap at the peak throttles nobody, one below it does. Little's law gives only the mean; the peak is 1.1 to 3 times it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.schedule import BLOCK_COUNT
from burstline.core.quota.advice.demand import ServiceTimes
from burstline.core.quota.advice.frontier import blocks_of
from burstline.core.quota.answers.series import Floats

REPLAYS = 100
STEP_S = 0.001
"""Calls that end within a step are still counted at its start: the peak is exact or a little high."""

MOST_ARRIVALS = 150_000
"""Longer demands are replayed around their busiest stretches only."""

COLD_ROUNDS = 40
"""Most rounds of finding out which calls are cold; an init much longer than a call needs tens of them."""

SETTLED = 0.002
"""Share of the cold calls that are others than in the round before, at which they end."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Calls in flight.

    Attributes:
        p99: 99th percentile of the peaks of all replays.
        mean: of the peaks.
        little: arrivals' highest rate times mean service time, the highest mean by Little's law.
        replays: how many.
        whole: all arrivals were replayed, not only the busiest stretches.
    """

    p99: float
    mean: float
    little: float
    replays: int
    whole: bool


def peak_in_flight(times_s: Floats, services: ServiceTimes, *, replays: int = REPLAYS, seed: int = 0) -> Peak:
    """Return the peak of calls in flight of arrivals that nothing refuses.

    Args:
        times_s: arrivals, ascending seconds.
        replays: >= 1.
    """
    if not len(times_s):
        return Peak(0.0, 0.0, 0.0, replays, True)
    mean_s = services.mean_s
    # windows no shorter than a call, or a burst of long calls would look like a high steady rate
    window_s = max(1.0, mean_s)
    little = _most_in_window(times_s, window_s) / window_s * mean_s
    chosen = busiest(times_s, services)
    random = np.random.default_rng(seed)
    peaks = np.array([_one_peak(chosen, services, random) for _ in range(replays)])
    return Peak(float(np.quantile(peaks, 0.99)), float(peaks.mean()), little, replays, len(chosen) == len(times_s))


def busiest(times_s: Floats, services: ServiceTimes, most: int = MOST_ARRIVALS) -> Floats:
    """Return the arrivals around the highest expected load: all of them if there are at most `most`."""
    if len(times_s) <= most:
        return times_s
    reach_s = float(services.table_s[int(0.999 * len(services.table_s))]) + services.init_s
    window_s = max(services.mean_s, 0.01)
    top, most_load = 0, -1
    for low, block in zip(range(0, len(times_s), BLOCK_COUNT), blocks_of(times_s), strict=True):
        loads = np.searchsorted(times_s, block) - np.searchsorted(times_s, block - window_s)
        highest = int(np.argmax(loads))
        if loads[highest] > most_load:
            top, most_load = low + highest, int(loads[highest])
    start = int(np.searchsorted(times_s, times_s[top] - max(2 * reach_s, 1.0)))
    start = max(0, min(start, top - most // 2))
    return times_s[start : start + most]


def starts_of(times_s: Floats, services: ServiceTimes, random: np.random.Generator) -> tuple[Floats, int]:
    """Return when each environment would be started if nothing refused any, ascending, and the peak in flight.

    A call starts one when it raises the highest level so far: idle environments are used again, and stay for minutes.
    """
    levels = _run_levels(times_s, services, random)
    new = np.diff(np.maximum.accumulate(levels), prepend=0)
    starts: Floats = np.repeat(np.arange(len(levels)), new) * STEP_S + times_s[0]
    return starts, int(levels.max())


def _one_peak(times_s: Floats, services: ServiceTimes, random: np.random.Generator) -> int:
    return int(_run_levels(times_s, services, random).max())


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls of a block of arrivals, in steps: when each begins, how long it works, and its place within its step.

    Places matter to cold starts only: without `init_s` they are left out.
    """

    begins: NDArray[np.int64]
    works: NDArray[np.int64]
    places: NDArray[np.int64]


def _calls(times_s: Floats, services: ServiceTimes, random: np.random.Generator) -> Iterator[_Calls]:
    """Yield the calls of all arrivals block by block, so that no array is as long as they are."""
    last, met = -1, 0
    for block in blocks_of(times_s):
        begins = ((block - times_s[0]) / STEP_S).astype(np.int64)
        works = (services.draw(len(begins), random) / STEP_S).astype(np.int64) + 1
        if not services.init_s:
            yield _Calls(begins, works, begins[:0])
            continue
        places = np.arange(len(begins)) - np.searchsorted(begins, begins)
        places[begins == last] += met  # a step may begin in one block and go on in the next
        last, met = int(begins[-1]), int(places[-1]) + 1
        yield _Calls(begins, works, places)


def _run_levels(times_s: Floats, services: ServiceTimes, random: np.random.Generator) -> NDArray[np.int64]:
    """Calls in flight after the arrivals of each step, before its ends."""
    length = int((times_s[-1] - times_s[0]) / STEP_S) + 2
    init, drawing = round(services.init_s / STEP_S), random.bit_generator.state
    levels = np.zeros(length, np.int64)
    found = _calls(times_s, services, random)
    kept = list(found) if len(times_s) <= BLOCK_COUNT else None
    for calls in kept or found:
        _add(levels, calls, init)
    levels = np.cumsum(levels)
    if not init:
        return levels
    # A call is cold when no environment is free, that is when it raises the highest level so far. Starting from
    # "all are cold" this settles in a few rounds; starting from "none" it would take one per init / service time.
    before: NDArray[np.int64] | None = None
    for _ in range(COLD_ROUNDS):
        new = np.diff(np.maximum.accumulate(levels), prepend=0)
        if kept is None:
            random.bit_generator.state = drawing  # the same calls again: to keep them would take what blocks save
        levels, changed, cold_count = np.zeros(length, np.int64), 0, 0
        for calls in kept or _calls(times_s, services, random):
            cold = calls.places < new[calls.begins]
            was_cold = calls.places < before[calls.begins] if before is not None else np.ones_like(cold)
            changed += int(np.count_nonzero(cold != was_cold))
            cold_count += int(np.count_nonzero(cold))
            _add(levels, calls, np.where(cold, init, 0))
        levels, before = np.cumsum(levels), new
        # the peak alone may stand still for a round while calls before it are still found to be warm
        if changed <= SETTLED * cold_count:
            break
    return levels


def _add(changes: NDArray[np.int64], calls: _Calls, init: int | NDArray[np.int64]) -> None:
    """Count calls in at the step at which they begin, and out at that at which they end, if it is within."""
    first = int(calls.begins[0])
    arriving = np.bincount(calls.begins - first)
    changes[first : first + len(arriving)] += arriving
    ends = calls.begins + calls.works + init
    ends = ends[ends < len(changes)] - first
    if len(ends):
        leaving = np.bincount(ends)
        changes[first : first + len(leaving)] -= leaving


def _most_in_window(times_s: Floats, window_s: float) -> int:
    most = 0
    for low, block in zip(range(0, len(times_s), BLOCK_COUNT), blocks_of(times_s), strict=True):
        ends = np.searchsorted(times_s, block + window_s, side="left")
        most = max(most, int((ends - np.arange(low, low + len(block))).max()))
    return most
