"""Intervals hold what runs meet, and the solvers agree, over seeded cases (many more: `make benchmark-forecast`)."""

import time

import pytest
from burstline.core.load.plan import Arrivals, Constant, Phase, Sine
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.forecast.exact import ExactSolver
from burstline.core.quota.forecast.fluid import FluidSolver
from burstline.core.quota.forecast.forecasting import forecast
from burstline.core.quota.forecast.loads import ForecastInput, Load
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime
from forecast_cases import KINDS, SHARP, case, holds, truth

CASES = [(kind, seed) for seed in (1, 2) for kind in KINDS]


def test_most_runs_lie_inside_the_exact_solvers_intervals() -> None:
    inside = 0
    for kind, seed in CASES:
        asked = case(kind, seed, size=5_000)
        found = forecast(asked.asked, asked.account, seed=seed, solver=ExactSolver(39))
        met = truth(asked, seed + 100)
        inside += holds(found, met)
        if kind in SHARP:
            assert found.throttled_count.mid == pytest.approx(met.throttled_count, rel=0.05)
            assert found.first_throttle_s.mid == pytest.approx(met.first_s, abs=0.6)
    assert inside >= 12  # of 14; each is expected to hold in at least 90 %


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_the_solvers_agree(kind: str, seed: int) -> None:
    """Their intervals meet, give or take 3 % (or 10 requests) and 0.5 s."""
    asked = case(kind, seed, size=8_000)
    exact = forecast(asked.asked, asked.account, seed=seed, solver=ExactSolver(15))
    fluid = forecast(asked.asked, asked.account, seed=seed, solver=FluidSolver())
    one, other = exact.throttled_count, fluid.throttled_count
    slack = max(0.03 * one.high, 10.0)
    assert one.low - slack <= other.high
    assert other.low - slack <= one.high
    assert min(exact.first_throttle_s.low, 1e9) <= fluid.first_throttle_s.high + 0.5
    assert min(fluid.first_throttle_s.low, 1e9) <= exact.first_throttle_s.high + 0.5


def test_a_fleet_of_200_functions_is_forecast_in_seconds() -> None:
    """1,000,000 requests/s for ten minutes; the goal for an hour is 10 s, which the benchmark measures."""
    functions = {f"f{i}": Function(f"f{i}", duration=ServiceTime(0.05 + 0.01 * (i % 9), 0.3)) for i in range(200)}
    loads = tuple(
        Load(
            (Phase("hold", 300, Constant(5000), Arrivals.POISSON), Phase("wave", 300, Sine(5000, 1000, 100))),
            (Call(name, f"s{i % 10}"),),
            seed=i,
        )
        for i, name in enumerate(functions)
    )
    stages = {f"s{i}": Bucket(105_000, 50_000) for i in range(10)}
    account = Account(gateway=Bucket(2e6, 1e6), stages=stages, concurrency=150_000, functions=functions)
    start = time.process_time()
    found = forecast(ForecastInput(loads), account, seed=1)
    assert time.process_time() - start < 30
    assert found.solver == "fluid"
    assert found.request_count.mid == pytest.approx(6e8, rel=0.001)
    # the wave's crests: 20,000 of amplitude over 10 stages, 5,000 over the bucket: throttled, and nowhere near Lambda's
    assert [one.layer.value for one in found.layers] == ["stage"]
