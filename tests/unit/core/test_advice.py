"""Advice: numbers worked out by hand, and every recommendation replayed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from burstline.core.load.plan import Bursts, Constant, Front, Goal, Phase, Ramp, Target
from burstline.core.quota.admission.buckets import bucket_accepts
from burstline.core.quota.advice.advice import advise, play
from burstline.core.quota.advice.demand import Demand, demand_of
from burstline.core.quota.advice.frontier import highest_rate
from burstline.core.quota.advice.proposals import Advice, with_headroom
from burstline.core.quota.advice.widening import plan_changes
from burstline.core.quota.answers.inflight import floor_of
from burstline.core.quota.answers.series import series_of
from burstline.core.quota.quotas import Account, Bucket, Function, Layer, ServiceTime, UsagePlan
from burstline.server.judging.judging import RunRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MakeRun = Callable[..., RunRecord]

THROTTLES = {"rest.500.internal", "http.503.unavailable"}
"""In these runs nothing fails, so that every such answer is a throttle."""


def demand(record: RunRecord) -> Demand:
    totals = record.totals
    return demand_of(
        record.plan, record.account, record.schedule, totals, series_of(totals), floor_of(totals, THROTTLES)
    )


def advice_of(record: RunRecord) -> dict[str, Advice]:
    return {one.quota: one for one in advise(record.plan, record.account, demand(record))}


@pytest.mark.parametrize(("required", "recommended"), [(1, 2), (100, 120), (261, 320), (1000, 1200), (2001, 2410)])
def test_a_recommendation_is_a_fifth_more_rounded_up(required: float, recommended: float) -> None:
    assert with_headroom(required) == recommended


def test_a_stage_gets_the_rate_that_lasts_and_its_command(make_run: MakeRun) -> None:
    account = Account(stages={"prod": Bucket(1000, 500)})
    found = advice_of(make_run((Phase("steady", 20.0, Constant(1500.0)),), account))["apigateway:stage:prod"]
    assert (found.required, found.recommended, found.current) == (1500, 1800, 1000)
    assert found.burst is not None
    assert (found.burst.required, found.burst.recommended) == (1, 500)
    assert found.verified
    assert "--rest-api-id abc --stage-name prod" in found.command
    assert "rateLimit,value=1800" in found.command
    assert "burstLimit,value=500" in found.command


def test_an_http_api_gets_its_own_command(make_run: MakeRun) -> None:
    account = Account(stages={"prod": Bucket(100, 50)})
    record = make_run((Phase("steady", 5.0, Constant(150.0)),), account, front=Front.HTTP)
    command = advice_of(record)["apigateway:stage:prod"].command
    assert command.startswith("aws apigatewayv2 update-stage")
    assert "ThrottlingRateLimit=180,ThrottlingBurstLimit=50" in command


def test_the_account_gets_the_smallest_rate_at_its_burst(make_run: MakeRun) -> None:
    """20,000 in 10 s and a burst of 500: (20,000 - 500) / 10 = 1,950/s."""
    account = Account(gateway=Bucket(1000, 500))
    found = advice_of(make_run((Phase("steady", 10.0, Constant(2000.0)),), account))["apigateway:L-8A5B8E43"]
    assert found.required == pytest.approx(1951, abs=1)
    assert found.burst is not None
    assert not found.burst.adjustable
    assert found.burst.recommended is None
    assert "not promised" in found.derivation
    assert "--quota-code L-8A5B8E43" in found.command
    assert any(text.startswith("For the support case") for text in found.alternatives)
    assert found.verified


def test_a_burst_larger_than_the_accounts_is_no_number_to_ask_for(make_run: MakeRun) -> None:
    account = Account(gateway=Bucket(500, 300))
    record = make_run((Phase("train", 10.0, Bursts(800, 5.0, 0.0)),), account)
    found = advice_of(record)["apigateway:L-8A5B8E43"]
    assert found.recommended is None
    assert found.required is None
    assert found.command == ""
    assert not found.verified
    assert "will not help" in found.derivation
    assert any("1.01 s or more, 1.6 s apart: replayed, none is throttled" in text for text in found.alternatives)


def test_numbers_beside_a_changed_plan_are_those_that_the_changed_plan_needs(make_run: MakeRun) -> None:
    """800 at once call for 800 environments; spread as the account's bucket wants it, for fewer."""
    account = Account(gateway=Bucket(500, 300), concurrency=200)
    load = (Phase("train", 10.0, Bursts(800, 5.0, 0.0)),)
    found = advice_of(make_run(load, account, service=ServiceTime(0.5, 0.5)))
    plan, quota = found["plan:bursts"], found["lambda:L-B99A9384"]
    assert plan.load is not None
    assert plan.verified
    assert quota.verified
    assert quota.required is not None
    assert 200 < quota.required < 500
    assert "the plan as changed here" in quota.derivation


