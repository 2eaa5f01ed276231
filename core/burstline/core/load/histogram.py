"""A sparse, mergeable histogram of times with at most 0.8 % error and the same bounds on every machine.

The bounds are log-linear, as in HDR histograms: each octave (factor two) above 1 microsecond is cut into 64 equal
buckets. A value v in seconds with v / 1e-6 = m * 2**e, 0.5 <= m < 1, falls into bucket 64 * e + floor(128 * m - 64).
A bucket is never wider than 1/64 of its lower bound, so its midpoint is within 1/128 (0.79 %) of every value in it.
Values under 1 microsecond, and negative ones (clock noise), share bucket 0.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

UNIT_S = 1e-6
BUCKETS_PER_OCTAVE = 64
LARGEST_INDEX = 64 * 44 - 1
"""Just under 2**43 microseconds, 101 days: everything larger is counted there."""

_BELOW_PLACE = 52 - 6
"""Bits of a float64's fraction that do not matter."""

_FIRST = 1022 * BUCKETS_PER_OCTAVE
"""What is left of 0.5 without them."""


def index_of(value_s: float) -> int:
    """Return the bucket number of a time in seconds, 0..LARGEST_INDEX."""
    scaled = value_s / UNIT_S
    if not scaled >= 1.0:
        return 0
    if scaled >= 2.0**43:
        return LARGEST_INDEX
    mantissa, exponent = math.frexp(scaled)
    return min(LARGEST_INDEX, BUCKETS_PER_OCTAVE * exponent + int(mantissa * 128 - 64))


def indices_of(values_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return `index_of` of each value; same length.

    A float64 begins with its exponent, and the first six bits of its fraction are the place in the octave: so the
    bucket number can be read off its bits, in half the time that `frexp` takes.
    """
    scaled = values_s / UNIT_S
    bits: NDArray[np.int64] = np.where(scaled >= 1.0, scaled, 0.5).view(np.int64)
    indices: NDArray[np.int64] = np.minimum((bits >> _BELOW_PLACE) - _FIRST, LARGEST_INDEX)
    return indices


def bounds_of(index: int) -> tuple[float, float]:
    """Return a bucket's lower (inclusive) and upper (exclusive) bound in seconds."""
    if index < BUCKETS_PER_OCTAVE:
        return 0.0, UNIT_S
    exponent, part = divmod(index, BUCKETS_PER_OCTAVE)
    low = math.ldexp(0.5 + part / 128, exponent) * UNIT_S
    high = math.ldexp(0.5 + (part + 1) / 128, exponent) * UNIT_S
    return low, high


class Histogram:
    """Counts of times by bucket, with their sum and largest value in seconds."""

    __slots__ = ("counts", "max_s", "sum_s")

    def __init__(self, counts: dict[int, int] | None = None, sum_s: float = 0.0, max_s: float = 0.0) -> None:
        self.counts: dict[int, int] = {} if counts is None else counts
        self.sum_s = sum_s
        self.max_s = max_s

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        same_sum = math.isclose(self.sum_s, other.sum_s, rel_tol=1e-9, abs_tol=1e-12)
        return self.counts == other.counts and same_sum and self.max_s == other.max_s

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Histogram(count={self.count}, sum_s={self.sum_s:.6g}, max_s={self.max_s:.6g})"

    @property
    def count(self) -> int:
        """How many values it holds."""
        return sum(self.counts.values())

    def add(self, value_s: float) -> None:
        """Count one time in seconds."""
        index = index_of(value_s)
        self.counts[index] = self.counts.get(index, 0) + 1
        self.sum_s += value_s
        self.max_s = max(self.max_s, value_s)

    def add_all(self, values_s: NDArray[np.float64]) -> None:
        """Count many times in seconds."""
        if not len(values_s):
            return
        indices, counts = np.unique(indices_of(values_s), return_counts=True)
        for index, count in zip(indices.tolist(), counts.tolist(), strict=True):
            self.counts[index] = self.counts.get(index, 0) + count
        self.sum_s += float(values_s.sum())
        self.max_s = max(self.max_s, float(values_s.max()))

    def merge(self, other: "Histogram") -> None:
        """Add another histogram's values to this one; the other is left alone."""
        counts = self.counts
        before = counts.get
        for index, count in other.counts.items():
            counts[index] = before(index, 0) + count
        self.sum_s += other.sum_s
        self.max_s = max(self.max_s, other.max_s)

    def quantile(self, q: float) -> float | None:
        """Return the value in seconds below or at which a share `q` of the values lies; None when empty.

        Args:
            q: 0..1, inclusive; 1 is the exact maximum.
        """
        total = self.count
        if not total:
            return None
        if q >= 1.0:
            return self.max_s
        rank = max(1, math.ceil(q * total))
        seen = 0
        for index, count in sorted(self.counts.items()):
            seen += count
            if seen >= rank:
                low, high = bounds_of(index)
                return min((low + high) / 2, self.max_s)
        return self.max_s

    def share_above(self, limit_s: float) -> float:
        """Return the share of values above `limit_s` seconds, 0..1, exact to a bucket; 0 when empty."""
        total = self.count
        if not total:
            return 0.0
        edge = index_of(limit_s)
        return sum(count for index, count in self.counts.items() if index > edge) / total

    def cumulative(self, bounds_s: Iterable[float]) -> Iterator[tuple[float, int]]:
        """Yield (bound, values at or below it) for ascending bounds in seconds, exact to a bucket."""
        items = sorted(self.counts.items())
        position = seen = 0
        for bound in bounds_s:
            edge = index_of(bound)
            while position < len(items) and items[position][0] <= edge:
                seen += items[position][1]
                position += 1
            yield bound, seen
