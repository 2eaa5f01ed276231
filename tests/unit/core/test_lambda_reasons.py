"""The Invoke API's `Reason` names the layer, whatever was declared and whatever the fit says."""

from collections.abc import Callable

import pytest
from burstline.core.load.plan import Constant, Front, Phase, Target
from burstline.core.quota.quotas import Account, Function, Layer, ServiceTime
from burstline.server.judging.judging import RunRecord
from burstline.server.judging.weighing import weigh

MakeRun = Callable[..., RunRecord]
TARGET = Target("https://lambda.eu-west-1.amazonaws.com", Front.LAMBDA, "f")
LOAD = (Phase("steady", 6.0, Constant(40.0)),)


def run(make_run: MakeRun, account: Account) -> RunRecord:
    """A run against an account that is not declared to whoever judges it."""
    return make_run(
        LOAD, account, front=Front.LAMBDA, target=TARGET, service=ServiceTime(0.4, 0.4), changes={"account": Account()}
    )


def test_the_reason_names_the_layer_where_nothing_was_declared(make_run: MakeRun) -> None:
    function = Function("f", reserved=5, duration=ServiceTime(0.4, 0.4))
    record = run(make_run, Account(functions={"f": function}))
    judged = weigh(record)
    throttled = [name for name in record.ledger.signatures if ".429" in name]
    assert throttled == ["lambda.429.reserved"]
    assert {one.layer for one in judged.bindings} == {Layer.RESERVED_CONCURRENCY}
    assert all(one.candidates for one in judged.bindings)


@pytest.mark.parametrize("concurrency", [5, 10])
def test_an_account_reason_leaves_the_scaling_rate_open(make_run: MakeRun, concurrency: int) -> None:
    """Which Reason a scaling-rate throttle carries is unconfirmed, so this one alone names no layer."""
    functions = {"f": Function("f", duration=ServiceTime(0.4, 0.4))}
    account = Account(concurrency=concurrency, functions=functions)
    judged = weigh(run(make_run, account))
    assert {one.layer for one in judged.bindings} == {None}
