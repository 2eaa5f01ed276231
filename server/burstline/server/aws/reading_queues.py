"""SQS: attributes of the queues that feed a function, and whether they suit it."""

import json
from typing import Any

from burstline.core.quota.aws.readings import Reading
from burstline.server.aws.asking import Asked
from burstline.server.aws.errors import AwsError

VISIBILITY_TIMES_TIMEOUT = 6
LEAST_RECEIVES = 5
LEAST_RESERVED = 5
"""What a queue in front of Lambda needs. Source: Lambda Developer Guide, "Creating and configuring an Amazon SQS event
source mapping"; read 2026-11-23."""

_NUMBERS = {
    "VisibilityTimeout": ("visibility timeout", "s"),
    "MessageRetentionPeriod": ("retention", "s"),
    "ApproximateNumberOfMessages": ("messages waiting", "messages"),
    "ApproximateNumberOfMessagesNotVisible": ("messages in flight", "messages"),
}


async def read_queue(asked: Asked, owner: str, queue: str, function: str) -> list[Reading]:
    """Return a queue's attributes, and note what does not suit the function."""
    source = "sqs GetQueueAttributes"
    try:
        url = (await asked.aws.read("sqs", "GetQueueUrl", QueueName=queue, QueueOwnerAWSAccountId=owner))["QueueUrl"]
        answer = await asked.aws.read("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    except AwsError as error:
        return [asked.unread(source, f"queue {queue}", error)]
    attributes: dict[str, str] = answer.get("Attributes", {})
    found = [
        asked.reading(source, f"queue {queue}: {title}", float(attributes[key]), unit=unit)
        for key, (title, unit) in _NUMBERS.items()
        if key in attributes
    ]
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    receives = redrive.get("maxReceiveCount")
    if receives is not None:
        dead_letters = str(redrive.get("deadLetterTargetArn", "")).rpartition(":")[2]
        found.append(
            asked.reading(source, f"queue {queue}: maxReceiveCount", float(receives), detail=f"then to {dead_letters}")
        )
    await _check(asked, queue, function, attributes, receives)
    return found


async def _check(asked: Asked, queue: str, function: str, attributes: dict[str, str], receives: Any) -> None:
    timeout_s = await _of(asked, "GetFunctionConfiguration", function, "Timeout")
    reserved = await _of(asked, "GetFunctionConcurrency", function, "ReservedConcurrentExecutions")
    visibility_s = float(attributes.get("VisibilityTimeout", "30"))
    note = asked.notes.append
    if timeout_s is not None and visibility_s < VISIBILITY_TIMES_TIMEOUT * timeout_s:
        note(
            f"Queue {queue}: visibility timeout {visibility_s:g} s is below {VISIBILITY_TIMES_TIMEOUT} x the timeout "
            f"of {function} ({timeout_s:g} s): messages come again while they are worked on."
        )
    if receives is None:
        note(f"Queue {queue} has no dead-letter queue: a message that always fails comes again until it expires.")
    elif float(receives) < LEAST_RECEIVES:
        note(
            f"Queue {queue}: maxReceiveCount {receives} is below {LEAST_RECEIVES}: throttles alone send messages "
            "to the dead-letter queue."
        )
    if reserved is not None and reserved < LEAST_RESERVED:
        note(f"{function}: reserved concurrency {reserved:g} is below {LEAST_RESERVED}, where the event source starts.")


async def _of(asked: Asked, operation: str, function: str, member: str) -> float | None:
    try:
        value = (await asked.aws.read("lambda", operation, FunctionName=function)).get(member)
    except AwsError:
        return None
    return None if value is None else float(value)
