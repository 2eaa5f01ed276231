"""Whatever the account and the load, both solvers answer, with numbers that add up."""

from math import isfinite

import numpy as np
import pytest
from burstline.core.load.plan import Arrivals, Bursts, Constant, Pause, Phase, Ramp, Shape, Sine, Users
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.forecast.document import document
from burstline.core.quota.forecast.exact import ExactSolver
from burstline.core.quota.forecast.fluid import FluidSolver
from burstline.core.quota.forecast.forecasting import forecast
from burstline.core.quota.forecast.loads import ForecastInput, Load
from burstline.core.quota.forecast.records import NEVER
from burstline.core.quota.forecast.solving import Solver
from burstline.core.quota.quotas import Account, Bucket, Function, Scaling, ServiceTime, UsagePlan

SHAPES: tuple[Shape, ...] = (
    Constant(60),
    Ramp(0, 90),
    Pause(),
    Bursts(40, 2, 0.0),
    Bursts(40, 2, 0.1, 5),
    Sine(50, 50, 3),
    Users(7, 0.1),
)


def odd_account(random: np.random.Generator) -> Account:
    """Limits of nothing, of one and of plenty, in every combination."""

    def bucket() -> Bucket:
        return Bucket(float(random.choice([0, 1, 30, 1e6])), float(random.choice([0, 1, 20, 1e6])))

    functions = {}
    for name in "ab":
        reserved = None if random.random() < 0.5 else int(random.choice([0, 1, 5]))
        p50_s = float(random.choice([0.001, 0.1, 2.0]))
        functions[name] = Function(
            name,
            reserved,
            int(random.choice([0, 1, 3])),
            ServiceTime(p50_s, p50_s * float(random.choice([1, 10]))),
            init_s=float(random.choice([0, 1])),
            timeout_s=3.0,
            other_rate_per_s=float(random.choice([0, 10])),
        )
    return Account(
        gateway=bucket(),
        stages={"prod": bucket()},
        usage_plans={"gold": UsagePlan("gold", bucket(), int(random.choice([1, 50, 10**6])), "day")},
        concurrency=int(random.choice([0, 1, 20, 10_000])),
        scaling=Scaling.LEGACY if random.random() < 0.5 else Scaling.CURRENT,
        legacy_burst=int(random.choice([1, 500])),
        functions=functions,
    )


@pytest.mark.parametrize("solver", [ExactSolver(3), FluidSolver(runs=9, steps=400)], ids=lambda one: one.name)
@pytest.mark.parametrize("seed", range(24))
def test_odd_limits_get_an_answer_that_adds_up(solver: Solver, seed: int) -> None:
    random = np.random.default_rng(seed)
    account = odd_account(random)
    kind = Arrivals.POISSON if seed % 2 else Arrivals.EVEN
    picked = random.integers(0, len(SHAPES), 3)
    phases = tuple(Phase(f"p{i}", 4.0, SHAPES[n], kind) for i, n in enumerate(picked.tolist()))
    calls = (Call("a", "prod", "gold"), Call("b", "prod"), Call("unlisted", gateway=False))
    found = forecast(ForecastInput((Load(phases, calls, (1.0, 2.0, 1.0), seed),)), account, seed=seed, solver=solver)
    total = found.throttled_count
    assert 0 <= total.low <= total.mid <= total.high < NEVER
    assert total.mid <= found.request_count.mid
    assert (total.high == 0) == found.first_throttle_s.never
    for one in found.functions:
        reserved = account.functions[one.name].reserved if one.name in account.functions else None
        assert one.peak_concurrency.high <= (account.concurrency if reserved is None else reserved)
        assert one.throttled_count.mid <= one.request_count.mid + 1
    assert all(isfinite(cost.high) for cost in found.cost_usd.values())
    assert document(found)["solver"] == solver.name


@pytest.mark.parametrize("solver", [ExactSolver(3), FluidSolver()], ids=lambda one: one.name)
def test_a_plan_that_asks_for_nothing_meets_nothing(solver: Solver) -> None:
    what = ForecastInput((Load((Phase("only", 5.0, Pause()),), (Call("f"),)),))
    found = forecast(what, Account(), seed=1, solver=solver)
    assert (found.request_count.high, found.throttled_count.high, found.cold_starts.high) == (0, 0, 0)
    assert found.first_throttle_s.never
