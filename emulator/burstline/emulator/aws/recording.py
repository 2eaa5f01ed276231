"""What happened, second by second: the ground from which CloudWatch's metrics and Lambda's log lines are made."""

import time
from collections import deque
from dataclasses import dataclass, field
from time import monotonic

from burstline.core.load.histogram import Histogram
from burstline.core.quota.admission.admission import Call, Decision
from burstline.core.quota.admission.concurrency import FunctionPool
from burstline.core.quota.quotas import Account, Family, Function, Layer
from burstline.emulator.queues import Seen

KEPT_S = 3 * 3600
"""How long seconds are kept. CloudWatch keeps minutes for 15 days; a practice session is shorter."""

REPORT_COUNT = 200_000
"""Most log lines kept; the oldest go first."""

GATEWAY_FAMILIES = (Family.BUCKET, Family.PLAN_QUOTA)


@dataclass(slots=True)
class FunctionSecond:
    """What was invoked in one second; a call belongs to the second in which it was made, as in CloudWatch."""

    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    provisioned: int = 0
    spillover: int = 0
    durations: Histogram = field(default_factory=Histogram)


@dataclass(slots=True)
class Level:
    """A number that rises and falls: its highest value in a second, and its value at the second's end."""

    peak: float = 0.0
    last: float = 0.0


@dataclass(slots=True)
class GatewaySecond:
    """Answers of a stage, or of a load balancer, in one second."""

    count: int = 0
    client_errors: int = 0
    server_errors: int = 0
    bad_gateways: int = 0


