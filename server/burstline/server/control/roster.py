"""The attached workers, and when one of them counts as gone."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from burstline.core.load.window import SegmentKey
from burstline.server.clock import nanos
from burstline.server.settings import ServerSettings


class WorkerLink(Protocol):
    """The way to one worker. Messages leave in the order of the calls; a broken link swallows them."""

    def preflight(self, run: str, plan: bytes, allowed_hosts: Sequence[str]) -> None:
        """Ask for one request per name."""
        ...

    def assign(
        self,
        key: SegmentKey,
        segment_count: int,
        plan: bytes,
        from_position: int,
        allowed_hosts: Sequence[str],
        start_nanos: int,
    ) -> None:
        """Hand over a segment."""
        ...

    def start(self, key: SegmentKey, start_nanos: int) -> None:
        """Say when T0 is."""
        ...

    def stop(self, key: SegmentKey) -> None:
        """Stop a segment at once."""
        ...

    def welcome(self, name: str, kept: Sequence[SegmentKey], waiting: Collection[str]) -> None:
        """Say which segments the worker may keep, and of which runs it holds some that others drive."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """What a worker says of itself; fields as in the proto's `Hello`."""

    worker_id: str
    hostname: str = ""
    pid: int = 0
    version: str = ""
    capacity_per_s: float = 0.0

    @property
    def name(self) -> str:
        """`workers/{worker}`."""
        return f"workers/{self.worker_id}"


@dataclass(slots=True)
class Worker:
    """A worker that is attached, or was a moment ago.

    Attributes:
        link: the way to it; None while it is away.
        heard_nanos: when it was last heard, server clock.
        closed_nanos: when its stream closed; None while open, or when that is not known (after our own restart).
        restored_nanos: when it was read from the store, after our own restart or with a run that we took over; None
            once it was heard on a new stream.
        clock_error_s: half-width of the error of its clock estimate, seconds; None until a window says it.
        leaving: it ended a segment without being asked, as a worker does that is told to end.
        claimed: the segments it holds: those of its hello, and what it was given since.
        waiting: runs of which it holds segments and that another server drives, or none yet.
    """

    identity: Identity
    link: WorkerLink | None
    heard_nanos: int
    closed_nanos: int | None = None
    restored_nanos: int | None = None
    clock_error_s: float | None = None
    leaving: bool = False
    claimed: set[SegmentKey] = field(default_factory=set)
    waiting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fate:
    """A worker that counts as gone: its leases ended at `living_until_nanos`, and from `due_nanos` on its segments
    may be given to others."""

    living_until_nanos: int
    due_nanos: int


class Roster:
    """Workers by id."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._lease_nanos = nanos(settings.lease_s)
        self._workers: dict[str, Worker] = {}

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._workers.values()))

    def get(self, worker_id: str) -> Worker | None:
        """Return a worker, attached or away."""
        return self._workers.get(worker_id)

    def attached(self) -> list[Worker]:
        """Return workers with an open stream, in order of joining."""
        return [worker for worker in self._workers.values() if worker.link is not None]

    def responsive(self, now_nanos: int) -> list[Worker]:
        """Return workers that may be given work: attached, heard within half a lease, not about to end, and not sending
        for another server."""
        silent_nanos = nanos(self._settings.lease_s / 2)
        heard = [worker for worker in self.attached() if now_nanos - worker.heard_nanos <= silent_nanos]
        return [worker for worker in heard if not worker.leaving and not worker.waiting]

    def attach(self, identity: Identity, link: WorkerLink, now_nanos: int) -> Worker:
        """Note that a worker opened a stream; an older stream of the same worker is closed."""
        before = self._workers.get(identity.worker_id)
        if before is not None and before.link is not None:
            before.link.close()
        clock_error_s = before.clock_error_s if before is not None else None
        worker = Worker(identity, link, now_nanos, clock_error_s=clock_error_s)
        self._workers[identity.worker_id] = worker
        return worker

    def detach(self, worker: Worker, link: WorkerLink, now_nanos: int) -> None:
        """Note that a stream closed; nothing happens if the worker has opened another since."""
        if worker.link is link:
            worker.link = None
            worker.closed_nanos = now_nanos

    def restore(self, identity: Identity, heard_nanos: int, now_nanos: int) -> None:
        """Note a worker that held a segment before our own restart, or under another server, and may come back."""
        worker = self._workers.get(identity.worker_id)
        if worker is None:
            worker = self._workers[identity.worker_id] = Worker(identity, None, heard_nanos)
        worker.restored_nanos = now_nanos

    def forget(self, worker_id: str) -> None:
        """Drop a worker that is away and holds nothing."""
        worker = self._workers.get(worker_id)
        if worker is not None and worker.link is None:
            del self._workers[worker_id]

    def is_heard(self, worker_id: str, now_nanos: int) -> bool:
        """Return whether a worker is attached and was heard within its lease."""
        worker = self._workers.get(worker_id)
        return worker is not None and worker.link is not None and now_nanos - worker.heard_nanos < self._lease_nanos

    def fate(self, worker_id: str, now_nanos: int) -> Fate | None:
        """Return when a worker's leases ended, once that is certain enough to act on; None while it lives.

        A stream that closed right after a sign of life closed for the worker too, if it lives: it comes back within a
        second, or stops at the end of the short lease of closed streams. A stream that closed after a silence (a dead
        network whose keepalive ran out) proves nothing: the worker may be sending until its whole lease ends.
        """
        worker = self._workers.get(worker_id)
        if worker is None:
            return Fate(now_nanos, now_nanos)
        if self.is_heard(worker_id, now_nanos):
            return None
        fate = self._expected(worker)
        return fate if now_nanos >= fate.due_nanos else None

    def _expected(self, worker: Worker) -> Fate:
        lease, closed_lease = nanos(self._settings.lease_s), nanos(self._settings.closed_lease_s)
        margin = nanos(self._settings.silence_margin_s)
        expiry = worker.heard_nanos + lease
        closed, restored = worker.closed_nanos, worker.restored_nanos
        # One that closed before we drove the run says nothing: its lease came from another.
        if closed is not None and closed >= (restored or 0) and closed - worker.heard_nanos <= closed_lease * 8 // 5:
            # It learns of the closing within a moment, also where its heartbeat was overdue by then.
            expiry = max(worker.heard_nanos + closed_lease, closed + closed_lease // 5)
            return Fate(expiry, expiry + margin // 4)
        if restored is not None:
            return Fate(expiry, restored + lease + margin)
        return Fate(expiry, expiry + margin)
