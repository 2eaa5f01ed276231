"""The token bucket obeys its law, and the fast replay answers exactly as the bucket does."""

import numpy as np
import pytest
from burstline.core.quota.admission.buckets import TokenBucket, bucket_accepts
from hypothesis import given
from hypothesis import strategies as st

RATES = st.floats(0, 1000)
BURSTS = st.floats(0, 50)
TIMES = st.lists(st.floats(0, 10), max_size=120).map(sorted)


def accepted(times_s: list[float], rate_per_s: float, burst: float) -> list[bool]:
    bucket = TokenBucket(rate_per_s, burst)
    return [bucket.take(time_s) for time_s in times_s]


@pytest.mark.parametrize(
    ("rate_per_s", "burst", "times_s", "expected"),
    [
        pytest.param(1, 2, [0, 0, 0], [True, True, False], id="starts full and lets the burst in"),
        pytest.param(1, 1, [0, 0.5, 1.0], [True, False, True], id="a refused request takes nothing"),
        pytest.param(10, 1, [i / 10 for i in range(50)], [True] * 50, id="exactly at the rate nothing is refused"),
        pytest.param(2, 3, [0, 0, 0, 100, 100, 100, 100], [True] * 6 + [False], id="refills to the burst, no further"),
        pytest.param(0, 2, [0, 5, 1e9], [True, True, False], id="rate 0 never refills"),
        pytest.param(100, 0, [0, 1, 2], [False] * 3, id="burst 0 lets nothing in"),
        pytest.param(100, 0.5, [0, 1], [False] * 2, id="a burst below one token lets nothing in"),
        pytest.param(1, 1, [5, 4, 5.5, 6], [True, False, False, True], id="time that goes back counts as now"),
        pytest.param(1e9, 1e9, [0.0] * 1000, [True] * 1000, id="huge numbers"),
        pytest.param(5, 5, [], [], id="no requests"),
    ],
)
def test_bucket_cases(rate_per_s: float, burst: float, times_s: list[float], expected: list[bool]) -> None:
    assert accepted(times_s, rate_per_s, burst) == expected


@pytest.mark.parametrize(("rate_per_s", "burst"), [(-1, 1), (1, -1), (float("nan"), 1)])
def test_a_bucket_refuses_numbers_below_zero(rate_per_s: float, burst: float) -> None:
    with pytest.raises(ValueError, match=">= 0"):
        TokenBucket(rate_per_s, burst)
    with pytest.raises(ValueError, match=">= 0"):
        bucket_accepts(np.zeros(1), rate_per_s, burst)


def test_tokens_can_be_looked_at_without_taking_one() -> None:
    bucket = TokenBucket(2, 4)
    assert bucket.tokens(0) == 4
    bucket.take(0)
    bucket.take(0)
    assert [bucket.tokens(0), bucket.tokens(0.5), bucket.tokens(9)] == [2, 3, 4]
    assert bucket.tokens(0) == 2


@given(TIMES, RATES, BURSTS)
def test_any_interval_accepts_at_most_burst_plus_rate_times_length(
    times_s: list[float], rate_per_s: float, burst: float
) -> None:
    kept = [t for t, yes in zip(times_s, accepted(times_s, rate_per_s, burst), strict=True) if yes]
    for i in range(len(kept)):
        for j in range(i, len(kept)):
            assert j - i + 1 <= burst + rate_per_s * (kept[j] - kept[i]) + 1e-6


@given(TIMES, RATES, BURSTS)
def test_nothing_is_refused_that_the_law_would_allow(times_s: list[float], rate_per_s: float, burst: float) -> None:
    """A refusal means that some interval ending here has no room for one more (the first one from -infinity has)."""
    kept: list[float] = []
    for time_s, yes in zip(times_s, accepted(times_s, rate_per_s, burst), strict=True):
        if yes:
            kept.append(time_s)
            continue
        room = [burst + rate_per_s * (time_s - kept[i]) - (len(kept) - i) for i in range(len(kept))]
        assert min([burst, *room]) < 1 + 1e-6


@given(TIMES, RATES, BURSTS)
def test_fast_replay_answers_as_the_bucket(times_s: list[float], rate_per_s: float, burst: float) -> None:
    assert bucket_accepts(np.array(times_s), rate_per_s, burst).tolist() == accepted(times_s, rate_per_s, burst)


@given(TIMES, RATES, BURSTS)
def test_a_larger_burst_never_accepts_fewer(times_s: list[float], rate_per_s: float, burst: float) -> None:
    assert sum(accepted(times_s, rate_per_s, burst + 1)) >= sum(accepted(times_s, rate_per_s, burst))
