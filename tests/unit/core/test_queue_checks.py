"""What does not suit in a queue in front of a function, by the numbers of the Lambda Developer Guide."""

from dataclasses import replace

import pytest
from burstline.core.quota.admission.event_source import SourceScaling
from burstline.core.quota.queue_checks import queue_notes
from burstline.core.quota.quotas import Account, Function, Queue

GOOD = Queue(
    "orders", "worker", maximum_concurrency=20, visibility_timeout_s=60, max_receives=5, partial_batch=True,
    dead_letter_queue="dead",
)  # fmt: skip
ACCOUNT = Account(functions={"worker": Function("worker", reserved=20, timeout_s=10)})


def test_a_queue_that_suits_its_function_has_nothing_said_of_it() -> None:
    assert queue_notes(GOOD, ACCOUNT) == ()


@pytest.mark.parametrize(
    ("queue", "says"),
    [
        (replace(GOOD, visibility_timeout_s=59), "visibility timeout 59 s is below 6 x the timeout of worker (10 s)"),
        (replace(GOOD, batch_window_s=5), "plus the batching window of 5 s"),
        (replace(GOOD, max_receives=4), "maxReceiveCount 4 is below 5"),
        (replace(GOOD, max_receives=None, dead_letter_queue=""), "has no dead-letter queue"),
        (replace(GOOD, partial_batch=False), "one bad message of a batch brings back all 10"),
        (replace(GOOD, maximum_concurrency=None), "grows to 1,250 concurrent invocations, worker has 20 reserved"),
        (replace(GOOD, maximum_concurrency=21), "Set MaximumConcurrency to 20 or less"),
    ],
)
def test_each_thing_that_does_not_suit_is_said_alone(queue: Queue, says: str) -> None:
    (note,) = queue_notes(queue, ACCOUNT)
    assert says in note


def test_reserved_concurrency_below_five_is_throttled_from_the_beginning() -> None:
    account = Account(functions={"worker": Function("worker", reserved=4, timeout_s=10)})
    (note,) = queue_notes(GOOD, account)
    assert "reserved concurrency 4 is below 5" in note


def test_a_batch_of_one_needs_no_partial_answers() -> None:
    assert queue_notes(replace(GOOD, partial_batch=False, batch=1), ACCOUNT) == ()


def test_an_event_source_starts_with_five_and_grows_by_300_a_minute_to_1250() -> None:
    scaling = SourceScaling(Queue("q", "f"))
    assert scaling.limit(0, True) == 5
    assert scaling.limit(60, True) == 305
    assert scaling.limit(249, True) == 1250
    assert scaling.limit(1000, True) == 1250


def test_an_event_source_keeps_its_size_for_a_while_and_grows_only_while_messages_wait() -> None:
    scaling = SourceScaling(Queue("q", "f"))
    scaling.limit(0, True)
    assert scaling.limit(10, True) == 55
    assert scaling.limit(20, False) == 55
    assert scaling.limit(30, True) == 55
    assert scaling.limit(40, False) == 55
    assert scaling.limit(99, False) == 55
    assert scaling.limit(100, True) == 5


def test_maximum_concurrency_is_a_lower_ceiling() -> None:
    scaling = SourceScaling(Queue("q", "f", maximum_concurrency=3))
    assert scaling.limit(0, True) == 3
    assert scaling.limit(60, True) == 3
