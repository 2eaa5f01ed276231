"""Numbers kept in columns: cheap to append to one by one, and taken out in blocks for NumPy.

Lists: an `array` would save their conversion, and costs more than that at every append (measured).
"""

from bisect import bisect_left
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Columns:
    """Rows of numbers, ascending in their last column, a time in seconds.

    Args:
        count: columns, >= 1.

    Attributes:
        columns: to append to, one value each. Valid until `take`.
    """

    __slots__ = ("columns",)

    def __init__(self, count: int) -> None:
        self.columns: tuple[list[Any], ...] = tuple([] for _ in range(count))

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.columns[-1])

    @property
    def first_s(self) -> float:
        """The first row's time, seconds; infinite if there is none."""
        times_s = self.columns[-1]
        return float(times_s[0]) if times_s else float("inf")

    def take(self, end_s: float) -> tuple[NDArray[Any], ...] | None:
        """Take out the rows with a time before `end_s`; None if there are none."""
        taken = self.columns
        times_s = taken[-1]
        if not times_s or times_s[0] >= end_s:
            return None
        count = len(times_s) if times_s[-1] < end_s else bisect_left(times_s, end_s)
        self.columns = tuple(column[count:] for column in taken)
        return tuple(np.array(column[:count]) for column in taken)
