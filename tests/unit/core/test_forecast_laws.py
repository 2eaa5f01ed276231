"""Forecasts with answers that can be worked out by hand, from both solvers."""

import pytest
from burstline.core.load.plan import Arrivals, Bursts, Constant, Front, Phase, Plan, Ramp, Request, Shape, Target, Users
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.forecast.exact import ExactSolver
from burstline.core.quota.forecast.fluid import FluidSolver
from burstline.core.quota.forecast.forecasting import expected_count, forecast
from burstline.core.quota.forecast.loads import ForecastInput, Load, highest_rate, input_of
from burstline.core.quota.forecast.records import Forecast
from burstline.core.quota.forecast.solving import Assumptions, Solver
from burstline.core.quota.quotas import Account, Bucket, Function, Layer, Scaling, ServiceTime, UsagePlan

WIDE = Bucket(1e7, 1e7)
ON_TIME = Assumptions(jitter_s=0.0)
SOLVERS: list[Solver] = [ExactSolver(7), FluidSolver()]
BOTH = pytest.mark.parametrize("solver", SOLVERS, ids=lambda one: one.name)


def asked(shape: Shape, duration_s: float, arrivals: Arrivals = Arrivals.EVEN, *, fixed: bool = True) -> ForecastInput:
    """One load of one function behind a stage."""
    return ForecastInput((Load((Phase("only", duration_s, shape, arrivals),), (Call("f", "prod"),)),), fixed=fixed)


def solve(what: ForecastInput, account: Account, solver: Solver, assumed: Assumptions = ON_TIME) -> Forecast:
    return forecast(what, account, seed=3, solver=solver, assumed=assumed)


@BOTH
def test_a_bucket_runs_dry_after_burst_over_excess_and_then_refuses_the_excess(solver: Solver) -> None:
    """B / (l - R) = 500 / 200 = 2.5 s; then (l - R) = 200/s of the remaining 57.5 s: 11,500."""
    account = Account(gateway=WIDE, stages={"prod": Bucket(1000, 500)}, functions={"f": Function("f")})
    found = solve(asked(Constant(1200), 60), account, solver)
    assert found.throttled_count.mid == pytest.approx(11_500, rel=0.002)
    assert found.first_throttle_s.mid == pytest.approx(2.5, abs=0.01)
    assert [(one.layer, one.first_ratio) for one in found.layers] == [(Layer.STAGE, 1.0)]


@BOTH
def test_with_poisson_arrivals_the_mean_time_to_the_first_429_is_the_same_and_varies(solver: Solver) -> None:
    """Its deviation is sqrt(l B / (l - R)**3) = sqrt(1200 * 500 / 200**3) = 0.27 s."""
    account = Account(gateway=WIDE, stages={"prod": Bucket(1000, 500)}, functions={"f": Function("f")})
    found = solve(asked(Constant(1200), 30, Arrivals.POISSON, fixed=False), account, solver)
    assert found.first_throttle_s.mid == pytest.approx(2.5, abs=0.3)
    assert 0.4 < found.first_throttle_s.high - found.first_throttle_s.low < 2.5


@BOTH
def test_the_steady_share_of_an_overloaded_bucket_is_the_excess_over_the_rate(solver: Solver) -> None:
    """(l - R) / l = (1500 - 1000) / 1500 = 1/3; the burst of 100 lets 100 more in."""
    account = Account(gateway=Bucket(1000, 100), functions={"f": Function("f")}, concurrency=100_000)
    found = solve(asked(Constant(1500), 60), account, solver)
    assert (found.throttled_count.mid + 100) / found.request_count.mid == pytest.approx(1 / 3, rel=0.002)


@BOTH
def test_a_bucket_on_the_edge_does_not_refuse_even_arrivals(solver: Solver) -> None:
    account = Account(gateway=Bucket(1000, 100), functions={"f": Function("f")})
    found = solve(asked(Constant(1000), 30), account, solver)
    assert found.throttled_count.high == 0
    assert found.first_throttle_s.never


