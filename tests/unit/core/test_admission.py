"""Each layer of the admission model refuses what it should, in AWS's order, and nothing else."""

from dataclasses import replace

import pytest
from burstline.core.quota.admission.admission import Admission, Call, Decision
from burstline.core.quota.quotas import Account, Bucket, Family, Function, Layer, Scaling, UsagePlan

WIDE = Bucket(1e6, 1e6)
OPEN = Account(gateway=WIDE, concurrency=100_000, functions={"f": Function("f")})
CALL = Call("f", "prod", "gold")


def arrive_times(admission: Admission, count: int, now_s: float = 0.0, call: Call = CALL) -> list[Decision]:
    return [admission.arrive(now_s, call) for _ in range(count)]


def admitted_count(decisions: list[Decision]) -> int:
    return sum(decision.admitted for decision in decisions)


def function(**settings: int) -> Account:
    return replace(OPEN, functions={"f": Function("f", **settings)})  # type: ignore[arg-type]  # ints only, here


@pytest.mark.parametrize(
    ("account", "admitted", "layer", "family"),
    [
        pytest.param(
            replace(OPEN, usage_plans={"gold": UsagePlan("gold", Bucket(1, 3))}), 3, Layer.USAGE_PLAN, Family.BUCKET,
            id="usage plan bucket",
        ),
        pytest.param(
            replace(OPEN, usage_plans={"gold": UsagePlan("gold", None, 4, "day")}), 4,
            Layer.USAGE_PLAN, Family.PLAN_QUOTA, id="usage plan quota",
        ),
        pytest.param(replace(OPEN, stages={"prod": Bucket(1, 5)}), 5, Layer.STAGE, Family.BUCKET, id="stage bucket"),
        pytest.param(replace(OPEN, stages={"prod": Bucket(0, 0)}), 0, Layer.STAGE, Family.BUCKET, id="stage of 0"),
        pytest.param(
            replace(OPEN, gateway=Bucket(1, 6)), 6, Layer.ACCOUNT_GATEWAY, Family.BUCKET, id="account bucket"
        ),
        pytest.param(
            replace(OPEN, concurrency=7), 7, Layer.ACCOUNT_CONCURRENCY, Family.CONCURRENCY, id="account concurrency"
        ),
        pytest.param(
            replace(OPEN, concurrency=0), 0, Layer.ACCOUNT_CONCURRENCY, Family.CONCURRENCY, id="no concurrency at all"
        ),
        pytest.param(
            function(reserved=8), 8, Layer.RESERVED_CONCURRENCY, Family.CONCURRENCY, id="reserved concurrency"
        ),
        pytest.param(
            function(reserved=0), 0, Layer.RESERVED_CONCURRENCY, Family.CONCURRENCY, id="switched off by reserved 0"
        ),
        pytest.param(
            function(reserved=8, provisioned=8), 8, Layer.RESERVED_CONCURRENCY, Family.CONCURRENCY,
            id="provisioned concurrency lies inside reserved",
        ),
        pytest.param(OPEN, 1000, Layer.SCALING_RATE, Family.SCALING_RATE, id="scaling rate"),
        pytest.param(
            replace(OPEN, scaling=Scaling.LEGACY, legacy_burst=500), 500, Layer.SCALING_RATE, Family.SCALING_RATE,
            id="legacy burst",
        ),
    ],
)  # fmt: skip
def test_a_burst_is_admitted_up_to_the_quota_that_binds(
    account: Account, admitted: int, layer: Layer, family: Family
) -> None:
    decisions = arrive_times(Admission(account), admitted + 3)
    assert [d.layer for d in decisions] == [None] * admitted + [layer] * 3
    assert decisions[-1].family is family
    assert decisions[-1].environment is None


def test_ten_times_the_concurrency_is_the_most_a_second_however_short_the_calls() -> None:
    admission = Admission(replace(OPEN, concurrency=5))
    layers = []
    for _ in range(60):
        decision = admission.arrive(0.0, CALL)
        admission.finish(0.0, decision)
        layers.append(decision.layer)
    assert layers == [None] * 50 + [Layer.INVOCATION_RATE] * 10
    assert admission.arrive(0.1, CALL).admitted, "5 tokens are back after 0.1 s"


