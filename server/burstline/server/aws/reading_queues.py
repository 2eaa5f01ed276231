"""SQS: the queues that feed the plan's functions, or that it sends to, with their event source mappings."""

import json
from collections.abc import Iterable
from typing import Any

from burstline.core.quota.aws.readings import Reading
from burstline.core.quota.quotas import Queue
from burstline.server.aws.asking import Asked
from burstline.server.aws.errors import AwsError

Answer = dict[str, Any]

_NUMBERS = {
    "VisibilityTimeout": ("visibility timeout", "s"),
    "MessageRetentionPeriod": ("retention", "s"),
    "ApproximateNumberOfMessages": ("messages waiting", "messages"),
    "ApproximateNumberOfMessagesNotVisible": ("messages in flight", "messages"),
}


async def read_queues(asked: Asked) -> tuple[list[Reading], dict[str, Queue]]:
    """Return the attributes of all queues that matter, and the queues whose mapping is known, too."""
    readings: list[Reading] = []
    queues: dict[str, Queue] = {}
    sources: dict[str, tuple[str, Answer]] = {}
    for function in asked.scope.functions:
        sources |= {name: (owner, found) for owner, name, found in await _sources(asked, FunctionName=function)}
    for name in dict.fromkeys((*asked.scope.queues, *sources)):
        source = sources.get(name)
        found, attributes = await _attributes(asked, source[0] if source else asked.scope.account, name)
        readings += found
        mapping = source[1] if source else await _mapping_of(asked, attributes)
        if mapping is not None and attributes:
            queues[name] = _queue(name, attributes, mapping)
    return readings, queues


async def _sources(asked: Asked, **given: str) -> list[tuple[str, str, Answer]]:
    """Return (account, queue name, mapping) of the SQS mappings asked for; none if that could not be read."""
    try:
        pages = await asked.aws.pages("lambda", "ListEventSourceMappings", **given)
    except AwsError:
        return []  # the function's own readings say so
    mappings = (mapping for page in pages for mapping in page.get("EventSourceMappings", []))
    return list(_of_sqs(mappings))


def _of_sqs(mappings: Iterable[Answer]) -> Iterable[tuple[str, str, Answer]]:
    for mapping in mappings:
        arn = str(mapping.get("EventSourceArn", "")).split(":")
        if len(arn) == 6 and arn[2] == "sqs":
            yield arn[4], arn[5], mapping


async def _mapping_of(asked: Asked, attributes: Answer) -> Answer | None:
    """Return the mapping of a queue that the plan names, but none of whose functions it does."""
    arn = attributes.get("QueueArn")
    found = await _sources(asked, EventSourceArn=str(arn)) if arn else []
    return found[0][2] if found else None


async def _attributes(asked: Asked, owner: str, queue: str) -> tuple[list[Reading], Answer]:
    source = "sqs GetQueueAttributes"
    theirs = {"QueueOwnerAWSAccountId": owner} if owner != "*" else {}
    try:
        url = (await asked.aws.read("sqs", "GetQueueUrl", QueueName=queue, **theirs))["QueueUrl"]
        answer = await asked.aws.read("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    except AwsError as error:
        return [asked.unread(source, f"queue {queue}", error)], {}
    attributes: Answer = answer.get("Attributes", {})
    found = [
        asked.reading(source, f"queue {queue}: {title}", float(attributes[key]), unit=unit)
        for key, (title, unit) in _NUMBERS.items()
        if key in attributes
    ]
    receives, dead_letters = _redrive(attributes)
    if receives is not None:
        title = f"queue {queue}: maxReceiveCount"
        found.append(asked.reading(source, title, float(receives), detail=f"then to {dead_letters}"))
    return found, attributes


def _redrive(attributes: Answer) -> tuple[int | None, str]:
    """Return maxReceiveCount and the dead-letter queue's name; None and "" if there is none."""
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    receives = redrive.get("maxReceiveCount")
    dead_letters = str(redrive.get("deadLetterTargetArn", "")).rpartition(":")[2]
    return (None, "") if receives is None else (int(receives), dead_letters)


def _queue(name: str, attributes: Answer, mapping: Answer) -> Queue:
    receives, dead_letters = _redrive(attributes)
    return Queue(
        name=name,
        function=str(mapping.get("FunctionArn", "")).rpartition(":function:")[2].split(":")[0],
        batch=int(mapping.get("BatchSize") or 10),
        batch_window_s=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
        maximum_concurrency=mapping.get("ScalingConfig", {}).get("MaximumConcurrency"),
        visibility_timeout_s=float(attributes.get("VisibilityTimeout", 30)),
        max_receives=receives,
        partial_batch="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
        dead_letter_queue=dead_letters,
    )
