"""`WorkerService` on the wire: one stream per worker, read by one task, written by another."""

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress

from burstline.core import tracing
from burstline.server.clock import Clock, nanos
from burstline.server.control.roster import Identity, Roster, Worker
from burstline.server.control.runs import Runs
from burstline.server.errors import InvalidRequest, WrongState
from burstline.server.services.intake import Intake
from burstline.server.services.links import StreamLink, Terms, key_from_proto
from burstline.server.services.paging import page_size
from burstline.server.settings import ServerSettings
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import worker_service_pb2 as wire
from burstline.v1 import worker_service_pb2_grpc
from burstline.wire.errors import Violation

log = logging.getLogger(__name__)


class WorkerService(worker_service_pb2_grpc.WorkerServiceServicer):
    """Attaches workers."""

    def __init__(self, runs: Runs, roster: Roster, clock: Clock, settings: ServerSettings, version: str) -> None:
        self._runs, self._roster, self._clock = runs, roster, clock
        self._settings, self._version = settings, version
        self._links: set[StreamLink] = set()
        self._terms = Terms(nanos(settings.lease_s), nanos(settings.closed_lease_s), str(uuid.uuid4()))

    def close(self) -> None:
        """End all streams; whoever dispatches must have ended before."""
        for link in self._links:
            link.farewell()

    async def Attach(
        self, request_iterator: AsyncIterator[wire.AttachRequest], context: object
    ) -> AsyncIterator[wire.AttachResponse]:
        """Serve one worker until either side ends the stream."""
        hello = await self._hello(request_iterator)
        claimed = {key_from_proto(key) for key in hello.segments}
        waiting = await self._runs.driven_elsewhere({key.run for key in claimed})
        link = StreamLink(self._clock, self._terms)
        worker = self._roster.attach(_identity(hello), link, self._clock.now_nanos())
        worker.claimed, worker.waiting = claimed, waiting
        link.unowned = lambda: self._runs.unowned(worker)
        self._links.add(link)
        tracing.current().note({"burstline.worker": worker.identity.name})
        log.info("attached worker=%s host=%s pid=%d", worker.identity.name, hello.hostname, hello.pid)
        self._runs.welcome(worker)
        intake = Intake(self._runs, worker, link)
        reading = asyncio.create_task(self._read(request_iterator, worker, link, intake), name="attach reading")
        keeping = asyncio.create_task(intake.keep_ends(), name="attach keeping ends")
        try:
            while (message := await link.next()) is not None:
                yield message
            for task in (reading, keeping):
                if task.done():
                    task.result()
        finally:
            self._links.discard(link)
            self._roster.detach(worker, link, self._clock.now_nanos())
            log.info("detached worker=%s", worker.identity.name)
            for task in (reading, keeping):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _hello(self, requests: AsyncIterator[wire.AttachRequest]) -> wire.Hello:
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("message") != "hello" or not first.hello.worker_id:
            raise InvalidRequest([Violation("hello", "the first message is `hello` with a worker_id")])
        mine, theirs = _minor(self._version), _minor(first.hello.version)
        if mine != theirs:
            raise WrongState(
                f"this worker is burstline {first.hello.version or 'of no version'}, the server is {self._version}: "
                f"install {mine}.x on both",
                reason="VERSION_MISMATCH",
                worker_version=first.hello.version,
                server_version=self._version,
            )
        return first.hello

    async def _read(
        self, requests: AsyncIterator[wire.AttachRequest], worker: Worker, link: StreamLink, intake: Intake
    ) -> None:
        """Take what the worker sends; does not wait for the store, so that heartbeats are stamped when they come."""
        try:
            async for request in requests:
                now = self._clock.now_nanos()
                worker.heard_nanos = now
                match request.WhichOneof("message"):
                    case "heartbeat":
                        await intake.heartbeat(request.heartbeat, now)
                    case "end":
                        intake.end(request.end)
                    case "ready":
                        self._runs.ready(key_from_proto(request.ready.key), request.ready.problem)
                    case "preflight":
                        body = request.preflight.SerializeToString()
                        await self._runs.preflight(request.preflight.run.removeprefix("runs/"), body)
                    case _:
                        raise InvalidRequest([Violation("message", "it is missing, or a second `hello`")])
        finally:
            link.close()

    async def ListWorkers(self, request: wire.ListWorkersRequest, context: object) -> wire.ListWorkersResponse:
        """Return a page of attached workers, by name."""
        size = page_size(request.page_size)
        workers = sorted(self._roster.attached(), key=lambda worker: worker.identity.name)
        later = [worker for worker in workers if worker.identity.name > request.page_token]
        token = later[size - 1].identity.name if len(later) > size else ""
        return wire.ListWorkersResponse(workers=[self._to_proto(w) for w in later[:size]], next_page_token=token)

    def _to_proto(self, worker: Worker) -> v1.Worker:
        who = worker.identity
        held = [
            f"runs/{run.id}/segments/{epoch.row.segment}"
            for run in self._runs.active.values()
            for epoch in run.epochs()
            if epoch.living and epoch.row.worker_id == who.worker_id and not run.row.state.final
        ]
        message = v1.Worker(
            name=who.name,
            hostname=who.hostname,
            pid=who.pid,
            version=who.version,
            capacity_request_count_per_second=who.capacity_per_s,
            segments=held,
        )
        message.heard_time.FromNanoseconds(worker.heard_nanos)
        if worker.clock_error_s is not None:
            message.clock_error_duration.FromNanoseconds(nanos(worker.clock_error_s))
        return message


def _identity(hello: wire.Hello) -> Identity:
    return Identity(hello.worker_id, hello.hostname, hello.pid, hello.version, hello.capacity_request_count_per_second)


def _minor(version: str) -> str:
    """Return `major.minor` of a version."""
    found = re.match(r"\d+\.\d+", version)
    return found.group() if found else version
