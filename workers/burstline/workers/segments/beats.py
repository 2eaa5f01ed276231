"""When the next heartbeat leaves."""

import math
import random
from collections.abc import Callable

BEAT_S = 1.25
"""The worker says at least so often that it lives, seconds. Windows come every second, and say it too."""

QUICK_BEATS, QUICK_BEAT_S = 12, 0.1
"""A stream begins with heartbeats in quick succession, and so does a run: the server's clock must be known at T0, and
what is read while a machine is busy starting its workers can be as far off as half a round trip."""

ALONE_S = 3.0, 5.0
"""While windows are sent, a heartbeat without any goes as often, seconds, at an instant that is left to chance. Windows
end at the same instant on all workers, and whoever reads the server's clock in that crowd reads how long it queued."""


class Beats:
    """The instants of heartbeats, seconds of any clock.

    Args:
        beat_s: longest time between two heartbeats, seconds, asked every time.
        draw: a number between two others.
    """

    def __init__(self, beat_s: Callable[[], float], draw: Callable[[float, float], float] = random.uniform) -> None:
        self._beat_s, self._draw = beat_s, draw
        self._quick_count = 0
        self._last_s, self._alone_s = -math.inf, math.inf

    def begin(self) -> None:
        """A stream begins: the first heartbeat is due at once."""
        self._last_s, self._alone_s = -math.inf, math.inf
        self.hurry()

    def hurry(self) -> None:
        """Let the next heartbeats follow each other quickly."""
        self._quick_count = QUICK_BEATS

    def due_s(self) -> float:
        """Return when the next heartbeat leaves, whether there are windows or not."""
        return min(self._last_s + (QUICK_BEAT_S if self._quick_count else self._beat_s()), self._alone_s)

    def sent(self, at_s: float, with_windows: bool) -> None:
        """Say that a heartbeat left."""
        self._last_s, self._quick_count = at_s, max(0, self._quick_count - 1)
        if not with_windows or math.isinf(self._alone_s):
            self._alone_s = at_s + self._draw(*ALONE_S)
