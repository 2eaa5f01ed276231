"""SQS queues in front of functions: messages wait, an event source takes them in batches through the same quotas.

What is played: the event source's growth, batches, reserved and account concurrency, visibility timeouts, receive
counts, partial batch answers, and the dead-letter queue. A throttled batch is tried again with growing pauses until
its visibility timeout ends, then it is received anew: each receive counts (Lambda Developer Guide, "Error handling for
an SQS event source", read 2026-11-23; the pauses are ours: AWS states none).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic

from burstline.core.quota.admission.admission import Call, Decision
from burstline.core.quota.admission.event_source import SourceScaling
from burstline.core.quota.quotas import Account, Queue
from burstline.emulator.front import FrontDesk

TICK_S = 0.1
"""How often a queue is looked at while messages wait or are worked on, seconds."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
"""Between two tries of a throttled batch, doubling."""

POISON_RECEIVES = 3
"""Messages received more often are left out of the age of the oldest one. Source: Amazon SQS Developer Guide,
"Available CloudWatch metrics for Amazon SQS"; read 2026-11-23."""


@dataclass(slots=True)
class Message:
    """One message: when it was sent, seconds of `time.monotonic`, and how often it was received."""

    sent_s: float
    receives: int = 0


@dataclass(slots=True)
class Batch:
    """Messages that were received together, and until when they stay hidden."""

    messages: list[Message]
    hidden_until_s: float
    pause_s: float = FIRST_PAUSE_S


@dataclass(slots=True)
class QueueCounts:
    """Since the start: messages sent, deleted after success, received, and given up."""

    sent: int = 0
    deleted: int = 0
    received: int = 0
    dead: int = 0


class PracticeQueue:
    """One queue with its event source.

    Args:
        queue: how it is set up.
        desk: whose quotas and service times.
        seed: of which messages fail.

    Attributes:
        queue: as given.
        counts: what happened.
    """

    def __init__(self, queue: Queue, desk: FrontDesk, seed: int) -> None:
        self.queue, self._desk = queue, desk
        self._random = Random(seed)
        self.counts = QueueCounts()
        self._visible: deque[Message] = deque()
        self._delayed: list[tuple[float, Message]] = []
        self._hidden: dict[int, Message] = {}
        self._running = 0
        self._scaling = SourceScaling(self.queue)
        self._ticking = False

    @property
    def visible_count(self) -> int:
        """Messages that wait to be received."""
        return len(self._visible)

    @property
    def hidden_count(self) -> int:
        """Messages that were received and are neither deleted nor visible again."""
        return len(self._hidden)

    def oldest_age_s(self, now_s: float) -> float:
        """Return the age of the oldest message that is no poison; 0 if there is none."""
        ages = [
            now_s - one.sent_s for one in (*self._visible, *self._hidden.values()) if one.receives <= POISON_RECEIVES
        ]
        return max(ages, default=0.0)

    def send(self, count: int) -> None:
        """Take in messages that were sent just now."""
        now_s = monotonic()
        self.counts.sent += count
        self._visible.extend(Message(now_s) for _ in range(count))
        if not self._ticking:
            self._ticking = True
            self._desk.timers.at(now_s + TICK_S, self._tick, None)
        self._take(now_s)

    def _tick(self, now_s: float, _: None) -> None:
        due = [one for at_s, one in self._delayed if at_s <= now_s]
        self._delayed = [pair for pair in self._delayed if pair[0] > now_s]
        for message in due:
            del self._hidden[id(message)]
            self._return(message)
        self._take(now_s)
        self._ticking = bool(self._visible or self._hidden)
        if self._ticking:
            self._desk.timers.at(now_s + TICK_S, self._tick, None)

    def _return(self, message: Message) -> None:
        """Make a message visible again, or give it up."""
        most = self.queue.max_receives
        if most is not None and message.receives >= most:
            self.counts.dead += 1
        else:
            self._visible.append(message)

    def _take(self, now_s: float) -> None:
        """Receive batches while the event source may."""
        limit = self._scaling.limit(now_s, bool(self._visible))
        while self._visible and self._running < limit:
            count = min(len(self._visible), self.queue.batch)
            messages = [self._visible.popleft() for _ in range(count)]
            for message in messages:
                message.receives += 1
            self.counts.received += count
            self._hidden.update((id(message), message) for message in messages)
            self._running += 1
            self._try(now_s, Batch(messages, now_s + self.queue.visibility_timeout_s))

    def _try(self, now_s: float, batch: Batch) -> None:
        desk = self._desk
        call = Call(self.queue.function, gateway=False)
        decision = desk.admission.arrive(now_s, call)
        if desk.observer is not None:
            desk.observer.decided(now_s, call, decision)
        if decision.layer is None:
            self._run(now_s, batch, decision)
        elif now_s + batch.pause_s < batch.hidden_until_s:
            desk.timers.at(now_s + batch.pause_s, self._try, batch)
            batch.pause_s = min(LONGEST_PAUSE_S, 2 * batch.pause_s)
        else:
            self._running -= 1
            self._delayed += [(batch.hidden_until_s, message) for message in batch.messages]

    def _run(self, now_s: float, batch: Batch, decision: Decision) -> None:
        desk, function = self._desk, self._desk.function(self.queue.function)
        busy_s = min(desk.service_s(function.name), function.timeout_s)
        failed = self._failures(batch, function.error_ratio)
        whole = bool(failed) and not self.queue.partial_batch
        if desk.observer is not None:
            desk.observer.invoked(now_s, function, decision, busy_s, whole)
        end_s = now_s + busy_s + (function.init_s if decision.cold else 0.0)
        desk.timers.at(end_s, self._end, (batch, decision, batch.messages if whole else failed))

    def _failures(self, batch: Batch, ratio: float) -> list[Message]:
        if not ratio:
            return []
        if not self.queue.partial_batch:
            return batch.messages if self._random.random() < ratio else []
        return [message for message in batch.messages if self._random.random() < ratio]

    def _end(self, now_s: float, ended: tuple[Batch, Decision, list[Message]]) -> None:
        batch, decision, failed = ended
        desk = self._desk
        desk.admission.finish(now_s, decision)
        if desk.observer is not None:
            desk.observer.ended(now_s, self.queue.function, decision)
        self._running -= 1
        kept = {id(message) for message in failed}
        for message in batch.messages:
            if id(message) in kept:
                self._delayed.append((max(now_s, batch.hidden_until_s), message))
            else:
                del self._hidden[id(message)]
                self.counts.deleted += 1
        self._take(now_s)


