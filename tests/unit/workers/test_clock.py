"""The server's clock is found through jitter and drift, and run time follows it gently."""

import random

import pytest
from burstline.workers.clock import LARGEST_RATE, ClockEstimate, RunClock

NANOS = 1_000_000_000
EPOCH_NS = 1_790_000_000 * NANOS


def exchange(estimate: ClockEstimate, at_s: float, drift: float, there_s: float, back_s: float) -> None:
    """One heartbeat at the worker's `at_s`; the server's clock runs faster by `drift`."""

    def server_ns(worker_s: float) -> int:
        return EPOCH_NS + int(worker_s * (1 + drift) * NANOS)

    middle_s = at_s + there_s
    estimate.add(
        int(at_s * NANOS), server_ns(middle_s), server_ns(middle_s + 50e-6), int((middle_s + 50e-6 + back_s) * NANOS)
    )


def truth_s(at_s: float, drift: float) -> float:
    return at_s * (1 + drift)


@pytest.mark.parametrize("drift", [0.0, 20e-6, -20e-6, 200e-6])
@pytest.mark.parametrize("jitter_s", [0.0001, 0.002, 0.02])
def test_offset_and_rate_are_found_through_jitter_and_drift(drift: float, jitter_s: float) -> None:
    draw = random.Random(4)
    estimate = ClockEstimate()
    for k in range(400):
        there, back = (0.0002 + draw.expovariate(1 / jitter_s) for _ in range(2))
        exchange(estimate, 100 + k / 2, drift, there, back)
    for at_s in (300.0, 301.0, 305.0):
        error_s = abs(estimate.since_s(EPOCH_NS, at_s) - truth_s(at_s, drift))
        assert error_s < max(0.0002, jitter_s / 4)
        assert error_s <= estimate.error_s, "the bound it states holds"


@pytest.mark.parametrize("drift", [200e-6, -200e-6])
@pytest.mark.parametrize("later_s", [0.0, 0.0005, 0.003])
def test_a_drifting_clock_is_followed_from_the_first_second_though_the_first_readings_were_the_quickest(
    drift: float, later_s: float
) -> None:
    """24 heartbeats in quick succession, then one a second with windows, which take longer."""
    draw = random.Random(7)
    estimate = ClockEstimate()
    for k in range(24):
        there, back = (0.02 + draw.expovariate(1 / 0.0003) for _ in range(2))
        exchange(estimate, 100 + k / 10, drift, there, back)
    worst_s = 0.0
    for k in range(300):
        there, back = (0.02 + later_s + draw.expovariate(1 / 0.0005) for _ in range(2))
        exchange(estimate, 103 + k, drift, there, back)
        at_s = 104.0 + k
        worst_s = max(worst_s, abs(estimate.since_s(EPOCH_NS, at_s) - truth_s(at_s, drift)))
    assert worst_s < 0.002


def test_one_reading_is_enough_to_start_and_its_error_is_half_the_round_trip() -> None:
    estimate = ClockEstimate()
    assert not estimate.known
    exchange(estimate, 10.0, 0.0, 0.003, 0.001)
    assert estimate.known
    assert estimate.round_trip_s == pytest.approx(0.004, abs=1e-6)
    assert estimate.error_s == pytest.approx(0.002, abs=1e-6)
    assert abs(estimate.since_s(EPOCH_NS, 10.0) - 10.0) <= estimate.error_s


def test_a_slow_round_trip_does_not_move_the_estimate() -> None:
    estimate = ClockEstimate()
    for k in range(20):
        exchange(estimate, 10 + k / 2, 0.0, 0.0002, 0.0002)
    before_s = estimate.since_s(EPOCH_NS, 25.0)
    exchange(estimate, 20.0, 0.0, 0.4, 0.001)
    assert estimate.since_s(EPOCH_NS, 25.0) == pytest.approx(before_s, abs=1e-6)


def test_without_a_reading_there_is_no_answer() -> None:
    with pytest.raises(ValueError, match="not known before"):
        ClockEstimate().since_s(0, 0.0)


def test_run_time_never_steps_and_never_runs_off_by_more_than_500_ppm() -> None:
    worker_s = 50.0
    clock = RunClock(lambda: worker_s)
    clock.start(-1.0, worker_s)
    seen = [clock.now()]
    for k in range(400):
        worker_s += 0.05
        if k % 10 == 0:
            clock.steer(clock.now() + (0.004 if k < 200 else -0.004), worker_s)
        seen.append(clock.now())
        assert abs((seen[-1] - seen[-2]) - 0.05) <= 0.05 * LARGEST_RATE + 1e-12


def test_a_small_error_is_gone_within_the_time_it_is_given() -> None:
    worker_s = 0.0
    clock = RunClock(lambda: worker_s)
    clock.start(0.0, 0.0)
    clock.steer(0.0003, 0.0)
    worker_s = 1.0
    assert clock.now() == pytest.approx(1.0003, abs=1e-9)


def test_the_timer_s_instant_is_run_time_turned_around() -> None:
    worker_s = 7.0
    clock = RunClock(lambda: worker_s)
    clock.start(2.0, 7.0)
    clock.steer(2.1, 7.0)
    instant_s = clock.instant_of(5.0)
    worker_s = instant_s
    assert clock.now() == pytest.approx(5.0, abs=1e-9)
