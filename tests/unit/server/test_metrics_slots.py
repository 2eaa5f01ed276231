"""Series have closed label sets: run slots are few, used again, and end some minutes after their run."""

from burstline.core.load.histogram import Histogram
from burstline.core.load.plan import Constant, Phase, Plan, Request, Target
from burstline.core.quota.quotas import Account, Bucket, Function
from burstline.server.clock import nanos
from burstline.server.control.active import ActiveRun
from burstline.server.metrics import SLOT_COUNT, Slots, _buckets, declared_limits, quotas_of
from burstline.server.store.rows import RunRow, RunState

PLAN = Plan("p", Target("http://127.0.0.1"), (Request("r"),), (Phase("one", 1.0, Constant(1.0)),))


def run(name: str, end_s: float | None = None) -> ActiveRun:
    """Return a run, ended at `end_s` or under way."""
    row = RunRow(name, "server", name, create_nanos=0, plan=b"")
    if end_s is not None:
        row.state, row.end_nanos = RunState.SUCCEEDED, nanos(end_s)
    return ActiveRun(row, PLAN, Account())


def test_a_run_keeps_its_slot_for_five_minutes_after_its_end_and_then_it_is_used_again() -> None:
    slots, ended, fresh = Slots(300.0), run("a", end_s=100.0), run("b")
    assert slots.update([ended], nanos(399)) == {0: ended}
    assert slots.update([ended, fresh], nanos(400)) == {0: ended, 1: fresh}
    assert slots.update([ended, fresh], nanos(401)) == {1: fresh}
    another = run("c")
    assert slots.update([fresh, another], nanos(402)) == {0: another, 1: fresh}


def test_there_are_never_more_slots_than_stated() -> None:
    slots = Slots(300.0)
    many = [run(str(number)) for number in range(SLOT_COUNT + 3)]
    assert list(slots.update(many, 0)) == list(range(SLOT_COUNT))


def test_buckets_are_cumulative_and_end_with_all() -> None:
    histogram = Histogram()
    for value in (0.001, 0.02, 0.02, 3.0):
        histogram.add(value)
    rows, total = _buckets(histogram, (0.01, 0.1, 1.0))
    assert rows == [("0.01", 1.0), ("0.1", 3.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert round(total, 3) == 3.041


def test_declared_limits_name_the_account_and_its_functions() -> None:
    functions = {"f": Function("f", reserved=20), "g": Function("g")}
    account = Account(functions=functions, stages={"prod": Bucket(100, 50)})
    found = dict(declared_limits(account))
    assert found[("lambda:L-B99A9384", "")] == 1000
    assert found[("lambda:reserved", "f")] == 20
    assert found[("apigateway:stage:prod:burst", "")] == 50
    assert len(found) == 6


def test_quotas_of_a_report_leave_out_what_is_unknown() -> None:
    report: dict[str, object] = {
        "findings": [
            {"quota": "lambda:L-B99A9384", "limit": 1000, "peak_use": None, "headroom_ratio": 0.25},
            {"quota": "lambda:reserved:f:rate", "limit": 5, "peak_use": 4, "headroom_ratio": 0.2},
        ],
        "advice": [{"quota": "lambda:L-B99A9384", "recommended": 2000}],
    }
    found = quotas_of(report)
    assert found["limit"] == {("lambda:L-B99A9384", ""): 1000.0, ("lambda:reserved:rate", "f"): 5.0}
    assert found["usage"] == {("lambda:reserved:rate", "f"): 4.0}
    assert found["recommended"] == {("lambda:L-B99A9384", ""): 2000.0}
