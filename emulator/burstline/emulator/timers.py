"""Many due times on one event loop timer: a heap, so that 10,000 answers a second cost no 10,000 loop timers."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Any, TypeVar

_T = TypeVar("_T")

EARLY_S = 0.0005
"""A callback may fire this much too early: loops count timers in whole milliseconds, so that half of one either way is
what they can do, and waiting for the rest would be spinning."""


class Timers:
    """Calls back at due times, in the order of their due times, on the clock `time.monotonic`.

    Not the loop's own time: uvloop's is cached and counts milliseconds, too coarse for a token bucket.

    Args:
        loop: the running loop.
    """

    __slots__ = ("_armed_s", "_handle", "_heap", "_loop", "_number", "_stopped")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The last element differs in type from entry to entry; each callback knows its own.
        self._heap: list[tuple[float, int, Callable[[float, Any], None], Any]] = []
        self._number = count()
        self._handle: asyncio.TimerHandle | None = None
        self._armed_s = float("inf")
        self._stopped = False

    def at(self, due_s: float, callback: Callable[[float, _T], None], argument: _T) -> None:
        """Call `callback(due_s, argument)` at `due_s`, seconds of `time.monotonic`."""
        heappush(self._heap, (due_s, next(self._number), callback, argument))
        if due_s < self._armed_s:
            self._arm(due_s, monotonic())

    def run_due(self, now_s: float) -> None:
        """Fire everything due by `now_s`; call it before acting at `now_s`, so that events keep their order."""
        heap = self._heap
        while heap and heap[0][0] <= now_s:
            due_s, _, callback, argument = heappop(heap)
            callback(due_s, argument)

    def stop(self) -> None:
        """Forget everything; nothing fires from now on."""
        self._stopped = True
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self, due_s: float, now_s: float) -> None:
        if self._stopped:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._armed_s = due_s
        self._handle = self._loop.call_later(max(0.0, due_s - now_s), self._fire)

    def _fire(self) -> None:
        self._handle = None
        # Infinite while callbacks run would let each of them arm the loop; minus infinity lets none.
        self._armed_s = -float("inf")
        self.run_due(monotonic() + EARLY_S)
        self._armed_s = float("inf")
        if self._heap:
            self._arm(self._heap[0][0], monotonic())
