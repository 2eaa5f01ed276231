"""Ambiguous answers of several functions, and of one that meets two limits: settled by replaying the declared ones."""

from collections.abc import Callable

import pytest
from burstline.core.load.plan import Constant, Phase
from burstline.core.load.samples import Outcome
from burstline.core.quota.quotas import Account, ServiceTime
from burstline.server.judging.judging import RunRecord
from burstline.server.judging.weighing import weigh
from loop_accounts import loop_case
from virtual_runs import play_run


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(500036, id="REST, two functions, steady: the 10x rule and a reserved cap"),
        pytest.param(500102, id="load balancer, three functions, two reserved caps"),
        pytest.param(500278, id="HTTP API, three functions, a daily wave"),
        pytest.param(600054, id="HTTP API, one function, bursts that meet its cap and the 10x rule"),
    ],
)
def test_throttles_that_look_like_errors_are_counted_to_a_hundredth(seed: int) -> None:
    case = loop_case(seed)
    played = play_run(case.plan, case.account, case.account, service_seed=seed)
    throttled = sum(played.result.throttled_count.values())
    found = weigh(played.record).settlement.outcomes()
    assert throttled > 100
    assert found[Outcome.THROTTLED] == pytest.approx(throttled, rel=0.01)


def test_errors_that_take_as_long_as_work_stay_errors_all_through_an_overload(
    make_run: Callable[..., RunRecord],
) -> None:
    account = Account(concurrency=40, declared=frozenset({"lambda.concurrency"}))
    load = (Phase("all over", 20.0, Constant(600.0)),)
    clean = weigh(make_run(load, account, service=ServiceTime(0.1, 0.2))).settlement.outcomes()
    mixed = weigh(make_run(load, account, service=ServiceTime(0.1, 0.2), error_ratio=0.05)).settlement.outcomes()
    assert clean[Outcome.FAILED] == 0
    assert mixed[Outcome.FAILED] == pytest.approx(0.05 * clean[Outcome.OK], rel=0.2)
