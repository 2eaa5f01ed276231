"""What live totals need of a window, in columns: hundreds of windows a second are summed by NumPy, many at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.troubles import Troubles
from burstline.core.load.window import AnswerKey, Bins, Load

WIDEST = 100_000
"""Indices as far apart are summed as an array; others, which no sound window has, by sorting."""


@dataclass(frozen=True, slots=True)
class Column:
    """Counts by index: arrays of the same length, indices ascending, each once, counts over 0."""

    indices: NDArray[np.integer]
    counts: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Times:
    """A histogram as a column of its buckets, with its sum and largest value in seconds."""

    column: Column
    sum_s: float
    max_s: float


@dataclass(slots=True)
class Outline:
    """The parts of a window that live totals add up; see `burstline.core.load.window.Window`.

    Attributes:
        latencies: signature and latencies from due, one for each request and signature.
    """

    second: int
    watermark: int
    loads: dict[int, Load]
    answers: dict[AnswerKey, int]
    latencies: list[tuple[str, Times]]
    sent_bins: Column
    lateness: Times
    in_flight: int = 0
    clock_error_s: float = 0.0
    troubles: Troubles = field(default_factory=dict)
    first_sent_bin: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.first_sent_bin = int(self.sent_bins.indices[0]) if len(self.sent_bins.indices) else None


def summed(columns: Sequence[Column]) -> Bins:
    """Return the sum of columns, index by index."""
    if not columns:
        return {}
    indices = np.concatenate([column.indices for column in columns])
    if not len(indices):
        return {}
    counts = np.concatenate([column.counts for column in columns])
    low = int(indices.min())
    if int(indices.max()) - low < WIDEST:
        sums = np.bincount(indices - low, weights=counts)
        found = np.flatnonzero(sums)
        return dict(zip((found + low).tolist(), sums[found].astype(np.int64).tolist(), strict=True))
    distinct, inverse = np.unique(indices, return_inverse=True)
    sums = np.bincount(inverse, weights=counts)
    return dict(zip(distinct.tolist(), sums.astype(np.int64).tolist(), strict=True))
