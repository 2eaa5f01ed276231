"""Whether an SQS queue suits the function that it feeds.

Source: Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping" and "Handling errors for
an SQS event source"; read 2026-11-23.
"""

from burstline.core.quota.admission.event_source import START_COUNT, most_of
from burstline.core.quota.quotas import Account, Function, Queue

VISIBILITY_TIMES_TIMEOUT = 6
LEAST_RECEIVES = 5


def queue_notes(queue: Queue, account: Account) -> tuple[str, ...]:
    """Return a sentence for each thing that does not suit; empty if all does.

    Args:
        queue: as it was read or declared.
        account: its function.
    """
    function = account.functions.get(queue.function) or Function(queue.function)
    return (*_visibility(queue, function), *_receives(queue), *_concurrency(queue, function), *_batches(queue))


def _visibility(queue: Queue, function: Function) -> list[str]:
    least_s = VISIBILITY_TIMES_TIMEOUT * function.timeout_s + queue.batch_window_s
    if queue.visibility_timeout_s >= least_s:
        return []
    window = f" plus the batching window of {queue.batch_window_s:g} s" if queue.batch_window_s else ""
    return [
        f"Queue {queue.name}: visibility timeout {queue.visibility_timeout_s:g} s is below "
        f"{VISIBILITY_TIMES_TIMEOUT} x the timeout of {queue.function} ({function.timeout_s:g} s)"
        f"{window}: messages come again while they are worked on. Set it to {least_s:g} s or more."
    ]


def _receives(queue: Queue) -> list[str]:
    if queue.max_receives is None:
        return [
            f"Queue {queue.name} has no dead-letter queue: a message that always fails comes again until it expires."
        ]
    if queue.max_receives >= LEAST_RECEIVES:
        return []
    return [
        f"Queue {queue.name}: maxReceiveCount {queue.max_receives} is below {LEAST_RECEIVES}: throttles alone send "
        "messages to the dead-letter queue."
    ]


def _concurrency(queue: Queue, function: Function) -> list[str]:
    reserved = function.reserved
    if reserved is None:
        return []
    if reserved < START_COUNT:
        return [
            f"{queue.function}: reserved concurrency {reserved} is below {START_COUNT}, where the event source of "
            f"queue {queue.name} starts: it is throttled from the beginning."
        ]
    if most_of(queue) > reserved:
        return [
            f"Queue {queue.name}: its event source grows to {most_of(queue):,} concurrent invocations, "
            f"{queue.function} has {reserved} reserved: above that it is throttled, and each try counts as a receive. "
            f"Set MaximumConcurrency to {reserved} or less."
        ]
    return []


def _batches(queue: Queue) -> list[str]:
    if queue.partial_batch or queue.batch == 1:
        return []
    return [
        f"Queue {queue.name}: {queue.function} does not report failed messages one by one "
        f"(ReportBatchItemFailures): one bad message of a batch brings back all {queue.batch}."
    ]
