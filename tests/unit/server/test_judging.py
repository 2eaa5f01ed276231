"""Judging: from a run's record to a report that keeps its schema."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import burstline.server.judging.reporting
import pytest
from burstline.core.load.histogram import Histogram
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Bursts, Condition, Constant, Front, Goal, Phase, Ramp
from burstline.core.load.totals import Totals
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime
from burstline.server.judging.judging import PreflightAnswer, RunRecord, WorkerInfo, judge
from burstline.server.judging.reporting import quantiles
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

MakeRun = Callable[..., RunRecord]
STEADY = (Phase("steady", 5.0, Constant(300.0)),)
STAGE = Account(stages={"prod": Bucket(100, 100)}, declared=frozenset({"apigateway.stages.prod"}))
SCHEMA = json.loads(Path(burstline.server.judging.reporting.__file__).with_name("report.schema.json").read_text())


def judged(record: RunRecord) -> dict[str, Any]:
    """Return the report as a reader gets it; it keeps its schema and its ledgers close."""
    report: dict[str, Any] = json.loads(json.dumps(judge(record), allow_nan=False))
    Draft202012Validator(SCHEMA).validate(report)
    for ledger in (report["ledger"], *(phase["ledger"] for phase in report["phases"])):
        assert sum(ledger["outcomes"].values()) + ledger["in_flight"] + ledger["orphaned"] == ledger["sent"]
    columns = report["series"]["columns"]
    assert len({len(column) for column in columns.values()}) == 1
    owners = [column for name, column in columns.items() if name.startswith("throttled_by_")]
    assert [sum(second) for second in zip(*owners, strict=True)] == (columns["throttled"] if owners else [])
    assert owners or not any(columns["throttled"])
    return report


def test_the_schema_is_a_schema_and_closed() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["additionalProperties"] is False


def test_a_stage_that_binds_is_the_verdict_in_one_sentence_with_what_to_do(make_run: MakeRun) -> None:
    """300/s for 5 s against 100/s and 100: 600 of 1,500 pass, and the burst is gone after 0.5 s."""
    report = judged(make_run(STEADY, STAGE))
    throttled = report["ledger"]["outcomes"]["throttled"]
    assert report["verdict"] == "quota_bound"
    assert throttled == pytest.approx(900, abs=2)
    assert report["summary"] == (
        "Your stage throttle (100 requests/s, burst 100) binds from 0.5 s; "
        f"{throttled} of 1,500 requests were throttled."
    )
    (binding,) = report["bindings"]
    assert (binding["layer"], binding["throttled_count"]) == ("stage", throttled)
    advice = {one["quota"]: one for one in report["advice"]}["apigateway:stage:prod"]
    assert (advice["required"], advice["recommended"], advice["verified"]) == (300, 360, True)
    assert "--region eu-west-1" in advice["command"]
    assert sum(report["series"]["columns"]["throttled"]) == throttled


def test_every_second_says_who_throttled_also_where_two_do_at_a_time(make_run: MakeRun) -> None:
    """The account's 30 environments are busy from the first second; the stage's burst of 500 lasts for 2.5 s."""
    limits = frozenset({"apigateway.stages.prod", "lambda.concurrency"})
    account = Account(stages={"prod": Bucket(200, 500)}, concurrency=30, declared=limits)
    load = (Phase("steady", 8.0, Constant(400.0)),)
    columns = judged(make_run(load, account, service=ServiceTime(0.5, 0.5)))["series"]["columns"]
    stage, pool = columns["throttled_by_stage"], columns["throttled_by_account_concurrency"]
    assert not any(stage[:2])
    assert all(stage[3:8])
    assert all(pool[:8])


def test_a_clean_run_passes_without_advice(make_run: MakeRun) -> None:
    report = judged(make_run())
    assert (report["verdict"], report["verdicts"], report["advice"], report["bindings"]) == (
        "passed",
        ["passed"],
        [],
        [],
    )
    assert "none was throttled" in report["summary"]


def test_throttles_within_the_tolerance_pass(make_run: MakeRun) -> None:
    report = judged(make_run(STEADY, STAGE, tolerated_throttled=0.7))
    assert report["verdict"] == "passed"
    assert report["bindings"]


def test_lambda_throttles_behind_rest_are_settled_and_named(make_run: MakeRun) -> None:
    account = Account(concurrency=50, declared=frozenset({"lambda.concurrency"}))
    load = (Phase("ramp", 10.0, Ramp(50, 600)),)
    record = make_run(load, account, service=ServiceTime(0.2, 0.4))
    report = judged(record)
    assert report["ledger"]["signatures"]["rest.500.internal"] == report["ledger"]["outcomes"]["throttled"]
    assert "Your account's Lambda concurrency (50 calls in flight) binds" in report["summary"]
    rows = {(row["outcome"], row["basis"]) for row in report["latency"]}
    assert rows == {("ok", "due"), ("ok", "sent"), ("throttled", "due"), ("throttled", "sent")}


def test_quick_throttles_do_not_hide_how_slow_work_is(make_run: MakeRun) -> None:
    """A stage lets 100/s of 300/s through, work takes 200 ms: the seconds' median of ok requests stays at it."""
    columns = judged(make_run(STEADY, STAGE, service=ServiceTime(0.2, 0.2)))["series"]["columns"]
    for basis in ("due", "sent"):
        assert columns[f"latency_ok_{basis}_p50_s"][2] >= 0.2
        assert columns[f"latency_throttled_{basis}_p99_s"][2] < 0.1
    assert {len(column) for column in columns.values()} == {len(columns["due"])}


