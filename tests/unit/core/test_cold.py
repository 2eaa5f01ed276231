"""Bursts whose connections are not open yet: when the handshakes would take more than half of a core."""

import pytest
from burstline.core.load.cold import cold_burst
from burstline.core.load.plan import Bursts, Connections, Constant, Phase, Warm

COLD, AUTO = Connections(warm=Warm.NONE), Connections()


def bursts(size: int, width_s: float) -> list[Phase]:
    return [Phase("base", 1.0, Constant(10.0)), Phase("sale", 10.0, Bursts(size, 5.0, width_s))]


def test_a_cold_burst_of_800_in_50_ms_needs_480_ms_of_one_worker() -> None:
    found = cold_burst(bursts(800, 0.05), COLD, 1, 0.1)
    assert found is not None
    assert (found.phase, found.count, found.width_s) == ("sale", 800, 0.05)
    assert found.cpu_s == pytest.approx(0.48)
    assert found.worker_count == 20  # 41.67 handshakes fit into half of 50 ms


def test_the_number_of_workers_that_it_names_is_enough() -> None:
    assert cold_burst(bursts(800, 0.05), COLD, 20, 0.1) is None
    assert cold_burst(bursts(800, 0.05), COLD, 19, 0.1) is not None


@pytest.mark.parametrize(
    ("size", "width_s", "connections", "workers"),
    [
        pytest.param(800, 0.05, AUTO, 1, id="connections are opened before"),
        pytest.param(800, 0.05, Connections(warm_count=800), 1, id="as many as asked for are opened before"),
        pytest.param(16, 0.0, COLD, 1, id="few at one instant"),
        pytest.param(800, 2.0, COLD, 1, id="a wide burst"),
    ],
)
def test_these_are_no_cold_bursts(size: int, width_s: float, connections: Connections, workers: int) -> None:
    assert cold_burst(bursts(size, width_s), connections, workers, 0.1) is None


def test_what_is_more_than_a_worker_opens_before_is_cold() -> None:
    found = cold_burst(bursts(3000, 0.5), AUTO, 1, 1.0)
    assert found is not None
    assert found.count == 1000


def test_too_few_warm_connections_leave_the_rest_cold() -> None:
    found = cold_burst(bursts(800, 0.05), Connections(warm_count=100), 1, 0.1)
    assert found is not None
    assert found.count == 700


def test_quick_answers_need_few_connections() -> None:
    assert cold_burst(bursts(100, 0.5), COLD, 1, 0.001) is None


def test_a_plan_without_bursts_has_none() -> None:
    assert cold_burst([Phase("base", 1.0, Constant(1e6))], COLD, 1, 0.1) is None
