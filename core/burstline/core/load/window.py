"""What became known in one second on one worker, folded: constant size whatever the rate.

Windows only ever add: a window holds its own 10 ms bins and sparse additions to earlier ones, so any set of windows
sums in any order. A window is keyed by (run, segment, epoch, sequence).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from burstline.core.load.histogram import Histogram
from burstline.core.load.troubles import Troubles

BIN_S = 0.01
"""Width of a bin, seconds."""

BINS_PER_S = 100


class Drop(StrEnum):
    """Why a due request was not sent, by our own decision: too late, over a ceiling, no socket, or not to be made."""

    LATE = "late"
    CEILING = "ceiling"
    SLOTS = "slots"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True, order=True)
class SegmentKey:
    """Which stripe of which run, in which epoch (counted from 1; a takeover raises it)."""

    run: str
    segment: int
    epoch: int


@dataclass(frozen=True, slots=True, order=True)
class WindowKey:
    """A window's identity; `sequence` counts from 0 within the epoch, without gaps."""

    segment: SegmentKey
    sequence: int


@dataclass(slots=True)
class Load:
    """What came due in one phase, and what we did with it. `due = sent + sum(dropped)` always."""

    due: int = 0
    sent: int = 0
    sent_on_wire: int = 0
    dropped: dict[Drop, int] = field(default_factory=dict)

    def add(self, other: "Load") -> None:
        """Add another's counts."""
        self.due += other.due
        self.sent += other.sent
        self.sent_on_wire += other.sent_on_wire
        for reason, count in other.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """Indices of phase (of the due time) and request in the plan, and the signature."""

    phase: int
    request: int
    signature: str


@dataclass(frozen=True, slots=True)
class LatencyKey:
    """Index of the request in the plan, and the signature."""

    request: int
    signature: str


@dataclass(slots=True)
class Latency:
    """Latencies of one request and signature: from due (the reported one) and from actual send."""

    due: Histogram = field(default_factory=Histogram)
    sent: Histogram = field(default_factory=Histogram)

    def add(self, other: "Latency") -> None:
        """Merge another's histograms."""
        self.due.merge(other.due)
        self.sent.merge(other.sent)


Bins = dict[int, int]
"""Counts by bin index: run time in units of `BIN_S`."""


def add_bins(into: Bins, bins: Bins) -> None:
    """Add counts bin by bin."""
    before = into.get
    for index, count in bins.items():
        into[index] = before(index, 0) + count


def add_signature_bins(into: dict[str, Bins], bins: dict[str, Bins]) -> None:
    """Add counts signature by signature and bin by bin."""
    for signature, counts in bins.items():
        add_bins(into.setdefault(signature, {}), counts)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the first and last rejections of a bin lie; made once, when all answers of the bin are known.

    Attributes:
        first_s: run time at which the first rejected request was sent, seconds.
        accepted_before_first: accepted requests of this bin and segment sent before it.
        last_s: the same of the last rejected request.
        accepted_before_last: the same.
    """

    first_s: float
    accepted_before_first: int
    last_s: float
    accepted_before_last: int


@dataclass(slots=True)
class Window:
    """One second on one worker for one segment.

    Attributes:
        second: run time; it covers [second, second + 1).
        watermark: arrivals of the stripe accounted for so far, counted from the stripe's first arrival.
        loads: by phase index.
        answers: counts of what became known.
        latencies: by request and signature.
        due_bins: what came due, by due time.
        sent_bins: what was sent, by send time.
        answer_bins: by signature, answers by the time their requests were sent.
        completion_bins: by signature, answers by the time they arrived.
        marks: by bin index.
        lateness: of what was sent, seconds past due.
        loop_lag: how late the event loop woke, seconds.
        connect: time to open a connection, seconds (DNS, TCP and TLS together).
        tls: TLS handshakes, seconds.
        cpu_ratio: CPU time over wall time of the process, 0..1 per core.
        in_flight: at the window's end.
        open_sockets: at the window's end.
        opened: connections opened.
        reused: requests that went over an open connection.
        failed_connections: connections that could not be opened.
        clock_error_s: half-width of the error of the worker's clock estimate.
        troubles: what of the plan failed; at most `troubles.MOST`.
    """

    second: int
    watermark: int = 0
    loads: dict[int, Load] = field(default_factory=dict)
    answers: dict[AnswerKey, int] = field(default_factory=dict)
    latencies: dict[LatencyKey, Latency] = field(default_factory=dict)
    due_bins: Bins = field(default_factory=dict)
    sent_bins: Bins = field(default_factory=dict)
    answer_bins: dict[str, Bins] = field(default_factory=dict)
    completion_bins: dict[str, Bins] = field(default_factory=dict)
    marks: dict[int, Mark] = field(default_factory=dict)
    lateness: Histogram = field(default_factory=Histogram)
    loop_lag: Histogram = field(default_factory=Histogram)
    connect: Histogram = field(default_factory=Histogram)
    tls: Histogram = field(default_factory=Histogram)
    cpu_ratio: float = 0.0
    in_flight: int = 0
    open_sockets: int = 0
    opened: int = 0
    reused: int = 0
    failed_connections: int = 0
    clock_error_s: float = 0.0
    troubles: Troubles = field(default_factory=dict)

    @property
    def first_sent_bin(self) -> int | None:
        """Index of the first bin in which anything was sent."""
        return min(self.sent_bins, default=None)