@BOTH
def test_a_burst_loses_what_neither_burst_nor_refill_holds(solver: Solver) -> None:
    """800 in 50 ms against 300 + 200/s * 0.05 s = 310: 490 refused, each time; the bucket refills in 1.5 s."""
    account = Account(gateway=WIDE, stages={"prod": Bucket(200, 300)}, functions={"f": Function("f")})
    found = solve(asked(Bursts(800, 5, 0.05), 60), account, solver)
    assert found.throttled_count.mid == pytest.approx(12 * 490, rel=0.005)


@BOTH
def test_constant_calls_fill_a_cap_exactly_and_then_lose_the_rest(solver: Solver) -> None:
    """100/s of 1 s calls, cap 50: full after 0.5 s; from then on it lets in what ends: 50/s. 60 s: 6000 - 50 * 60."""
    function = Function("f", duration=ServiceTime(1.0, 1.0))
    account = Account(gateway=WIDE, concurrency=50, functions={"f": function})
    found = solve(asked(Constant(100), 60), account, solver)
    assert found.throttled_count.mid == pytest.approx(3000, rel=0.03)
    assert found.first_throttle_s.mid == pytest.approx(0.5, abs=0.05)
    assert found.functions[0].peak_concurrency.mid == 50


@BOTH
def test_poisson_calls_on_a_cap_lose_what_erlang_says(solver: Solver) -> None:
    """Erlang B(100, 100) = 0.0757, whatever the service time's distribution; of 120,000: about 9,084."""
    function = Function("f", duration=ServiceTime(0.1, 0.3))
    mean_s = 0.1 * pow(2.718281828, (1.0986123 / 2.3263479) ** 2 / 2)
    account = Account(gateway=WIDE, concurrency=100, functions={"f": function})
    calls = ForecastInput(
        (Load((Phase("only", 60, Constant(100 / mean_s), Arrivals.POISSON),), (Call("f", gateway=False),)),),
        fixed=False,
    )
    found = solve(calls, account, solver)
    assert found.throttled_count.mid / found.request_count.mid == pytest.approx(0.0757, abs=0.006)


@pytest.mark.parametrize(
    ("scaling", "first_s"),
    [
        # From 1 s on 125 more calls of 1 s are in flight every second (before, 125 t a second). Current: the 1,000 stay
        # full until 0.8 s, lose 2.5 until 1 s and then 25/s: dry at 1 + 997.5 / 25. Legacy, 500 and 8.33/s: full until
        # 0.067 s, 54.4 less at 1 s, then 116.67/s.
        (Scaling.CURRENT, 1 + 997.5 / 25),
        (Scaling.LEGACY, 1 + (500 - 54.4) / (125 - 500 / 60)),
    ],
)
@BOTH
def test_the_scaling_rate_binds_when_the_need_outgrows_it(solver: Solver, scaling: Scaling, first_s: float) -> None:
    function = Function("f", duration=ServiceTime(1.0, 1.0), timeout_s=10)
    account = Account(gateway=WIDE, concurrency=50_000, functions={"f": function}, legacy_burst=500)
    found = forecast(asked(Ramp(0, 125 * 46), 46), account, seed=1, solver=solver, scaling=scaling, assumed=ON_TIME)
    assert found.scaling is scaling
    assert found.layers[0].layer is Layer.SCALING_RATE
    assert found.first_throttle_s.mid == pytest.approx(first_s, abs=0.15)


@pytest.mark.parametrize(
    ("scaling", "environments"),
    [
        # time_to_reach(C) = (C - 1000) / 100 s: after 20 s 3,000 environments; legacy 500 + 20 * 500/60 = 667
        (Scaling.CURRENT, 3000),
        (Scaling.LEGACY, 667),
    ],
)
@BOTH
def test_environments_grow_as_fast_as_the_regime_allows(solver: Solver, scaling: Scaling, environments: int) -> None:
    function = Function("f", duration=ServiceTime(30.0, 30.0), timeout_s=60)
    account = Account(gateway=WIDE, concurrency=50_000, functions={"f": function}, legacy_burst=500)
    found = forecast(asked(Constant(4000), 20), account, seed=1, solver=solver, scaling=scaling, assumed=ON_TIME)
    assert found.cold_starts.mid == pytest.approx(environments, rel=0.01)
    assert found.peak_claimed.mid == pytest.approx(environments, rel=0.01)


