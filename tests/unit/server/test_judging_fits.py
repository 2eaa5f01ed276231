"""Judging without declared quotas: the fit names the law and its numbers, and advice follows from them."""

import json
from pathlib import Path
from typing import Any

import burstline.server.judging.reporting
import pytest
from burstline.core.load.plan import Bursts, Constant, Front, Goal, Phase, Plan, Request, Target
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime
from burstline.server.judging.judging import judge
from jsonschema import Draft202012Validator
from virtual_runs import play_run

SCHEMA = json.loads(Path(burstline.server.judging.reporting.__file__).with_name("report.schema.json").read_text())
URL = "https://abc.execute-api.eu-west-1.amazonaws.com/prod"
STEADY = (Phase("steady", 10.0, Constant(300.0)),)
TRAIN = (Phase("train", 20.0, Bursts(200, 5.0, 0.05, 20.0)),)


def judged(truth: Account, front: Front, real: Front, load: tuple[Phase, ...] = STEADY, **plan: Any) -> dict[str, Any]:
    """Judge a run whose user declared nothing."""
    asked = Plan("fits", Target(URL, front, "f", "prod"), (Request("quote"),), load, seed=3, **plan)
    record = play_run(asked, truth, Account(), service_seed=1, worker_count=2, front_of_target=real).record
    report: dict[str, Any] = json.loads(json.dumps(judge(record), allow_nan=False))
    Draft202012Validator(SCHEMA).validate(report)
    return report


def account(**limits: Any) -> Account:
    reserved, mean_s = limits.pop("reserved", None), limits.pop("mean_s", 0.4)
    function = Function("f", reserved=reserved, duration=ServiceTime(mean_s, 1.5 * mean_s), timeout_s=60.0)
    return Account(functions={"f": function}, **limits)


@pytest.mark.parametrize("front", [Front.PLAIN, Front.REST])
def test_a_bucket_that_nobody_declared_is_named_by_its_fitted_rate_and_burst(front: Front) -> None:
    report = judged(account(stages={"prod": Bucket(100, 60)}), front, Front.REST)
    fits = {one["parameter"]: one["value"] for one in report["fits"]}
    assert fits["rate"] == pytest.approx(100, rel=0.005)
    assert fits["burst"] == pytest.approx(60, abs=3)
    (binding,) = report["bindings"]
    assert (binding["family"], binding["layer"]) == ("bucket", None)
    assert all("rate 100" in candidate["evidence"] for candidate in binding["candidates"])
    assert "rate 100" in report["summary"]
    finding = next(one for one in report["findings"] if one["quota"] == "fitted:bucket:rate")
    assert (finding["limit_source"], round(finding["limit"])) == ("fitted", 100)
    advice = next(one for one in report["advice"] if one["quota"] == "fitted:bucket")
    assert (advice["required"], advice["recommended"], advice["verified"]) == (300, 360, True)
    assert advice["command"] is None


def test_a_train_of_bursts_against_a_plain_target_is_advised_on_too() -> None:
    report = judged(account(stages={"prod": Bucket(100, 60)}, mean_s=0.01), Front.PLAIN, Front.REST, TRAIN)
    advice = next(one for one in report["advice"] if one["quota"] == "fitted:bucket")
    assert advice["burst"]["current"] == pytest.approx(60, abs=4)
    assert advice["burst"]["recommended"] >= 200
    assert advice["verified"]


def test_where_a_cap_would_explain_it_as_well_no_law_is_named() -> None:
    """Bursts much shorter than the calls: 60 tokens or 60 calls in flight refuse the same requests."""
    alone = (Phase("train", 20.0, Bursts(200, 5.0, 0.05)),)
    report = judged(account(stages={"prod": Bucket(15, 60)}), Front.PLAIN, Front.REST, alone)
    assert {binding["family"] for binding in report["bindings"]} == {"unknown"}
    assert report["fits"] == []


def test_what_comes_back_within_a_burst_tells_a_bucket_from_a_cap() -> None:
    """Five tokens in each of four bursts of 0.05 s, in which no call ends."""
    report = judged(account(stages={"prod": Bucket(100, 60)}), Front.PLAIN, Front.REST, TRAIN)
    assert {binding["family"] for binding in report["bindings"]} == {"bucket"}
    fits = {one["parameter"]: one for one in report["fits"]}
    assert fits["rate"]["low"] <= 100 <= fits["rate"]["high"]
    assert fits["burst"]["value"] == pytest.approx(60, abs=3)


@pytest.mark.parametrize(("front", "real"), [(Front.PLAIN, Front.ALB), (Front.REST, Front.REST)])
def test_a_cap_that_nobody_declared_is_fitted_and_its_owner_left_open(front: Front, real: Front) -> None:
    report = judged(account(reserved=50), front, real)
    (fit,) = report["fits"]
    assert fit["parameter"] == "concurrency"
    assert fit["value"] == pytest.approx(50, abs=1.0)
    assert report["bindings"][0]["family"] == "concurrency"
    advice = next(one for one in report["advice"] if one["quota"] == "fitted:concurrency")
    assert advice["recommended"] > 120
    assert advice["verified"]


def test_a_reason_names_the_layer_and_the_fit_its_value() -> None:
    report = judged(account(reserved=50), Front.FUNCTION_URL, Front.FUNCTION_URL)
    assert report["bindings"][0]["layer"] == "reserved_concurrency"
    advice = next(one for one in report["advice"] if one["quota"] == "lambda:reserved:f")
    assert advice["current"] == pytest.approx(50, abs=1.0)
    assert "put-function-concurrency" in advice["command"]


def test_a_goal_beyond_what_was_sent_scales_what_a_fitted_limit_needs() -> None:
    report = judged(account(stages={"prod": Bucket(100, 60)}), Front.PLAIN, Front.REST, goal=Goal(900.0))
    advice = next(one for one in report["advice"] if one["quota"] == "fitted:bucket")
    assert advice["required"] == 900