@dataclass(slots=True)
class Seen:
    """A queue at one moment, as its metrics count it."""

    visible: int
    hidden: int
    age_s: float
    counts: QueueCounts = field(default_factory=QueueCounts)


class Queues:
    """All queues of an account. Dead-letter queues count what was given up; nobody receives from them.

    Args:
        account: its queues.
        desk: whose quotas and service times.
        seed: of which messages fail.
    """

    def __init__(self, account: Account, desk: FrontDesk, seed: int) -> None:
        self.by_name = {name: PracticeQueue(queue, desk, seed) for name, queue in account.queues.items()}
        self._timers = desk.timers
        self._watch: Callable[[float, str, Seen], None] | None = None

    def dead(self, name: str) -> int | None:
        """Return how many messages a dead-letter queue holds; None if no queue of that name is one."""
        found = [one for one in self.by_name.values() if name and one.queue.dead_letter_queue == name]
        return sum(one.counts.dead for one in found) if found else None

    def seen(self, now_s: float, name: str) -> Seen:
        """Return a queue as it is."""
        one = self.by_name[name]
        return Seen(one.visible_count, one.hidden_count, one.oldest_age_s(now_s), one.counts)

    def watch(self, watch: Callable[[float, str, Seen], None]) -> None:
        """Tell of every queue ten times a second from now on."""
        started = self._watch is not None
        self._watch = watch
        if not started and self.by_name:
            self._look(monotonic(), None)

    def _look(self, now_s: float, _: None) -> None:
        if self._watch is not None:
            for name in self.by_name:
                self._watch(now_s, name, self.seen(now_s, name))
        self._timers.at(now_s + TICK_S, self._look, None)