@BOTH
def test_cold_starts_make_the_first_calls_longer(solver: Solver) -> None:
    """1,000/s of 40 ms calls with an init of 400 ms: nothing is given back for 440 ms, so 440 environments."""
    function = Function("f", duration=ServiceTime(0.04, 0.04), init_s=0.4)
    account = Account(gateway=WIDE, concurrency=10_000, functions={"f": function})
    found = solve(asked(Constant(1000), 10), account, solver)
    assert found.cold_starts.mid == pytest.approx(440, rel=0.05)
    assert found.functions[0].peak_concurrency.mid == pytest.approx(440, rel=0.05)


@BOTH
def test_the_10x_rule_is_a_bucket_of_one_second(solver: Solver) -> None:
    """Reserved 20: 200/s and 200 at once. 300/s run it dry after 2 s; then 100/s for 18 s."""
    function = Function("f", reserved=20, duration=ServiceTime(0.01, 0.01))
    account = Account(gateway=WIDE, functions={"f": function})
    found = solve(asked(Constant(300), 20), account, solver)
    assert found.layers[0].layer is Layer.INVOCATION_RATE
    assert found.throttled_count.mid == pytest.approx(1800, rel=0.01)
    assert found.first_throttle_s.mid == pytest.approx(2.0, abs=0.05)


@BOTH
def test_a_usage_plans_quota_refuses_everything_beyond_it(solver: Solver) -> None:
    plan = UsagePlan("gold", None, 700, "day")
    account = Account(gateway=WIDE, usage_plans={"gold": plan}, functions={"f": Function("f")})
    load = Load((Phase("only", 10, Constant(100)),), (Call("f", usage_plan="gold"),))
    found = solve(ForecastInput((load,)), account, solver)
    assert found.throttled_count.mid == pytest.approx(300, abs=2)
    assert found.first_throttle_s.mid == pytest.approx(7.0, abs=0.1)


@BOTH
def test_functions_share_what_is_not_reserved(solver: Solver) -> None:
    """Each 100/s of 1 s calls. `a` keeps its 120; `b` and `c` need 200 and share 100: about half of theirs is lost."""
    functions = {n: Function(n, duration=ServiceTime(1.0, 1.0), timeout_s=9.0) for n in "bc"}
    functions["a"] = Function("a", reserved=120, duration=ServiceTime(1.0, 1.0), timeout_s=9.0)
    account = Account(gateway=WIDE, concurrency=220, functions=functions)
    loads = tuple(Load((Phase("only", 30, Constant(100)),), (Call(name),)) for name in "abc")
    found = solve(ForecastInput(loads), account, solver)
    lost = {one.name: one.throttled_count.mid for one in found.functions}
    assert lost["a"] == 0
    assert lost["b"] + lost["c"] == pytest.approx(3000, rel=0.05)
    assert next(one for one in found.functions if one.name == "a").peak_concurrency.mid == pytest.approx(100, abs=3)


@BOTH
def test_provisioned_environments_are_never_cold_and_come_before_the_cap(solver: Solver) -> None:
    """50 calls of 0.1 s in flight, 60 provisioned: nothing is started, nothing throttled."""
    function = Function("f", provisioned=60, duration=ServiceTime(0.1, 0.1), init_s=1.0)
    account = Account(gateway=WIDE, concurrency=70, functions={"f": function})
    found = solve(asked(Constant(500), 20), account, solver)
    assert found.cold_starts.mid <= 1
    assert found.throttled_count.high == 0


