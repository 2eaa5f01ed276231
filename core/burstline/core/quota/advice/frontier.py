"""Which token buckets a demand fits through: the pairs (rate, burst) with A(s, t) <= burst + rate x (t - s).

A(s, t) counts arrivals in the closed interval [s, t]. A bucket that starts full refuses nobody exactly when its pair
satisfies this for all s <= t.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from burstline.core.load.schedule import BLOCK_COUNT
from burstline.core.quota.answers.series import Floats


def burst_needed(times_s: Floats, rate_per_s: float) -> float:
    """Return the smallest burst that refuses nobody at `rate_per_s`: max over s <= t of A(s, t) - rate x (t - s).

    Args:
        times_s: arrivals, ascending seconds; empty needs 0.
        rate_per_s: requests per second, >= 0.
    """
    return burst_needed_of(blocks_of(times_s), rate_per_s)


def blocks_of(times_s: Floats) -> Iterator[Floats]:
    """Yield arrivals some at a time, for the memory that working on millions at once would take."""
    for low in range(0, len(times_s), BLOCK_COUNT):
        yield times_s[low : low + BLOCK_COUNT]


def burst_needed_of(blocks: Iterable[Floats], rate_per_s: float) -> float:
    """Return `burst_needed` of arrivals that come in blocks, none of them empty: in the memory of one."""
    most, lowest, before = -1.0, float("inf"), 0
    for times_s in blocks:
        ahead = np.arange(before + 1, before + len(times_s) + 1) - rate_per_s * times_s
        before += len(times_s)
        least = np.minimum.accumulate(ahead)
        np.minimum(least, lowest, out=least)
        lowest = float(least[-1])
        ahead -= least
        most = max(most, float(ahead.max()))
    return most + 1.0


def rate_needed(times_s: Floats, burst: float) -> float:
    """Return the smallest rate that refuses nobody at `burst`, to 1e-6 of it; infinite if no rate does.

    Args:
        times_s: as above.
        burst: requests, >= 0.
    """
    if burst_needed(times_s, 0.0) <= burst:
        return 0.0
    if _most_at_once(times_s) > burst:
        return float("inf")
    low, high = 0.0, max(1.0, highest_rate(times_s, 1.0))
    while burst_needed(times_s, high) > burst:
        low, high = high, high * 2
        if high > 1e12:
            return float("inf")
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        if burst_needed(times_s, middle) > burst:
            low = middle
        else:
            high = middle
    return high


def highest_rate(times_s: Floats, window_s: float) -> float:
    """Return the most arrivals in any half-open window of `window_s` seconds, per second."""
    if not len(times_s):
        return 0.0
    # the smallest tolerance that keeps a request every 0.1 s at 10 in a second, not 11
    length_s, most = window_s * (1 - 1e-9), 0
    for low, starts_s in zip(range(0, len(times_s), BLOCK_COUNT), blocks_of(times_s), strict=True):
        ends = np.searchsorted(times_s, starts_s + length_s, side="left")
        most = max(most, int((ends - np.arange(low, low + len(starts_s))).max()))
    return most / window_s


def _most_at_once(times_s: Floats) -> int:
    """The most arrivals at the same instant."""
    most = 0
    for low, block in zip(range(0, len(times_s), BLOCK_COUNT), blocks_of(times_s), strict=True):
        ends = np.searchsorted(times_s, block, side="right")
        most = max(most, int((ends - np.arange(low, low + len(block))).max()))
    return most


def invocation_concurrency_needed(times_s: Floats, per_environment_per_s: float) -> float:
    """Return the smallest C at which a bucket with rate and burst `per_environment_per_s` x C refuses nobody.

    That is the 10x rule as the admission model has it. To 0.001.
    """
    low, high = 0.0, max(1.0, highest_rate(times_s, 1.0) / per_environment_per_s)
    while high - low > 1e-3:
        middle = (low + high) / 2
        if burst_needed(times_s, per_environment_per_s * middle) > per_environment_per_s * middle:
            low = middle
        else:
            high = middle
    return high
