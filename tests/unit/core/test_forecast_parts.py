"""The pieces of the fluid solver, each against a value worked out by hand or another way."""

from math import inf

import numpy as np
import pytest
from burstline.core.load.plan import Arrivals, Bursts, Constant, Pause, Phase, Ramp, Sine, Step
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.buckets import bucket_accepts
from burstline.core.quota.forecast.bucket_paths import through_buckets
from burstline.core.quota.forecast.erlang import LossCurve, blocking
from burstline.core.quota.forecast.fluctuation import begins, counts, highest
from burstline.core.quota.forecast.grid import edges
from burstline.core.quota.forecast.history import History
from burstline.core.quota.forecast.holding import Holding, survival
from burstline.core.quota.forecast.intervals import prediction, widened, widened_time
from burstline.core.quota.forecast.loads import ForecastInput, Load
from burstline.core.quota.forecast.records import Interval
from burstline.core.quota.forecast.streams import Streams
from burstline.core.quota.quotas import Account, Function, ServiceTime
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray


def recursive_erlang(offered: float, servers: int) -> float:
    """B(0) = 1, B(c) = a B(c-1) / (c + a B(c-1))."""
    lost = 1.0
    for c in range(1, servers + 1):
        lost = offered * lost / (c + offered * lost)
    return lost


@pytest.mark.parametrize("servers", [1, 10, 100, 1000, 50_000])
@pytest.mark.parametrize("ratio", [0.9, 0.99, 1.0, 1.05, 1.5, 5.0, 100.0])
def test_blocking_is_erlangs_formula(servers: int, ratio: float) -> None:
    expected = recursive_erlang(ratio * servers, servers)
    found = blocking(np.array([ratio * servers]), np.array([float(servers)]))[0]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_a_pool_in_steady_state_loses_what_erlang_says() -> None:
    curve = LossCurve(100, 1.0)
    assert curve.lost_ratio(0.0, 100.0) == pytest.approx(recursive_erlang(100, 100), rel=0.01)
    assert curve.lost_ratio(0.0, 150.0) == pytest.approx(recursive_erlang(150, 100), rel=0.01)


def test_a_pool_of_nothing_loses_everything_and_a_quiet_one_nothing() -> None:
    assert LossCurve(0, 1.0).lost_ratio(0.0, 1.0) == 1.0
    assert LossCurve(1000, 1.0).lost_ratio(300.0, 10.0) == 0.0


@given(st.floats(1, 500), st.floats(0.0, 1.0), st.floats(0, 600), st.floats(0, 2000))
def test_a_pool_never_holds_more_than_its_size(servers: float, z: float, staying: float, arriving: float) -> None:
    staying = min(staying, servers)
    lost = LossCurve(servers, z).lost_ratio(staying, arriving)
    assert 0.0 <= lost <= 1.0
    assert staying + (1.0 - lost) * arriving <= servers * 1.001 + 1e-6


def test_the_integral_of_survival_ends_at_the_mean_holding_time() -> None:
    """Constant 0.1 s; lognormal 0.04 s median with sigma = ln(4.5)/2.326; the same with an init of 0.4 s."""
    functions = (
        Function("a", duration=ServiceTime(0.1, 0.1)),
        Function("b", duration=ServiceTime(0.04, 0.18), init_s=0.4),
    )
    mean_s = 0.04 * np.exp((np.log(4.5) / 2.3263479) ** 2 / 2)
    assert Holding(functions, cold=False).mean_s.tolist() == pytest.approx([0.1, mean_s], rel=1e-3)
    assert Holding(functions, cold=True).mean_s.tolist() == pytest.approx([0.1, mean_s + 0.4], rel=1e-3)


def test_a_timeout_ends_what_would_go_on() -> None:
    function = Function("a", duration=ServiceTime(1.0, 10.0), timeout_s=2.0)
    assert survival(function, np.array([0.0, 1.0, 1.99, 2.0])).tolist() == pytest.approx(
        [1.0, 0.5, 0.243, 0.0], abs=0.01
    )


def test_calls_stay_as_long_as_they_work() -> None:
    """100/s of 1 s calls for 3 s: after 0.5 s 50 are there, then 100, and half a second after the last ones 50."""
    holding = Holding((Function("a", duration=ServiceTime(1.0, 1.0)),), cold=False)
    history = History(holding, holding, 1)
    seen = {}
    for step in range(300):
        end_s = (step + 1) / 100
        history.add(end_s, np.array([1.0]), np.zeros(1))
        seen[step + 1] = float(history.staying(end_s)[0])
    assert (seen[50], seen[200], seen[300]) == pytest.approx((50, 100, 100), rel=0.01)
    assert float(history.staying(3.5)[0]) == pytest.approx(50, rel=0.02)
    assert float(history.staying(4.1)[0]) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    "phases",
    [
        (Phase("a", 3600, Constant(1)),),
        (Phase("a", 0.004, Constant(1)),),
        (Phase("a", 3600, Bursts(800, 5, 0.05)),),
        (Phase("a", 60, Bursts(800, 5, 0.0)),),
        (
            Phase("a", 10, Ramp(0, 1)),
            Phase("b", 1, Pause()),
            Phase("c", 20, Sine(5, 5, 5)),
            Phase("d", 9, Step(1, 9, 4)),
        ),
    ],
)
def test_steps_ascend_cover_the_plan_and_meet_its_changes(phases: tuple[Phase, ...]) -> None:
    found = edges([phases], 0.05)
    assert found[0] == 0.0
    assert found[-1] == pytest.approx(sum(phase.duration_s for phase in phases))
    assert np.all(np.diff(found) > 0)
    assert len(found) < 20_000
    starts = np.cumsum([phase.duration_s for phase in phases])[:-1]
    assert all(np.min(np.abs(found - start)) < 1e-9 for start in starts)


