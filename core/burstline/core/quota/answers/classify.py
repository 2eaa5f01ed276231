"""From a response to its signature: what it looked like, which is all that a worker can know."""

import re
from collections.abc import Iterator, Mapping

from burstline.core.load.plan import Front
from burstline.core.load.samples import TRANSPORT_SIGNATURES
from burstline.core.quota.answers.signatures import (
    BATCH_FAILED,
    BATCH_THROTTLED,
    FUNCTION_ERROR,
    MEANINGS,
    MEANINGS_OF,
    PREFIXES,
    RULES,
    Meaning,
)

EVIDENCE_BYTES = 4096
"""How much of a body is looked at, bytes."""

_FIELD = re.compile(rb'"(?:message|reason|type|__type|code)"\s*:\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FAILED_ENTRIES = re.compile(rb'"Failed"\s*:\s*\[(\s*\{[^\]]*)')
_XML_FIELD = re.compile(rb"<(?:Message|Code)>([^<]*)</", re.IGNORECASE)


def signatures(front: Front) -> tuple[str, ...]:
    """Return every signature that a request at `front` can end with, those without a response last."""
    return (*MEANINGS_OF[front], *TRANSPORT_SIGNATURES)


def meaning(signature: str) -> Meaning:
    """Return what a signature may mean.

    Raises:
        ValueError: there is no such signature.
    """
    found = MEANINGS.get(signature)
    if found is None:
        raise ValueError(f"no signature is called {signature!r}")
    return found


def classify(front: Front, status: int, headers: Mapping[str, str], body: bytes, expected: bool) -> str:
    """Return the signature of a response.

    Args:
        front: the kind of entry point that answered.
        status: HTTP status, 100..599.
        headers: the response's, in a mapping that ignores case.
        body: the response's, or its first `EVIDENCE_BYTES`; need be neither JSON nor complete.
        expected: whether it met the request's `expect`.
    """
    prefix = PREFIXES[front]
    # The Invoke API answers 200 when the function failed: the header's presence says so, whatever its value.
    if front is Front.LAMBDA and "x-amz-function-error" in headers:
        return FUNCTION_ERROR
    if front is Front.SQS and status == 200 and (failed := _FAILED_ENTRIES.search(body[:EVIDENCE_BYTES])):
        return BATCH_THROTTLED if b"throttl" in failed[1].lower() else BATCH_FAILED
    if expected:
        return f"{prefix}.ok"
    if status < 400:
        return f"{prefix}.unexpected"
    words: frozenset[str] | None = None
    for rule in RULES[front]:
        if rule.status != status:
            continue
        if not rule.words:
            return f"{prefix}.{rule.name}"
        if words is None:
            words = frozenset(_evidence(headers, body))
        if not words.isdisjoint(rule.words):
            return f"{prefix}.{rule.name}"
    return f"{prefix}.4xx" if status < 500 else f"{prefix}.5xx"


def _evidence(headers: Mapping[str, str], body: bytes) -> Iterator[str]:
    """Yield the error type, message and reason of a response, in one spelling.

    Fields are searched for rather than parsed: a body may be cut off, and may differ in case, blanks and full stops.
    """
    yield _error_name(headers.get("x-amzn-errortype", ""))
    start = body[:EVIDENCE_BYTES]
    fields = _FIELD.findall(start) or _XML_FIELD.findall(start)
    for field in fields or (start[:200],):
        text = field.decode("utf-8", "replace")
        yield _plain(text)
        yield _error_name(text)


def _error_name(text: str) -> str:
    """`TooManyRequestsException:http://...` and `com.amazonaws.sqs#RequestThrottled` name their last part."""
    return _plain(text.split(":", 1)[0].rsplit("#", 1)[-1].rsplit(".", 1)[-1] if " " not in text else text)


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".").lower()