def test_a_generator_that_could_not_keep_up_gets_no_advice(make_run: MakeRun) -> None:
    report = judged(make_run(STEADY, STAGE, late_s=0.012))
    assert report["verdict"] == "generator_limited"
    assert "quota_bound" in report["verdicts"]
    assert report["advice"] == []
    assert report["generator"]["limited_s"] >= 5
    assert any("withheld" in note for note in report["notes"])


def test_a_late_emulator_is_not_a_quota(make_run: MakeRun) -> None:
    report = judged(make_run(STEADY, STAGE, changes={"target_lateness_p99_s": 0.0021}))
    assert report["verdict"] == "generator_limited"
    assert any(note.startswith("Target limited") for note in report["notes"])
    assert "target itself was late" in report["summary"]


@pytest.mark.parametrize(
    ("changes", "verdict", "sentence"),
    [
        ({"stopped_by": "abort", "abort_rule": "throttled > 50% for 10s"}, "aborted", "its own rule"),
        ({"problem": "no worker came"}, "could_not_run", "no worker came"),
    ],
)
def test_a_run_that_did_not_end_by_itself_says_why(
    make_run: MakeRun, changes: dict[str, str], verdict: str, sentence: str
) -> None:
    report = judged(make_run(STEADY, STAGE, changes=changes))
    assert report["verdict"] == verdict
    assert sentence in report["summary"]


def test_a_passed_run_that_a_user_stopped_says_that_it_was_stopped(make_run: MakeRun) -> None:
    report = judged(make_run(changes={"stopped_by": "user", "duration_s": 2.0}))
    assert report["verdict"] == "passed"
    assert report["summary"].startswith("Stopped by a user after 2.0 of 5.0 s. Until then: ")
    assert "Passed" not in report["summary"]


def test_a_run_that_never_started_still_has_a_report(make_run: MakeRun) -> None:
    record = make_run(STEADY, STAGE)
    empty = Ledger(scheduled=1500, not_due=1500)
    nothing = replace(
        record, totals=Totals(), ledger=empty, ledgers_by_phase=[empty], started_at=None, duration_s=0.0, problem="x"
    )
    report = judged(nothing)
    assert report["verdict"] == "could_not_run"
    assert report["latency"] == []
    assert report["lateness"] == {"p50_s": None, "p99_s": None, "max_s": None}
    assert report["cost"]["estimated_usd"] == 0


def test_a_dead_worker_makes_the_run_incomplete(make_run: MakeRun) -> None:
    record = make_run()
    whole = record.ledger
    short = replace(whole, scheduled=whole.scheduled + 10, due=whole.due + 10, lost=10)
    report = judged(replace(record, ledger=short, ledgers_by_phase=[replace(short, preflight=0)]))
    assert report["verdict"] == "incomplete"
    assert "10 were lost" in report["summary"]


def test_a_ledger_that_does_not_close_is_said(make_run: MakeRun) -> None:
    record = make_run()
    broken = replace(record.ledger, due=record.ledger.due + 1)
    notes = judge(replace(record, ledger=broken))["notes"]
    assert any(note.startswith("The ledger does not close") for note in notes)


def test_thresholds_fail_the_run_when_nothing_binds(make_run: MakeRun) -> None:
    threshold = Condition("latency p99 < 100ms", "latency", 0.99, "<", 0.1)
    report = judged(make_run(STEADY, thresholds=(threshold,)))
    assert report["verdict"] == "threshold_failed"
    assert "latency p99 < 100ms" in report["summary"]
    assert report["thresholds"][0]["observed"] == pytest.approx(0.12, rel=0.02)