@BOTH
def test_users_ask_once_per_think_and_service_time(solver: Solver) -> None:
    """100 users, 0.9 s of thinking, 0.08 s of work and 0.02 s of round trip: 100/s."""
    function = Function("f", duration=ServiceTime(0.08, 0.08))
    account = Account(gateway=WIDE, functions={"f": function})
    found = solve(asked(Users(100, 0.9), 30), account, solver, Assumptions(0.0, 0.02))
    assert found.request_count.mid == pytest.approx(3000, rel=0.05)
    assert any("users" in note for note in found.notes)


@BOTH
def test_the_cost_is_requests_and_time_at_list_prices(solver: Solver) -> None:
    """100,000 calls of 100 ms at 512 MB: REST 0.35, Lambda 0.02, 5,000 GB-s 0.0833 USD; kept: 10 * 0.5 GB * 300 s."""
    function = Function("f", memory_mb=512, duration=ServiceTime(0.1, 0.1), provisioned=10)
    account = Account(gateway=WIDE, functions={"f": function})
    found = solve(asked(Constant(1000), 100), account, solver)
    cost = {part: value.mid for part, value in found.cost_usd.items()}
    assert cost["api"] == pytest.approx(0.35)
    assert cost["lambda_requests"] == pytest.approx(0.02)
    assert cost["lambda_duration"] == pytest.approx(5000 * 0.0000166667, rel=0.01)
    assert cost["provisioned"] == pytest.approx(10 * 0.5 * 300 * 0.0000041667)
    assert cost["total"] == pytest.approx(sum(v for k, v in cost.items() if k != "total"))


def test_a_plan_becomes_one_stream_split_over_its_functions() -> None:
    target = Target("https://x.test", Front.REST, "f", "prod", "gold", (("order", "orders"),))
    plan = Plan(
        "p", target, (Request("quote", 3.0), Request("order", 1.0)), (Phase("only", 10, Constant(400)),), seed=9
    )
    what = input_of(plan)
    assert what.calls == (Call("f", "prod", "gold"), Call("orders", "prod", "gold"))
    found = forecast(plan, Account(), seed=1)
    shares = {one.name: one.request_count.mid for one in found.functions}
    assert shares["f"] + shares["orders"] == 4000
    assert shares["f"] == pytest.approx(3000, abs=120)


@pytest.mark.parametrize(
    ("front", "stage", "gateway"),
    [
        (Front.REST, "", True),
        (Front.HTTP, "", True),
        (Front.ALB, "prod", False),
        (Front.PLAIN, "", False),
        (Front.PLAIN, "prod", True),
    ],
)
def test_only_api_gateways_fronts_pass_its_buckets(front: Front, stage: str, gateway: bool) -> None:
    plan = Plan("p", Target("https://x.test", front, "f", stage), (Request("r"),), (Phase("only", 1, Constant(10)),))
    assert input_of(plan).calls[0].gateway is gateway


def test_the_solver_follows_from_the_number_of_requests() -> None:
    account = Account(gateway=WIDE, concurrency=10**6, functions={"f": Function("f")})
    small, large = asked(Constant(100), 10), asked(Constant(400_000), 10)
    assert [expected_count(small, account), expected_count(large, account)] == pytest.approx([1000, 4_000_000])
    assert forecast(small, account, seed=1).solver == "exact"
    assert forecast(large, account, seed=1).solver == "fluid"


@BOTH
def test_the_same_seed_gives_the_same_forecast(solver: Solver) -> None:
    account = Account(gateway=WIDE, concurrency=40, functions={"f": Function("f", duration=ServiceTime(0.1, 0.3))})
    what = asked(Constant(400), 10, Arrivals.POISSON, fixed=False)
    assert solve(what, account, solver) == solve(what, account, solver)


def test_the_highest_rate_of_a_plan_counts_its_bursts() -> None:
    """800 in a burst of 50 ms and 100/s: 900 in the best second."""
    assert highest_rate((Phase("only", 20, Bursts(800, 5, 0.05, 100)),)) == pytest.approx(900, abs=2)
    assert highest_rate((Phase("only", 20, Ramp(0, 200)),)) == pytest.approx(195, abs=1)


def test_nothing_to_ask_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one kind of request"):
        forecast(ForecastInput(()), Account(), seed=1)
