"""What waits to be written to the control plane, and the only task that writes it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.segments.beats import BEAT_S, Beats

LARGEST_BEAT_BYTES = 256 * 1024
"""Windows of one heartbeat together, at most: a message may have 1 MiB. One window is always taken."""


class Call(Protocol):
    """The stream, as far as it is written."""

    async def write(self, request: v1.AttachRequest) -> None:
        """Write one message; waits while the server reads slower."""


class Outbox:
    """Messages in their order, and windows, which go with heartbeats. What must survive a lost stream is kept by its
    holding, not here.

    Args:
        beat_s: longest time between two heartbeats, seconds, asked every time.
    """

    def __init__(self, beat_s: Callable[[], float] = lambda: BEAT_S) -> None:
        self._beats = Beats(beat_s)
        self._messages: deque[v1.AttachRequest] = deque()
        self._windows: deque[v1.WindowReport] = deque()
        self._filled = asyncio.Event()

    def hurry(self) -> None:
        """Send the next heartbeats in quick succession."""
        self._beats.hurry()
        self._filled.set()

    def push(self, message: v1.AttachRequest) -> None:
        """Write this when its turn comes."""
        self._messages.append(message)
        self._filled.set()

    def push_window(self, report: v1.WindowReport) -> None:
        """Write this with the next heartbeat, which leaves at once."""
        self._windows.append(report)
        self._filled.set()

    def clear(self) -> None:
        """The stream is gone: forget what holdings will say again, keep what only this box has."""
        kept = [one for one in self._messages if one.WhichOneof("message") in ("preflight", "ready")]
        self._messages = deque(kept)
        self._windows.clear()

    async def emptied(self, within_s: float) -> bool:
        """Wait until everything was taken by the writer, at most `within_s` seconds; return whether it was."""
        end_s = time.monotonic() + within_s
        while (self._messages or self._windows) and time.monotonic() < end_s:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        return not (self._messages or self._windows)

    async def write(self, call: Call, going: Callable[[], bool] = lambda: True) -> None:
        """Write heartbeats and messages until cancelled, or until `going` says no after a write that took long.

        Nothing else may write to the stream meanwhile.
        """
        self._beats.begin()
        while going():
            now_s = time.monotonic()
            if self._windows or now_s >= self._beats.due_s():
                self._beats.sent(now_s, with_windows=bool(self._windows))
                windows = self._take_windows()  # if the write fails, their holdings say them again
                beat = v1.Heartbeat(sent_nanos=time.monotonic_ns(), windows=windows)
                await call.write(v1.AttachRequest(heartbeat=beat))
            elif self._messages:
                message = self._messages[0]
                await call.write(message)
                if self._messages and self._messages[0] is message:  # else another stream has begun meanwhile
                    self._messages.popleft()  # only now: a write that fails is repeated on the next stream
            else:
                self._filled.clear()
                try:
                    await asyncio.wait_for(self._filled.wait(), self._beats.due_s() - now_s)
                except TimeoutError:
                    continue

    def _take_windows(self) -> list[v1.WindowReport]:
        taken: list[v1.WindowReport] = []
        size_bytes = 0
        while self._windows and (not taken or size_bytes + len(self._windows[0].window) <= LARGEST_BEAT_BYTES):
            taken.append(self._windows.popleft())
            size_bytes += len(taken[-1].window)
        return taken
