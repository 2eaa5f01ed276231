"""SQS: queues that are sent to and looked at. Nobody receives but the event source."""

import json
from hashlib import md5
from time import monotonic
from uuid import uuid4

from burstline.emulator.aws.backend import Answer, ApiError, Backend, Handler

MOST_ENTRIES = 10
MOST_BYTES = 1024 * 1024
"""Of one SendMessageBatch. Source: Amazon SQS Developer Guide, "Amazon SQS message quotas"; read 2026-11-23."""

RETENTION_S = 345_600


def _named(backend: Backend, name: str) -> str:
    if name in backend.queues.by_name or backend.queues.dead(name) is not None:
        return name
    raise ApiError(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")


def _of_url(backend: Backend, given: Answer) -> str:
    return _named(backend, str(given["QueueUrl"]).rpartition("/")[2])


def get_queue_url(backend: Backend, given: Answer) -> Answer:
    """Answer with a queue's URL."""
    name = _named(backend, given["QueueName"])
    return {"QueueUrl": f"https://sqs.{backend.account.region}.amazonaws.com/{backend.settings.account_id}/{name}"}


def get_queue_attributes(backend: Backend, given: Answer) -> Answer:
    """Answer with the attributes asked for."""
    name = _of_url(backend, given)
    known = {"QueueArn": backend.arn("sqs", name), "MessageRetentionPeriod": str(RETENTION_S)}
    queue = backend.account.queues.get(name)
    if queue is None:
        known |= {"VisibilityTimeout": "30", "ApproximateNumberOfMessagesNotVisible": "0"}
        known["ApproximateNumberOfMessages"] = str(backend.queues.dead(name))
    else:
        seen = backend.queues.seen(monotonic(), name)
        known["VisibilityTimeout"] = str(int(queue.visibility_timeout_s))
        known["ApproximateNumberOfMessages"] = str(seen.visible)
        known["ApproximateNumberOfMessagesNotVisible"] = str(seen.hidden)
        if queue.max_receives is not None:
            target = backend.arn("sqs", queue.dead_letter_queue)
            redrive = {"deadLetterTargetArn": target, "maxReceiveCount": queue.max_receives}
            known["RedrivePolicy"] = json.dumps(redrive)
    wanted = given.get("AttributeNames", [])
    return {"Attributes": {key: value for key, value in known.items() if "All" in wanted or key in wanted}}


def send_message_batch(backend: Backend, given: Answer) -> Answer:
    """Take in up to ten messages."""
    name, entries = _of_url(backend, given), given["Entries"]
    if not entries:
        raise ApiError(400, "AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one entry.")
    if len(entries) > MOST_ENTRIES:
        raise ApiError(400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "At most 10 entries are allowed.")
    if sum(len(entry["MessageBody"].encode()) for entry in entries) > MOST_BYTES:
        raise ApiError(400, "AWS.SimpleQueueService.BatchRequestTooLong", "The batch is longer than 1 MiB.")
    one = backend.queues.by_name.get(name)
    if one is None:
        raise ApiError(400, "AWS.SimpleQueueService.NonExistentQueue", "Nobody sends to this dead-letter queue.")
    good = [entry for entry in entries if entry["MessageBody"]]
    one.send(len(good))
    failed = [
        {"Id": entry["Id"], "Code": "InvalidParameterValue", "Message": "The message is empty.", "SenderFault": True}
        for entry in entries
        if not entry["MessageBody"]
    ]
    taken = [
        {
            "Id": entry["Id"],
            "MessageId": str(uuid4()),
            "MD5OfMessageBody": md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest(),
        }
        for entry in good
    ]
    return {"Successful": taken, "Failed": failed}


HANDLERS: dict[str, Handler] = {
    "GetQueueUrl": get_queue_url,
    "GetQueueAttributes": get_queue_attributes,
    "SendMessageBatch": send_message_batch,
}
"""By operation."""
