"""Connections are warmed for what the schedule needs, before it needs them."""

import pytest
from burstline.core.load.plan import Bursts, Connections, Constant, Pause, Phase, Ramp, Shape, Sine, Users, Warm
from burstline.core.load.schedule import Schedule
from burstline.core.load.warming import LEAD_S, MOST_PER_WORKER, WarmPoint, needed, needed_for_burst, warm_points


def points(
    *shapes: Shape, policy: Connections | None = None, segments: int = 1, latency_s: float = 0.1
) -> list[WarmPoint]:
    load = tuple(Phase(f"p{at}", 10.0, shape) for at, shape in enumerate(shapes))
    return warm_points(load, Schedule(load, 0), policy or Connections(), segments, latency_s)


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
    assert points(Constant(1000)) == [WarmPoint(-LEAD_S, 130)]


def test_every_burst_is_warmed_for_before_it() -> None:
    found = points(Constant(10), Bursts(500, 4.0, 0.05, 10.0))
    assert [point.at_s for point in found] == [-LEAD_S, 9.0, 13.0, 17.0]
    assert [point.connections for point in found[1:]] == [500 + needed(10, 0.1)] * 3


def test_a_ramp_is_warmed_for_its_top_and_a_wave_for_its_crest() -> None:
    assert points(Ramp(0, 1000))[0].connections == pytest.approx(130, abs=1)
    assert points(Sine(500, 500, 5.0))[0].connections == 130


def test_users_need_a_connection_each_and_a_pause_none() -> None:
    assert points(Users(50, 1.0))[0].connections == 50
    assert points(Pause())[0].connections == 1


def test_workers_share_the_connections() -> None:
    assert points(Bursts(500, 20.0, 0.0), segments=4)[0].connections == 125
    assert points(Users(10, 0.0), segments=3)[0].connections == 4


def test_no_worker_opens_more_than_the_bound() -> None:
    assert points(Bursts(1_000_000, 20.0, 0.0))[0].connections == MOST_PER_WORKER


def test_warm_none_opens_nothing_and_a_count_is_taken_as_it_is() -> None:
    assert points(Constant(1000), policy=Connections(warm=Warm.NONE)) == []
    assert points(Constant(1), policy=Connections(warm=Warm.NONE, warm_count=90), segments=2) == [
        WarmPoint(-LEAD_S, 45)
    ]
