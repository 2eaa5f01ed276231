"""Closed-model users send, wait, think, and send again."""

from typing import Any

import pytest
from burstline.core.load.plan import Constant, Phase, Users
from burstline.core.load.schedule import Schedule, Stripe
from burstline.workers.sending.users import SHORTEST_PAUSE_S, UserLoops


class Trial:
    """Users whose requests are written down; tests answer them."""

    def __init__(
        self, stage: Any, load: tuple[Phase, ...], segment: int = 0, count: int = 1, from_s: float = 0.0
    ) -> None:
        self.stage = stage
        self.fired: list[tuple[int, int, int, float]] = []
        self.ends = 0
        self.allowed = True
        stripe = Stripe(Schedule(load, 0), segment, count)
        self.loops = UserLoops(stripe, stage.clock, lambda: self.allowed, self._fire, self._end, from_s)

    def _fire(self, slot: int, number: int, phase: int, now_s: float) -> None:
        self.fired.append((slot, number, phase, now_s))

    def _end(self) -> None:
        self.ends += 1

    def begin(self) -> None:
        self.loops.begin(self.stage.timer)
        self.stage.play(self.loops.wake, self.stage.clock.at_s)

    def answer(self, slot: int, at_s: float, reached: bool = True) -> None:
        self.stage.clock.at_s = at_s
        self.loops.answered(slot, reached)


def users(count: int, think_s: float, duration_s: float = 10.0) -> tuple[Phase, ...]:
    return (Phase("u", duration_s, Users(count, think_s)),)


def test_a_user_sends_again_only_after_its_answer_and_its_thinking(stage: Any) -> None:
    trial = Trial(stage, users(1, 0.5))
    trial.begin()
    assert len(trial.fired) == 1
    stage.play(trial.loops.wake, 5.0)
    assert len(trial.fired) == 1, "no answer, no next request"
    trial.answer(0, 2.0)
    stage.play(trial.loops.wake, 2.49)
    assert len(trial.fired) == 1
    stage.play(trial.loops.wake, 2.5)
    assert trial.fired[-1][3] == pytest.approx(2.5)


def test_users_are_striped_and_no_two_requests_share_a_number(stage: Any) -> None:
    numbers, counts = set(), []
    for segment in range(3):
        stage.clock.at_s = 0.0
        trial = Trial(stage, users(100, 0.0), segment, 3)
        trial.begin()
        counts.append(len(trial.fired))
        for slot in range(len(trial.fired)):
            trial.answer(slot, 1.0)
        stage.play(trial.loops.wake, 1.0)
        numbers |= {number for _, number, _, _ in trial.fired}
    assert counts == [34, 33, 33]
    assert len(numbers) == 200


def test_after_the_phase_no_user_sends_and_the_end_waits_for_the_answers(stage: Any) -> None:
    trial = Trial(stage, users(2, 0.0, 10.0))
    trial.begin()
    trial.answer(0, 10.5)
    stage.play(trial.loops.wake, 10.5)
    assert (len(trial.fired), trial.ends) == (2, 0)
    trial.answer(1, 11.0)
    stage.play(trial.loops.wake, 11.0)
    assert (len(trial.fired), trial.ends) == (2, 1)


@pytest.mark.parametrize("how", ["unreachable", "dropped"])
def test_a_user_without_think_time_does_not_spin_when_nothing_is_reached(stage: Any, how: str) -> None:
    trial = Trial(stage, users(1, 0.0))
    trial.begin()
    if how == "dropped":
        trial.loops.dropped(0)
    else:
        trial.answer(0, 0.0, reached=False)
    stage.play(trial.loops.wake, SHORTEST_PAUSE_S * 0.99)
    assert len(trial.fired) == 1
    stage.play(trial.loops.wake, SHORTEST_PAUSE_S)
    assert len(trial.fired) == 2


def test_once_it_may_not_send_no_user_does(stage: Any) -> None:
    trial = Trial(stage, users(3, 0.0))
    trial.begin()
    trial.allowed = False
    for slot in range(3):
        trial.answer(slot, 1.0)
    stage.play(trial.loops.wake, 9.0)
    assert (len(trial.fired), trial.ends) == (3, 1)


def test_stop_ends_at_once_without_waiting_for_answers(stage: Any) -> None:
    trial = Trial(stage, users(3, 0.0))
    trial.begin()
    trial.loops.stop()
    assert trial.ends == 1
    trial.answer(0, 1.0)
    stage.play(trial.loops.wake, 9.0)
    assert (len(trial.fired), trial.ends) == (3, 1)


def test_a_plan_without_users_ends_at_once(stage: Any) -> None:
    trial = Trial(stage, (Phase("c", 1.0, Constant(5)),))
    trial.begin()
    assert (trial.fired, trial.ends) == ([], 1)


def test_a_takeover_starts_its_users_now_and_leaves_ended_phases_alone(stage: Any) -> None:
    load = (*users(2, 1.0, 10.0), Phase("v", 10.0, Users(4, 1.0)))
    stage.clock.at_s = 12.0
    trial = Trial(stage, load, from_s=12.0)
    trial.begin()
    assert [(phase, at_s) for _, _, phase, at_s in trial.fired] == [(1, 12.0)] * 4
