"""A run's windows, summed: everything that judging needs, with nothing of any single request."""

from dataclasses import dataclass, field

from burstline.core.load.histogram import Histogram
from burstline.core.load.troubles import Troubles, add_troubles
from burstline.core.load.window import (
    AnswerKey,
    Bins,
    Latency,
    LatencyKey,
    Load,
    Mark,
    Window,
    add_bins,
    add_signature_bins,
)


@dataclass(slots=True)
class Second:
    """One second of run time over all workers. Due, sent and dropped are by the window's second.

    Attributes:
        load: what came due and what we did with it.
        answers: signature -> count of what became known in it.
        latencies: by signature, of what became known in it.
        lateness: of what was sent in it.
        cpu_ratio: the highest of any worker.
        in_flight: at its end, summed.
    """

    load: Load = field(default_factory=Load)
    answers: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)
    lateness: Histogram = field(default_factory=Histogram)
    cpu_ratio: float = 0.0
    in_flight: int = 0

    @property
    def latency(self) -> Histogram:
        """From due, all signatures together; made anew each time."""
        together = Histogram()
        for one in self.latencies.values():
            together.merge(one.due)
        return together


@dataclass(slots=True)
class Totals:
    """Sums over windows. Feed each window once, in any order.

    Attributes:
        loads: by phase index.
        answers: by phase, request and signature.
        latencies: by request and signature.
        seconds: by second of run time.
        due_bins, sent_bins, answer_bins, completion_bins: as in a window.
        marks: segment index -> bin index -> mark; marks of different workers do not sum.
        lateness: of everything that was sent.
        clock_error_s: the largest half-width reported.
        troubles: what of the plan failed on the workers.
    """

    loads: dict[int, Load] = field(default_factory=dict)
    answers: dict[AnswerKey, int] = field(default_factory=dict)
    latencies: dict[LatencyKey, Latency] = field(default_factory=dict)
    seconds: dict[int, Second] = field(default_factory=dict)
    due_bins: Bins = field(default_factory=dict)
    sent_bins: Bins = field(default_factory=dict)
    answer_bins: dict[str, Bins] = field(default_factory=dict)
    completion_bins: dict[str, Bins] = field(default_factory=dict)
    marks: dict[int, dict[int, Mark]] = field(default_factory=dict)
    lateness: Histogram = field(default_factory=Histogram)
    connect: Histogram = field(default_factory=Histogram)
    tls: Histogram = field(default_factory=Histogram)
    opened: int = 0
    reused: int = 0
    failed_connections: int = 0
    clock_error_s: float = 0.0
    troubles: Troubles = field(default_factory=dict)

    def add(self, segment: int, window: Window) -> None:
        """Add one window of a segment (its index); the window is left alone."""
        second = self.seconds.setdefault(window.second, Second())
        for phase, load in window.loads.items():
            self.loads.setdefault(phase, Load()).add(load)
            second.load.add(load)
        for answer, count in window.answers.items():
            self.answers[answer] = self.answers.get(answer, 0) + count
            second.answers[answer.signature] = second.answers.get(answer.signature, 0) + count
        for key, latency in window.latencies.items():
            self.latencies.setdefault(key, Latency()).add(latency)
            second.latencies.setdefault(key.signature, Latency()).add(latency)
        add_bins(self.due_bins, window.due_bins)
        add_bins(self.sent_bins, window.sent_bins)
        add_signature_bins(self.answer_bins, window.answer_bins)
        add_signature_bins(self.completion_bins, window.completion_bins)
        self.marks.setdefault(segment, {}).update(window.marks)
        add_troubles(self.troubles, window.troubles)
        self._add_gauges(second, window)

    def _add_gauges(self, second: Second, window: Window) -> None:
        second.lateness.merge(window.lateness)
        second.cpu_ratio = max(second.cpu_ratio, window.cpu_ratio)
        second.in_flight += window.in_flight
        self.lateness.merge(window.lateness)
        self.connect.merge(window.connect)
        self.tls.merge(window.tls)
        self.opened += window.opened
        self.reused += window.reused
        self.failed_connections += window.failed_connections
        self.clock_error_s = max(self.clock_error_s, window.clock_error_s)

    def signatures(self) -> dict[str, int]:
        """Return how often each signature was seen."""
        counts: dict[str, int] = {}
        for key, count in self.answers.items():
            counts[key.signature] = counts.get(key.signature, 0) + count
        return counts

    def load(self) -> Load:
        """Return due, sent and dropped over all phases."""
        total = Load()
        for load in self.loads.values():
            total.add(load)
        return total
