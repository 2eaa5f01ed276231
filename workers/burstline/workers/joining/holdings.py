"""The segments of one worker by their keys: taken, kept over streams and servers, superseded, forgotten."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from burstline.core.load.window import SegmentKey, Window
from burstline.v1 import worker_service_pb2 as v1
from burstline.wire.errors import InvalidMessage
from burstline.wire.plan import plan_from_proto
from burstline.wire.window import key_from_proto, key_to_proto
from burstline.workers.clock import ClockEstimate
from burstline.workers.joining.leasing import Leases
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.holding import Assignment, Holding
from burstline.workers.segments.outbox import Outbox

KEPT_ENDED = 16
"""Ended segments whose end may have to be said again."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every segment of a worker works with; `seen` is told of every window."""

    estimate: ClockEstimate
    leases: Leases
    files: FileCache
    version: str
    outbox: Outbox
    seen: Callable[[Window], None]


class Holdings:
    """Holdings by key."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._held: dict[SegmentKey, Holding] = {}

    def __iter__(self) -> Iterator[Holding]:
        return iter(list(self._held.values()))

    def get(self, key: v1.SegmentKey) -> Holding | None:
        """Return a holding, or None."""
        return self._held.get(key_from_proto(key))

    def claims(self) -> list[v1.SegmentKey]:
        """Return what a hello says."""
        return [key_to_proto(key) for key in self._held]

    @property
    def idle(self) -> bool:
        """Whether all have ended."""
        return all(holding.ended for holding in self._held.values())

    def wait_for_server(self) -> bool:
        """Return whether one is sending for a run that the server at hand does not drive."""
        waiting = self._means.leases.waiting
        return bool(waiting) and any(one.sending and not one.stopped and one.key.run in waiting for one in self)

    def keep(self, welcome: v1.Welcome) -> None:
        """Stop what the server leaves to nobody or to another, and say again what it may not have got."""
        kept = {key_from_proto(key) for key in welcome.segments}
        for key, holding in self._held.items():
            if key not in kept and key.run not in self._means.leases.waiting and not holding.ended:
                holding.stop("superseded")
            holding.repeat()

    def take(self, assign: v1.Assign, latency_s: float | None) -> Holding | None:
        """Return the new holding of an assignment, which is to be run; None if there is nothing new to do.

        Args:
            assign: what the server asks for.
            latency_s: of a request, if one was seen.
        """
        key, means = key_from_proto(assign.key), self._means
        if key in self._held:  # said again after a reconnection
            self._held[key].repeat()
            return None
        for other, holding in self._held.items():
            if (other.run, other.segment) == (key.run, key.segment) and other.epoch < key.epoch:
                holding.stop("superseded")
        try:
            plan = plan_from_proto(assign.plan)
        except InvalidMessage as error:
            problem = f"the worker cannot read the plan: {error}"
            means.outbox.push(v1.AttachRequest(ready=v1.Ready(key=assign.key, problem=problem)))
            return None
        hosts = frozenset(assign.allowed_hosts)
        assignment = Assignment(key, assign.segment_count, plan, assign.from_count, hosts, assign.start_nanos)
        self._forget_ended()
        made = self._held[key] = Holding(
            assignment,
            means.estimate,
            lambda: means.leases.left_s(key.run),
            means.files,
            means.version,
            latency_s,
            means.outbox,
            means.seen,
        )
        return made

    def _forget_ended(self) -> None:
        ended = [key for key, holding in self._held.items() if holding.ended]
        for key in ended[:-KEPT_ENDED]:
            del self._held[key]
