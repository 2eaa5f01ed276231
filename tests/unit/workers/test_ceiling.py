"""The ceiling lets through its share and no more, without waiting."""

import pytest
from asyncio_throttle.throttler import Throttler
from burstline.workers.sending.ceiling import Ceiling, slots_share
from hypothesis import given
from hypothesis import strategies as st


def test_it_is_the_library_s_throttler() -> None:
    assert isinstance(Ceiling(10, 1), Throttler)


@pytest.mark.parametrize(("rate", "segments"), [(100.0, 1), (1000.0, 3), (5.0, 10), (0.5, 2), (333.3, 7)])
def test_a_plan_at_exactly_its_ceiling_loses_nothing(rate: float, segments: int) -> None:
    ceiling = Ceiling(rate, segments)
    share = rate / segments
    assert all(ceiling.try_acquire(k / share) for k in range(500))


@pytest.mark.parametrize(("rate", "segments"), [(100.0, 1), (1000.0, 3), (5.0, 10)])
def test_twice_the_ceiling_loses_half(rate: float, segments: int) -> None:
    ceiling = Ceiling(rate, segments)
    share = rate / segments
    passed = sum(ceiling.try_acquire(k / (2 * share)) for k in range(2000))
    assert passed == pytest.approx(1000, abs=share + 1)


def test_over_its_ceiling_a_request_is_refused_at_once_and_the_window_slides() -> None:
    ceiling = Ceiling(3, 1)
    assert [ceiling.try_acquire(0.1 * k) for k in range(5)] == [True, True, True, False, False]
    assert not ceiling.try_acquire(0.99)
    assert ceiling.try_acquire(1.0)
    assert not ceiling.try_acquire(1.05)


@given(st.floats(0.1, 200), st.integers(1, 8), st.lists(st.floats(0, 0.05), min_size=1, max_size=300))
def test_in_no_period_does_more_pass_than_the_share(rate: float, segments: int, gaps: list[float]) -> None:
    ceiling = Ceiling(rate, segments)
    at_s, passed = 0.0, []
    for gap in gaps:
        at_s += gap
        if ceiling.try_acquire(at_s):
            passed.append(at_s)
    limit = ceiling.rate_limit
    assert limit / (ceiling.period + 1e-6) == pytest.approx(rate / segments)
    for start in range(len(passed) - limit):
        assert passed[start + limit] - passed[start] > ceiling.period - 1e-9


@given(st.integers(1, 10_000), st.integers(1, 50))
def test_slots_of_all_workers_sum_to_exactly_the_ceiling(in_flight: int, segments: int) -> None:
    shares = [slots_share(in_flight, segment, segments) for segment in range(segments)]
    assert sum(shares) == in_flight
    assert max(shares) - min(shares) <= 1
