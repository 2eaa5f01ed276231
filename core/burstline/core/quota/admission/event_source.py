"""How fast an SQS event source grows: the invocations it makes at a time.

Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings": five concurrent
invocations to begin with, 300 more a minute while messages wait, at most 1,250; `MaximumConcurrency` is a lower
ceiling. Read 2026-11-23. Before November 2023: 60 more a minute, at most 1,000.
"""

from burstline.core.quota.quotas import Queue

START_COUNT = 5
"""Concurrent invocations to begin with."""

GROWTH_PER_S = 300 / 60
"""More of them a second while messages wait."""

MOST_COUNT = 1_250
"""Most of them for one mapping of a standard queue."""

IDLE_S = 60.0
"""A source without messages for so long begins anew, seconds. An assumption: AWS says only that it scales down."""


def most_of(queue: Queue) -> int:
    """Return the most concurrent invocations that a queue's mapping makes."""
    return MOST_COUNT if queue.maximum_concurrency is None else queue.maximum_concurrency


class SourceScaling:
    """The growing number of concurrent invocations of one mapping. Time comes in as an argument, and never falls.

    Args:
        queue: whose mapping.
    """

    __slots__ = ("_idle_since_s", "_last_s", "_level", "_most")

    def __init__(self, queue: Queue) -> None:
        self._most = most_of(queue)
        self._level = float(min(START_COUNT, self._most))
        self._last_s: float | None = None
        self._idle_since_s: float | None = None

    def limit(self, now_s: float, waiting: bool) -> int:
        """Return how many invocations may run at a time now.

        Args:
            now_s: seconds.
            waiting: messages wait that could be received.
        """
        if self._idle_since_s is not None and now_s - self._idle_since_s >= IDLE_S:
            self._level = float(min(START_COUNT, self._most))
        if waiting:
            if self._last_s is not None:
                self._level = min(float(self._most), self._level + GROWTH_PER_S * (now_s - self._last_s))
            self._last_s, self._idle_since_s = now_s, None
        else:
            self._last_s = None
            self._idle_since_s = now_s if self._idle_since_s is None else self._idle_since_s
        return int(self._level)
