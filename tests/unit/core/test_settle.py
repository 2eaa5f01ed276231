"""Settlement: ambiguous answers become throttled only where a limit explains when they came."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from burstline.core.load.plan import Constant, Front, Pause, Phase, Plan, Ramp, Request, Target
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Totals
from burstline.core.load.window import AnswerKey
from burstline.core.quota.answers.inflight import floor_of, in_flight
from burstline.core.quota.answers.series import Series, per_second, series_of
from burstline.core.quota.answers.settle import Settlement, apportion, settle
from burstline.core.quota.quotas import Account, Bucket, Family, Function, ServiceTime
from burstline.server.judging.judging import RunRecord
from hypothesis import given
from hypothesis import strategies as st

MakeRun = Callable[..., RunRecord]
STATED = frozenset({"lambda.concurrency", "lambda.functions.f.reserved"})


def settled(record: RunRecord, account: Account | None = None) -> Settlement:
    return settle(record.plan, account or record.account, record.totals, series_of(record.totals))


def truth(record: RunRecord) -> int:
    return record.ledger.signatures.get("rest.500.internal", 0)


def within(value: int, expected: float, ratio: float) -> bool:
    return abs(value - expected) <= ratio * expected


UP = (Phase("ramp", 10.0, Ramp(50, 1000)),)
CAPPED = Account(concurrency=50, declared=STATED)


def test_500s_at_a_declared_cap_are_throttles(make_run: MakeRun) -> None:
    record = make_run(UP, CAPPED, round_trip_s=0.04)
    found = settled(record)
    assert truth(record) > 1000
    assert found.outcomes()[Outcome.THROTTLED] == truth(record)
    assert found.explained["rest.500.internal"][0] is Family.CONCURRENCY


def test_500s_at_a_plateau_that_nobody_declared_are_throttles_too(make_run: MakeRun) -> None:
    record = make_run(UP, CAPPED, service=ServiceTime(0.15, 0.4))
    found = settled(record, Account())
    assert within(found.outcomes()[Outcome.THROTTLED], truth(record), 0.02)


def test_500s_that_come_at_any_load_are_failures(make_run: MakeRun) -> None:
    record = make_run(UP, Account(), error_ratio=0.05)
    found = settled(record)
    assert truth(record) > 150
    assert found.outcomes()[Outcome.FAILED] == truth(record)
    assert "counted as failed" in found.notes[0]


def test_quick_errors_at_a_constant_load_are_not_taken_for_a_cap(make_run: MakeRun) -> None:
    steady = (Phase("steady", 10.0, Constant(400.0)),)
    record = make_run(steady, Account(), error_ratio=0.05, error_latency_s=0.001)
    found = settled(record)
    assert truth(record) > 100
    assert found.outcomes()[Outcome.THROTTLED] == 0


def test_errors_below_the_cap_are_told_from_throttles_at_it(make_run: MakeRun) -> None:
    alone = make_run(UP, CAPPED)
    both = make_run(UP, CAPPED, error_ratio=0.02, error_latency_s=0.05)
    errors = truth(both) - truth(alone)
    outcomes = settled(both).outcomes()
    assert errors > 50
    assert within(outcomes[Outcome.THROTTLED], truth(alone), 0.05)
    assert outcomes[Outcome.FAILED] > errors / 2


def test_the_estimate_finds_the_cap_behind_a_slow_network(make_run: MakeRun) -> None:
    record = make_run(UP, Account(concurrency=50), round_trip_s=0.04, front=Front.FUNCTION_URL)
    series = series_of(record.totals)
    floor = floor_of(record.totals)
    assert floor.value_s == pytest.approx(0.04, rel=0.01)
    level = in_flight(series, floor.value_s)
    assert 47 <= np.quantile(level[600:1000], 0.5) <= 51
    assert level.max() <= 55


def test_the_ten_times_rule_explains_500s_of_a_short_function(make_run: MakeRun) -> None:
    load = (Phase("ramp", 10.0, Ramp(10, 800)),)
    account = Account(concurrency=40, declared=STATED)
    record = make_run(load, account, service=ServiceTime(0.005, 0.005))
    found = settled(record)
    assert truth(record) > 500
    assert within(found.outcomes()[Outcome.THROTTLED], truth(record), 0.02)
    assert found.explained["rest.500.internal"][0] is Family.INVOCATION_RATE


def test_a_function_near_100_ms_meets_its_cap_and_the_ten_times_rule_in_turn(make_run: MakeRun) -> None:
    record = make_run(UP, CAPPED, service=ServiceTime(0.08, 0.2))
    assert within(settled(record).outcomes()[Outcome.THROTTLED], truth(record), 0.05)


def test_a_429_needs_no_explanation(make_run: MakeRun) -> None:
    account = Account(stages={"prod": Bucket(100, 50)})
    record = make_run((Phase("steady", 5.0, Constant(300.0)),), account)
    throttled = record.ledger.signatures["rest.429.too_many"]
    found = settled(record)
    assert found.outcomes()[Outcome.THROTTLED] == throttled
    assert per_second(found.throttled["rest.429.too_many"]).sum() == throttled


def test_a_run_without_answers_settles_to_nothing(make_run: MakeRun) -> None:
    record = replace(make_run(), totals=Totals())
    found = settled(record)
    assert sum(found.outcomes().values()) == 0
    assert found.counts == {}


@given(weights=st.lists(st.integers(0, 1000), max_size=8), data=st.data())
def test_shares_sum_exactly_and_exceed_no_weight(weights: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    shares = apportion(total, weights)
    assert sum(shares) == (total if sum(weights) else 0)
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))


@given(
    answers=st.dictionaries(
        st.tuples(
            st.integers(0, 1),
            st.integers(0, 2),
            st.sampled_from(["rest.ok", "rest.500.internal", "rest.504.other", "rest.429.too_many", "timed_out"]),
        ),
        st.integers(1, 500),
        max_size=10,
    ),
    bins=st.lists(st.integers(0, 40), max_size=30),
)
def test_settled_counts_sum_to_the_answers_whatever_was_seen(
    answers: dict[tuple[int, int, str], int], bins: list[int]
) -> None:
    plan = Plan("p", Target("http://x"), (Request("a"),) * 3, (Phase("x", 1.0, Pause()), Phase("y", 1.0, Pause())))
    totals = Totals(answers={AnswerKey(*key): count for key, count in answers.items()})
    totals.sent_bins = dict(enumerate(bins))
    halves = {index: count // 2 for index, count in enumerate(bins)}
    totals.answer_bins["rest.500.internal"] = halves
    totals.answer_bins["rest.ok"] = {index: count - halves[index] for index, count in enumerate(bins)}
    found = settle(plan, Account(), totals, series_of(totals))
    assert {key: sum(split.values()) for key, split in found.counts.items()} == totals.answers
    assert all(outcome is not Outcome.UNSETTLED for split in found.counts.values() for outcome in split)
    assert all(count > 0 for split in found.counts.values() for count in split.values())


def test_an_account_bucket_does_not_hide_a_reserved_cap_behind_it(make_run: MakeRun) -> None:
    account = Account(functions={"f": Function("f", reserved=20)}, declared=STATED)
    record = make_run(UP, account)
    assert within(settled(record).outcomes()[Outcome.THROTTLED], truth(record), 0.005)
    assert truth(record) > 1000


def test_bins_before_run_time_zero_count_in_the_first() -> None:
    totals = Totals(sent_bins={-1: 2, 0: 1}, answer_bins={"rest.ok": {-1: 2, 0: 1}})
    series: Series = series_of(totals)
    assert series.sent[0] == 3
    assert series.count == 100
