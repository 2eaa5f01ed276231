"""How late the emulator itself is: a histogram of times, and its quantiles."""

from dataclasses import dataclass

STEP_S = 0.0001
"""Width of one bin, seconds."""

BIN_COUNT = 2_000
"""Bins; the last one takes everything from 0.2 s on."""

LIMIT_S = 0.002
"""Above this 99th percentile the target, not a quota, limits the run."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Quantiles of what was recorded, seconds, each an upper bound at most 0.1 ms too high; None if too few.

    Attributes:
        count: how many times were recorded.
        p50_s: median; from 20 on.
        p99_s: 99th percentile; from 1,000 on.
        max_s: largest, exact; from 1 on.
    """

    count: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


SECONDS_COUNT = 3_600
"""Most late seconds remembered."""


class LateSeconds:
    """Finds the whole seconds in which more than 1 % of the times were above `LIMIT_S`: p99 by the second.

    Args:
        started_s: where seconds begin to be counted, on the clock of `add`.

    Attributes:
        found: such seconds, by whole seconds since the start, ascending; the first 3,600 of them.
    """

    __slots__ = ("_count", "_late", "_second", "_started_s", "found")

    def __init__(self, started_s: float) -> None:
        self.found: list[int] = []
        self._started_s = started_s
        self._second = 0
        self._count = 0
        self._late = 0

    def add(self, now_s: float, late_s: float) -> None:
        """Record one time at `now_s`; ascending but for rounding. The second it lies in is judged when it is over."""
        second = int(now_s - self._started_s)
        if second > self._second:
            if self._late * 100 > self._count and len(self.found) < SECONDS_COUNT:
                self.found.append(self._second)
            self._second, self._count, self._late = second, 0, 0
        self._count += 1
        if late_s > LIMIT_S:
            self._late += 1


class LatenessRecorder:
    """Counts times in bins of 0.1 ms. Early counts as 0."""

    __slots__ = ("_bins", "_count", "_max_s")

    def __init__(self) -> None:
        self._bins = [0] * BIN_COUNT
        self._count = 0
        self._max_s = 0.0

    def add(self, late_s: float) -> None:
        """Record one time, seconds."""
        self._count += 1
        if late_s <= 0.0:
            self._bins[0] += 1
            return
        if late_s > self._max_s:
            self._max_s = late_s
        index = int(late_s / STEP_S)
        self._bins[index if index < BIN_COUNT else BIN_COUNT - 1] += 1

    def summary(self) -> Lateness:
        """Return the quantiles so far."""
        if not self._count:
            return Lateness(0, None, None, None)
        return Lateness(self._count, self._quantile(0.5), self._quantile(0.99), self._max_s)

    def _quantile(self, q: float) -> float | None:
        """Return the quantile; None if it rests on fewer than 10 / (1 - q) times."""
        if self._count * (1 - q) < 10 - 1e-9:
            return None
        wanted, seen = q * self._count, 0
        for index, number in enumerate(self._bins):
            seen += number
            if seen >= wanted:
                return min((index + 1) * STEP_S, self._max_s)
        return self._max_s
