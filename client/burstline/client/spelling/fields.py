"""From a field of a message (`load[2].bursts.every_duration`) back to the place of the YAML that it came from."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from burstline.client.problems import FieldPath
from burstline.client.spelling.requests import METHODS

_TOKEN = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|(\w+)')

_LEAVES: dict[str, FieldPath] = {
    "request_count_per_second": ("rate",),
    "from_request_count_per_second": ("rate",),
    "to_request_count_per_second": ("to",),
    "mean_request_count_per_second": ("mean",),
    "amplitude_request_count_per_second": ("amplitude",),
    "other_request_count_per_second": ("other_traffic", "rate"),
    "step_count": ("steps",),
    "size_count": ("size",),
    "user_count": ("users",),
    "every_duration": ("every",),
    "width_duration": ("width",),
    "period_duration": ("period",),
    "think_duration": ("think",),
    "timeout_duration": ("timeout",),
    "keep_alive_duration": ("keep_alive",),
    "dns_duration": ("dns", "every"),
    "run_duration": ("duration",),
    "max_late_duration": ("max_late",),
    "init_duration": ("init",),
    "p50_duration": ("duration", "p50"),
    "p99_duration": ("duration", "p99"),
    "by_date": ("by",),
    "in_flight_count": ("in_flight",),
    "request_count": ("requests",),
    "warm_count": ("warm",),
    "burst_count": ("burst",),
    "concurrency_count": ("concurrency",),
    "reserved_count": ("reserved",),
    "provisioned_count": ("provisioned",),
    "quota_count": ("quota", "limit"),
    "quota_period": ("quota", "per"),
    "error_ratio": ("errors",),
    "tolerated_throttled_ratio": ("tolerance", "throttled"),
    "writes_allowed": ("writes",),
    "marks_disabled": ("marks",),
    "body_contains": ("body",),
    "body_sha256": ("body_file",),
    "message_count": ("messages",),
    "batch_count": ("batch",),
    "batch_window_duration": ("batch_window",),
    "maximum_concurrency_count": ("maximum_concurrency",),
    "visibility_timeout_duration": ("visibility_timeout",),
    "max_receive_count": ("max_receives",),
}

_ACCOUNT = {
    "gateway": ("apigateway",),
    "stages": ("apigateway", "stages"),
    "usage_plans": ("apigateway", "usage_plans"),
    "functions": ("lambda", "functions"),
    "concurrency_count": ("lambda", "concurrency"),
    "scaling": ("lambda", "scaling"),
    "queues": ("sqs", "queues"),
}


def tokens(field: str) -> FieldPath:
    """Return a message path as names and list positions."""
    return tuple(
        int(match[2]) if match[2] is not None else match[3] if match[3] is not None else match[1]
        for match in _TOKEN.finditer(field)
    )


def yaml_path(field: str, data: Mapping[str, Any]) -> FieldPath:
    """Return where a message's field stands in a plan's YAML.

    Args:
        field: of a `v1.Plan` or, beginning with `account.`, of a `v1.Account`.
        data: the plan's YAML, which says under which key the method of a request or the length of a phase stands.
    """
    path = tokens(field)
    head, rest = path[:1], path[1:]
    if head == ("account",):
        return _account_path(rest)
    if head in (("load",), ("requests",)) and rest and isinstance(rest[0], int):
        item = _item(data, str(head[0]), rest[0])
        below = _phase_path(rest[1:], item) if head == ("load",) else _request_path(rest[1:], item)
        return (*head, rest[0], *below)
    if head == ("data",):
        return ("data",)
    if path[:2] == ("target", "function_of"):
        return ("requests",)
    return _leaves(path)


def _item(data: Mapping[str, Any], key: str, index: int) -> Mapping[str, Any]:
    items = data.get(key)
    item = items[index] if isinstance(items, list) and index < len(items) else None
    return item if isinstance(item, dict) else {}


def _leaves(path: FieldPath) -> FieldPath:
    return tuple(new for part in path for new in (_LEAVES.get(part, (part,)) if isinstance(part, str) else (part,)))


def _phase_path(path: FieldPath, item: Mapping[str, Any]) -> FieldPath:
    if path[:1] == ("duration",):
        return ("pause",) if "pause" in item else ("for",)
    if path[:1] == ("bursts",) and path[1:] == ("base_request_count_per_second",):
        return ("rate",)
    if path[:1] in (("bursts",), ("sine",)):
        return _leaves(path)
    if path[:1] in (("constant",), ("ramp",), ("step",), ("pause",), ("users",)):
        return _leaves(path[1:])
    return path


def _request_path(path: FieldPath, item: Mapping[str, Any]) -> FieldPath:
    method = next((key for key in item if key in METHODS), None)
    if path[:1] == ("method",):
        return (method or "method",)
    if path[:1] == ("path",):
        return (method or "path",)
    if path[:2] == ("expect", "statuses"):
        return ("expect", "status")
    if path[:1] in (("query",), ("headers",)):
        return path[:1]
    return _leaves(path)


def _account_path(path: Sequence[str | int]) -> FieldPath:
    if not path:
        return ("account",)
    head = _ACCOUNT.get(str(path[0]), (path[0],))
    if path[0] in ("stages", "usage_plans", "functions", "queues") and len(path) > 1:
        below = tuple(path[2:])
        return ("account", *head, path[1], *_leaves(below[1:] if below[:1] == ("bucket",) else below))
    return ("account", *head, *_leaves(tuple(path[1:])))


def spelled(message: str, field: str) -> str | None:
    """Return how a message's field is spelled in YAML, below the message's own place; None if it is not there.

    Args:
        message: such as `Phase.Bursts`.
        field: such as `size_count`.
    """
    if (message, field) in _ABSENT:
        return None
    path: tuple[str | int, ...]
    if message == "Account":
        path = _ACCOUNT.get(field, (field,))
    elif message == "Phase" and field == "duration":
        path = ("for",)
    elif message == "Phase.Bursts" and field == "base_request_count_per_second":
        path = ("rate",)
    else:
        path = _SPELLED.get((message, field)) or _LEAVES.get(field, (field,))
    return ".".join(str(part) for part in path)


_ABSENT = {
    ("DataFile", "sha256"),
    ("DataFile", "columns"),
    ("Field", "name"),
    ("Field", "value"),
    ("StatusRange", "low"),
    ("StatusRange", "high"),
}
"""What the client fills in, or what YAML says in another form."""

_SPELLED: dict[tuple[str, str], FieldPath] = {
    ("Target", "function_of"): ("requests", "function"),
    ("Request", "method"): ("get, post, ...",),
    ("Request", "path"): ("get, post, ...",),
    ("Request", "body_sha256"): ("body_file",),
    ("Expect", "statuses"): ("status",),
    ("DataFile", "format"): ("csv or jsonl",),
    ("Phase", "constant"): ("rate",),
    ("Phase", "ramp"): ("rate and to",),
    ("Phase", "step"): ("rate, to and steps",),
}
"""Fields whose spelling depends on the message."""
