"""What CloudWatch changes: ambiguous answers are split, layers named, accounts taken over. All numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest
from burstline.core.load.plan import Bursts, Constant, Front, Pause, Phase, Plan, Request, Target
from burstline.core.quota.answers.series import Series
from burstline.core.quota.aws.attribution import attribute
from burstline.core.quota.aws.cloudwatch import (
    GATEWAY,
    LAMBDA,
    Metric,
    MetricSeries,
    Watch,
    headrooms,
    layer_of_throttles,
    neighbour_throttles,
)
from burstline.core.quota.aws.cold_starts import ColdStarts, enough
from burstline.core.quota.aws.confirming import confirmed_findings, decisions, throttle_notes, with_cold_starts
from burstline.core.quota.aws.neighbours import (
    Neighbours,
    NeighbourThrottles,
    new_throttles,
    pool_share,
    run_concurrency,
)
from burstline.core.quota.aws.readings import CONCURRENCY, Reading, apply_readings
from burstline.core.quota.findings.findings import Finding
from burstline.core.quota.quotas import Account, Bucket, Family, Function, Layer, default_account

FN = (("FunctionName", "checkout"),)


def watch(*series: tuple[str, str, str, list[tuple[float, float]]], complete: bool = True) -> Watch:
    """A watch of (metric, statistic, function or "", points)."""
    made = [
        MetricSeries(Metric(LAMBDA, name, statistic, (("FunctionName", fn),) if fn else ()), tuple(points))
        for name, statistic, fn, points in series
    ]
    return Watch(-60.0, 120.0, complete, tuple(made))


def throttles(*points: tuple[float, float], complete: bool = True) -> Watch:
    return watch(("Throttles", "Sum", "checkout", list(points)), complete=complete)


def bins(**at: int) -> np.ndarray:
    """120 s of 10 ms bins; `s5=7` puts 7 answers at 5 s."""
    found = np.zeros(12_000, np.int64)
    for name, count in at.items():
        found[int(name[1:]) * 100] = count
    return found


def plan(front: Front = Front.REST, url: str = "http://h/prod", function: str = "checkout") -> Plan:
    made = Target(url, front, function=function)
    return Plan("p", made, (Request("q"),), (Phase("p", 120.0, Constant(1.0)),))


@pytest.mark.parametrize(
    ("seen", "points", "throttled"),
    [
        ({"s5": 7, "s65": 3}, ((0.0, 7.0), (60.0, 3.0)), 10),
        ({"s5": 7, "s65": 3}, ((0.0, 0.0), (60.0, 0.0)), 0),
        ({"s5": 7}, ((0.0, 4.0),), 4),
        ({"s5": 7}, ((0.0, 90.0),), 7),
        ({"s5": 7}, ((60.0, 7.0),), 0),
        ({"s59": 7}, ((60.0, 7.0),), 7),
        ({"s61": 7}, ((0.0, 7.0),), 7),
        ({"s63": 7}, ((0.0, 7.0),), 0),
        ({}, ((0.0, 7.0),), 0),
    ],
    ids=[
        "all", "none", "some", "more than ours", "another minute", "before the edge", "after the edge", "past the edge",
        "no answers",
    ],
)  # fmt: skip
def test_in_each_minute_as_many_answers_were_throttles_as_lambda_counted(
    seen: dict[str, int], points: tuple[tuple[float, float], ...], throttled: int
) -> None:
    split = attribute({"rest.500.internal": bins(**seen)}, throttles(*points), ("checkout",))["rest.500.internal"]
    assert split.throttled_count == throttled == int(split.throttled.sum())
    assert split.failed_count == sum(seen.values()) - throttled
    assert (split.throttled <= bins(**seen)).all()


def test_the_likelier_signature_gets_the_throttles_first() -> None:
    seen = {"http.503.unavailable": bins(s5=6), "http.500.internal": bins(s6=6)}
    split = attribute(seen, throttles((0.0, 8.0)), ("checkout",))
    assert [split[name].throttled_count for name in seen] == [6, 2]


def test_without_throttles_read_nothing_is_decided() -> None:
    """An empty series is "none reported", a missing one is "not known"."""
    assert attribute({"rest.500.internal": bins(s5=6)}, watch(), ("checkout",)) == {}
    assert attribute({"rest.500.internal": bins(s5=6)}, throttles(), ("checkout",))[
        "rest.500.internal"
    ].failed_count == 6  # fmt: skip


def series(**answers: np.ndarray) -> Series:
    named = {name.replace("_", ".", 2): array for name, array in answers.items()}
    empty = np.zeros(12_000, np.int64)
    return Series(empty, empty, named, {})


def test_incomplete_numbers_decide_only_what_they_account_for() -> None:
    seen = series(rest_500_internal=bins(s5=6))
    account = Account()
    assert decisions(plan(), account, throttles((0.0, 5.0), complete=False), seen) == {}
    found = decisions(plan(), account, throttles((0.0, 6.0), complete=False), seen)
    assert found["rest.500.internal"][0] is Family.CONCURRENCY
    assert "may not be complete" in found["rest.500.internal"][2]
    assert decisions(plan(), account, throttles((0.0, 5.0)), seen)["rest.500.internal"][1].sum() == 5


def test_throttles_beyond_our_answers_are_noted() -> None:
    seen = {"rest.500.internal": bins(s5=6)}
    assert throttle_notes(plan(), throttles((0.0, 6.0)), seen, seen) == ()
    (note,) = throttle_notes(plan(), throttles((0.0, 9.0)), seen, seen)
    assert note.startswith("Lambda counted 3 throttles more")
    (note,) = throttle_notes(plan(), watch(), {}, seen)
    assert "no Throttles of checkout" in note


ACCOUNT = Account(concurrency=1000, functions={"checkout": Function("checkout")})
RESERVED = Account(concurrency=1000, functions={"checkout": Function("checkout", reserved=100)})
SOME = ("Throttles", "Sum", "checkout", [(0.0, 5.0)])


@pytest.mark.parametrize(
    ("account", "seen", "layer"),
    [
        (RESERVED, [SOME, ("ConcurrentExecutions", "Maximum", "checkout", [(0.0, 100.0)])], Layer.RESERVED_CONCURRENCY),
        (RESERVED, [SOME, ("ConcurrentExecutions", "Maximum", "checkout", [(0.0, 50.0)])], None),
        (ACCOUNT, [SOME, ("ClaimedAccountConcurrency", "Maximum", "", [(0.0, 990.0)])], Layer.ACCOUNT_CONCURRENCY),
        (ACCOUNT, [SOME, ("ClaimedAccountConcurrency", "Maximum", "", [(0.0, 400.0)])], None),
        (ACCOUNT, [("Throttles", "Sum", "checkout", [(0.0, 60_000.0)]),
                   ("Invocations", "Sum", "checkout", [(0.0, 540_000.0)])], Layer.INVOCATION_RATE),
        (replace(ACCOUNT, concurrency=5000),
         [SOME, ("ConcurrentExecutions", "Maximum", "checkout", [(0.0, 2000.0)])], Layer.SCALING_RATE),
        (ACCOUNT, [("Throttles", "Sum", "checkout", [(0.0, 0.0)]),
                   ("ClaimedAccountConcurrency", "Maximum", "", [(0.0, 1000.0)])], None),
    ],
    ids=["reserved", "reserved not reached", "account", "account not reached", "10x", "scaling", "no throttles"],
)  # fmt: skip
def test_the_layer_is_the_one_whose_limit_cloudwatch_saw_reached(
    account: Account, seen: list[tuple[str, str, str, list[tuple[float, float]]]], layer: Layer | None
) -> None:
    found = layer_of_throttles(watch(*seen), account, "checkout")
    assert (found[0] if found else None) is layer


def test_headroom_is_claimed_concurrency_against_the_account_limit() -> None:
    seen = watch(("ClaimedAccountConcurrency", "Maximum", "", [(-60.0, 100.0), (0.0, 700.0)]))
    (use,) = headrooms(seen, ACCOUNT, ("checkout",))
    assert (use.limit, use.peak, use.at_limit) == (1000, 700, False)
    assert use.ratio == pytest.approx(0.3)


def test_findings_take_limits_and_peaks_from_aws() -> None:
    account = replace(ACCOUNT, read=frozenset({"lambda.concurrency"}))
    ours = Finding(CONCURRENCY, "Concurrent executions", 900, "declared", 120)
    other = Finding("lambda:scaling-rate", "Scaling", 1000, "default", 3)
    seen = watch(("ClaimedAccountConcurrency", "Maximum", "", [(0.0, 700.0)]))
    first, second = confirmed_findings([ours, other], account, seen)
    assert (first.limit, first.limit_source, first.peak_use, first.use_source) == (1000, "aws", 700, "cloudwatch")
    assert second == other
    assert confirmed_findings([ours], ACCOUNT, None) == (ours,)


def test_others_throttles_are_the_regions_less_ours() -> None:
    seen = watch(("Throttles", "Sum", "", [(0.0, 9.0), (60.0, 4.0)]), ("Throttles", "Sum", "checkout", [(0.0, 9.0)]))
    assert neighbour_throttles(seen, ("checkout",)) == {60.0: 4.0}
    assert neighbour_throttles(watch(), ("checkout",)) == {}


def test_an_api_metric_is_no_functions() -> None:
    made = MetricSeries(Metric(GATEWAY, "Count", "Sum", (("ApiName", "shop"),)), ((0.0, 5.0),))
    assert Watch(0, 60, series=(made,)).total("Count") == 5


def reading(path: str, value: float | None, **more: object) -> Reading:
    return replace(Reading("x", path=path, value=value, source="lambda X"), **more)  # type: ignore[arg-type]


def test_what_was_read_takes_the_place_of_what_was_declared_and_says_so() -> None:
    declared = Account(concurrency=500, declared=frozenset({"lambda.concurrency"}))
    account, notes = apply_readings(declared, [reading("lambda.concurrency", 1000.0)])
    assert account.concurrency == 1000
    assert account.read == {"lambda.concurrency"}
    assert notes == ("x: declared 500, but lambda X says 1000; AWS's value is used.",)


@pytest.mark.parametrize(
    "bad", [{"problem": "not allowed"}, {"default": True}], ids=["could not be read", "AWS's default"]
)
def test_what_is_unknown_or_a_default_leaves_what_was_declared(bad: dict[str, object]) -> None:
    declared = Account(concurrency=500, declared=frozenset({"lambda.concurrency"}))
    account, notes = apply_readings(declared, [reading("lambda.concurrency", 1000.0, **bad)])
    assert (account, notes) == (declared, ())


def test_a_default_that_was_read_takes_the_place_of_ours_and_stays_a_default() -> None:
    account, _ = apply_readings(default_account("eu-west-1"), [reading("apigateway.rate", 7.0, default=True)])
    assert account.gateway == Bucket(7.0, 5_000)
    assert account.declared == account.read == frozenset()


def test_a_stage_without_a_throttle_of_its_own_has_none() -> None:
    declared = Account(stages={"prod": Bucket(1, 1)}, declared=frozenset({"apigateway.stages.prod"}))
    none = [reading("apigateway.stages.prod.rate", None), reading("apigateway.stages.prod.burst", None)]
    account, _ = apply_readings(declared, none)
    assert account.stages == {}
    assert account.read == frozenset()


def test_the_share_of_the_pool_counts_what_others_reserved_and_took() -> None:
    others = Neighbours(10_800, {"a": 300.0, "b": 200.0}, claimed=500, reserved_by_others=200)
    share = pool_share(ACCOUNT, 400, others)
    assert (share.pool, share.ratio, share.crowded) == (800, 0.5, True)
    assert "50%" in share.text
    assert not pool_share(ACCOUNT, 100, others).crowded
    assert pool_share(Account(concurrency=0), 1, Neighbours(60)).ratio is None


def test_what_a_run_needs_is_the_most_arrivals_of_any_stretch_as_long_as_a_call() -> None:
    target = Target("http://h", Front.REST, "a", function_of=(("r", "reserved"),))
    plan = Plan(
        "p", target, (Request("q", weight=3.0), Request("r", weight=1.0)),
        (Phase("a", 10.0, Constant(200.0)), Phase("b", 1.0, Pause()), Phase("c", 10.0, Bursts(400, 5.0, 0.1, 0.0))),
    )  # fmt: skip
    account = Account(functions={"reserved": Function("reserved", reserved=10)})
    # 200/s for 0.25 s is 50, the burst's 400 arrive within one call: three quarters of them go to `a`.
    assert run_concurrency(plan, account, {"a": 0.25, "reserved": 0.25}) == pytest.approx(300, abs=1)
    assert run_concurrency(replace(plan, load=plan.load[:1]), account, {"a": 0.25}) == pytest.approx(37.5, abs=1)
    assert run_concurrency(plan, account, {}) is None
    assert run_concurrency(plan, account, {"reserved": 1.0}) == 0


def test_only_throttles_that_began_with_the_run_count() -> None:
    before = Neighbours(10_800, {"a": 1.0}, {"a": 5.0})
    assert new_throttles(before, NeighbourThrottles(0, {"a": 9.0})) is None
    found = new_throttles(before, NeighbourThrottles(0, {"a": 9.0, "b": 2.0, "c": 0.0}))
    assert found is not None
    assert found.counts == {"b": 2.0}


def test_cold_share_and_quantiles_need_enough_lines() -> None:
    assert ColdStarts("f", "Text", 200, 5).cold_ratio == 0.025
    assert ColdStarts("f", "Text", 0, 0).cold_ratio is None
    assert (enough(19, 0.5), enough(20, 0.5), enough(999, 0.99), enough(1000, 0.99)) == (False, True, False, True)


def test_measured_init_times_stand_in_for_those_nobody_declared() -> None:
    found = {
        "checkout": ColdStarts("checkout", "Text", 200, 5, init_max_s=0.4),
        "gone": ColdStarts("gone", "Text", 1, 1),
    }
    assert with_cold_starts(ACCOUNT, found).functions["checkout"].init_s == 0.4
    stated = Account(functions={"checkout": Function("checkout", init_s=0.1)})
    assert with_cold_starts(stated, found) == stated
