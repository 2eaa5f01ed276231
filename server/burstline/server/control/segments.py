"""What the server knows of a run's segments: who held each, in which epoch, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from burstline.core.load.coverage import EpochCover, SegmentCover, phase_bounds, segment_ledgers
from burstline.core.load.ledger import Ledger, add
from burstline.core.load.outline import Outline
from burstline.core.load.schedule import Schedule, Stripe
from burstline.core.load.window import BIN_S, Load, SegmentKey, Window
from burstline.server.clock import seconds
from burstline.server.store.rows import EpochRow


@dataclass(slots=True)
class Epoch:
    """One assignment and the sums of its windows, which do not grow with the number of requests.

    Attributes:
        row: as stored.
        ready: its worker has prepared it.
        started: its worker was told T0.
        stop_told: its worker was told to stop.
        problem: why its worker could not prepare it; "" if nothing is known.
        problem_noted: the run was told of it.
        missed_nanos: since when its worker is attached without claiming it; None otherwise.
        watermark: highest reported.
        last_second: run time of its newest window.
        first_sent_bin: index of the first 10 ms bin in which it sent.
    """

    row: EpochRow
    ready: bool = False
    started: bool = False
    stop_told: bool = False
    problem: str = ""
    problem_noted: bool = False
    missed_nanos: int | None = None
    watermark: int = 0
    last_second: int | None = None
    first_sent_bin: int | None = None
    loads: dict[int, Load] = field(default_factory=dict)
    signatures: dict[int, dict[str, int]] = field(default_factory=dict)
    _below: int = 0
    _beyond: set[int] = field(default_factory=set)

    @property
    def key(self) -> SegmentKey:
        """Its key; `run` is the id without `runs/`."""
        return SegmentKey(self.row.run, self.row.segment, self.row.epoch)

    @property
    def living(self) -> bool:
        """Whether its worker may still send."""
        return not self.row.end_reason and self.row.living_until_nanos is None

    @property
    def window_count(self) -> int:
        """How many different windows came in."""
        return self._below + len(self._beyond)

    @property
    def complete(self) -> bool:
        """Whether it ended by itself and all its windows are here."""
        return bool(self.row.end_reason) and self.window_count >= (self.row.window_count or 0)

    def has(self, sequence: int) -> bool:
        """Return whether a window came in before."""
        return sequence < self._below or sequence in self._beyond

    def add(self, sequence: int, window: Window | Outline) -> None:
        """Add a window that is new."""
        self._beyond.add(sequence)
        while self._below in self._beyond:
            self._beyond.remove(self._below)
            self._below += 1
        self.watermark = max(self.watermark, window.watermark)
        self.last_second = window.second if self.last_second is None else max(self.last_second, window.second)
        for phase, load in window.loads.items():
            self.loads.setdefault(phase, Load()).add(load)
        for key, count in window.answers.items():
            into = self.signatures.setdefault(key.phase, {})
            into[key.signature] = into.get(key.signature, 0) + count
        if self.first_sent_bin is None:
            self.first_sent_bin = window.first_sent_bin


class Segment:
    """One stripe of a run with its epochs in order."""

    def __init__(self, schedule: Schedule, index: int, count: int) -> None:
        self.stripe = Stripe(schedule, index, count)
        self.index = index
        self.epochs: list[Epoch] = []
        self.finished = False
        self.failed_count = 0
        self._bounds = phase_bounds(schedule.phase_first, index, count)
        self._closed = frozenset(phase.index for phase in schedule.users_phases)
        self._positions: dict[int, int] = {}

    @property
    def last(self) -> Epoch | None:
        """The newest epoch."""
        return self.epochs[-1] if self.epochs else None

    def epoch(self, number: int) -> Epoch | None:
        """Return an epoch by its number."""
        return next((epoch for epoch in self.epochs if epoch.row.epoch == number), None)

    def position_at_nanos(self, moment_nanos: int, start_nanos: int) -> int:
        """Return how many of the stripe's arrivals were due before a moment of the server's clock."""
        if moment_nanos not in self._positions:
            if len(self._positions) > 64:
                self._positions.clear()
            self._positions[moment_nanos] = self.stripe.position_at(seconds(moment_nanos - start_nanos))
        return self._positions[moment_nanos]

    def ledgers(self, start_nanos: int | None, end_nanos: int) -> list[Ledger]:
        """Return the ledger by phase, as if the run ended at `end_nanos` for whoever is not living.

        Args:
            start_nanos: T0 on the server's clock; None if it was never set, and then nothing was due.
            end_nanos: on the server's clock.
        """
        covers = tuple(self._cover(epoch, start_nanos) for epoch in self.epochs)
        reached = 0
        if start_nanos is not None and self._open_ended():
            until = max([end_nanos, *(epoch.row.living_until_nanos or 0 for epoch in self.epochs)])
            reached = self.stripe.position_at(seconds(until - start_nanos))
        return segment_ledgers(SegmentCover(self._bounds, self._closed, covers, reached))

    def _open_ended(self) -> bool:
        """Whether what was due after the last epoch went unsent, rather than not being due."""
        last = self.last
        return last is None or not (last.living or last.row.end_reason in ("done", "stopped"))

    def _cover(self, epoch: Epoch, start_nanos: int | None) -> EpochCover:
        given_up = epoch.row.living_until_nanos
        living_until = 0
        if given_up is not None and start_nanos is not None and not epoch.complete:
            living_until = self.position_at_nanos(given_up, start_nanos)
        return EpochCover(
            from_position=epoch.row.from_position,
            watermark=max(epoch.watermark, epoch.row.from_position),
            living_until=living_until,
            living=epoch.living,
            loads=epoch.loads,
            signatures=epoch.signatures,
        )


def make_segments(schedule: Schedule, count: int, rows: Iterable[EpochRow]) -> list[Segment]:
    """Return a run's segments with the epochs that the store has, without any window."""
    segments = [Segment(schedule, index, count) for index in range(count)]
    for row in rows:
        segments[row.segment].epochs.append(Epoch(row))
    return segments


def run_ledgers(
    segments: Iterable[Segment], schedule: Schedule, start_nanos: int | None, end_nanos: int
) -> list[Ledger]:
    """Return a run's ledger by phase; without any segment nothing was due."""
    bounds = schedule.phase_first
    phases = len(bounds) - 1
    found = [segment.ledgers(start_nanos, end_nanos) for segment in segments]
    if not found:
        counts = [bounds[phase + 1] - bounds[phase] for phase in range(phases)]
        return [Ledger(scheduled=count, not_due=count) for count in counts]
    total = [Ledger() for _ in range(phases)]
    for ledgers in found:
        total = [add(left, right) for left, right in zip(total, ledgers, strict=True)]
    return total


def start_skew_s(segments: Iterable[Segment]) -> float | None:
    """Return how far apart the segments' first sends were from their due times, seconds, to a bin of 10 ms."""
    shifts_s = [late_s for segment in segments if (late_s := start_late_s(segment)) is not None]
    return round(max(shifts_s) - min(shifts_s), 2) if shifts_s else None


def start_late_s(segment: Segment) -> float | None:
    """Return how long after its due time a segment's first request left, seconds, to a bin of 10 ms."""
    first = segment.epochs[0] if segment.epochs else None
    if first is None or first.first_sent_bin is None or not segment.stripe.count:
        return None
    return round((first.first_sent_bin - int(segment.stripe.offsets(0, 1)[0] / BIN_S)) * BIN_S, 2)
