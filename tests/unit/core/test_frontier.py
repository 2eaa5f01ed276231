"""What arrivals need: the laws of the frontier, and the most calls in flight, by hand."""

import numpy as np
import pytest
from burstline.core.quota.admission.buckets import bucket_accepts
from burstline.core.quota.advice.demand import TABLE_SIZE, ServiceTimes
from burstline.core.quota.advice.frontier import burst_needed, highest_rate, invocation_concurrency_needed, rate_needed
from burstline.core.quota.advice.peaks import busiest, peak_in_flight
from hypothesis import given
from hypothesis import strategies as st

times = st.lists(st.floats(0, 20), max_size=60).map(lambda values: np.sort(np.array(values)))


def constant(seconds: float, init_s: float = 0.0) -> ServiceTimes:
    return ServiceTimes(np.full(TABLE_SIZE, seconds), init_s, "the test")


@given(times_s=times, rate=st.floats(0.1, 50))
def test_a_bucket_with_the_burst_needed_refuses_nobody_and_with_one_less_somebody(
    times_s: np.ndarray, rate: float
) -> None:
    burst = burst_needed(times_s, rate)
    assert bucket_accepts(times_s, rate, burst + 1e-6).all()
    if len(times_s):
        assert not bucket_accepts(times_s, rate, max(0.0, burst - 1.001)).all() or burst < 1.001


@given(times_s=times, burst=st.integers(1, 20))
def test_a_bucket_with_the_rate_needed_refuses_nobody(times_s: np.ndarray, burst: int) -> None:
    rate = rate_needed(times_s, burst)
    if np.isfinite(rate):
        assert bucket_accepts(times_s, rate * (1 + 1e-5) + 1e-9, burst + 1e-6).all()


@given(times_s=times, low=st.floats(0, 50), more=st.floats(0, 50))
def test_a_higher_rate_never_needs_a_larger_burst(times_s: np.ndarray, low: float, more: float) -> None:
    assert burst_needed(times_s, low + more) <= burst_needed(times_s, low) + 1e-6


def test_the_frontier_of_ten_at_once_every_second() -> None:
    """10 at 0 s, 10 at 1 s, 10 at 2 s: at 10/s the burst is 10; at 4/s it is 10 + 6 + 6 = 22."""
    times_s = np.repeat([0.0, 1.0, 2.0], 10)
    assert burst_needed(times_s, 10.0) == pytest.approx(10)
    assert burst_needed(times_s, 4.0) == pytest.approx(22)
    assert rate_needed(times_s, 22) == pytest.approx(4, rel=1e-4)
    assert rate_needed(times_s, 30) == 0
    assert rate_needed(times_s, 9) == np.inf
    assert highest_rate(times_s, 1.0) == 10
    assert highest_rate(times_s, 2.0) == 10


def test_an_empty_demand_needs_nothing() -> None:
    none = np.empty(0)
    assert burst_needed(none, 1.0) == rate_needed(none, 1.0) == highest_rate(none, 1.0) == 0
    assert peak_in_flight(none, constant(1.0)).p99 == 0


def test_the_ten_times_rule_needs_a_tenth_of_a_lasting_rate() -> None:
    """2,000/s for 60 s: 120,000 <= 10 C (1 + 60), so C = 196.7."""
    times_s = np.arange(120_000) / 2000
    assert invocation_concurrency_needed(times_s, 10) == pytest.approx(196.7, abs=0.1)


def test_the_peak_of_even_arrivals_and_constant_work_is_littles_mean() -> None:
    """500/s of 100 ms each keep 50 busy, and the 51st arrives as the first one leaves."""
    peak = peak_in_flight(np.arange(5000) / 500, constant(0.1))
    assert peak.little == pytest.approx(50, rel=0.01)
    assert 50 <= peak.p99 <= 51


def test_a_burst_shorter_than_its_work_is_in_flight_all_at_once() -> None:
    assert peak_in_flight(np.linspace(0, 0.05, 800), constant(0.1)).p99 == 800


def test_cold_starts_hold_their_environments_longer() -> None:
    """500/s of 100 ms with 400 ms of cold start: until 0.5 s nobody has finished, so 250 are in flight."""
    peak = peak_in_flight(np.arange(5000) / 500, constant(0.1, init_s=0.4))
    assert 249 <= peak.p99 <= 255


def test_random_service_times_need_more_than_littles_mean() -> None:
    table = np.sort(np.random.default_rng(3).lognormal(np.log(0.1), 0.8, TABLE_SIZE))
    peak = peak_in_flight(np.sort(np.random.default_rng(4).random(10_000) * 10), ServiceTimes(table, 0.0, ""))
    assert 1.1 * peak.little < peak.p99 < 3 * peak.little
    assert peak.mean <= peak.p99
    assert peak.replays >= 100


def test_a_long_demand_is_cut_to_its_busiest_stretch() -> None:
    times_s = np.concatenate((np.arange(0, 100, 0.01), 100 + np.arange(0, 2, 0.001)))
    stretch = busiest(times_s, constant(0.1), most=4000)
    assert len(stretch) <= 4000
    assert stretch[-1] > 100.1
