"""Demand: what AWS would have to admit, and how long it works."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from burstline.core.load.plan import Constant, Goal, Pause, Phase, Ramp, Request, Sine, Step, Users
from burstline.core.load.schedule import Schedule
from burstline.core.quota.advice.demand import TABLE_SIZE, Demand, demand_of, scaled, service_times, spread_bins
from burstline.core.quota.advice.frontier import highest_rate
from burstline.core.quota.answers.inflight import Floor, floor_of
from burstline.core.quota.answers.series import series_of
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime
from burstline.server.judging.judging import RunRecord
from hypothesis import given
from hypothesis import strategies as st

MakeRun = Callable[..., RunRecord]
STEADY = (Phase("steady", 5.0, Constant(200.0)),)


def demand(record: RunRecord) -> Demand:
    series, floor = series_of(record.totals), floor_of(record.totals)
    return demand_of(record.plan, record.account, record.schedule, record.totals, series, floor)


@given(counts=st.lists(st.integers(0, 30), max_size=50))
def test_bins_spread_to_as_many_times_each_in_its_bin(counts: list[int]) -> None:
    times_s = spread_bins(np.array(counts, np.int64), first_bin=7)
    assert np.all(np.diff(times_s) >= 0)
    bins = (times_s / 0.01 + 1e-6).astype(np.int64) - 7
    assert [int(np.count_nonzero(bins == index)) for index in range(len(counts))] == counts


def test_without_a_goal_the_demand_is_the_schedule(make_run: MakeRun) -> None:
    record = make_run(STEADY)
    found = demand(record)
    np.testing.assert_array_equal(found.times_s, record.schedule.offsets(0, record.schedule.count))
    assert found.scale == 1


def test_a_goal_scales_every_shape(make_run: MakeRun) -> None:
    load = (
        Phase("a", 2.0, Ramp(0, 100)),
        Phase("b", 2.0, Step(10, 50, 2)),
        Phase("c", 1.0, Pause()),
        Phase("d", 4.0, Sine(100, 50, 4.0)),
    )
    found = demand(make_run(load, goal=Goal(450.0)))
    assert found.scale == pytest.approx(3.0, rel=0.05)
    assert highest_rate(found.times_s, 1.0) == pytest.approx(450, rel=0.02)
    assert Schedule(scaled(load, 3.0), 1).count == pytest.approx(3 * Schedule(load, 1).count, abs=10)


def test_users_stand_in_the_demand_as_they_were_sent_and_it_says_so(make_run: MakeRun) -> None:
    record = make_run(STEADY)
    plan = replace(record.plan, load=(Phase("users", 5.0, Users(10, 0.1)),))
    found = demand(replace(record, plan=plan, schedule=Schedule(plan.load, 1)))
    assert len(found.times_s) == record.totals.load().sent
    assert "users" in found.notes[0]


def test_service_times_are_measured_latency_less_the_network(make_run: MakeRun) -> None:
    account = Account(stages={"prod": Bucket(100, 50)}, functions={"f": Function("f", init_s=0.0)})
    record = make_run(STEADY, account, round_trip_s=0.05, service=ServiceTime(0.08, 0.08))
    services = demand(record).services["f"]
    assert services.mean_s == pytest.approx(0.08, rel=0.02)
    assert "less 49.9 ms (median latency of 451 rejections)" in services.how


def test_service_times_resample_the_measured_distribution(make_run: MakeRun) -> None:
    record = make_run((Phase("steady", 20.0, Constant(200.0)),), service=ServiceTime(0.1, 0.4), round_trip_s=0.0)
    services = demand(record).services["f"]
    assert np.quantile(services.table_s, 0.5) == pytest.approx(0.1, rel=0.1)
    assert np.quantile(services.table_s, 0.99) == pytest.approx(0.4, rel=0.2)
    assert len(services.table_s) == TABLE_SIZE
    assert services.draw(1000, np.random.default_rng(1)).mean() == pytest.approx(services.mean_s, rel=0.1)


def test_nothing_measured_and_nothing_declared_is_unknown(make_run: MakeRun) -> None:
    record = make_run((Phase("steady", 0.1, Constant(10.0)),))
    assert service_times(Account(), record.totals, Floor(0.0, ""), "f", {0: True}) is None


def test_each_request_goes_to_its_function(make_run: MakeRun) -> None:
    record = make_run(STEADY)
    target = replace(record.plan.target, function_of=(("order", "g"),))
    requests = (Request("quote", 3.0), Request("order", 1.0))
    found = demand(replace(record, plan=replace(record.plan, target=target, requests=requests)))
    assert found.functions == ("f", "g")
    assert np.mean(found.function) == pytest.approx(0.25, abs=0.05)
