"""Marks: where in a bin the first and the last rejection lie, made once, when every answer of the bin is known.

By send time, the accepted requests before a bin's first rejection say to within a few requests when a token bucket
ran empty. That needs the bin's requests in their order of sending, so they are kept until the last answer is in.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BINS_PER_S, Mark


class _OpenBin:
    __slots__ = ("known", "refused", "rejected", "sent", "taken", "times_s")

    def __init__(self) -> None:
        self.sent = self.known = 0
        self.refused = False
        self.times_s: list[NDArray[np.float64]] = []
        self.rejected: list[NDArray[np.bool_]] = []
        self.taken: list[NDArray[np.bool_]] = []


class Marker:
    """Keeps the bins that still wait for answers.

    Args:
        rejects: by signature index, whether it may be a throttle.
        accepts: by signature index, whether the target took the request.
    """

    def __init__(self, rejects: NDArray[np.bool_], accepts: NDArray[np.bool_]) -> None:
        self._rejects, self._accepts = rejects, accepts
        self._bins: dict[int, _OpenBin] = {}

    def sent(self, index: int, count: int) -> None:
        """So many more requests were sent in a bin."""
        self._bin(index).sent += count

    def _bin(self, index: int) -> _OpenBin:
        found = self._bins.get(index)
        if found is None:
            found = self._bins[index] = _OpenBin()
        return found

    def answered(self, bins: NDArray[np.int64], sents_s: NDArray[np.float64], signatures: NDArray[np.int64]) -> None:
        """Take in answers: bin of the send time, send time in seconds, signature index; same lengths."""
        order = np.argsort(bins, kind="stable")
        ordered, times_s = bins[order], sents_s[order]
        rejected, taken = self._rejects[signatures[order]], self._accepts[signatures[order]]
        some_rejected = bool(rejected.any())
        edges = [0, *(np.flatnonzero(np.diff(ordered)) + 1).tolist(), len(ordered)]
        for start, stop in pairwise(edges):
            found = self._bin(int(ordered[start]))
            found.known += stop - start
            found.times_s.append(times_s[start:stop])
            found.rejected.append(rejected[start:stop])
            found.taken.append(taken[start:stop])
            if some_rejected and rejected[start:stop].any():
                found.refused = True

    def take(self, now_s: float) -> dict[int, Mark]:
        """Return the marks of bins that are over at `now_s` and completely answered, and forget those bins."""
        marks = {}
        over = int(np.floor(now_s * BINS_PER_S))
        complete = [index for index, one in self._bins.items() if index < over and one.known >= one.sent]
        for index in complete:
            mark = _mark(self._bins.pop(index))
            if mark is not None:
                marks[index] = mark
        return marks


def _mark(one: _OpenBin) -> Mark | None:
    """Return the mark of a complete bin, or None if nothing in it was rejected."""
    if not one.refused:
        return None
    times_s = np.concatenate(one.times_s)
    order = np.argsort(times_s, kind="stable")
    times_s = times_s[order]
    rejections = np.flatnonzero(np.concatenate(one.rejected)[order])
    taken_before = np.cumsum(np.concatenate(one.taken)[order])  # up to and with each; a rejection is not taken itself
    first, last = int(rejections[0]), int(rejections[-1])
    return Mark(float(times_s[first]), int(taken_before[first]), float(times_s[last]), int(taken_before[last]))
