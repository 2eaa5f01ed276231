"""From what each epoch of a segment reported to the segment's exact ledger, phase by phase.

A segment is the stripe's positions 0..count-1. Each epoch covers [from_position, watermark); what lies between two
epochs is split where the older worker's lease ended: before it `lost`, after it `unsent`. Late windows only raise an
epoch's watermark and counts, so they turn `lost` into known numbers without any correction.

An arrival that two epochs both accounted for (which leases exist to prevent) is counted in `scheduled` and `due`
twice, because it was sent twice: the ledger then exceeds the plan, and says so by that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from burstline.core.load.ledger import Ledger
from burstline.core.load.window import Drop, Load


@dataclass(frozen=True, slots=True)
class EpochCover:
    """What one epoch of a segment accounted for.

    Attributes:
        from_position: first arrival of the stripe it was to send, >= 0.
        watermark: arrivals below it are due and counted, unless they lie below `from_position`.
        living_until: positions below it were due while the epoch's lease lived; 0 when the epoch ended by itself and
            has told everything.
        living: whether it may still report.
        loads: due, sent and dropped by phase index.
        signatures: phase index -> signature -> count.
    """

    from_position: int = 0
    watermark: int = 0
    living_until: int = 0
    living: bool = False
    loads: Mapping[int, Load] = field(default_factory=dict)
    signatures: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SegmentCover:
    """One segment.

    Attributes:
        phase_bounds: first stripe position of each phase, then the stripe's count; ascending, len phases + 1.
        closed_phases: indices of closed-model phases, which have no positions.
        epochs: in their order.
        reached: positions below it came due before the run ended; what the epochs covered counts as due anyway.
    """

    phase_bounds: tuple[int, ...]
    closed_phases: frozenset[int]
    epochs: tuple[EpochCover, ...]
    reached: int


@dataclass(slots=True)
class _Gaps:
    """Positions by phase that no epoch accounted for."""

    lost: list[int]
    unsent: list[int]


def phase_bounds(phase_first: Iterable[int], segment: int, segment_count: int) -> tuple[int, ...]:
    """Return the stripe position of each phase's first arrival, given the arrivals' global numbers; same length.

    Stripe position k is arrival `segment + k * segment_count`; position ceil((n - segment) / segment_count) is the
    first at or after arrival n.
    """
    return tuple(max(0, -(-(first - segment) // segment_count)) for first in phase_first)


def segment_ledgers(segment: SegmentCover) -> list[Ledger]:
    """Return the segment's ledger by phase; each closes."""
    bounds = segment.phase_bounds
    gaps, end = _gaps(segment)
    not_due = _by_phase(bounds, end, bounds[-1])
    return [_phase_ledger(segment, phase, gaps, not_due[phase]) for phase in range(len(bounds) - 1)]


def _gaps(segment: SegmentCover) -> tuple[_Gaps, int]:
    """Return what lies between and after the epochs, and the position up to which arrivals are due."""
    bounds = segment.phase_bounds
    gaps = _Gaps([0] * (len(bounds) - 1), [0] * (len(bounds) - 1))
    cursor = living_until = 0
    for epoch in segment.epochs:
        _split(gaps, bounds, cursor, epoch.from_position, living_until)
        cursor = max(cursor, epoch.from_position, epoch.watermark)
        living_until = max(living_until, epoch.living_until)
    end = min(bounds[-1], max(cursor, segment.reached))
    _split(gaps, bounds, cursor, end, living_until)
    return gaps, end


def _split(gaps: _Gaps, bounds: tuple[int, ...], start: int, stop: int, living_until: int) -> None:
    edge = min(max(start, living_until), stop)
    for phase, count in enumerate(_by_phase(bounds, start, edge)):
        gaps.lost[phase] += count
    for phase, count in enumerate(_by_phase(bounds, edge, stop)):
        gaps.unsent[phase] += count


def _by_phase(bounds: tuple[int, ...], start: int, stop: int) -> list[int]:
    """Return how many positions of [start, stop) lie in each phase."""
    return [max(0, min(high, stop) - max(low, start)) for low, high in pairwise(bounds)]


def _phase_ledger(segment: SegmentCover, phase: int, gaps: _Gaps, not_due: int) -> Ledger:
    total = _EpochSums()
    for epoch in segment.epochs:
        covered = None
        if phase not in segment.closed_phases:
            covered = _by_phase(segment.phase_bounds, epoch.from_position, epoch.watermark)[phase]
        total.add(epoch, phase, covered)
    lost = gaps.lost[phase] + total.missing
    due = total.sent + sum(total.dropped.values()) + lost + gaps.unsent[phase]
    return Ledger(
        scheduled=due + not_due,
        not_due=not_due,
        due=due,
        sent=total.sent,
        sent_on_wire=total.on_wire,
        dropped=total.dropped,
        unsent=gaps.unsent[phase],
        lost=lost,
        in_flight=total.in_flight,
        orphaned=total.orphaned,
        signatures=total.signatures,
    )


class _EpochSums:
    """Sums over the epochs of a segment, in one phase."""

    def __init__(self) -> None:
        self.sent = self.on_wire = self.in_flight = self.orphaned = self.missing = 0
        self.dropped: dict[Drop, int] = {}
        self.signatures: dict[str, int] = {}

    def add(self, epoch: EpochCover, phase: int, covered: int | None) -> None:
        """Add an epoch that covered so many positions of the phase; None where positions do not exist."""
        load = epoch.loads.get(phase) or Load()
        answers = epoch.signatures.get(phase, {})
        answered = sum(answers.values())
        # An answer proves a sending whose own window is missing.
        sent = max(load.sent, answered)
        if covered is not None:
            self.missing += max(0, covered - sent - sum(load.dropped.values()))
        self.sent += sent
        self.on_wire += min(load.sent_on_wire, sent)
        if epoch.living:
            self.in_flight += sent - answered
        else:
            self.orphaned += sent - answered
        for reason, count in load.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        for signature, count in answers.items():
            self.signatures[signature] = self.signatures.get(signature, 0) + count
