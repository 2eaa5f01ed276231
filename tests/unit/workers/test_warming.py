"""Connections are warmed for what the schedule needs, before it needs them."""

import pytest
from burstline.core.load.plan import Bursts, Connections, Constant, Pause, Phase, Ramp, Shape, Sine, Users, Warm
from burstline.core.load.schedule import Schedule
from burstline.core.load.warming import (
    LEAD_S,
    MOST_PER_WORKER,
    needed,
    needed_for_burst,
    warm_at_start,
    warm_points,
)


def points(*shapes: Shape, policy: Connections | None = None, segments: int = 1) -> list[tuple[float, int]]:
    """Return when and how many, at 100 ms of latency; each phase lasts 10 s."""
    load = tuple(Phase(f"p{at}", 10.0, shape) for at, shape in enumerate(shapes))
    found = warm_points(load, Schedule(load, 0), policy or Connections(), segments)
    return [(point.at_s, point.connections(0.1)) for point in found]


@pytest.mark.parametrize(
    ("rate", "latency_s", "expected"),
    [(1000, 0.1, 130), (1, 0.001, 1), (0, 0.1, 1), (400, 0.01, 10)],  # L + 3 sqrt(L): 100 + 30; 4 + 6
)
def test_little_s_law_with_room(rate: float, latency_s: float, expected: int) -> None:
    assert needed(rate, latency_s) == expected


def test_a_burst_shorter_than_an_answer_needs_a_connection_for_each_request() -> None:
    assert needed_for_burst(800, 0.05, 0.1) == 800
    assert needed_for_burst(800, 0.0, 0.1) == 800
    assert needed_for_burst(800, 1.0, 0.1) == needed(800, 0.1)


def test_a_steady_plan_is_warmed_once_before_t0() -> None:
    assert points(Constant(1000)) == [(-LEAD_S, 130)]


def test_every_burst_is_warmed_for_before_it() -> None:
    found = points(Constant(10), Bursts(500, 4.0, 0.05, 10.0))
    assert [at_s for at_s, _ in found] == [-LEAD_S, 9.0, 13.0, 17.0]
    assert [count for _, count in found[1:]] == [500 + needed(10, 0.1)] * 3


def test_a_ramp_is_warmed_for_its_top_and_a_wave_for_its_crest() -> None:
    assert points(Ramp(0, 1000))[0][1] == pytest.approx(130, abs=1)
    assert points(Sine(500, 500, 5.0))[0][1] == 130


def test_users_need_a_connection_each_and_a_pause_no_more_than_one() -> None:
    assert points(Users(50, 1.0))[0][1] == 50
    assert points(Pause())[0][1] == 1


def test_workers_share_the_connections() -> None:
    assert points(Bursts(500, 20.0, 0.0), segments=4)[0][1] == 125
    assert points(Users(10, 0.0), segments=3)[0][1] == 4


def test_no_worker_opens_more_than_the_bound() -> None:
    assert points(Bursts(1_000_000, 20.0, 0.0))[0][1] == MOST_PER_WORKER


def test_warm_none_opens_nothing_and_a_count_is_taken_as_it_is() -> None:
    assert points(Constant(1000), policy=Connections(warm=Warm.NONE)) == []
    assert points(Constant(1), policy=Connections(warm=Warm.NONE, warm_count=90), segments=2) == [(-LEAD_S, 45)]


def test_what_is_needed_before_t0_is_opened_at_once_and_the_rest_stays_to_come() -> None:
    load = (Phase("a", 0.5, Constant(10)), Phase("b", 5.0, Constant(1000)), Phase("c", 5.0, Constant(10)))
    count, later = warm_at_start(warm_points(load, Schedule(load, 0), Connections(), 1), 0.1)
    assert count == 130, "phase b starts within the lead"
    assert [point.at_s for point in later] == [4.5]
    assert warm_at_start(iter(()), 0.1)[0] == 0


def test_a_week_of_bursts_is_read_lazily() -> None:
    load = (Phase("b", 7 * 86400.0, Bursts(10, 0.01, 0.0)),)
    found = warm_points(load, Schedule((Phase("b", 1.0, Constant(1)),), 0), Connections(), 1)
    assert next(found).at_s == -LEAD_S
    assert next(found).at_s == pytest.approx(-LEAD_S + 0.01)
