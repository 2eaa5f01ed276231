"""A segment's ledger closes whatever its workers did, and puts each arrival where it belongs."""

from itertools import pairwise

import pytest
from burstline.core.load.coverage import EpochCover, SegmentCover, phase_bounds, segment_ledgers
from burstline.core.load.ledger import Ledger, add
from burstline.core.load.window import Drop, Load
from hypothesis import given
from hypothesis import strategies as st


def total(*epochs: EpochCover, bounds: tuple[int, ...] = (0, 100), reached: int = 0) -> Ledger:
    """Return the ledger over all phases."""
    whole = Ledger()
    for ledger in segment_ledgers(SegmentCover(bounds, frozenset(), epochs, reached)):
        assert ledger.imbalances() == []
        whole = add(whole, ledger)
    assert whole.imbalances() == []
    return whole


def epoch(start: int, watermark: int, *, living_until: int = 0, living: bool = False, answered: int = -1) -> EpochCover:
    """Return an epoch of phase 0 that sent all it covered."""
    sent = watermark - start
    answers = {"ok": sent if answered < 0 else answered}
    return EpochCover(start, watermark, living_until, living, {0: Load(sent, sent, sent)}, {0: answers})


def test_a_segment_that_ran_to_its_end_sent_everything() -> None:
    ledger = total(epoch(0, 100))
    assert (ledger.scheduled, ledger.due, ledger.sent, ledger.not_due, ledger.lost) == (100, 100, 100, 0, 0)


def test_what_a_living_worker_has_not_reported_is_not_due_yet() -> None:
    ledger = total(epoch(0, 40, living=True, answered=30))
    assert (ledger.due, ledger.not_due, ledger.in_flight, ledger.orphaned) == (40, 60, 10, 0)


def test_between_the_last_window_and_the_end_of_the_lease_it_is_lost_and_after_that_unsent() -> None:
    ledger = total(epoch(0, 40, living_until=55, answered=35), epoch(70, 100))
    assert (ledger.lost, ledger.unsent, ledger.orphaned, ledger.sent) == (15, 15, 5, 70)


def test_a_late_window_turns_lost_into_sent() -> None:
    before = total(epoch(0, 40, living_until=55), epoch(70, 100))
    after = total(epoch(0, 52, living_until=55), epoch(70, 100))
    assert (before.lost, after.lost) == (15, 3)
    assert after.sent == before.sent + 12
    assert after.scheduled == before.scheduled == 100


def test_a_stop_leaves_the_rest_not_due_also_when_the_worker_is_lost() -> None:
    ledger = total(epoch(0, 40, living_until=55), reached=50)
    assert (ledger.lost, ledger.unsent, ledger.not_due) == (0 + 10, 0, 50)
    assert total(epoch(0, 40, living_until=45), reached=50).unsent == 5


def test_a_segment_that_nobody_took_is_unsent_up_to_the_end() -> None:
    ledger = total(reached=30)
    assert (ledger.unsent, ledger.not_due, ledger.scheduled) == (30, 70, 100)


def test_a_missing_window_in_the_middle_is_lost() -> None:
    hole = EpochCover(0, 100, 0, False, {0: Load(90, 90, 90)}, {0: {"ok": 90}})
    ledger = total(hole)
    assert (ledger.sent, ledger.lost, ledger.scheduled) == (90, 10, 100)


def test_an_answer_without_the_window_of_its_sending_proves_the_sending() -> None:
    ledger = total(EpochCover(0, 100, 0, False, {0: Load(90, 90, 90)}, {0: {"ok": 95}}))
    assert (ledger.sent, ledger.lost, ledger.orphaned) == (95, 5, 0)


def test_what_two_epochs_both_sent_counts_twice() -> None:
    ledger = total(epoch(0, 60, living_until=60), epoch(50, 100))
    assert (ledger.scheduled, ledger.sent) == (110, 110)


def test_gaps_are_split_by_phase() -> None:
    loads = {0: Load(10, 10, 10)}
    first = EpochCover(0, 10, 30, False, loads, {0: {"ok": 10}})
    second = EpochCover(45, 60, 0, False, {1: Load(15, 15, 15)}, {1: {"ok": 15}})
    steady, burst = segment_ledgers(SegmentCover((0, 20, 60), frozenset(), (first, second), 0))
    assert (steady.lost, steady.unsent, steady.scheduled) == (10, 0, 20)
    assert (burst.lost, burst.unsent, burst.scheduled) == (10, 15, 40)


def test_a_closed_phase_schedules_what_its_users_started() -> None:
    users = EpochCover(0, 0, 0, False, {0: Load(7, 6, 6, {Drop.SLOTS: 1})}, {0: {"ok": 6}})
    (ledger,) = segment_ledgers(SegmentCover((0, 0), frozenset({0}), (users,), 0))
    assert ledger.imbalances() == []
    assert (ledger.scheduled, ledger.sent, ledger.dropped) == (7, 6, {Drop.SLOTS: 1})


@pytest.mark.parametrize(
    ("segment", "count", "expected"), [(0, 1, (0, 3, 10)), (0, 3, (0, 1, 4)), (2, 3, (0, 1, 3)), (11, 12, (0, 0, 0))]
)
def test_phase_bounds_are_positions_of_the_stripe(segment: int, count: int, expected: tuple[int, ...]) -> None:
    assert phase_bounds((0, 3, 10), segment, count) == expected
    mine = [n for n in range(10) if n % count == segment]
    assert expected[-1] == len(mine)
    assert expected[1] == sum(1 for n in mine if n < 3)


@st.composite
def histories(draw: st.DrawFn) -> SegmentCover:
    """Segments whose epochs never overlap, with windows that say what they cover."""
    sizes = draw(st.lists(st.integers(0, 40), min_size=1, max_size=4))
    bounds = (0, *(sum(sizes[: i + 1]) for i in range(len(sizes))))
    marks = sorted(draw(st.lists(st.integers(0, bounds[-1]), min_size=0, max_size=8)))
    epochs = []
    for start, watermark in zip(marks[::2], marks[1::2], strict=False):
        loads, answers = {}, {}
        for phase, (low, high) in enumerate(pairwise(bounds)):
            due = max(0, min(high, watermark) - max(low, start))
            known = draw(st.integers(0, due))
            sent = draw(st.integers(0, known))
            loads[phase] = Load(known, sent, draw(st.integers(0, sent)), {Drop.LATE: known - sent})
            answers[phase] = {"ok": draw(st.integers(0, sent))}
        until = draw(st.integers(0, bounds[-1]))
        epochs.append(EpochCover(start, watermark, until, draw(st.booleans()), loads, answers))
    return SegmentCover(bounds, frozenset(), tuple(epochs), draw(st.integers(0, bounds[-1])))


@given(histories())
def test_every_arrival_of_the_stripe_is_in_exactly_one_place(segment: SegmentCover) -> None:
    ledgers = segment_ledgers(segment)
    for (low, high), ledger in zip(pairwise(segment.phase_bounds), ledgers, strict=True):
        assert ledger.imbalances() == []
        assert ledger.scheduled == high - low
        assert min(ledger.lost, ledger.unsent, ledger.not_due, ledger.in_flight, ledger.orphaned) >= 0
