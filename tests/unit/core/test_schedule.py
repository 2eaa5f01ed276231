"""The schedule: exact offsets, counts by hand, and the laws that hold for any plan."""

import numpy as np
import pytest
from burstline.core.load.plan import (
    Arrivals,
    Bursts,
    Constant,
    DataOrder,
    Pause,
    Phase,
    Ramp,
    Shape,
    Sine,
    Step,
    Users,
)
from burstline.core.load.schedule import Schedule, Stripe
from burstline.core.load.selection import Selection
from hypothesis import given, settings
from hypothesis import strategies as st

rates = st.floats(0.5, 2_000).map(lambda x: round(x, 3))
durations = st.floats(0.05, 4).map(lambda x: round(x, 3))


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    every = draw(durations)
    mean = draw(rates)
    choices: list[Shape] = [
        Constant(draw(rates)),
        Ramp(draw(st.sampled_from([0.0, mean])), draw(rates)),
        Ramp(draw(rates), 0.0),
        Step(draw(st.sampled_from([0.0, mean])), draw(rates), draw(st.integers(2, 7))),
        Pause(),
        Bursts(draw(st.integers(1, 300)), every, draw(st.sampled_from([0.0, every / 3, every])), 0.0),
        Bursts(draw(st.integers(1, 300)), every, draw(st.sampled_from([0.0, every / 3, every])), mean),
        Sine(mean, draw(st.sampled_from([0.0, mean / 2, mean])), draw(durations)),
        Users(3, 1.0),
    ]
    return draw(st.sampled_from(choices))


phases = st.builds(Phase, st.just("p"), durations, shapes(), st.sampled_from(Arrivals))
schedules = st.builds(Schedule, st.lists(phases, min_size=1, max_size=4), st.integers(0, 2**63 - 1))


@pytest.mark.parametrize(
    ("shape", "duration_s", "expected"),
    [
        pytest.param(Constant(4), 1, [0, 0.25, 0.5, 0.75], id="constant: the first at once, none at the end"),
        pytest.param(Constant(0.1), 30, [0, 10, 20], id="constant below one a second"),
        pytest.param(Constant(0.1), 5, [0], id="a phase shorter than a gap still has its first arrival"),
        pytest.param(Ramp(0, 4), 2, [0, 1, 2**0.5, 3**0.5], id="ramp from zero: t = sqrt(k) where N = t**2"),
        pytest.param(Ramp(4, 0), 2, [0, 2 - 3**0.5, 2 - 2**0.5, 1], id="ramp to zero: its mirror image"),
        pytest.param(Step(1, 2, 2), 4, [0, 1, 2, 2.5, 3, 3.5], id="step: two treads of two seconds"),
        pytest.param(Step(0, 2, 2), 2, [1, 1.5], id="step: a first tread of zero sends nothing"),
        pytest.param(Pause(), 2, [], id="pause"),
        pytest.param(Users(3, 1), 2, [], id="users have no arrivals of their own"),
        pytest.param(Bursts(2, 1, 0.5), 2, [0, 0.25, 1, 1.25], id="bursts: spread over their width"),
        pytest.param(Bursts(3, 1, 0), 2, [0, 0, 0, 1, 1, 1], id="bursts of no width: all at one instant"),
        pytest.param(Bursts(2, 2, 1, 2), 2, [0, 0.25, 0.5, 0.75, 1, 1.5], id="bursts on a base"),
        pytest.param(Sine(2, 0, 1), 1, [0, 0.5], id="a wave without amplitude is constant"),
    ],
)
def test_offsets_are_exact(shape: Shape, duration_s: float, expected: list[float]) -> None:
    schedule = Schedule([Phase("p", duration_s, shape)], 0)
    assert schedule.offsets(0, schedule.count) == pytest.approx(expected, abs=1e-9)


def test_phases_follow_each_other_and_know_their_arrivals() -> None:
    schedule = Schedule([Phase("a", 1, Constant(2)), Phase("b", 2, Pause()), Phase("c", 1, Constant(3))], 0)
    assert schedule.phase_starts_s == (0, 1, 3, 4)
    assert schedule.phase_first == (0, 2, 2, 5)
    assert schedule.offsets(0, 9) == pytest.approx([0, 0.5, 3, 3 + 1 / 3, 3 + 2 / 3])
    assert schedule.phase_of(np.arange(5)).tolist() == [0, 0, 2, 2, 2]
    assert [schedule.index_at(t) for t in (-1, 0, 0.5, 0.51, 3, 3.01, 99)] == [0, 0, 1, 2, 2, 3, 5]
    assert [schedule.rate_at(t) for t in (-1, 0.5, 2, 3.5, 4)] == [0, 2, 0, 3, 0]


