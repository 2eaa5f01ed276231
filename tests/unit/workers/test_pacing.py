"""The pacer fires a stripe by deadline, in batches, never in a clump, and stops when told."""

from typing import Any

import numpy as np
import pytest
from burstline.core.load.plan import Bursts, Constant, DataOrder, Pause, Phase, Shape
from burstline.core.load.schedule import Schedule, Stripe
from burstline.core.load.selection import Selection
from burstline.workers.sending.pacing import BATCH_COUNT, CHUNK_COUNT, QUANTUM_S, ArrivalReader, Pacer, tolerances


class Trial:
    """A pacer whose firing is written down."""

    def __init__(
        self, stage: Any, load: tuple[Phase, ...], segment: int = 0, count: int = 1, position: int = 0
    ) -> None:
        self.stage = stage
        self.fired: list[tuple[int, float, float]] = []
        self.lates: list[float] = []
        self.ends = 0
        self.allowed = True
        self.asked = 0
        stripe = Stripe(Schedule(load, 7), segment, count)
        reader = ArrivalReader(stripe, Selection(7, [1.0], 0, DataOrder.RANDOM), load, 0.02, position)
        self.pacer = Pacer(reader.read, stage.clock, self._may_send, self._fire, self._late, self._end)

    def _may_send(self) -> bool:
        self.asked += 1
        return self.allowed

    def _fire(self, number: int, phase: int, request: int, row: int, due_s: float) -> None:
        self.fired.append((number, due_s, self.stage.clock.at_s))

    def _late(self, phase: int, due_s: float) -> None:
        self.lates.append(due_s)

    def _end(self) -> None:
        self.ends += 1

    def play(self, until_s: float = 1e9) -> None:
        if self.pacer._timer is None:
            self.pacer.begin(self.stage.timer)
        self.stage.play(self.pacer.wake, until_s)


def constant(rate: float, duration_s: float = 1.0) -> tuple[Phase, ...]:
    return (phase(Constant(rate), duration_s),)


def phase(shape: Shape, duration_s: float, name: str = "p") -> Phase:
    return Phase(name, duration_s, shape)


def test_every_arrival_is_fired_once_in_order_and_never_before_it_is_due(stage: Any) -> None:
    trial = Trial(stage, constant(500, 2.0))
    trial.play()
    assert [number for number, _, _ in trial.fired] == list(range(1000))
    assert all(0 <= at_s - due_s < 150e-6 for _, due_s, at_s in trial.fired)
    assert trial.ends == 1
    assert trial.pacer.done


def test_two_stripes_fire_together_exactly_what_one_would(stage: Any) -> None:
    numbers = []
    for segment in range(2):
        stage.clock.at_s = 0.0
        trial = Trial(stage, constant(333, 1.0), segment, 2)
        trial.play()
        numbers += [number for number, _, _ in trial.fired]
    assert sorted(numbers) == list(range(333))


def test_a_takeover_starts_at_the_position_it_is_given(stage: Any) -> None:
    trial = Trial(stage, constant(100), position=40)
    stage.clock.at_s = 0.4
    trial.play()
    assert [number for number, _, _ in trial.fired] == list(range(40, 100))
    assert not trial.lates


def test_after_a_pause_of_the_process_overdue_requests_are_dropped_not_sent_in_a_clump(stage: Any) -> None:
    trial = Trial(stage, constant(1000, 2.0))
    trial.play(until_s=0.5)
    before = len(trial.fired)
    stage.clock.at_s = 1.0  # half a second stolen: 500 overdue
    trial.play()
    assert 475 <= len(trial.lates) <= 485, "all but the last 20 ms are dropped"
    assert len(trial.fired) - before + len(trial.lates) == 2000 - before
    caught_up = [at_s for _, due_s, at_s in trial.fired[before:] if due_s <= 1.0]
    assert len(caught_up) <= 21


def test_a_request_exactly_at_its_tolerance_is_still_sent_and_one_past_it_is_not(stage: Any) -> None:
    trial = Trial(stage, constant(1, 2.0))
    due_s = float(Schedule(constant(1, 2.0), 7).offsets(0, 1)[0])
    stage.clock.at_s = due_s + 0.02
    trial.play(until_s=due_s + 0.1)
    assert (len(trial.fired), len(trial.lates)) == (1, 0)
    stage.clock.at_s = due_s + 1.0201
    trial.play()
    assert (len(trial.fired), len(trial.lates)) == (1, 1)