def test_a_reserved_function_has_ten_times_its_reserved_concurrency_a_second() -> None:
    admission = Admission(function(reserved=2))
    layers = []
    for _ in range(21):
        decision = admission.arrive(0.0, CALL)
        admission.finish(0.0, decision)
        layers.append(decision.layer)
    assert layers == [None] * 20 + [Layer.INVOCATION_RATE]


@pytest.mark.parametrize(
    ("account", "layer"),
    [
        pytest.param(
            Account(usage_plans={"gold": UsagePlan("gold", Bucket(0, 0), 1, "day")}, stages={"prod": Bucket(0, 0)}),
            Layer.USAGE_PLAN, id="plan before stage",
        ),
        pytest.param(Account(stages={"prod": Bucket(0, 0)}, gateway=Bucket(0, 0)), Layer.STAGE,
                     id="stage before account"),
        pytest.param(Account(gateway=Bucket(0, 0), concurrency=0), Layer.ACCOUNT_GATEWAY, id="gateway before Lambda"),
    ],
)  # fmt: skip
def test_the_outermost_full_layer_refuses(account: Account, layer: Layer) -> None:
    assert Admission(account).arrive(0, CALL).layer is layer


def test_calls_past_the_gateway_meet_no_gateway_bucket() -> None:
    account = Account(gateway=Bucket(0, 0), stages={"prod": Bucket(0, 0)}, functions={"f": Function("f")})
    assert Admission(account).arrive(0, Call("f", "prod", gateway=False)).admitted


def test_a_refusal_by_a_later_layer_does_not_use_up_the_plan_quota() -> None:
    plans = {"gold": UsagePlan("gold", None, 2, "day")}
    admission = Admission(replace(OPEN, usage_plans=plans, stages={"prod": Bucket(1, 1)}))
    assert [d.layer for d in arrive_times(admission, 2)] == [None, Layer.STAGE]
    assert [admission.arrive(t, CALL).layer for t in (1, 2)] == [None, Layer.USAGE_PLAN]


@pytest.mark.parametrize(("period", "length_s"), [("day", 86_400), ("week", 604_800), ("month", 2_592_000)])
def test_a_plan_quota_is_new_in_the_next_period(period: str, length_s: float) -> None:
    admission = Admission(replace(OPEN, usage_plans={"gold": UsagePlan("gold", None, 1, period)}))
    assert [admission.arrive(t, CALL).admitted for t in (0, length_s - 1, length_s, length_s + 1)] == [
        True, False, True, False,
    ]  # fmt: skip


def test_an_unknown_quota_period_is_refused() -> None:
    with pytest.raises(ValueError, match="day, week or month"):
        Admission(replace(OPEN, usage_plans={"gold": UsagePlan("gold", None, 1, "year")}))


def test_functions_without_reserved_concurrency_share_what_the_others_leave() -> None:
    functions = {"a": Function("a"), "b": Function("b"), "c": Function("c", reserved=6)}
    admission = Admission(replace(OPEN, concurrency=10, functions=functions))
    assert admitted_count(arrive_times(admission, 3, call=Call("a"))) == 3
    assert admitted_count(arrive_times(admission, 3, call=Call("b"))) == 1
    assert admitted_count(arrive_times(admission, 9, call=Call("c"))) == 6
    use = admission.use()
    assert (use.claimed, use.peak_claimed) == (10, 10)
    assert {name: f.peak_concurrency for name, f in use.functions.items()} == {"a": 3, "b": 1, "c": 6}
    assert use.throttled_count == {Layer.ACCOUNT_CONCURRENCY: 2, Layer.RESERVED_CONCURRENCY: 3}


def test_idle_provisioned_environments_are_claimed_from_the_shared_pool() -> None:
    functions = {"a": Function("a", provisioned=4), "b": Function("b")}
    admission = Admission(replace(OPEN, concurrency=10, functions=functions))
    assert admission.use().claimed == 4
    assert admitted_count(arrive_times(admission, 9, call=Call("b"))) == 6
    assert admitted_count(arrive_times(admission, 9, call=Call("a"))) == 4
    assert admission.use().peak_claimed == 10


