"""What one worker's stream brings, into the store: windows as they come, the ends of segments after their windows."""

import asyncio
import logging

from burstline.core.load.window import WindowKey
from burstline.server.control.roster import Worker
from burstline.server.control.runs import Runs
from burstline.server.errors import NotOwner
from burstline.server.judging.codec import decode_outline
from burstline.server.services.links import Beat, StreamLink, key_from_proto
from burstline.v1 import worker_service_pb2 as wire

log = logging.getLogger(__name__)
MOST_WAITING = 64
"""Windows of one worker that wait for the store; with more its stream is not read, so that the worker keeps them."""


class Intake:
    """Takes in what a worker sends on one stream. Windows go by callbacks: hundreds come a second, and a task's way to
    the store and back costs as much as a window itself.

    Args:
        runs: who keeps windows and ends.
        worker: whose stream it is.
        link: the way back; it is closed when something cannot be kept, and the worker sends that again.
    """

    def __init__(self, runs: Runs, worker: Worker, link: StreamLink) -> None:
        self._runs, self._worker, self._link = runs, worker, link
        self._waiting = 0
        self._none_waits = asyncio.Event()
        self._none_waits.set()
        self._ends: asyncio.Queue[wire.SegmentEnd] = asyncio.Queue()

    async def heartbeat(self, message: wire.Heartbeat, received_nanos: int) -> None:
        """Keep a heartbeat's windows, and answer it when they are committed; waits only for a store that is behind."""
        link, beat = self._link, Beat(message.sent_nanos, received_nanos)
        if not message.windows:
            link.answer(beat)
            return
        link.hold(beat)
        left = len(message.windows)
        self._waiting += left
        self._none_waits.clear()

        def committed(key: WindowKey, error: BaseException | None) -> None:
            nonlocal left
            left -= 1
            self._waiting -= 1
            if not self._waiting:
                self._none_waits.set()
            if error is not None and not isinstance(error, NotOwner):
                link.answer(beat)  # first: a store that is away for a while must not cost the worker its lease
                self._failed(error)
                return
            if error is None:
                link.acknowledge(key)  # else the worker keeps it for the run's own server
            if not left:
                link.answer(beat)

        for report in message.windows:
            window = decode_outline(report.window)
            key = WindowKey(key_from_proto(report.key), report.sequence)
            self._runs.window(self._worker, key, report.window, window, committed)
        if self._waiting > MOST_WAITING:
            await self._none_waits.wait()

    def end(self, message: wire.SegmentEnd) -> None:
        """Note the end of a segment, after the windows that came before it."""
        self._ends.put_nowait(message)

    async def keep_ends(self) -> None:
        """Keep the ends of segments until cancelled."""
        while True:
            end = await self._ends.get()
            await self._none_waits.wait()
            try:
                await self._runs.ended(key_from_proto(end.key), end.window_count, end.reason)
            except NotOwner:
                continue  # the worker says it again to the run's own server
            except Exception as error:  # noqa: BLE001  # whatever it is, the worker says it again
                self._failed(error)

    def _failed(self, error: BaseException) -> None:
        # The worker keeps what is not acknowledged, comes back within a second, and sends it again.
        log.warning("worker=%s: %s", self._worker.identity.name, error)
        self._link.close()
