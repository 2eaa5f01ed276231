"""The calls that were let in, by when they started: from it follows how many are still there."""

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.forecast.holding import Holding

Floats = NDArray[np.float64]

_MOST_PIECES = 96

_COARSENESS = 0.08
"""Neighbouring pieces are joined where together they are shorter than this share of their age."""


class History:
    """Calls admitted per stretch of time and function, warm and cold apart; old stretches are joined, older forgotten.

    Args:
        warm: holding times of calls in environments that were there.
        cold: of calls that start one.
        function_count: columns.
    """

    def __init__(self, warm: Holding, cold: Holding, function_count: int) -> None:
        self._warm_time, self._cold_time = warm, cold
        self._longest_s = max(warm.longest_s, cold.longest_s)
        self._edges = np.zeros(1)
        self._warm = np.empty((0, function_count))
        self._cold = np.empty((0, function_count))
        self._any_cold = False

    def staying(self, now_s: float) -> Floats:
        """Return how many of all admitted calls are in flight at `now_s` (not before the last stretch's end)."""
        if not len(self._warm):
            return np.zeros(self._warm.shape[1])
        ages = now_s - self._edges
        widths = np.diff(self._edges)[:, None]
        alive = -np.diff(self._warm_time.integral(ages), axis=0) / widths
        left: Floats = np.einsum("kf,kf->f", self._warm, alive)
        if self._any_cold:
            alive = -np.diff(self._cold_time.integral(ages), axis=0) / widths
            left += np.einsum("kf,kf->f", self._cold, alive)
        return left

    def add(self, end_s: float, warm: Floats, cold: Floats) -> None:
        """Append the calls admitted evenly from the last stretch's end until `end_s`, by function."""
        old = int(np.searchsorted(-(end_s - self._edges[1:]), -self._longest_s))
        self._edges = np.append(self._edges[old:], end_s)
        self._warm = np.vstack((self._warm[old:], warm))
        self._cold = np.vstack((self._cold[old:], cold))
        if len(self._warm) > _MOST_PIECES:
            self._join(end_s)
        self._any_cold = bool(self._cold.any())

    def _join(self, now_s: float) -> None:
        count = len(self._warm)
        ages = now_s - self._edges
        keep, last = [0], 0
        for index in range(1, count):
            if self._edges[index + 1] - self._edges[last] > _COARSENESS * ages[index]:
                keep.append(index)
                last = index
        self._warm = np.add.reduceat(self._warm, keep, axis=0)
        self._cold = np.add.reduceat(self._cold, keep, axis=0)
        self._edges = np.append(self._edges[keep], self._edges[-1])
