"""Splits, slower plans, cold answers, others' peaks and provisioned concurrency: worked out by hand."""

from heapq import heappop, heappush

import numpy as np
import pytest
from burstline.core.load.plan import Bursts, Constant, Phase, Ramp
from burstline.core.load.schedule import Schedule
from burstline.core.quota.advice.concurrency_advice import highest_of_poisson
from burstline.core.quota.advice.demand import ServiceTimes, cold_answers
from burstline.core.quota.advice.peaks import peak_in_flight
from burstline.core.quota.advice.provisioning import net_usd_per_hour
from burstline.core.quota.advice.slowing import least_slowness, slowed
from burstline.core.quota.advice.splitting import POOL, best_split
from burstline.core.quota.answers.series import Floats
from hypothesis import given, settings
from hypothesis import strategies as st


def test_the_best_split_leaves_every_function_the_same_headroom() -> None:
    """1,000 for needs of 300, 150 and 300 of the pool: 400, 200 and 400, each a quarter to spare."""
    split = best_split(1000, {"f": 300.0, "g": 150.0, POOL: 300.0})
    assert split is not None
    assert split.shares == {"f": 400, "g": 200, POOL: 400}
    assert split.headroom == pytest.approx(0.25)


def test_the_pool_never_gets_less_than_must_stay_unreserved() -> None:
    split = best_split(500, {"f": 300.0, POOL: 10.0})
    assert split is not None
    assert split.shares == {"f": 400, POOL: 100}


def test_needs_that_do_not_fit_have_no_split() -> None:
    assert best_split(500, {"f": 300.0, "g": 150.0}) is None
    assert best_split(50, {"f": 1.0}) is None


def test_no_other_split_has_a_larger_smallest_headroom() -> None:
    needs = {"f": 37.0, "g": 81.0}
    split = best_split(300, needs)
    assert split is not None
    best = max(min(1 - 37 / f, 1 - 81 / (200 - f)) for f in range(40, 119))
    assert split.headroom == pytest.approx(best, abs=1e-9)


def test_a_slower_plan_serves_as_many_requests_in_its_bursts() -> None:
    load = (Phase("train", 20.0, Bursts(100, 5.0, 0.1)),)
    gentle = slowed(load, 100.0)
    assert gentle[0].shape == Bursts(100, 10.0, 10.0)
    assert Schedule(gentle, 0).count == Schedule(load, 0).count == 400


def test_a_jump_becomes_a_ramp_and_a_ramp_a_longer_one() -> None:
    load = (Phase("low", 5.0, Constant(10.0)), Phase("high", 5.0, Constant(100.0)), Phase("up", 4.0, Ramp(100, 200)))
    gentle = slowed(load, 3.0)
    assert [(phase.name, phase.duration_s) for phase in gentle] == [
        ("low ramp", 2.0), ("low", 5.0), ("high ramp", 2.0), ("high", 5.0), ("up", 12.0),
    ]  # fmt: skip
    assert gentle[2].shape == Ramp(10.0, 100.0)


def test_the_least_slowness_is_found_to_a_hundredth() -> None:
    assert least_slowness(lambda slowness: slowness >= 7.3) == pytest.approx(7.3, rel=0.01)
    assert least_slowness(lambda _: False) is None


def test_cold_answers_are_found_where_warm_ones_lie_plus_the_init() -> None:
    """900 answers of 0.1 s and 100 of 0.5 s, 100 environments of 0.4 s of init: all of the slow ones were cold."""
    values, counts = np.array([0.1, 0.5]), np.array([900.0, 100.0])
    cold = cold_answers(values, counts, 0.4, 100.0)
    assert cold == pytest.approx([0.0, 100.0], abs=1.0)


def test_slow_answers_that_no_start_explains_stay_warm() -> None:
    values, counts = np.array([0.1, 0.5]), np.array([900.0, 100.0])
    assert cold_answers(values, counts, 0.4, 10.0)[1] == pytest.approx(10, abs=1)
    assert not cold_answers(values, counts, 0.0, 100.0).any()