@dataclass(slots=True)
class QueueSecond:
    """A queue in one second: the most of each number, and messages sent and deleted."""

    visible: int = 0
    hidden: int = 0
    age_s: float = 0.0
    dead: int = 0
    sent: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One invocation's REPORT line.

    Attributes:
        end_s: when it ended, seconds since the Unix epoch.
        function: whose.
        number: counted from 1, for its request id.
        duration_s: without init, seconds.
        init_s: 0 for warm ones, seconds.
        memory_mb: configured.
    """

    end_s: float
    function: str
    number: int
    duration_s: float
    init_s: float
    memory_mb: int


class Recorder:
    """Observes a front desk (`burstline.emulator.front.Observer`). Wall time is the monotonic clock from its creation.

    Attributes:
        functions: (second since the epoch, function) -> what was invoked.
        levels: name -> second -> level; names are `claimed`, `unreserved`, `total` and `function:NAME`.
        gateway: (second, stage) -> answers.
        queues: (second, queue) -> its numbers; seconds in which it was empty and nothing happened are missing.
        reports: log lines in the order of their calls.
        set_aside: environments claimed all the time: reserved, and provisioned without reserved ones.
    """

    def __init__(self, account: Account) -> None:
        self._base_s = time.time() - monotonic()
        self.set_aside = account.reserved_total() + sum(
            f.provisioned for f in account.functions.values() if f.reserved is None
        )
        self._provisioned = {f.name for f in account.functions.values() if f.provisioned}
        self._in_use: dict[str, int] = {}
        self._unreserved: set[str] = set()
        self._count = 0
        self._pruned = 0
        self.functions: dict[tuple[int, str], FunctionSecond] = {}
        self.levels: dict[str, dict[int, Level]] = {}
        self.gateway: dict[tuple[int, str], GatewaySecond] = {}
        self.queues: dict[tuple[int, str], QueueSecond] = {}
        self._queue_counts: dict[str, tuple[int, int]] = {}
        self.reports: deque[Report] = deque(maxlen=REPORT_COUNT)

    def now_s(self) -> float:
        """Return seconds since the Unix epoch."""
        return self._base_s + monotonic()

    def decided(self, now_s: float, call: Call, decision: Decision) -> None:
        """Count a throttle of Lambda's. (A gateway's counts by its answer.)"""
        if decision.layer is not None and decision.family not in GATEWAY_FAMILIES:
            self._second(now_s, call.function).throttles += 1

    def invoked(self, now_s: float, function: Function, decision: Decision, duration_s: float, failed: bool) -> None:
        """Count an invocation; its log line is kept with the time of its end."""
        second = self._second(now_s, function.name)
        second.invocations += 1
        second.errors += failed
        second.durations.add(duration_s)
        environment = decision.environment
        if environment is not None:
            second.provisioned += environment.provisioned
            second.spillover += not environment.provisioned and function.name in self._provisioned
            self._level(now_s, function.name, environment.pool)
        self._count += 1
        init_s = function.init_s if decision.cold else 0.0
        end_s = self._base_s + now_s + duration_s + init_s
        self.reports.append(Report(end_s, function.name, self._count, duration_s, init_s, function.memory_mb))

    def ended(self, now_s: float, function: str, decision: Decision) -> None:
        """Lower the levels."""
        if decision.environment is not None:
            self._level(now_s, function, decision.environment.pool)

    def answered(self, now_s: float, call: Call, status: int) -> None:
        """Count an answer of the front, by the stage of an API; a load balancer's are under ""."""
        key = (int(self._base_s + now_s), call.stage if call.gateway else "")
        second = self.gateway.setdefault(key, GatewaySecond())
        second.count += 1
        second.client_errors += 400 <= status < 500
        second.server_errors += status >= 500
        second.bad_gateways += status == 502

    def queue(self, now_s: float, name: str, seen: Seen) -> None:
        """Note a queue's numbers."""
        counts = seen.counts
        sent, deleted = self._queue_counts.get(name, (0, 0))
        self._queue_counts[name] = counts.sent, counts.deleted
        if not (seen.visible or seen.hidden or counts.dead or counts.sent > sent or counts.deleted > deleted):
            return
        second = self.queues.setdefault((int(self._base_s + now_s), name), QueueSecond())
        second.visible, second.hidden = max(second.visible, seen.visible), max(second.hidden, seen.hidden)
        second.age_s, second.dead = max(second.age_s, seen.age_s), counts.dead
        second.sent += counts.sent - sent
        second.deleted += counts.deleted - deleted

    def _second(self, now_s: float, function: str) -> FunctionSecond:
        at = int(self._base_s + now_s)
        found = self.functions.get((at, function))
        if found is None:
            self._prune(at)
            found = self.functions[at, function] = FunctionSecond()
        return found

    def _level(self, now_s: float, function: str, pool: FunctionPool) -> None:
        at = int(self._base_s + now_s)
        self._in_use[function] = pool.in_use
        self._set(f"function:{function}", at, pool.in_use)
        self._set("total", at, sum(self._in_use.values()))
        if pool.slots.layer is Layer.ACCOUNT_CONCURRENCY:
            self._unreserved.add(function)
            self._set("unreserved", at, sum(self._in_use[name] for name in self._unreserved))
            self._set("claimed", at, self.set_aside + pool.slots.in_use)
        else:
            self._set("claimed", at, None)

    def _set(self, name: str, at: int, value: float | None) -> None:
        """Set a level; None keeps it, but says that there was a call (reserved concurrency is claimed all the time)."""
        seconds = self.levels.setdefault(name, {})
        level = seconds.get(at)
        if level is None:
            before = next(reversed(seconds.values())).last if seconds else self.set_aside if value is None else 0.0
            level = seconds[at] = Level(before, before)
        if value is not None:
            level.last = value
            level.peak = max(level.peak, value)

    def _prune(self, at: int) -> None:
        if at - self._pruned < 60:
            return
        self._pruned, oldest = at, at - KEPT_S
        self.functions = {key: value for key, value in self.functions.items() if key[0] >= oldest}
        self.gateway = {key: value for key, value in self.gateway.items() if key[0] >= oldest}
        self.queues = {key: value for key, value in self.queues.items() if key[0] >= oldest}
        for seconds in self.levels.values():
            for second in [second for second in seconds if second < oldest]:
                del seconds[second]