@given(schedules)
@settings(max_examples=80, deadline=None)
def test_offsets_ascend_within_the_plan(schedule: Schedule) -> None:
    offsets = schedule.offsets(0, schedule.count)
    assert len(offsets) == schedule.count
    assert (np.diff(offsets) >= 0).all()
    if schedule.count:
        assert offsets[0] >= 0
        assert offsets[-1] < schedule.duration_s + 1e-9


@given(schedules, st.integers(1, 7), st.integers(0, 1000), st.integers(1, 400))
@settings(max_examples=80, deadline=None)
def test_stripes_together_are_the_whole_and_slices_join(schedule: Schedule, n: int, cut: int, width: int) -> None:
    whole = schedule.offsets(0, schedule.count)
    stripes = [Stripe(schedule, i, n) for i in range(n)]
    assert sum(s.count for s in stripes) == schedule.count
    for stripe in stripes:
        numbers = stripe.numbers(0, stripe.count)
        assert stripe.offsets(0, stripe.count).tolist() == whole[numbers].tolist()
        assert stripe.offsets(cut, cut + width).tolist() == whole[numbers[cut : cut + width]].tolist()


@pytest.mark.parametrize("step", [1, 3])
def test_many_arrivals_are_worked_out_in_blocks_and_nobody_sees_it(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    load = (
        Phase("a", 2.0, Ramp(5, 30)),
        Phase("b", 1.0, Pause()),
        Phase("c", 3.0, Constant(20), Arrivals.POISSON),
        Phase("d", 1.0, Bursts(10, 0.5, 0.05, 2.0)),
    )
    schedule = Schedule(load, 7)
    whole = schedule.offsets(1, schedule.count, step)
    monkeypatch.setattr("burstline.core.load.schedule.BLOCK_COUNT", 7)
    assert Schedule(load, 7).offsets(1, schedule.count, step).tolist() == whole.tolist()
    assert len(whole) > 7


@given(schedules, st.floats(-1, 20))
@settings(max_examples=80, deadline=None)
def test_index_at_counts_what_is_due_before(schedule: Schedule, offset_s: float) -> None:
    whole = schedule.offsets(0, schedule.count)
    points = [offset_s, *whole[:: max(1, len(whole) // 5)].tolist()]
    for point in points:
        assert schedule.index_at(point) == np.searchsorted(whole, point, side="left")
        stripe = Stripe(schedule, 1, 3)
        assert stripe.position_at(point) == np.searchsorted(stripe.offsets(0, stripe.count), point, side="left")


def test_poisson_counts_and_gaps_follow_their_law_and_their_seed() -> None:
    """Mean count 20,000 with deviation 141; the gaps' mean and deviation are equal, as an exponential's are."""
    load = [Phase("p", 20, Constant(1_000), Arrivals.POISSON)]
    schedule = Schedule(load, 7)
    assert abs(schedule.count - 20_000) < 5 * 141
    gaps = np.diff(schedule.offsets(0, schedule.count))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert Schedule(load, 7).offsets(5, 50).tolist() == schedule.offsets(5, 50).tolist()
    assert Schedule(load, 8).offsets(5, 50).tolist() != schedule.offsets(5, 50).tolist()


def test_poisson_stream_is_pinned() -> None:
    """Workers with another NumPy must agree: a change here is a change of every seeded plan."""
    schedule = Schedule([Phase("p", 3, Constant(5), Arrivals.POISSON)], 42)
    assert schedule.count == 16
    assert schedule.offsets(0, 3) == pytest.approx([0.13234949, 0.3905518, 0.54736885], abs=1e-8)


@pytest.mark.parametrize(("users", "n", "expected"), [(5, 2, [3, 2]), (1, 3, [1, 0, 0]), (6, 3, [2, 2, 2])])
def test_users_are_striped(users: int, n: int, expected: list[int]) -> None:
    schedule = Schedule([Phase("p", 2, Users(users, 1.0))], 0)
    (phase,) = schedule.users_phases
    assert [Stripe(schedule, i, n).users(phase) for i in range(n)] == expected


def test_selection_follows_weights_and_differs_between_stripes() -> None:
    """Weights 3 to 1 over 40,000 arrivals: 30,000 with deviation 87, also within every second arrival."""
    selection = Selection(11, [3, 1], 10, DataOrder.RANDOM)
    for numbers in (np.arange(40_000), np.arange(0, 80_000, 2)):
        picked = selection.requests(numbers)
        assert abs(int((picked == 0).sum()) - 30_000) < 5 * 87
        rows = np.bincount(selection.rows(numbers), minlength=10)
        assert np.abs(rows - 4_000).max() < 5 * 60


def test_sequential_rows_go_round() -> None:
    selection = Selection(0, [1], 3, DataOrder.SEQUENTIAL)
    assert selection.rows(np.arange(7)).tolist() == [0, 1, 2, 0, 1, 2, 0]
