"""Marks: where in a bin the first and the last rejection lie, made once, when every answer of the bin is known.

By send time, the accepted requests before a bin's first rejection say to within a few requests when a token bucket
ran empty. That needs the bin's requests in their order of sending, so they are kept until the last answer is in.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.window import BINS_PER_S, Mark

_STEP_COUNT = 1000
"""Answers whose bins are marked in one step, about 0.1 ms."""


class _OpenBin:
    __slots__ = ("known", "refused", "sent", "signatures", "times_s")

    def __init__(self) -> None:
        self.sent = self.known = 0
        self.refused = False
        self.times_s: list[NDArray[np.float64]] = []
        self.signatures: list[NDArray[np.int64]] = []


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
        changes = np.diff(bins)
        if (changes < 0).any():
            order = np.argsort(bins, kind="stable")
            bins, sents_s, signatures = bins[order], sents_s[order], signatures[order]
            changes = np.diff(bins)
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(bins)]
        for index, (start, stop) in zip(bins[edges[:-1]].tolist(), pairwise(edges), strict=True):
            found = self._bin(index)
            found.known += stop - start
            found.times_s.append(sents_s[start:stop])
            found.signatures.append(signatures[start:stop])
        rejected = self._rejects[signatures]
        if rejected.any():
            for index in np.unique(bins[rejected]).tolist():
                self._bins[index].refused = True

    def take(self, now_s: float) -> Iterator[dict[int, Mark]]:
        """Yield the marks of bins that are over at `now_s` and completely answered, in steps, and forget those bins."""
        over = int(np.floor(now_s * BINS_PER_S))
        complete = sorted(index for index, one in self._bins.items() if index < over and one.known >= one.sent)
        refused: dict[int, _OpenBin] = {}
        count = 0
        for index in complete:
            one = self._bins.pop(index)
            if one.refused:
                refused[index] = one
                count += one.known
            if count >= _STEP_COUNT:
                yield self._marks(refused)
                refused, count = {}, 0
        if refused:
            yield self._marks(refused)

    def _marks(self, refused: dict[int, _OpenBin]) -> dict[int, Mark]:
        """Return the marks of bins, ascending, in each of which something was rejected."""
        times_s = np.concatenate([times for one in refused.values() for times in one.times_s])
        signatures = np.concatenate([found for one in refused.values() for found in one.signatures])
        order = np.argsort(times_s, kind="stable")  # bins are of these times, so it puts them in order, too
        times_s, signatures = times_s[order], signatures[order]
        rejections = np.flatnonzero(self._rejects[signatures])
        taken = np.concatenate(([0], np.cumsum(self._accepts[signatures])))  # before each, over all these bins
        ends = np.cumsum([one.known for one in refused.values()])
        starts = np.concatenate(([0], ends[:-1]))
        firsts = rejections[np.searchsorted(rejections, starts)]
        lasts = rejections[np.searchsorted(rejections, ends) - 1]
        before = taken[starts]
        rows = (times_s[firsts], taken[firsts] - before, times_s[lasts], taken[lasts] - before)
        return dict(zip(refused, map(Mark, *(row.tolist() for row in rows)), strict=True))
