"""Calls of AWS's own APIs that a plan drives: Lambda's Invoke by its path, SQS's SendMessageBatch by its body.

Sources: botocore 1.43's models of Lambda (`Invoke`) and SQS (`SendMessageBatch`, AWS JSON 1.0).
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

from burstline.core.load.plan import Front, Plan, Request
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.templating import Text, Values

BATCH_HEADERS = (("X-Amz-Target", "AmazonSQS.SendMessageBatch"), ("Content-Type", "application/x-amz-json-1.0"))


def as_sent(request: Request, plan: Plan) -> Request:
    """Return a request with the path or headers of the API that its front is; others as they are."""
    target = plan.target
    if target.front is Front.SQS:
        return replace(request, method="POST", path="/", query=(), headers=(*BATCH_HEADERS, *request.headers))
    if target.front is not Front.LAMBDA or request.path:
        return request
    function = dict(target.function_of).get(request.name, target.function)
    if not function:
        raise CannotPrepare(f"request {request.name!r}: the function to invoke is not stated")
    path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
    qualifier = (("Qualifier", target.qualifier),) if target.qualifier else ()
    return replace(request, path=path, query=(*qualifier, *request.query))


def base_url(url: str, front: Front) -> str:
    """Return where requests are sent: a queue's URL names the queue, but calls go to its host alone."""
    if front is not Front.SQS:
        return url
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"


class Quoted(Text):
    """A text that stands inside a JSON string: escaped after its own values are filled in."""

    def __init__(self, inner: Text) -> None:
        super().__init__("")
        self._inner, self.names = inner, inner.names
        self.constant = None if inner.constant is None else _in_json(inner.constant)

    def render(self, values: Values) -> str:
        """Return the string for one arrival."""
        return self.constant if self.constant is not None else _in_json(self._inner.render(values))


def batch_body(message: Sequence[bytes | Text], queue_url: str, count: int) -> list[bytes | Text]:
    """Return the body that sends `count` copies of a message, 1..10, in one call.

    A first-in-first-out queue gets a group for each call, so that calls do not wait for each other, and an id for
    each message, so that none is taken for another's copy.

    Raises:
        CannotPrepare: the message is empty, or no text.
    """
    if not message:
        raise CannotPrepare("front sqs sends messages: each request needs a body or json")
    try:
        inner = [Quoted(part) if isinstance(part, Text) else _in_json(part.decode()).encode() for part in message]
    except UnicodeDecodeError as error:
        raise CannotPrepare("front sqs sends text: the body is not UTF-8") from error
    parts: list[bytes | Text] = [b'{"QueueUrl": ' + json.dumps(queue_url).encode() + b', "Entries": [']
    for index in range(count):
        parts += [b'%s{"Id": "%d", "MessageBody": "' % (b", " if index else b"", index), *inner, b'"']
        if queue_url.endswith(".fifo"):
            parts.append(Text(', "MessageGroupId": "{{ n }}"'))
            parts.append(Text(f', "MessageDeduplicationId": "{{{{ run.id }}}}-{{{{ n }}}}-{index}"'))
        parts.append(b"}")
    return [*parts, b"]}"]


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]
