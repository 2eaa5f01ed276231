"""What waits to be written to the control plane, and the only task that writes it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from burstline.v1 import worker_service_pb2 as v1

HEARTBEAT_S = 0.5
"""How often the worker says that it lives, seconds."""


class Call(Protocol):
    """The stream, as far as it is written."""

    async def write(self, request: v1.AttachRequest) -> None:
        """Write one message; waits while the server reads slower."""


class Outbox:
    """Messages in their order. What must survive a lost stream is kept by its holding, not here."""

    def __init__(self) -> None:
        self._messages: deque[v1.AttachRequest] = deque()
        self._filled = asyncio.Event()

    def push(self, message: v1.AttachRequest) -> None:
        """Write this when its turn comes."""
        self._messages.append(message)
        self._filled.set()

    def clear(self) -> None:
        """The stream is gone: forget what holdings will say again, keep what only this box has."""
        kept = [one for one in self._messages if one.WhichOneof("message") in ("preflight", "ready")]
        self._messages = deque(kept)

    async def emptied(self, within_s: float) -> bool:
        """Wait until everything was taken by the writer, at most `within_s` seconds; return whether it was."""
        end_s = time.monotonic() + within_s
        while self._messages and time.monotonic() < end_s:  # noqa: ASYNC110 - once, at the process's end
            await asyncio.sleep(0.01)
        return not self._messages

    async def write(self, call: Call, going: Callable[[], bool] = lambda: True) -> None:
        """Write heartbeats and messages until cancelled, or until `going` says no after a write that took long.

        Nothing else may write to the stream meanwhile.
        """
        next_beat_s = time.monotonic()
        while going():
            now_s = time.monotonic()
            if now_s >= next_beat_s:
                next_beat_s = now_s + HEARTBEAT_S
                await call.write(v1.AttachRequest(heartbeat=v1.Heartbeat(sent_nanos=time.monotonic_ns())))
            elif self._messages:
                message = self._messages[0]
                await call.write(message)
                if self._messages and self._messages[0] is message:  # else another stream has begun meanwhile
                    self._messages.popleft()  # only now: a write that fails is repeated on the next stream
            else:
                self._filled.clear()
                try:
                    await asyncio.wait_for(self._filled.wait(), next_beat_s - now_s)
                except TimeoutError:
                    continue
