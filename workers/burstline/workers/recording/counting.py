"""Histograms that are filled many times a second, as tables of counts; made sparse once a second."""

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.histogram import LARGEST_INDEX, Histogram, indices_of


class DenseHistogram:
    """A `Histogram` under construction.

    Attributes:
        count: how many values it holds.
    """

    __slots__ = ("_counts", "_max_s", "_sum_s", "count")

    def __init__(self) -> None:
        self._counts = np.zeros(LARGEST_INDEX + 1, dtype=np.int64)
        self._sum_s = self._max_s = 0.0
        self.count = 0

    def add(self, values_s: NDArray[np.float64]) -> None:
        """Count many times in seconds."""
        if not len(values_s):
            return
        counts = np.bincount(indices_of(values_s))
        self._counts[: len(counts)] += counts
        self._sum_s += float(values_s.sum())
        self._max_s = max(self._max_s, float(values_s.max()))
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