def test_a_backlog_is_fired_in_batches_so_that_the_loop_gets_its_turn(stage: Any) -> None:
    trial = Trial(stage, (phase(Bursts(200, 1.0, 0.0), 1.0),))
    trial.pacer.begin(stage.timer)
    assert len(trial.fired) == BATCH_COUNT
    assert stage.timer.armed_s == stage.clock.at_s, "and at once goes on"
    trial.play()
    assert len(trial.fired) == 200


def test_the_right_to_send_is_asked_before_every_batch_and_once_lost_nothing_is_sent(stage: Any) -> None:
    trial = Trial(stage, constant(1000, 5.0))
    trial.play(until_s=1.0)
    assert trial.asked >= len(trial.fired) / BATCH_COUNT
    trial.allowed = False
    sent = len(trial.fired)
    trial.play()
    assert len(trial.fired) == sent
    assert trial.ends == 1
    trial.allowed = True
    trial.pacer.wake()
    assert len(trial.fired) == sent, "for good"
    assert trial.ends == 1


def test_a_pause_phase_sends_nothing_and_the_timer_waits_for_the_next_phase(stage: Any) -> None:
    trial = Trial(stage, (phase(Constant(10), 1.0), phase(Pause(), 60.0, "q"), phase(Constant(10), 1.0, "r")))
    trial.play(until_s=30.0)
    assert len(trial.fired) == 10
    assert stage.timer.armed_s is not None
    assert stage.timer.armed_s >= 61.0


def test_an_empty_stripe_ends_at_once(stage: Any) -> None:
    trial = Trial(stage, constant(1, 1.0), segment=1, count=2)
    trial.play()
    assert (trial.fired, trial.ends) == ([], 1)


def test_up_to_some_thousands_a_second_each_leaves_when_it_is_due(stage: Any) -> None:
    trial = Trial(stage, constant(8_000, 0.5))
    trial.play()
    assert max(at_s - due_s for _, due_s, at_s in trial.fired) < 1e-6


def test_wake_ups_are_joined_at_high_rates(stage: Any) -> None:
    trial = Trial(stage, constant(50_000, 0.2))
    trial.play()
    assert len(trial.fired) == 10_000
    assert trial.asked <= 0.2 / QUANTUM_S + 5


def test_memory_does_not_grow_with_the_plan_because_arrivals_are_read_in_chunks() -> None:
    load = constant(1e6, 3600.0)
    stripe = Stripe(Schedule(load, 0), 0, 1)
    reader = ArrivalReader(stripe, Selection(0, [1.0, 2.0], 5, DataOrder.RANDOM), load, 0.02)
    chunk = reader.read()
    assert chunk is not None
    lengths = {len(values) for values in (chunk.numbers, chunk.phases, chunk.requests, chunk.rows, chunk.dues_s)}
    assert lengths == {CHUNK_COUNT}
    assert set(chunk.requests) == {0, 1}
    assert set(chunk.rows) == set(range(5))


@pytest.mark.parametrize(
    ("width_s", "at_s", "expected_s"),
    [
        pytest.param(0.010, 0.005, 0.005, id="inside a burst, half its width"),
        pytest.param(0.050, 0.005, 0.020, id="inside a wide burst, max_late"),
        pytest.param(0.010, 0.500, 0.020, id="between bursts, max_late"),
        pytest.param(0.010, 1.005, 0.005, id="inside the second burst"),
        pytest.param(0.001, 0.0005, 0.002, id="a very narrow burst keeps what a timer can hold"),
        pytest.param(0.0, 0.0, 0.020, id="a burst of no width has no pace to keep"),
    ],
)
def test_tolerances(width_s: float, at_s: float, expected_s: float) -> None:
    load = (phase(Constant(1), 10.0), phase(Bursts(100, 1.0, width_s, 5.0), 3.0, "b"))
    found = tolerances(load, (0.0, 10.0, 13.0), np.array([1]), np.array([10.0 + at_s]), 0.02)
    assert found.tolist() == [expected_s]