@given(st.integers(0, 10_000), st.floats(20, 400), st.integers(5, 200))
def test_smooth_paths_refuse_what_the_bucket_refuses(seed: int, rate: float, burst: int) -> None:
    """Even arrivals whose rate jumps at random: about within a request for each time it jumps.

    Not so for a burst of one or two, where parts of a token are lost that a fluid keeps.
    """
    random = np.random.default_rng(seed)
    per_step = random.integers(0, 120, 8).astype(np.float64)
    edges_s = np.linspace(0.0, 2.0, 9)
    times_s: NDArray[np.float64] = np.concatenate(
        [k * 0.25 + (np.arange(n) + 0.5) / n * 0.25 for k, n in enumerate(per_step) if n]
    )
    refused = int(np.count_nonzero(~bucket_accepts(times_s, rate, burst)))
    found = through_buckets(
        edges_s, per_step[:, None], np.zeros((8, 1)), np.array([rate]), np.array([float(burst)]), random, 1
    )
    assert found.totals[0, 0] == pytest.approx(refused, abs=9)


def test_paths_of_a_critical_bucket_lose_what_replays_lose() -> None:
    """Poisson at the refill rate: reflected at both ends, a bucket of B loses about variance / (2 B) per second."""
    random = np.random.default_rng(4)
    edges_s = np.linspace(0, 200, 2001)
    arriving = np.full((2000, 1), 100.0)  # 1,000/s
    found = through_buckets(edges_s, arriving, arriving, np.array([1000.0]), np.array([100.0]), random, 200)
    replays = []
    for _ in range(10):
        times_s = np.sort(random.uniform(0, 200, random.poisson(200_000)))
        replays.append(np.count_nonzero(~bucket_accepts(times_s, 1000.0, 100.0)))
    assert found.totals.mean() == pytest.approx(np.mean(replays), rel=0.15)
    assert found.totals.mean() == pytest.approx(1000 / (2 * 100) * 200, rel=0.15)


def test_a_share_of_even_arrivals_fluctuates_and_all_of_them_do_not() -> None:
    """p (1 - p) per arrival for each half, 0 together; Poisson arrivals vary by their number."""
    calls = (Call("a"), Call("b"))
    for kind, half, whole in ((Arrivals.EVEN, 25.0, 0.0), (Arrivals.POISSON, 50.0, 100.0)):
        load = Load((Phase("only", 1, Constant(100), kind),), calls, (1.0, 1.0))
        streams = Streams(ForecastInput((load,)), Account(), np.array([0.0, 1.0]), 0.0)
        assert streams.variance(np.array([True, False])).tolist() == pytest.approx([half])
        assert streams.variance(np.array([True, True])).tolist() == pytest.approx([whole])


def test_39_runs_give_their_extremes_and_fewer_a_wider_interval() -> None:
    values = [float(n) for n in range(39)]
    found = prediction(values)
    assert (found.low, found.mid, found.high) == (0.0, 19.0, 38.0)
    few = prediction([10.0, 11.0, 12.0])  # 11 +- 4.303 * 1 * sqrt(4/3)
    assert (few.low, few.mid, few.high) == pytest.approx((6.03, 11.0, 15.97), abs=0.01)


def test_slack_widens_what_happens_and_leaves_what_does_not() -> None:
    assert widened(Interval(1000, 2000, 3000)) == Interval(998, 2000, 3004)
    assert widened(Interval(0, 0, 0)) == Interval(0, 0, 0)
    assert widened_time(Interval(0.005, 1.0, inf)) == Interval(0.0, 1.0, inf)


def test_a_time_may_be_later_by_the_networks_way_in() -> None:
    found = widened_time(Interval(0.5, 1.0, 2.0), 0.02)
    assert (found.low, found.mid, found.high) == pytest.approx((0.49, 1.0, 2.03))


def test_what_mostly_does_not_happen_has_never_as_its_end() -> None:
    found = prediction([3.0, inf, inf])
    assert (found.low, found.mid, found.high) == (3.0, inf, inf)
    assert prediction([inf, inf]).never


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=100))
def test_an_interval_ascends_and_holds_its_middle(values: list[float]) -> None:
    found = prediction(values, counted=True)
    assert found.low <= found.mid <= found.high


def test_counts_have_the_mean_and_variance_asked_for() -> None:
    drawn = counts(200.0, 2000.0, np.random.default_rng(1), 20_000)
    assert drawn.mean() == pytest.approx(200, rel=0.02)
    assert drawn.var() == pytest.approx(2000, rel=0.05)


def test_the_first_refusal_of_one_expected_refusal_never_comes_in_a_third_of_runs() -> None:
    """exp(-1) = 0.368 of runs have none."""
    at_s = begins(np.array([0.0, 10.0]), np.zeros(1), np.ones(1), np.ones(1), np.random.default_rng(2), 20_000)
    assert np.mean(np.isinf(at_s)) == pytest.approx(0.368, abs=0.02)


def test_the_longer_one_looks_the_higher_the_peak() -> None:
    middles = [float(np.median(highest(spans, np.linspace(0.01, 0.99, 99)))) for spans in (1.0, 100.0, 10_000.0)]
    assert middles == sorted(middles)
    assert 3.8 < middles[2] < 4.8
