"""The highest number of calls in flight that a demand makes, over many replays with redrawn service times.

A cap at the peak throttles nobody, one below it does. Little's law gives only the mean; the peak is 1.1 to 3 times it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.advice.demand import ServiceTimes
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
    steps = ((chosen - chosen[0]) / STEP_S).astype(np.int64)
    random = np.random.default_rng(seed)
    peaks = np.array([_one_peak(steps, services, random) for _ in range(replays)])
    return Peak(float(np.quantile(peaks, 0.99)), float(peaks.mean()), little, replays, len(chosen) == len(times_s))


def busiest(times_s: Floats, services: ServiceTimes, most: int = MOST_ARRIVALS) -> Floats:
    """Return the arrivals around the highest expected load: all of them if there are at most `most`."""
    if len(times_s) <= most:
        return times_s
    reach_s = float(services.table_s[int(0.999 * len(services.table_s))]) + services.init_s
    window_s = max(services.mean_s, 0.01)
    loads = np.searchsorted(times_s, times_s) - np.searchsorted(times_s, times_s - window_s)
    top = int(np.argmax(loads))
    start = int(np.searchsorted(times_s, times_s[top] - max(2 * reach_s, 1.0)))
    start = max(0, min(start, top - most // 2))
    return times_s[start : start + most]


def starts_of(times_s: Floats, services: ServiceTimes, random: np.random.Generator) -> tuple[Floats, int]:
    """Return when each environment would be started if nothing refused any, ascending, and the peak in flight.

    A call starts one when it raises the highest level so far: idle environments are used again, and stay for minutes.
    """
    steps = ((times_s - times_s[0]) / STEP_S).astype(np.int64)
    levels = _run_levels(steps, services, random)
    new = np.diff(np.maximum.accumulate(levels), prepend=0)
    starts: Floats = np.repeat(np.arange(len(levels)), new) * STEP_S + times_s[0]
    return starts, int(levels.max())


def _one_peak(steps: NDArray[np.int64], services: ServiceTimes, random: np.random.Generator) -> int:
    return int(_run_levels(steps, services, random).max())


def _run_levels(steps: NDArray[np.int64], services: ServiceTimes, random: np.random.Generator) -> NDArray[np.int64]:
    held = (services.draw(len(steps), random) / STEP_S).astype(np.int64) + 1
    length = int(steps[-1]) + 2
    arriving = np.bincount(steps, minlength=length)
    init = round(services.init_s / STEP_S)
    if not init:
        return _levels(arriving, steps + held, length)
    # A call is cold when no environment is free, that is when it raises the highest level so far. Starting from
    # "all are cold" this settles in a few rounds; starting from "none" it would take one per init / service time.
    levels = _levels(arriving, steps + held + init, length)
    order_in_step = np.arange(len(steps)) - np.searchsorted(steps, steps)
    cold = np.ones(len(steps), np.bool_)
    for _ in range(COLD_ROUNDS):
        new = np.diff(np.maximum.accumulate(levels), prepend=0)
        before, cold = cold, order_in_step < new[steps]
        levels = _levels(arriving, steps + held + np.where(cold, init, 0), length)
        # the peak alone may stand still for a round while calls before it are still found to be warm
        if np.count_nonzero(cold != before) <= SETTLED * np.count_nonzero(cold):
            break
    return levels


def _levels(arriving: NDArray[np.int64], ends: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Calls in flight after the arrivals of each step, before its ends."""
    leaving = np.bincount(ends[ends < length], minlength=length)
    levels: NDArray[np.int64] = np.cumsum(arriving - leaving)
    return levels


def _most_in_window(times_s: Floats, window_s: float) -> int:
    ends = np.searchsorted(times_s, times_s + window_s, side="left")
    return int((ends - np.arange(len(times_s))).max())
