"""Cost, worked out by hand from list prices."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.advice.cost import cost_of
from burstline.core.quota.advice.demand import TABLE_SIZE, Demand, ServiceTimes
from burstline.core.quota.quotas import Account, Function
from burstline.server.judging.judging import RunRecord

KNOWN = {"f": ServiceTimes(np.full(TABLE_SIZE, 0.1), 0.0, "")}
ACCOUNT = Account(functions={"f": Function("f", memory_mb=512)})


def demand(services: Mapping[str, ServiceTimes]) -> Demand:
    return Demand(np.empty(0), np.empty(0, np.int64), ("f",), services, 1.0, "")


def test_a_million_rest_calls_of_half_a_gigabyte_and_100_ms(make_run: Callable[..., RunRecord]) -> None:
    """API 3.50, Lambda requests 0.20, 1e6 x 0.1 s x 0.5 GB x 0.0000166667 = 0.833335: 4.53 USD."""
    cost = cost_of(make_run().plan, ACCOUNT, demand(KNOWN), 1_000_000, 1_000_000)
    assert cost.parts == pytest.approx(
        {"api_gateway_requests": 3.5, "lambda_requests": 0.2, "lambda_duration": 0.833335}
    )
    assert cost.estimated_usd == pytest.approx(4.533335)


def test_refused_calls_cost_no_lambda_time(make_run: Callable[..., RunRecord]) -> None:
    cost = cost_of(make_run().plan, ACCOUNT, demand(KNOWN), 1_000_000, 0)
    assert cost.estimated_usd == pytest.approx(3.5)


def test_lambda_time_is_left_out_where_nothing_is_known_of_it(make_run: Callable[..., RunRecord]) -> None:
    plan = make_run(front=Front.FUNCTION_URL).plan
    assert cost_of(plan, Account(), demand(KNOWN), 1_000_000, 1_000_000).parts == {"lambda_requests": 0.2}
    assert cost_of(plan, ACCOUNT, demand({}), 1_000_000, 1_000_000).parts == {"lambda_requests": 0.2}


def test_the_cost_of_a_plain_target_is_unknown_not_nothing(make_run: Callable[..., RunRecord]) -> None:
    assert cost_of(make_run(front=Front.REST).plan, ACCOUNT, demand(KNOWN), 0, 0).estimated_usd == 0
    record = make_run()
    plan = type(record.plan)("p", type(record.plan.target)("http://x"), record.plan.requests, record.plan.load)
    assert cost_of(plan, ACCOUNT, demand(KNOWN), 1000, 1000).estimated_usd is None
