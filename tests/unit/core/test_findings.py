"""Findings: what a run used of each limit."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from burstline.core.load.plan import Constant, Front, Phase
from burstline.core.load.totals import Totals
from burstline.core.quota.answers.inflight import floor_of
from burstline.core.quota.answers.series import series_of
from burstline.core.quota.findings.findings import Finding, findings_of
from burstline.core.quota.quotas import Account, Bucket, Function
from burstline.server.judging.judging import RunRecord

MakeRun = Callable[..., RunRecord]
STEADY = (Phase("steady", 5.0, Constant(400.0)),)


def findings(record: RunRecord) -> dict[str, Finding]:
    found = findings_of(
        record.plan, record.account, series_of(record.totals), floor_of(record.totals, {"rest.500.internal"})
    )
    return {one.quota: one for one in found}


def test_use_stands_against_each_limit_with_its_source(make_run: MakeRun) -> None:
    account = Account(
        gateway=Bucket(800, 500), stages={"prod": Bucket(200, 100)}, declared=frozenset({"apigateway.rate"})
    )
    found = findings(make_run(STEADY, account))
    rate = found["apigateway:L-8A5B8E43"]
    assert (rate.limit, rate.limit_source, rate.use_source) == (800, "declared", "client")
    assert rate.peak_use == pytest.approx(400, abs=5)
    assert rate.headroom_ratio == pytest.approx(0.5, abs=0.01)
    assert found["apigateway:L-CDF5615A"].limit_source == "default"
    assert found["apigateway:L-CDF5615A"].peak_use <= 5
    assert (found["apigateway:stage:prod:rate"].headroom_ratio or 0) == pytest.approx(-1, abs=0.02)
    # 400/s against 200/s for 5 s asks for 1,000 more than the rate gives
    assert found["apigateway:stage:prod:burst"].peak_use == pytest.approx(1000, abs=5)


def test_concurrency_is_estimated_without_the_network(make_run: MakeRun) -> None:
    found = findings(make_run(STEADY, Account(concurrency=30), round_trip_s=0.08))
    assert found["lambda:L-B99A9384"].peak_use == pytest.approx(30, abs=2)
    assert found["lambda:L-B99A9384:rate"].limit == 300


def test_a_reserved_function_is_held_against_its_own_limit(make_run: MakeRun) -> None:
    account = Account(functions={"f": Function("f", reserved=80)}, declared=frozenset({"lambda.functions.f"}))
    found = findings(make_run(STEADY, account, front=Front.FUNCTION_URL))
    assert "lambda:L-B99A9384" not in found
    assert found["lambda:reserved:f"].limit_source == "declared"
    assert found["lambda:reserved:f"].limit == 80


def test_a_front_without_lambda_has_no_findings(make_run: MakeRun) -> None:
    record = make_run(STEADY)
    record = replace(record, plan=replace(record.plan, target=replace(record.plan.target, front=Front.PLAIN)))
    assert findings(record) == {}


def test_a_run_that_sent_nothing_has_no_findings(make_run: MakeRun) -> None:
    assert findings(replace(make_run(), totals=Totals())) == {}


def test_a_limit_of_zero_has_no_headroom_to_state() -> None:
    assert Finding("q", "name", 0.0, "declared", 5.0).headroom_ratio is None
