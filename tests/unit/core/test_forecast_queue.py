"""A queue in front of a function: how long messages wait while its event source grows, worked out by hand."""

import pytest
from burstline.core.load.plan import Bursts, Constant, Front, Phase, Plan, Request, Target
from burstline.core.quota.forecast.forecasting import forecast
from burstline.core.quota.forecast.queueing import forecast_queue
from burstline.core.quota.forecast.records import NEVER
from burstline.core.quota.quotas import Account, Function, Queue, ServiceTime

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def plan(*load: Phase, messages: int = 1) -> Plan:
    return Plan("p", Target(URL, Front.SQS, "worker"), (Request("m", message_count=messages),), load)


def account(queue: Queue | None = None, concurrency: int = 1_000, **function: object) -> Account:
    worker = Function("worker", duration=ServiceTime(0.5, 0.5), **function)  # type: ignore[arg-type]  # fields fit
    queues = {"orders": queue} if queue is not None else {}
    return Account(concurrency=concurrency, functions={"worker": worker}, queues=queues)


def test_what_five_invocations_can_do_waits_for_nothing() -> None:
    """Five at a time, ten messages each, half a second: 100 messages/s."""
    found, _ = forecast_queue(plan(Phase("a", 30.0, Constant(90.0))), account(Queue("orders", "worker")))
    assert found.message_count == 2700
    assert found.bound_by == ""
    assert found.longest_wait_s < 1
    assert found.drained_s == pytest.approx(30.5, abs=0.2)


def test_a_burst_waits_for_the_event_source_to_grow() -> None:
    """6,000 messages in a second, one a batch. At 5 + 5t at a time and half a second each, 10 + 10t leave a second:
    10t + 5t^2 = 6,000 at t = 33.7 s."""
    burst = Phase("burst", 10.0, Bursts(6000, 10.0, 1.0))
    found, _ = forecast_queue(plan(burst), account(Queue("orders", "worker", batch=1)))
    assert found.bound_by == "event source"
    assert found.peak_waiting == pytest.approx(5985, abs=15)
    assert found.drained_s == pytest.approx(34.2, abs=1.5)
    assert found.longest_wait_s == pytest.approx(32.9, abs=1.5)
    assert found.peak_concurrency == pytest.approx(173, abs=8)


@pytest.mark.parametrize(
    ("made", "bound_by", "most"),
    [
        (account(Queue("orders", "worker", batch=1, maximum_concurrency=20)), "maximum concurrency", 20),
        (account(Queue("orders", "worker", batch=1), reserved=10), "reserved concurrency", 10),
        (account(Queue("orders", "worker", batch=1), concurrency=30), "account concurrency", 30),
    ],
)
def test_what_holds_messages_back_is_named(made: Account, bound_by: str, most: int) -> None:
    """100 messages/s of half a second each need 50 at a time."""
    found, _ = forecast_queue(plan(Phase("a", 60.0, Constant(100.0))), made)
    assert (found.bound_by, found.peak_concurrency) == (bound_by, most)
    assert found.peak_waiting > 100


def test_a_function_that_is_switched_off_never_empties_its_queue() -> None:
    found, _ = forecast_queue(plan(Phase("a", 10.0, Constant(10.0))), account(Queue("orders", "worker"), reserved=0))
    assert found.drained_s == NEVER
    assert "it is empty never" in found.text


def test_messages_of_one_call_are_counted_one_by_one() -> None:
    found, _ = forecast_queue(plan(Phase("a", 10.0, Constant(10.0)), messages=10), account())
    assert found.message_count == 1000


def test_the_calls_are_the_messages_in_full_batches() -> None:
    _, calls = forecast_queue(
        plan(Phase("a", 20.0, Constant(100.0))), account(Queue("orders", "worker", batch=10, maximum_concurrency=2))
    )
    asked = sum(phase.shape.rate_per_s * phase.duration_s for phase in calls.load if isinstance(phase.shape, Constant))
    assert asked == pytest.approx(200, rel=0.01)
    assert (calls.target.front, calls.target.function) == (Front.LAMBDA, "worker")


def test_the_forecast_is_of_what_the_event_source_calls_and_says_so() -> None:
    """At once, 2,000 messages would need 1,000 environments; the event source calls with 5 and more."""
    made = account(Queue("orders", "worker", batch=1), concurrency=200)
    found = forecast(plan(Phase("burst", 10.0, Bursts(2000, 10.0, 0.1))), made, seed=1)
    assert found.throttled_count.mid == 0
    assert found.functions[0].peak_concurrency.high < 200
    assert found.queue is not None
    assert found.queue.bound_by == "event source"
    assert found.queue.text in found.notes
    assert any("leaves out SQS itself" in note and "2,000 calls that send" in note for note in found.notes)
