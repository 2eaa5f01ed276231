"""Which request and which data row an arrival gets: a hash of (seed, n), so that stripes do not see patterns."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import DataOrder

_REQUEST_STREAM, _ROW_STREAM = 1, 2


def _hash(seed: int, stream: int, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return 64 well-mixed bits for each number: SplitMix64's finaliser (Steele, Lea, Flood: OOPSLA 2014)."""
    start = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(start) + (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


class Selection:
    """Picks requests by weight and rows by order.

    Args:
        seed: the plan's seed.
        weights: one per request of the plan, each > 0.
        row_count: rows of the data file; 0 when there is none.
        order: which row an arrival gets.
    """

    def __init__(self, seed: int, weights: Sequence[float], row_count: int, order: DataOrder) -> None:
        self._seed, self._row_count, self._order = seed, row_count, order
        bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
        self._bounds = bounds / bounds[-1]

    def requests(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of the request in the plan for each arrival; same length."""
        shares = (_hash(self._seed, _REQUEST_STREAM, numbers) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.searchsorted(self._bounds[:-1], shares, side="right").astype(np.int64)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of the data row for each arrival, 0 when there are no rows; same length."""
        if self._row_count <= 1:
            return np.zeros(len(numbers), dtype=np.int64)
        if self._order is DataOrder.SEQUENTIAL:
            return numbers % self._row_count
        return (_hash(self._seed, _ROW_STREAM, numbers) % np.uint64(self._row_count)).astype(np.int64)