def test_provisioned_environments_come_first_and_are_never_cold() -> None:
    decisions = arrive_times(Admission(function(provisioned=2)), 3)
    assert [d.cold for d in decisions] == [False, False, True]
    assert [d.environment is not None and d.environment.provisioned for d in decisions] == [True, True, False]


def test_above_ten_calls_a_second_each_provisioned_environments_spill_over() -> None:
    admission = Admission(function(provisioned=1))
    colds = []
    for _ in range(12):
        decision = admission.arrive(0.0, CALL)
        admission.finish(0.0, decision)
        colds.append(decision.cold)
    assert colds == [False] * 10 + [True, False], "the eleventh starts an on-demand environment, which the next reuses"


def test_the_environment_used_last_is_reused_first() -> None:
    admission = Admission(OPEN)
    first, second = arrive_times(admission, 2)
    admission.finish(1.0, first)
    admission.finish(2.0, second)
    again = admission.arrive(3.0, CALL)
    assert again.environment is second.environment
    assert not again.cold
    assert admission.use().functions["f"].cold_starts == 2


@pytest.mark.parametrize(("idle_s", "cold"), [(299.0, False), (421.0, True)])
def test_an_idle_environment_stays_five_to_seven_minutes(idle_s: float, cold: bool) -> None:
    admission = Admission(OPEN)
    admission.finish(1.0, admission.arrive(0.0, CALL))
    assert admission.arrive(1.0 + idle_s, CALL).cold is cold


def test_current_scaling_is_per_function_and_refills_by_a_hundred_a_second() -> None:
    admission = Admission(replace(OPEN, functions={"a": Function("a"), "b": Function("b")}))
    for name in "ab":
        assert admitted_count(arrive_times(admission, 1100, 0.0, Call(name))) == 1000
        assert admitted_count(arrive_times(admission, 1100, 2.0, Call(name))) == 200
        assert admitted_count(arrive_times(admission, 1100, 500.0, Call(name))) == 1000, "unused does not accumulate"


def test_legacy_scaling_is_shared_by_the_account_and_grows_by_500_a_minute() -> None:
    legacy = replace(OPEN, scaling=Scaling.LEGACY, functions={"a": Function("a"), "b": Function("b")})
    admission = Admission(legacy)
    assert admitted_count(arrive_times(admission, 300, 0.0, Call("a"))) == 300
    assert admitted_count(arrive_times(admission, 300, 0.0, Call("b"))) == 200
    assert admitted_count(arrive_times(admission, 600, 30.0, Call("a"))) == 250


def test_warm_environments_need_no_scaling_token() -> None:
    admission = Admission(OPEN)
    for decision in arrive_times(admission, 1000):
        admission.finish(0.5, decision)
    again = arrive_times(admission, 1001, 0.5)
    # 50 tokens are back after half a second, so one more environment may start.
    assert [d.cold for d in again] == [False] * 1000 + [True]


def test_a_call_cannot_be_finished_twice() -> None:
    admission = Admission(OPEN)
    decision = admission.arrive(0.0, CALL)
    admission.finish(1.0, decision)
    with pytest.raises(ValueError, match="already finished"):
        admission.finish(1.0, decision)


def test_finishing_a_refused_call_changes_nothing() -> None:
    admission = Admission(replace(OPEN, concurrency=0))
    admission.finish(1.0, admission.arrive(0.0, CALL))
    assert admission.use().claimed == 0


def test_a_function_the_account_does_not_list_draws_from_the_shared_pool() -> None:
    admission = Admission(replace(OPEN, concurrency=2))
    assert [admission.arrive(0.0, Call(name)).layer for name in ("x", "y", "f")] == [
        None, None, Layer.ACCOUNT_CONCURRENCY,
    ]  # fmt: skip


def test_noise_turns_about_its_share_of_gateway_decisions_round_and_repeats_with_the_seed() -> None:
    closed = replace(OPEN, gateway=Bucket(0, 0))
    counts = [admitted_count(arrive_times(Admission(closed, seed, noise_ratio=0.1), 1000)) for seed in (1, 1, 2)]
    assert counts[0] == counts[1]
    # 1,000 draws of 0.1: mean 100, deviation 9.5; five deviations either way.
    assert all(52 <= count <= 148 for count in counts)