def test_a_usage_plans_quota_must_hold_the_whole_run(make_run: MakeRun) -> None:
    target = Target("https://abc.execute-api.eu-west-1.amazonaws.com/prod", Front.REST, "f", "prod", "gold")
    account = Account(usage_plans={"gold": UsagePlan("gold", None, 100, "day")})
    found = advice_of(make_run((Phase("steady", 5.0, Constant(100.0)),), account, target=target))
    advice = found["apigateway:usage-plan:gold:quota"]
    assert (advice.current, advice.required, advice.recommended) == (100, 500, 600)
    assert advice.verified
    assert "path=/quota/limit,value=600" in advice.command


def test_a_target_that_is_not_aws_gets_no_advice(make_run: MakeRun) -> None:
    record = make_run((Phase("wall", 2.0, Constant(2000.0)),), service=ServiceTime(1.0, 1.0))
    plain = replace(record, plan=replace(record.plan, target=Target("http://10.0.0.1")))
    assert advice_of(plain) == {}


def test_changed_bursts_pass_the_bucket_they_were_changed_for(make_run: MakeRun) -> None:
    """800 through 500/s and 300 needs (800 - 300) / 500 = 1 s of width, 800 / 500 = 1.6 s apart."""
    bucket = Bucket(500, 300)
    (said,) = plan_changes(make_run((Phase("train", 10.0, Bursts(800, 5.0, 0.05)),)).plan, bucket)
    assert said.endswith("spread over 1.01 s or more, 1.6 s apart: replayed, none is throttled.")
    wall = (Phase("wall", 2.0, Constant(900.0)), Phase("train", 10.0, Bursts(800, 5.0, 0.05)))
    (said,) = plan_changes(make_run(wall).plan, bucket)
    assert "of what else the plan sends are throttled all the same" in said
    record = make_run((Phase("train", 10.0, Bursts(800, 1.6, 1.01)),))
    assert plan_changes(record.plan, bucket) == ()
    assert bucket_accepts(record.schedule.offsets(0, record.schedule.count), 500, 301).all()


def test_concurrency_is_the_peak_of_measured_work(make_run: MakeRun) -> None:
    account = Account(concurrency=50)
    found = advice_of(make_run((Phase("steady", 10.0, Constant(800.0)),), account))["lambda:L-B99A9384"]
    assert found.required == pytest.approx(81, abs=2)
    assert found.recommended == 100
    assert found.verified
    assert "Little's law gives a mean of 80" in found.derivation
    assert "median latency" in found.derivation
    assert found.command.endswith("--service-code lambda --quota-code L-B99A9384 --desired-value 100")


def test_a_short_function_needs_concurrency_for_the_ten_times_rule(make_run: MakeRun) -> None:
    account = Account(concurrency=60)
    record = make_run((Phase("steady", 20.0, Constant(1000.0)),), account, service=ServiceTime(0.01, 0.01))
    found = advice_of(record)["lambda:L-B99A9384"]
    assert found.required == pytest.approx(96, abs=1)
    assert "10x rule" in found.derivation
    assert found.verified


def test_a_reserved_function_is_yours_to_set_but_needs_room(make_run: MakeRun) -> None:
    account = Account(concurrency=150, functions={"f": Function("f", reserved=20)})
    found = advice_of(make_run((Phase("steady", 10.0, Constant(800.0)),), account))
    assert found["lambda:reserved:f"].recommended == pytest.approx(100, abs=3)
    assert "--reserved-concurrent-executions" in found["lambda:reserved:f"].command
    assert "room for 50" in found["lambda:reserved:f"].derivation
    assert (found["lambda:L-B99A9384"].recommended or 0) >= (found["lambda:reserved:f"].recommended or 0) + 100
    assert all(advice.verified for advice in found.values())


