"""Bindings: who throttled, when, and what is not claimed."""

from collections.abc import Callable

import pytest
from burstline.core.load.plan import Bursts, Constant, Front, Pause, Phase, Ramp, Target
from burstline.core.quota.answers.inflight import floor_of
from burstline.core.quota.answers.series import series_of
from burstline.core.quota.answers.settle import settle
from burstline.core.quota.findings.bindings import Binding, bindings_of
from burstline.core.quota.quotas import Account, Bucket, Family, Function, Layer, ServiceTime, UsagePlan
from burstline.server.judging.judging import RunRecord

MakeRun = Callable[..., RunRecord]
STATED = frozenset({"lambda.concurrency", "apigateway.stages.prod", "apigateway.usage_plans.gold"})
STEADY = (Phase("steady", 10.0, Constant(300.0)),)


def bindings(record: RunRecord, account: Account | None = None) -> tuple[Binding, ...]:
    account = account or record.account
    series = series_of(record.totals)
    settlement = settle(record.plan, account, record.totals, series)
    return bindings_of(record.plan, account, series, settlement, floor_of(record.totals, settlement.explained))


def test_a_declared_stage_is_named_with_the_instant_it_began(make_run: MakeRun) -> None:
    """300/s against 100/s and 100: the burst is gone after 100 / (300 - 100) = 0.5 s."""
    record = make_run(STEADY, Account(stages={"prod": Bucket(100, 100)}, declared=STATED))
    (found,) = bindings(record)
    assert found.layer is Layer.STAGE
    assert found.family is Family.BUCKET
    assert found.part == "rate"
    assert found.from_s == pytest.approx(0.5, abs=0.02)
    assert found.to_s == pytest.approx(10.0, abs=0.02)
    assert found.throttled_count == record.ledger.signatures["rest.429.too_many"]
    assert found.confidence > 0.8
    assert found.limit == Bucket(100, 100)


def test_without_declared_limits_no_layer_is_named(make_run: MakeRun) -> None:
    record = make_run(STEADY, Account(stages={"prod": Bucket(100, 100)}))
    (found,) = bindings(record, Account())
    assert found.layer is None
    assert {one.layer for one in found.candidates} == {Layer.USAGE_PLAN, Layer.STAGE, Layer.ACCOUNT_GATEWAY}
    assert found.confidence < 0.5


def test_two_equal_buckets_cannot_be_told_apart(make_run: MakeRun) -> None:
    target = Target("https://abc.execute-api.eu-west-1.amazonaws.com/prod", Front.REST, "f", "prod", "gold")
    account = Account(
        stages={"prod": Bucket(100, 100)}, usage_plans={"gold": UsagePlan("gold", Bucket(100, 100))}, declared=STATED
    )
    (found,) = bindings(make_run(STEADY, account, target=target))
    assert found.layer is None
    assert [one.layer for one in found.candidates if one.explains] == [Layer.USAGE_PLAN, Layer.STAGE]


def test_a_default_limit_that_fits_is_a_candidate_and_no_more(make_run: MakeRun) -> None:
    (found,) = bindings(make_run(STEADY, Account(gateway=Bucket(100, 100))))
    assert found.layer is None
    assert [one.layer for one in found.candidates if one.explains] == [Layer.ACCOUNT_GATEWAY]


def test_a_wrongly_declared_stage_is_not_blamed(make_run: MakeRun) -> None:
    record = make_run(STEADY, Account(stages={"prod": Bucket(100, 100)}))
    (found,) = bindings(record, Account(stages={"prod": Bucket(200, 100)}, declared=STATED))
    assert found.layer is None


def test_bursts_over_a_bucket_whose_rate_suffices_are_its_burst_and_one_binding(make_run: MakeRun) -> None:
    load = (Phase("train", 20.0, Bursts(300, 5.0, 0.05)),)
    (found,) = bindings(make_run(load, Account(stages={"prod": Bucket(200, 100)}, declared=STATED)))
    assert found.part == "burst"
    assert found.layer is Layer.STAGE


def test_the_end_of_a_ramp_over_the_rate_is_the_rate_although_it_throttled_for_an_instant_only(
    make_run: MakeRun,
) -> None:
    load = (Phase("ramp", 10.0, Ramp(60, 240)), Phase("rest", 2.0, Pause()))
    (found,) = bindings(make_run(load, Account(stages={"prod": Bucket(150, 200)}, declared=STATED)))
    assert found.to_s - found.from_s < 1
    assert found.part == "rate"


def test_steady_load_and_bursts_make_two_bindings(make_run: MakeRun) -> None:
    load = (Phase("steady", 5.0, Constant(300.0)), Phase("train", 20.0, Bursts(300, 5.0, 0.05)))
    found = bindings(make_run(load, Account(stages={"prod": Bucket(200, 100)}, declared=STATED)))
    assert [one.part for one in found] == ["rate", "burst"]


def test_throttles_a_pause_apart_are_two_spans(make_run: MakeRun) -> None:
    load = (*STEADY, Phase("rest", 10.0, Pause()), Phase("again", 5.0, Constant(300.0)))
    found = bindings(make_run(load, Account(stages={"prod": Bucket(100, 100)}, declared=STATED)))
    assert len(found) == 2
    assert found[1].from_s == pytest.approx(20.5, abs=0.02)


def test_a_reason_names_its_layer_without_any_declaration(make_run: MakeRun) -> None:
    account = Account(functions={"f": Function("f", reserved=10)})
    load = (Phase("slow", 10.0, Constant(60.0)),)
    record = make_run(load, account, front=Front.FUNCTION_URL, service=ServiceTime(0.5, 0.5))
    found = bindings(record)
    assert {one.layer for one in found} == {Layer.RESERVED_CONCURRENCY}
    assert found[0].confidence > 0.9
    assert found[0].family is Family.CONCURRENCY


def test_a_declared_cap_is_named_behind_rest(make_run: MakeRun) -> None:
    load = (Phase("ramp", 10.0, Ramp(50, 600)),)
    account = Account(concurrency=50, declared=STATED)
    found = bindings(make_run(load, account, service=ServiceTime(0.2, 0.4)))
    assert {one.layer for one in found} == {Layer.ACCOUNT_CONCURRENCY}


def test_the_ten_times_rule_is_told_from_concurrency(make_run: MakeRun) -> None:
    load = (Phase("ramp", 10.0, Ramp(10, 800)),)
    account = Account(concurrency=40, declared=STATED)
    found = bindings(make_run(load, account, service=ServiceTime(0.005, 0.005)))
    assert {one.layer for one in found} == {Layer.INVOCATION_RATE}
    assert {one.family for one in found} == {Family.INVOCATION_RATE}


def test_a_used_up_plan_quota_is_the_usage_plan(make_run: MakeRun) -> None:
    record = make_run(STEADY, Account(stages={"prod": Bucket(100, 100)}))
    bins = record.totals.answer_bins
    bins["rest.429.plan_quota"] = bins.pop("rest.429.too_many")
    for key in [key for key in record.totals.answers if key.signature == "rest.429.too_many"]:
        count = record.totals.answers.pop(key)
        record.totals.answers[type(key)(key.phase, key.request, "rest.429.plan_quota")] = count
    (found,) = bindings(record)
    assert (found.layer, found.family) == (Layer.USAGE_PLAN, Family.PLAN_QUOTA)


def test_nothing_throttled_binds_nothing(make_run: MakeRun) -> None:
    assert bindings(make_run()) == ()