def test_everything_a_record_can_hold_fits_the_schema(make_run: MakeRun) -> None:
    changes = {
        "workers": (WorkerInfo("workers/w1", "host", 7, "0.1.0", (0,), True, 0.001),),
        "preflight": (PreflightAnswer("quote", "10.0.0.1", 200, "rest.ok", "rest", "", 0.1),),
        "region": "eu-west-1",
        "account_last4": "1234",
        "stopped_by": "user",
        "notes": ("a note",),
    }
    load = (*STEADY, Phase("train", 5.0, Bursts(200, 2.5, 0.05, 10.0)))
    account = replace(STAGE, functions={"f": Function("f", reserved=30, memory_mb=512)})
    report = judged(make_run(load, account, goal=Goal(900.0), changes=changes, error_ratio=0.01))
    assert report["notes"][0] == "a note"
    assert "lambda_duration" in report["cost"]["parts"]
    assert report["plan"]["load"][1]["shape"]["kind"] == "bursts"


@pytest.mark.parametrize("front", [Front.HTTP, Front.FUNCTION_URL, Front.ALB])
def test_every_front_is_judged(make_run: MakeRun, front: Front) -> None:
    account = Account(concurrency=20, declared=frozenset({"lambda.concurrency"}))
    load = (Phase("ramp", 5.0, Ramp(10, 150)),)
    report = judged(make_run(load, account, front=front, service=ServiceTime(0.4, 0.4)))
    assert report["verdict"] == "quota_bound"
    assert {advice["quota"] for advice in report["advice"]} == {"lambda:L-B99A9384"}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    front=st.sampled_from([Front.REST, Front.HTTP, Front.FUNCTION_URL, Front.ALB]),
    rate=st.floats(1, 300),
    size=st.integers(1, 200),
    every_s=st.floats(0.3, 3.0),
    stage=st.none() | st.tuples(st.floats(0, 200), st.integers(0, 100)),
    concurrency=st.integers(0, 60),
    reserved=st.none() | st.integers(0, 30),
    error_ratio=st.sampled_from([0.0, 0.02]),
    goal=st.none() | st.floats(1, 1000),
)
def test_whatever_binds_the_report_keeps_its_schema_and_its_sums(
    make_run: MakeRun,
    front: Front,
    rate: float,
    size: int,
    every_s: float,
    stage: tuple[float, int] | None,
    concurrency: int,
    reserved: int | None,
    error_ratio: float,
    goal: float | None,
) -> None:
    load = (Phase("steady", 1.5, Constant(rate)), Phase("train", 3.0, Bursts(size, every_s, every_s / 10, rate / 3)))
    account = Account(
        concurrency=concurrency,
        functions={"f": Function("f", reserved=reserved, duration=ServiceTime(0.1, 0.2))},
        stages={"prod": Bucket(*stage)} if stage else {},
        declared=frozenset({"lambda.concurrency", "apigateway.stages.prod"}),
    )
    ratio = error_ratio if front is not Front.FUNCTION_URL else 0.0
    record = make_run(load, account, front=front, error_ratio=ratio, goal=Goal(goal) if goal else None)
    report = judged(record)
    bound = sum(binding["throttled_count"] for binding in report["bindings"])
    assert bound == pytest.approx(report["ledger"]["outcomes"]["throttled"], abs=3)
    assert all(advice["verified"] or advice["recommended"] is None for advice in report["advice"])


@pytest.mark.parametrize(("count", "known"), [(9, []), (20, ["p50_s"]), (999, ["p50_s", "p90_s"]), (1000, ["p99_s"])])
def test_quantiles_of_too_few_samples_are_null(count: int, known: list[str]) -> None:
    """q needs 10 / (1 - q): 20 for the median, 100 for p90, 1,000 for p99, 10,000 for p99.9."""
    histogram = Histogram()
    for _ in range(count):
        histogram.add(0.1)
    found = quantiles(histogram, ("p50_s", "p90_s", "p99_s", "p999_s", "max_s"))
    assert found["max_s"] == 0.1
    assert found["p999_s"] is None
    assert (found["p99_s"] is not None) is (count >= 1000)
    assert all(found[name] is not None for name in known)
    assert count >= 20 or found["p50_s"] is None


def test_a_minute_at_2000_per_second_is_judged_in_two_seconds(make_run: MakeRun) -> None:
    load = (Phase("steady", 60.0, Constant(2000.0)),)
    account = replace(STAGE, stages={"prod": Bucket(1000, 500)}, concurrency=80)
    record = make_run(load, account, service=ServiceTime(0.1, 0.3))
    started = time.process_time()
    report = judge(record)
    assert time.process_time() - started < 2.0
    assert len(report["advice"]) == 2
