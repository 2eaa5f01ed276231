"""What the server tells a worker over a stream, and what the worker does about it."""

import asyncio
import logging
import time
from collections.abc import Coroutine

from burstline.core import tracing
from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.joining.holdings import Holdings, Means
from burstline.workers.segments.looking import preflight_report

_log = logging.getLogger(__name__)


class Duties:
    """Does as the server says, whichever stream it says it on.

    Args:
        means: what segments work with.
        worker: our name, as `workers/{worker}`.

    Attributes:
        holdings: the segments of this worker.
        attached: whether the stream at hand was welcomed.
        farewell: whether its server said that it ends.
        answered_s: when a heartbeat was answered last, or this stream was begun; monotonic clock, seconds.
    """

    def __init__(self, means: Means, worker: str) -> None:
        self.worker, self.holdings = worker, Holdings(means)
        self.attached = self.farewell = False
        self.answered_s = 0.0
        self._means = means
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = ""
        self._latency_s: float | None = None

    def attaching(self) -> None:
        """Forget what was said on the stream before: another is begun."""
        self.attached = self.farewell = False
        self.answered_s = time.monotonic()

    def welcomed(self, welcome: v1.Welcome, address: str) -> None:
        """Take the terms of a server, and go on with what it leaves us."""
        _log.info("attached server=%s worker=%s", address, welcome.name)
        if welcome.server != self._server:
            self._server = welcome.server
            self._means.estimate.reset()
            for holding in self.holdings:
                holding.unmoor()
        self._means.leases.welcomed(welcome, address)
        self.holdings.keep(welcome)
        self.attached = True

    def handle(self, message: v1.AttachResponse) -> None:
        """Do what any other message says."""
        match message.WhichOneof("message"):
            case "heartbeat":
                self._heard(message.heartbeat)
            case "preflight":
                asked = message.preflight
                work = self._traced("preflight", asked.run, asked.trace_parent, self._preflight(asked))
                self._spawn(work, "preflight")
            case "assign":
                self._assign(message.assign)
            case "start":
                holding = self.holdings.get(message.start.key)
                if holding is not None:
                    holding.start(message.start.start_nanos)
            case "stop":
                holding = self.holdings.get(message.stop.key)
                if holding is not None:
                    holding.stop("stopped")
            case "farewell":
                self.farewell = True
            case other:
                _log.warning("a message of a kind this version does not know: %s", other)

    def _heard(self, reply: v1.HeartbeatReply) -> None:
        now_ns = time.monotonic_ns()
        self.answered_s = now_ns * 1e-9
        self._means.leases.renew(reply.sent_nanos * 1e-9, reply.waiting_runs)
        self._means.estimate.add(reply.sent_nanos, reply.server_received_nanos, reply.server_sent_nanos, now_ns)
        for ack in reply.acks:
            acknowledged = self.holdings.get(ack.key)
            if acknowledged is not None:
                acknowledged.acknowledged(ack.sequence)
        for holding in self.holdings:
            if holding.sending:
                holding.steer()

    def _assign(self, assign: v1.Assign) -> None:
        holding = self.holdings.take(assign, self._latency_s)
        if holding is not None:
            key = holding.key
            placed = key.run.removeprefix("runs/"), key.segment, key.epoch, self.worker
            _log.info("assigned run=%s segment=%d epoch=%d worker=%s", *placed)
            work = self._traced("segment", key.run, assign.trace_parent, holding.run())
            self._spawn(work, f"segment {key.run}/{key.segment}/{key.epoch}")

    async def _preflight(self, request: v1.Preflight) -> None:
        report, latency_s = await preflight_report(request, self._means.files, self._means.version)
        self._latency_s = latency_s or self._latency_s
        self._means.outbox.push(v1.AttachRequest(preflight=report))

    async def _traced(self, name: str, run: str, parent: str, work: Coroutine[None, None, None]) -> None:
        with tracing.span(name, parent=parent, run=run.removeprefix("runs/"), worker=self.worker):
            await work

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, timeout_s: float) -> None:
        """Send nothing any more, and wait up to `timeout_s` seconds for answers and acknowledgements under way."""
        for holding in self.holdings:
            holding.stop("stopped")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        await self._means.outbox.emptied(0.2)

    async def close(self) -> None:
        """End what is still being done."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
