"""Counting in blocks: how often each code or bin occurs, and histograms that are filled many times a second."""

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.histogram import LARGEST_INDEX, Histogram
from burstline.core.load.window import BINS_PER_S

_CLOSE = 1 << 15


def bin_indices(times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the 10 ms bin of each run time; same length."""
    return np.floor(times_s * BINS_PER_S).astype(np.int64)


def counts_of(codes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return each code with how often it occurs, ascending. Counting beats sorting while codes are close together."""
    if not len(codes):
        return []
    low, high = int(np.minimum.reduce(codes)), int(np.maximum.reduce(codes))  # `min` and `max` cost twice as much
    if low == high:
        return [(low, len(codes))]
    if high - low > _CLOSE:
        found, counts = np.unique(codes, return_counts=True)
    else:
        table = np.bincount(codes - low)
        found = table.nonzero()[0]
        counts, found = table[found], found + low
    return list(zip(found.tolist(), counts.tolist(), strict=True))


class DenseHistogram:
    """A `Histogram` under construction: a table of counts, made sparse once a second.

    Attributes:
        count: how many values it holds.
    """

    __slots__ = ("_counts", "_max_s", "_sum_s", "count")

    def __init__(self) -> None:
        self._counts = np.zeros(LARGEST_INDEX + 1, dtype=np.int64)
        self._sum_s = self._max_s = 0.0
        self.count = 0

    def add(self, values_s: NDArray[np.float64], indices: NDArray[np.int64]) -> None:
        """Count many times in seconds, whose `indices_of` the caller has; same length."""
        if not len(values_s):
            return
        counts = np.bincount(indices)
        self._counts[: len(counts)] += counts
        self._sum_s += float(np.add.reduce(values_s))
        self._max_s = max(self._max_s, float(np.maximum.reduce(values_s)))
        self.count += len(values_s)

    def take(self) -> Histogram:
        """Return what it holds, and empty it."""
        indices = self._counts.nonzero()[0]
        counts = dict(zip(indices.tolist(), self._counts[indices].tolist(), strict=True))
        taken = Histogram(counts, self._sum_s, self._max_s)
        self._counts[indices] = 0
        self._sum_s = self._max_s = 0.0
        self.count = 0
        return taken
