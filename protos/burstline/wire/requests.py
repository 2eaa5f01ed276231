"""Requests: `v1.Request` -> `core.load.plan.Request`."""

import json
import re
from collections.abc import Sequence

from burstline.core.load import plan as core
from burstline.v1 import resources_pb2 as v1
from burstline.wire.checks import Checks
from burstline.wire.templates import BUILT_IN_NAMES, names_in

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
WRITING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LONGEST_TIMEOUT_S = 900.0
_NAME = re.compile(r"[A-Za-z0-9 ._-]{1,60}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def requests_from_proto(
    messages: Sequence[v1.Request], columns: Sequence[str], writes_allowed: bool, checks: Checks
) -> tuple[core.Request, ...]:
    """Return a plan's requests; what is wrong goes into `checks`.

    Args:
        columns: names that templates may use besides the built-in ones.
        writes_allowed: whether methods that may change data pass.
    """
    checks.require(len(messages) > 0, "requests", "it is missing: a plan needs at least one request")
    seen: dict[str, int] = {}
    requests = []
    for i, message in enumerate(messages):
        field = f"requests[{i}]"
        if message.name in seen:
            checks.refuse(f"{field}.name", f"{message.name!r} is the name of requests[{seen[message.name]}] already")
        seen.setdefault(message.name, i)
        requests.append(_request(message, field, writes_allowed, checks))
        _check_templates(message, field, frozenset(columns) | BUILT_IN_NAMES, checks)
    return tuple(requests)


def _request(message: v1.Request, field: str, writes_allowed: bool, checks: Checks) -> core.Request:
    allowed = "allowed are 1 to 60 letters, digits, blanks, '-', '_' and '.'"
    checks.require(bool(_NAME.fullmatch(message.name)), f"{field}.name", f"{message.name!r}: {allowed}")
    method = message.method or "GET"
    checks.require(method in METHODS, f"{field}.method", f"{method!r}: allowed are {', '.join(METHODS)}")
    checks.require(
        writes_allowed or method not in WRITING_METHODS,
        f"{field}.method",
        f"{method} may change data: state `writes: allowed` in the plan if it is meant",
    )
    path = message.path
    checks.require(path == "" or path.startswith("/"), f"{field}.path", f"{path!r} does not start with '/'")
    checks.require(
        not re.search(r"[\x00-\x20\x7f]", re.sub(r"\{\{.*?\}\}", "", path)), f"{field}.path", "it has blanks"
    )
    _check_headers(message.headers, field, checks)
    if message.WhichOneof("content") == "json":
        try:
            json.loads(message.json)
        except ValueError as error:
            checks.refuse(f"{field}.json", f"this is not JSON: {error}")
    if message.WhichOneof("content") == "body_sha256":
        digest = message.body_sha256
        checks.require(bool(re.fullmatch("[0-9a-f]{64}", digest)), f"{field}.body_sha256", f"{digest!r} is no SHA-256")
    return core.Request(
        name=message.name,
        weight=checks.number(f"{field}.weight", message.weight or 1.0, low=0, high=1e6, above_low=True),
        method=method,
        path=path,
        query=tuple((pair.name, pair.value) for pair in message.query),
        headers=tuple((pair.name, pair.value) for pair in message.headers),
        body=message.body,
        json=message.json,
        body_sha256=message.body_sha256,
        expect=_expect(message.expect, f"{field}.expect", checks),
        timeout_s=(
            checks.seconds(f"{field}.timeout_duration", message.timeout_duration, low=0.001, high=LONGEST_TIMEOUT_S)
            if message.HasField("timeout_duration")
            else 30.0
        ),
        message_count=int(checks.number(f"{field}.message_count", message.message_count or 1, low=1, high=10)),
    )


def _check_headers(headers: Sequence[v1.Field], field: str, checks: Checks) -> None:
    for i, header in enumerate(headers):
        place = f"{field}.headers[{i}]"
        checks.require(bool(_HEADER_NAME.fullmatch(header.name)), place, f"{header.name!r} is no header name")
        checks.require(header.name.lower() not in _OURS, place, f"{header.name} is set by burstline itself")
        checks.require(
            not re.search(r"[\r\n\x00]", header.value), place, f"the value of {header.name} has a line break"
        )


def _expect(message: v1.Expect, field: str, checks: Checks) -> core.Expect:
    ranges = []
    for i, status in enumerate(message.statuses):
        place = f"{field}.statuses[{i}]"
        checks.number(f"{place}.low", status.low, low=100, high=599)
        checks.number(f"{place}.high", status.high, low=100, high=599)
        checks.require(status.low <= status.high, place, f"{status.low} to {status.high} is empty")
        ranges.append(core.StatusRange(status.low, status.high))
    return core.Expect(tuple(ranges) or core.Expect().statuses, message.body_contains)


def _check_templates(message: v1.Request, field: str, known: frozenset[str], checks: Checks) -> None:
    places = [(f"{field}.path", message.path), (f"{field}.body", message.body), (f"{field}.json", message.json)]
    places += [(f"{field}.query[{i}]", pair.value) for i, pair in enumerate(message.query)]
    places += [(f"{field}.headers[{i}]", pair.value) for i, pair in enumerate(message.headers)]
    for place, text in places:
        try:
            unknown = sorted(names_in(_plain(place, text)) - known)
        except ValueError as error:
            checks.refuse(place, str(error))
            continue
        for name in unknown:
            checks.refuse(place, f"{{{{ {name} }}}} is unknown: allowed are {', '.join(sorted(known))}")


def _plain(place: str, text: str) -> str:
    """Return the strings of a JSON body as one text, since quotes in a template stand escaped in JSON."""
    if not place.endswith(".json") or not text:
        return text
    try:
        return "\n".join(strings_in(json.loads(text)))
    except ValueError:
        return ""  # not JSON: refused already


def strings_in(document: object) -> list[str]:
    """Return every string value of a JSON document, depth first; keys are not templates."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [text for value in document for text in strings_in(value)]
    return []