def test_an_increase_does_not_help_against_the_scaling_rate(make_run: MakeRun) -> None:
    account = Account(concurrency=3000, functions={"f": Function("f", duration=ServiceTime(1.0, 1.0))})
    record = make_run((Phase("wall", 2.0, Constant(2500.0)),), account, service=ServiceTime(1.0, 1.0))
    found = advice_of(record)["lambda:scaling-rate"]
    assert not found.adjustable
    assert found.recommended is None
    assert "will not help" in found.derivation


def test_the_goal_scales_the_plan_until_its_highest_second_is_the_goal(make_run: MakeRun) -> None:
    load = (Phase("ramp", 5.0, Ramp(0, 100)), Phase("train", 10.0, Bursts(50, 5.0, 0.05)))
    found = demand(make_run(load, goal=Goal(3000.0)))
    assert highest_rate(found.times_s, 1.0) == pytest.approx(3000, rel=0.03)
    assert "the goal of 3,000 requests/s" in found.what


def test_with_headroom_everywhere_there_is_no_advice(make_run: MakeRun) -> None:
    assert advice_of(make_run((Phase("steady", 5.0, Constant(20.0)),))) == {}


def test_without_any_service_time_concurrency_is_not_guessed(make_run: MakeRun) -> None:
    record = make_run((Phase("steady", 0.2, Constant(100.0)),), Account(concurrency=0))
    assert advice_of(record).keys() <= {"lambda:scaling-rate"}


def test_declared_durations_stand_in_for_missing_answers(make_run: MakeRun) -> None:
    function = Function("f", duration=ServiceTime(0.5, 0.5))
    record = make_run((Phase("steady", 2.0, Constant(100.0)),), Account(concurrency=0, functions={"f": function}))
    found = advice_of(record)["lambda:L-B99A9384"]
    assert found.required == pytest.approx(50, abs=2)
    assert "declared durations" in found.derivation


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.floats(50, 400),
    size=st.integers(1, 300),
    width_s=st.floats(0.01, 1.0),
    stage=st.tuples(st.floats(10, 300), st.integers(1, 200)),
    concurrency=st.integers(1, 60),
    p99_s=st.floats(0.05, 0.5),
)
def test_what_is_recommended_admits_the_demand(
    make_run: MakeRun, rate: float, size: int, width_s: float, stage: tuple[float, int], concurrency: int, p99_s: float
) -> None:
    load = (Phase("steady", 3.0, Constant(rate)), Phase("train", 6.0, Bursts(size, 2.0, width_s, rate / 2)))
    function = Function("f", duration=ServiceTime(0.05, p99_s))
    account = Account(
        concurrency=concurrency,
        functions={"f": function},
        stages={"prod": Bucket(*stage)},
        usage_plans={"gold": UsagePlan("gold", Bucket(5, 5))},
    )
    record = make_run(load, account)
    record = replace(record, plan=replace(record.plan, target=replace(record.plan.target, usage_plan="gold")))
    wanted = demand(record)
    found = {one.quota: one for one in advise(record.plan, account, wanted)}
    assert all(advice.verified for advice in found.values())
    stage_advice = found.get("apigateway:stage:prod")
    if stage_advice is not None and stage_advice.burst is not None:
        accepted = bucket_accepts(wanted.times_s, stage_advice.recommended or 0, stage_advice.burst.recommended or 0)
        assert accepted.all()
    else:
        assert bucket_accepts(wanted.times_s, *stage).all()


def test_a_cap_far_below_the_requirement_throttles_in_the_replay(make_run: MakeRun) -> None:
    record = make_run((Phase("steady", 5.0, Constant(300.0)),), Account(concurrency=20))
    result = play(record.plan, record.account, demand(record))
    assert result.throttled_count[Layer.ACCOUNT_CONCURRENCY] > 100
