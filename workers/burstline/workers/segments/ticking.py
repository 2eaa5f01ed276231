"""Beside the pacer, some tens of times a second: looks after what is not urgent, and folds what was recorded."""

import asyncio
import time
from collections.abc import Callable

from burstline.workers.recording.recording import Recorder
from burstline.workers.sending.timer import open_timer

TICK_S = 0.025
"""How often deadlines, the lease and the recorder are looked after, seconds."""

FOLD_COUNT = 2000
"""Events are folded when so many are pending: NumPy's calls cost nearly the same for few."""

FOLD_TICKS = 8
"""Or, with fewer, after so many ticks."""

STEP_GAP_S = 0.0003
"""Between two steps of a fold, seconds: what came due meanwhile leaves."""


class Ticker:
    """Ticks until it is closed.

    Args:
        loop: the running one.
        recorder: folded, and told how late the loop woke.
        now: run time, seconds.
        look: called at each tick with the run time, seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        recorder: Recorder,
        now: Callable[[], float],
        look: Callable[[float], None],
    ) -> None:
        self._recorder, self._now, self._look = recorder, now, look
        self._ticks = 0
        self._folding = self._closed = False
        self._expected_s = 0.0
        self._timer = open_timer(loop, self._wake)

    def begin(self) -> None:
        """Tick for the first time a tick from now."""
        self._expected_s = time.monotonic() + TICK_S
        self._timer.arm(self._expected_s)

    def close(self) -> None:
        """Tick no more."""
        self._closed = True
        self._timer.close()

    def _wake(self) -> None:
        if not self._folding:
            self._recorder.lag(time.monotonic() - self._expected_s)
            now_s = self._now()
            self._look(now_s)
            self._ticks += 1
            if self._ticks >= FOLD_TICKS or self._recorder.pending_count >= FOLD_COUNT:
                self._ticks = 0
                self._recorder.begin_fold(now_s)
                self._folding = True
        if self._folding and not self._closed:
            self._folding = self._recorder.step()
        if self._closed:
            return
        if self._folding:
            self._timer.arm(time.monotonic() + STEP_GAP_S)
        else:
            self.begin()