def test_others_highest_value_grows_with_how_long_is_looked() -> None:
    """One value of a Poisson of mean 100 stays below 124 in 99 of 100 cases; the highest of 1,000 is higher."""
    assert highest_of_poisson(100, 1) == pytest.approx(124, abs=1)
    random = np.random.default_rng(1)
    seen = np.quantile(random.poisson(100, (2000, 1000)).max(axis=1), 0.99)
    assert highest_of_poisson(100, 1000) == pytest.approx(seen, abs=3)


def test_provisioned_concurrency_breaks_even_at_60_percent_use() -> None:
    assert net_usd_per_hour(100, 60.0, 1024) == pytest.approx(0.0, abs=1e-3)
    assert net_usd_per_hour(100, 90.0, 1024) < 0 < net_usd_per_hour(100, 30.0, 1024)


@given(
    total=st.integers(8, 40),
    minimum=st.integers(0, 8),
    first=st.floats(0.5, 20),
    second=st.floats(0.5, 20),
    pooled=st.floats(0, 12),
)
def test_no_other_split_in_whole_environments_leaves_the_tightest_more(
    total: int, minimum: int, first: float, second: float, pooled: float
) -> None:
    needs = {"f": first, "g": second} | ({POOL: pooled} if pooled else {})
    best = -1.0
    for mine in range(1, total):
        for other in range(1, total - mine + 1):
            rest = total - mine - other
            if rest >= minimum and (rest or not pooled):
                rooms = [1 - first / mine, 1 - second / other, *([1 - pooled / rest] if pooled else [])]
                best = max(best, min(rooms))
    split = best_split(total, needs, minimum)
    assert (split is None) == (best < 0)
    if split is not None:
        assert split.headroom == pytest.approx(best)
        assert sum(split.shares.values()) == total or not pooled


def played_peak(times_s: Floats, service_s: Floats, init_s: float) -> int:
    """Most calls in flight, call by call: cold where no environment is idle. In steps of 1 ms it comes out 3 % off."""
    ends: list[float] = []
    idle = highest = 0
    for now_s, takes_s in zip(times_s.tolist(), service_s.tolist(), strict=True):
        while ends and ends[0] <= now_s:
            heappop(ends)
            idle += 1
        heappush(ends, now_s + takes_s + (0.0 if idle else init_s))
        idle = max(0, idle - 1)
        highest = max(highest, len(ends))
    return highest


def jumping(before_per_s: float, at_s: float, after_per_s: float, lasts_s: float) -> Floats:
    """Even arrivals at one rate, then at another."""
    return np.concatenate((np.arange(0, at_s, 1 / before_per_s), at_s + np.arange(0, lasts_s, 1 / after_per_s)))


def test_the_peak_with_cold_starts_is_that_of_playing_call_by_call() -> None:
    """The peak stood still for a round while calls before it were still found to be warm: 242 for 135."""
    times_s = jumping(115.655, 5.0, 578.28, 10.0)
    table_s = np.sort(np.random.default_rng(3).choice([0.1284, 0.1304, 0.1325], 1 << 16))
    for seed in range(8):
        random = np.random.default_rng(seed)
        exact = played_peak(times_s, table_s[random.integers(0, 1 << 16, len(times_s), dtype=np.uint16)], 0.357)
        found = peak_in_flight(times_s, ServiceTimes(table_s, 0.357, "by hand"), replays=1, seed=seed)
        assert found.mean == pytest.approx(exact, abs=3)


@given(at_s=st.floats(2.0, 6.0), jump=st.floats(200, 900), init_s=st.floats(0.05, 1.0), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_the_peak_is_right_whatever_the_jump(at_s: float, jump: float, init_s: float, seed: int) -> None:
    times_s = jumping(100.0, at_s, jump, 3.0)
    table_s = np.sort(np.random.default_rng(seed).lognormal(np.log(0.1), 0.3, 1 << 16))
    services = ServiceTimes(table_s, init_s, "by hand")
    exact = played_peak(times_s, services.draw(len(times_s), np.random.default_rng(0)), init_s)
    assert peak_in_flight(times_s, services, replays=1).mean == pytest.approx(exact, rel=0.05, abs=3)
