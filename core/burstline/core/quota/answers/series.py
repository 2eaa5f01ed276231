"""A run's 10 ms bins as arrays, so that every later step is a few NumPy lines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S, BINS_PER_S, Bins

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Dense bins from run time 0; all arrays have the same length, bin i covers [i, i + 1) * BIN_S.

    Attributes:
        due: requests due in the bin.
        sent: requests sent in it.
        answers: signature -> requests sent in the bin that got it.
        completions: signature -> requests that got it in the bin, by completion time.
    """

    due: Ints
    sent: Ints
    answers: dict[str, Ints]
    completions: dict[str, Ints]

    @property
    def count(self) -> int:
        """How many bins."""
        return len(self.due)

    def sum_of(self, signatures: frozenset[str] | set[str]) -> Ints:
        """Return, per bin by send time, the requests that got one of `signatures`."""
        return _sum(self.answers, signatures, self.count)

    def completed(self, signatures: frozenset[str] | set[str]) -> Ints:
        """Return, per bin by completion time, the requests that got one of `signatures`."""
        return _sum(self.completions, signatures, self.count)


def series_of(totals: Totals) -> Series:
    """Return a run's bins; what lies before run time 0 (clock error) is counted in bin 0."""
    columns = (*totals.answer_bins.values(), *totals.completion_bins.values())
    last = max((index for bins in (totals.due_bins, totals.sent_bins, *columns) for index in bins), default=-1)
    # whole seconds, so that bins fold into seconds without a remainder
    count = -(-(last + 1) // BINS_PER_S) * BINS_PER_S
    return Series(
        _dense(totals.due_bins, count),
        _dense(totals.sent_bins, count),
        {signature: _dense(bins, count) for signature, bins in totals.answer_bins.items()},
        {signature: _dense(bins, count) for signature, bins in totals.completion_bins.items()},
    )


def per_second(bins: NDArray[np.int64]) -> Ints:
    """Return sums over whole seconds of run time; a last, unfinished second counts as one."""
    missing = -len(bins) % BINS_PER_S
    sums: Ints = np.pad(bins, (0, missing)).reshape(-1, BINS_PER_S).sum(axis=1)
    return sums


def highest_in_window(bins: NDArray[np.int64], window_s: float) -> float:
    """Return the largest sum of consecutive bins spanning `window_s` seconds (cut at the series' length)."""
    if not len(bins):
        return 0.0
    width = max(1, min(len(bins), round(window_s / BIN_S)))
    total = np.concatenate(([0], np.cumsum(bins)))
    return float((total[width:] - total[:-width]).max())


def _dense(bins: Bins, length: int) -> Ints:
    array = np.zeros(length, np.int64)
    at = np.maximum(np.fromiter(bins.keys(), np.int64, len(bins)), 0)
    np.add.at(array, at, np.fromiter(bins.values(), np.int64, len(bins)))
    return array


def _sum(arrays: dict[str, Ints], signatures: frozenset[str] | set[str], count: int) -> Ints:
    total = np.zeros(count, np.int64)
    for signature in signatures:
        if signature in arrays:
            total += arrays[signature]
    return total
