"""Ways out that are no quota are said only with the numbers at which a replay throttles nobody."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from burstline.core.load.plan import Arrivals, Constant, Phase, Ramp
from burstline.core.quota.advice.demand import Demand, ServiceTimes, demand_of
from burstline.core.quota.advice.playing import play
from burstline.core.quota.advice.slowing import least_slowness
from burstline.core.quota.advice.ways_out import Limit, behind_queue, quicker, thinned, ways_out
from burstline.core.quota.answers.inflight import floor_of
from burstline.core.quota.answers.series import Floats, series_of
from burstline.core.quota.quotas import Account, ServiceTime
from burstline.server.judging.judging import RunRecord

MakeRun = Callable[..., RunRecord]
CAP = 30
ACCOUNT = Account(concurrency=CAP, declared=frozenset({"lambda.concurrency"}))
STEADY = (Phase("steady", 20.0, Constant(250.0), Arrivals.POISSON),)


def asked(record: RunRecord) -> Demand:
    series, totals = series_of(record.totals), record.totals
    return demand_of(record.plan, record.account, record.schedule, totals, series, floor_of(totals))


def limit_of(record: RunRecord, account: Account = ACCOUNT) -> Limit:
    def refused(demand: Demand, seed: int) -> int:
        return sum(play(record.plan, account, demand, seed).throttled_count.values())

    return Limit(refused, 0.5, float(account.concurrency))


def test_each_way_out_of_a_cap_leaves_nothing_throttled(make_run: MakeRun) -> None:
    record = make_run(STEADY, ACCOUNT, service=ServiceTime(0.2, 0.3))
    demand, limit = asked(record), limit_of(record)
    found = ways_out(record.plan, demand, limit)
    assert [way.split()[1] for way in found] == ["cache", "that", "in", "accounts"]
    assert all("replayed, none is throttled" in way for way in found)
    cached, shorter = (float(re.findall(r"(\d+) %", way)[0]) / 100 for way in found[:2])
    assert not limit.refused(thinned(demand, cached, 7), 7)
    assert not limit.refused(quicker(demand, shorter), 7)


def test_nothing_is_offered_where_nothing_is_refused(make_run: MakeRun) -> None:
    record = make_run(STEADY, ACCOUNT, service=ServiceTime(0.2, 0.3))
    assert ways_out(record.plan, asked(record), limit_of(record, Account(concurrency=500))) == ()


def test_a_slower_ramp_is_offered_only_where_it_helps(make_run: MakeRun) -> None:
    record = make_run(STEADY, ACCOUNT, service=ServiceTime(0.2, 0.3))
    demand = asked(record)
    sharp = (Phase("jump", 2.0, Ramp(10.0, 400.0)),)
    plan = replace(record.plan, load=sharp)

    def refused(changed: Demand, _: int) -> int:
        return int(len(changed.times_s) < 3 * 410)  # as if only a ramp of six seconds passed

    found = [way for way in ways_out(plan, demand, Limit(refused, 0.7)) if way.startswith("A slower ramp")]
    assert found == []  # this demand has enough arrivals as it is
    short = replace(demand, times_s=demand.times_s[:400], function=demand.function[:400])
    (way,) = (way for way in ways_out(plan, short, Limit(refused, 0.7)) if way.startswith("A slower ramp"))
    assert "jump ramps over 6 s instead of 2 s" in way


def test_a_plan_that_needs_no_change_is_told_so_and_not_searched_for_ever() -> None:
    assert least_slowness(lambda slowness: True) == pytest.approx(1.0, abs=2e-4)
    assert least_slowness(lambda slowness: slowness >= 3.5) == pytest.approx(3.5, rel=0.01)
    assert least_slowness(lambda slowness: False) is None


def demand_of_times(times_s: Floats, service_s: float) -> Demand:
    services = {"f": ServiceTimes(np.full(1 << 16, service_s), 0.0, "by hand")}
    return Demand(times_s, np.zeros(len(times_s), np.int64), ("f",), services, 1.0, "by hand")


def test_a_queue_never_starts_more_calls_than_its_mapping_may() -> None:
    times_s = np.sort(np.random.default_rng(1).uniform(0, 10, 2000))
    service_s = np.full(2000, 0.2)
    found = behind_queue(demand_of_times(times_s, 0.2), 20)
    starts_s = found.starts_s(2000)
    running = np.arange(1, 2001) - np.searchsorted(starts_s + service_s - 1e-6, starts_s, side="right")
    assert running.max() <= 20
    assert np.all(starts_s >= times_s)
    # 20 at a time for 0.2 s each are 100 a second: the last of 2,000 starts after about 20 s
    assert found.is_empty
    assert starts_s[-1] == pytest.approx(20, abs=1.5)
    assert found.longest_wait_s == pytest.approx(starts_s[-1] - 10, abs=1.0)
    assert found.waiting.max() > 900


def test_an_idle_queue_lets_messages_through_at_once() -> None:
    times_s = np.arange(0.0, 10.0, 1.0)
    found = behind_queue(demand_of_times(times_s, 0.1), 10)
    assert np.allclose(found.starts_s(10), times_s, atol=0.0051)
    assert found.longest_wait_s == 0
    assert found.waiting.max() == 0
