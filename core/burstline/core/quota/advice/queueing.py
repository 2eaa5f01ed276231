"""Messages that wait in a queue until its event source invokes the function: when each call starts, and who waits."""

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from burstline.core.quota.admission.event_source import SourceScaling
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.quotas import Queue


@dataclass(frozen=True, slots=True)
class Queued:
    """What a queue makes of arrivals.

    Attributes:
        starts_s: when each message's call starts, ascending seconds.
        longest_s: the longest wait, seconds.
        most_waiting: messages waiting at a time, at most.
    """

    starts_s: Floats
    longest_s: float
    most_waiting: int


def queued(times_s: Floats, service_s: Floats, most: int) -> Queued:
    """Pass arrivals through a queue, one message a call, first come first served.

    Args:
        times_s: arrivals, ascending seconds.
        service_s: how long the calls take, in the order in which they start; same length.
        most: the mapping's maximum concurrency, >= 1.
    """
    source = SourceScaling(Queue("q", "f", batch=1, maximum_concurrency=most))
    running: list[float] = []
    starts = np.empty(len(times_s))
    free_s = 0.0
    for number, (at_s, takes_s) in enumerate(zip(times_s.tolist(), service_s.tolist(), strict=True)):
        now_s = max(at_s, free_s)
        while running and running[0] <= now_s:
            heappop(running)
        # it grows only while messages wait, so that the pool may be too small for long
        while len(running) >= (limit := source.limit(now_s, waiting=now_s > at_s or len(running) >= 1)):
            now_s = min(running[0], now_s + 1 / 5) if limit < most else running[0]
            while running and running[0] <= now_s:
                heappop(running)
        free_s = now_s
        starts[number] = now_s
        heappush(running, now_s + takes_s)
    begun = np.searchsorted(starts, times_s, side="right")
    waiting = np.arange(1, len(times_s) + 1) - np.minimum(begun, np.arange(1, len(times_s) + 1))
    return Queued(starts, float((starts - times_s).max(initial=0.0)), int(waiting.max(initial=0)))
