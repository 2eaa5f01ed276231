"""How long one invocation takes: service times drawn ahead in blocks, so that one costs no NumPy call."""

import numpy as np

from burstline.core.quota.admission.service_times import sample
from burstline.core.quota.quotas import Function
from burstline.emulator.settings import SlowMode

BLOCK_COUNT = 4_096
"""Service times drawn at once."""


class ServiceTimes:
    """Gives one function's service times, one after the other.

    Args:
        function: whose.
        slow: its second mode, if it has one.
        random: where they come from.

    Raises:
        ValueError: not 0 < p50_s <= p99_s.
    """

    __slots__ = ("_function", "_ready", "_slow", "_source")

    def __init__(self, function: Function, slow: SlowMode | None, random: np.random.Generator) -> None:
        self._function = function
        self._slow = slow
        self._source = random
        self._ready: list[float] = []
        self._draw()

    def next_s(self) -> float:
        """Return how long the next invocation takes warm, seconds, > 0; the function's timeout is not applied."""
        if not self._ready:
            self._draw()
        return self._ready.pop()

    def _draw(self) -> None:
        times_s = sample(self._function.duration, BLOCK_COUNT, self._source)
        if self._slow is not None:
            slow_s = sample(self._slow.duration, BLOCK_COUNT, self._source)
            times_s = np.where(self._source.random(BLOCK_COUNT) < self._slow.share, slow_s, times_s)
        self._ready = times_s.tolist()
