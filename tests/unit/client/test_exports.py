"""A report for other tools: CSV, OpenMetrics, JUnit; and which runs a list takes."""

import csv
import io
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from burstline.client.reports.junit import junit_xml
from burstline.client.reports.listing import Filter, run_document
from burstline.client.reports.tabular import csv_bytes, openmetrics_bytes
from burstline.core.load.plan import Condition, Constant, Phase
from burstline.core.quota.quotas import Account, Bucket
from burstline.server.judging.judging import RunRecord, judge
from burstline.v1 import resources_pb2 as v1
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def parsed(report: dict[str, Any]) -> dict[str, Metric]:
    families = text_string_to_metric_families(openmetrics_bytes(report).decode())  # type: ignore[no-untyped-call]  # theirs
    return {one.name: one for one in families}


STEADY = (Phase("steady", 5.0, Constant(300.0)),)
STAGE = Account(stages={"prod": Bucket(100, 100)}, declared=frozenset({"apigateway.stages.prod"}))


@pytest.fixture
def report(make_run: Callable[..., RunRecord]) -> dict[str, Any]:
    threshold = Condition("throttled < 1%", "throttled", None, "<", 0.01)
    return judge(make_run(STEADY, STAGE, thresholds=(threshold,)))


def test_csv_has_a_row_per_second_that_sums_to_the_ledger(report: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_bytes(report).decode())))
    assert [int(row["second"]) for row in rows] == list(range(len(rows)))
    assert sum(int(row["sent"]) for row in rows) == report["ledger"]["sent"]
    assert sum(int(row["throttled"]) for row in rows) == report["ledger"]["outcomes"]["throttled"]
    assert list(rows[0])[1:] == list(report["series"]["columns"])


def test_csv_leaves_a_cell_empty_where_nothing_is_known(report: dict[str, Any]) -> None:
    report["series"]["columns"]["latency_ok_due_p99_s"][0] = None
    assert next(csv.DictReader(io.StringIO(csv_bytes(report).decode())))["latency_ok_due_p99_s"] == ""


def test_openmetrics_are_read_by_prometheus_own_parser_and_are_the_reports_numbers(report: dict[str, Any]) -> None:
    families = parsed(report)
    signatures = {one.labels["signature"]: one.value for one in families["burstline_requests"].samples}
    assert signatures == report["ledger"]["signatures"]
    outcomes = {one.labels["outcome"]: one.value for one in families["burstline_settled_requests"].samples}
    assert outcomes == report["ledger"]["outcomes"]
    headroom = {one.labels["quota"]: one.value for one in families["burstline_quota_headroom_ratio"].samples}
    assert headroom == {one["quota"]: one["headroom_ratio"] for one in report["findings"]}
    assert families["burstline_quota_recommended"].samples
    quantiles = {one.labels.get("quantile") for one in families["burstline_request_duration_seconds"].samples}
    assert {"0.5", "0.9", None} <= quantiles


def test_openmetrics_name_no_run_so_that_two_runs_have_the_same_series(report: dict[str, Any]) -> None:
    assert report["run"]["id"] not in openmetrics_bytes(report).decode()


def test_openmetrics_bear_any_name(report: dict[str, Any]) -> None:
    report["run"]["name"] = 'a "quoted"\\ name\nin two lines'
    families = parsed(report)
    assert families["burstline_run"].samples[0].labels["name"] == report["run"]["name"]


def test_junit_has_the_verdict_and_each_threshold(report: dict[str, Any]) -> None:
    suite = ElementTree.fromstring(junit_xml(report))
    assert (suite.tag, suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("testsuite", "2", "2", "0")
    assert [case.get("name") for case in suite] == ["verdict", "throttled < 1%"]
    messages = [failure.get("message", "") for failure in suite.iter("failure")]
    assert messages[0].startswith("quota_bound: Your stage throttle (100 requests/s, burst 100) binds")
    assert messages[1].startswith("observed 60.")


def run(name: str, state: v1.Run.State.ValueType, verdict: str, created_s: int) -> v1.Run:
    plan = v1.Plan(name=name)
    return v1.Run(name="runs/r1", plan=plan, state=state, verdict=verdict, create_time=Timestamp(seconds=created_s))


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Filter(), True),
        (Filter(name="CHECK"), True),
        (Filter(name="other"), False),
        (Filter(states=("running", "succeeded")), True),
        (Filter(states=("running",)), False),
        (Filter(verdicts=("quota_bound",)), True),
        (Filter(verdicts=("passed",)), False),
        (Filter(since_s=1000.0), True),
        (Filter(since_s=1001.0), False),
        (Filter("checkout", ("succeeded",), ("passed",)), False),
    ],
)
def test_a_list_takes_the_runs_that_meet_every_filter(wanted: Filter, takes: bool) -> None:
    assert wanted.takes(run("checkout-peak", v1.Run.SUCCEEDED, "quota_bound", 1000)) is takes


def test_a_run_without_a_verdict_has_null_for_it() -> None:
    found = run_document(run("checkout-peak", v1.Run.RUNNING, "", 0))
    assert found == {
        "run": "r1", "name": "checkout-peak", "created_at": "1970-01-01T00:00:00+00:00", "state": "running",
        "verdict": None, "reason": None,
    }  # fmt: skip
