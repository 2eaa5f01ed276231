"""Verdicts in their order, and thresholds on settled outcomes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Condition, Constant, Phase
from burstline.core.load.totals import Totals
from burstline.core.quota.answers.series import series_of
from burstline.core.quota.answers.settle import settle
from burstline.core.quota.findings.verdict import EXIT_CODES, ThresholdResult, Verdict, evaluate, verdicts
from burstline.core.quota.quotas import Account, Bucket
from burstline.server.judging.judging import RunRecord

FINE: dict[str, object] = {
    "problem": "",
    "ledger": Ledger(scheduled=1000, due=1000, sent=1000),
    "generator_limited": False,
    "aborted": False,
    "throttled_ratio": 0.0,
    "tolerated_ratio": 0.0,
    "thresholds": [],
}
FAILED = [ThresholdResult("throttled < 1%", 0.5, False)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Verdict.PASSED),
        ({"thresholds": FAILED}, Verdict.THRESHOLD_FAILED),
        ({"thresholds": FAILED, "throttled_ratio": 0.01}, Verdict.QUOTA_BOUND),
        ({"throttled_ratio": 0.01, "tolerated_ratio": 0.01}, Verdict.PASSED),
        ({"throttled_ratio": 0.01, "aborted": True}, Verdict.ABORTED),
        ({"throttled_ratio": 0.01, "aborted": True, "generator_limited": True}, Verdict.GENERATOR_LIMITED),
        ({"ledger": Ledger(due=1000, lost=1), "generator_limited": True}, Verdict.GENERATOR_LIMITED),
        ({"ledger": Ledger(due=1000, lost=2), "generator_limited": True}, Verdict.INCOMPLETE),
        ({"ledger": Ledger(due=1000, unsent=1, orphaned=1)}, Verdict.INCOMPLETE),
        ({"ledger": Ledger(due=1000, lost=500), "problem": "no worker came"}, Verdict.COULD_NOT_RUN),
        ({"ledger": Ledger()}, Verdict.PASSED),
    ],
)
def test_the_first_verdict_that_applies_decides(changes: dict[str, object], expected: Verdict) -> None:
    assert verdicts(**FINE | changes)[0] is expected  # type: ignore[arg-type]  # one table for all fields


def test_all_that_apply_are_listed_and_passed_only_alone() -> None:
    found = verdicts(**FINE | {"thresholds": FAILED, "throttled_ratio": 0.5})  # type: ignore[arg-type]  # as above
    assert found == (Verdict.QUOTA_BOUND, Verdict.THRESHOLD_FAILED)


def test_every_verdict_has_its_own_exit_code() -> None:
    assert len(set(EXIT_CODES.values())) == len(Verdict) == 7
    assert EXIT_CODES[Verdict.THRESHOLD_FAILED] == 99


def condition(measure: str, operator: str, limit: float, quantile: float | None = None) -> Condition:
    return Condition(f"{measure} {operator} {limit}", measure, quantile, operator, limit)


def observed(record: RunRecord, *conditions: Condition) -> list[ThresholdResult]:
    plan = replace(record.plan, thresholds=conditions)
    settlement = settle(plan, record.account, record.totals, series_of(record.totals))
    return evaluate(plan, record.totals, record.ledger, settlement, record.duration_s)


def test_thresholds_see_settled_outcomes_and_ignore_quick_refusals(make_run: Callable[..., RunRecord]) -> None:
    """300/s against 100/s with a burst of 100 for 5 s: 600 of 1,500 get through, and take 120 ms."""
    record = make_run((Phase("steady", 5.0, Constant(300.0)),), Account(stages={"prod": Bucket(100, 100)}))
    latency, throttled, ok, rate, unsettled, dropped = observed(
        record,
        condition("latency", ">", 0.11, 0.5),
        condition("throttled", "<", 0.5),
        condition("ok", ">=", 0.35),
        condition("rate", ">=", 300),
        condition("unsettled", "<=", 0),
        condition("dropped", "<=", 0),
    )
    assert latency.passed
    assert latency.observed == pytest.approx(0.1205, rel=0.01)
    assert not throttled.passed
    assert throttled.observed == pytest.approx(0.6, abs=0.01)
    assert ok.passed
    assert rate.passed
    assert unsettled.passed
    assert dropped.passed


def test_a_threshold_without_anything_observed_does_not_pass(make_run: Callable[..., RunRecord]) -> None:
    record = replace(make_run(), totals=Totals(), ledger=Ledger())
    for result in observed(record, condition("latency", "<", 1, 0.99), condition("failed", "<", 1)):
        assert result.observed is None
        assert not result.passed
