"""The abort rule on other functions: what it is, and what it does to a run."""

import asyncio

import pytest
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Constant, Front, Phase, Plan, Request, Target
from burstline.core.load.totals import Second
from burstline.core.quota.aws.evidence import AwsEvidence
from burstline.core.quota.aws.neighbours import NeighbourThrottles
from burstline.core.quota.quotas import Account
from burstline.server.aws.watching import Span
from burstline.server.clock import SystemClock
from burstline.server.control.aborting import AbortWatch
from burstline.server.control.active import ActiveRun
from burstline.server.control.asking import AwsSide, reached_lambda
from burstline.server.settings import ServerSettings
from burstline.server.store.rows import RunRow
from burstline.wire.conditions import parse_condition


def run(*abort: str, account: Account | None = None) -> ActiveRun:
    target = Target("http://h/prod", Front.REST, function="checkout")
    rules = tuple(parse_condition(text, duration_allowed=True) for text in abort)
    plan = Plan("p", target, (Request("q"),), (Phase("p", 10.0, Constant(200.0)),), abort=rules)
    return ActiveRun(RunRow(id="r", server="s", name="p", create_nanos=1, plan=b""), plan, account or Account())


@pytest.mark.parametrize(
    ("text", "stops"),
    [("neighbours > 0", True), ("neighbours >= 5", True), ("neighbours > 5", False), ("throttled > 1%", False)],
)
def test_a_run_stops_when_others_are_throttled_and_a_rule_says_so(text: str, stops: bool) -> None:
    made = run(text)
    side = AwsSide(made, ServerSettings(), SystemClock())
    side._neighbours(NeighbourThrottles(0.0, {"search": 5.0}))
    assert made.stop_asked.is_set() is stops
    assert made.row.abort_rule == (text if stops else "")
    assert made.row.stopped_by == ("abort" if stops else "")
    assert made.notices[0] == "other functions are throttled while this run is under way: search (5 calls)"


def test_without_a_rule_it_is_told_and_the_run_goes_on() -> None:
    made = run()
    AwsSide(made, ServerSettings(), SystemClock())._neighbours(NeighbourThrottles(0.0, {"": 2.0}))
    assert not made.stop_asked.is_set()
    assert "other functions (2 calls)" in made.notices[0]


def test_the_rule_looks_at_cloudwatch_never_at_our_own_seconds() -> None:
    rule = parse_condition("neighbours >= 0", duration_allowed=True)
    assert AbortWatch([rule]).observe(0, Second(answers={"rest.ok": 5})) is None


@pytest.mark.parametrize("text", ["neighbours > 5%", "neighbours > 1 for 10s", "neighbours p99 > 1"])
def test_a_rule_on_neighbours_has_no_unit_and_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"neighbours|p99"):
        parse_condition(text, duration_allowed=True)


def test_neighbours_are_no_threshold() -> None:
    with pytest.raises(ValueError, match="is no measure"):
        parse_condition("neighbours > 0", duration_allowed=False)


def test_what_a_gateway_refused_never_reached_lambda() -> None:
    counts = {"rest.ok": 10, "rest.500.internal": 5, "rest.429.too_many": 3, "rest.403.forbidden": 2, "timed_out": 1}
    assert reached_lambda(Ledger(signatures=counts), Front.REST) == 15
    assert reached_lambda(Ledger(signatures={"url.ok": 1, "url.429.reserved": 4}), Front.FUNCTION_URL) == 5


class SlowAws:
    """Waits for CloudWatch as long as it may; tells how long it was allowed to."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    async def after(self, span: Span, expected_count: int | None, wait_s: float) -> AwsEvidence:
        self.waits_s.append(wait_s)
        if wait_s:
            await asyncio.Event().wait()
        return AwsEvidence(notes=("looked once",))


async def test_whoever_stops_a_run_does_not_wait_for_cloudwatch() -> None:
    made, aws = run(), SlowAws()
    side = AwsSide(made, ServerSettings(), SystemClock())
    asyncio.get_running_loop().call_soon(made.stop_asked.set)
    found = await side._until_stopped(aws, Span(0, 1), 5, 240.0)  # type: ignore[arg-type]  # one method is used
    assert found.notes == ("looked once",)
    assert aws.waits_s == [240.0, 0.0]
