"""Kinds of request: `{name: quote, weight: 3, get: "/quote?sku={{ sku }}"}`."""

import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from burstline.client.problems import allowed
from burstline.client.spelling.units import Spelled, Text, choices, mistake, numbers, reader, seconds, text, wholes

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
"""Each is also a key: `post: /orders`."""

_STATUS_CLASS = re.compile(r"^([1-5])xx$", re.IGNORECASE)
_STATUS_RANGE = re.compile(r"^([1-5][0-9]{2})\s*-\s*([1-5][0-9]{2})$")
_STATUSES = 'a status 100 to 599, a class such as "2xx", a range such as "200-299", or a list of these'

_STATUS_SPELLED = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^([1-5][xX]{2}|[1-5][0-9]{2} *- *[1-5][0-9]{2})$"},
    ]
}
_STATUSES_SPELLED = {
    "description": _STATUSES,
    "anyOf": [_STATUS_SPELLED, {"type": "array", "minItems": 1, "items": _STATUS_SPELLED}],
}

Statuses = tuple[tuple[int, int], ...]
"""Pairs of lowest and highest status, inclusive."""


def _status(value: object) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
        return value, value
    if isinstance(value, str):
        if match := _STATUS_CLASS.match(value):
            return int(match[1]) * 100, int(match[1]) * 100 + 99
        if (match := _STATUS_RANGE.match(value)) and int(match[1]) <= int(match[2]):
            return int(match[1]), int(match[2])
    raise mistake(allowed(value, _STATUSES))


def _statuses(value: object) -> Statuses:
    if isinstance(value, list):
        if not value:
            raise mistake(f"found an empty list; allowed: {_STATUSES}")
        return tuple(_status(item) for item in value)
    return (_status(value),)


def _fields(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise mistake(allowed(value, "a mapping of names to values"))
    pairs: list[tuple[str, str]] = []
    for name, item in value.items():
        for one in item if isinstance(item, list) else [item]:
            if one is None or isinstance(one, list | dict):
                raise mistake(f'"{name}": {allowed(one, "text or a number")}', name)
            pairs.append((str(name), text(one)))
    return tuple(pairs)


Fields = Annotated[tuple[tuple[str, str], ...], reader(_fields, {"type": "object"})]


class Expect(Spelled):
    """What makes a response ok."""

    status: Annotated[Statuses, reader(_statuses, _STATUSES_SPELLED)] = ((200, 399),)
    body: Text = ""


class Request(Spelled):
    """One kind of request; the method is a key (`get: /path`) or stands in `method` with `path`."""

    name: Text = ""
    weight: Annotated[float, numbers("a number over 0, at most 1000000", over=0, most=1e6)] = 1.0
    get: Text | None = None
    head: Text | None = None
    options: Text | None = None
    post: Text | None = None
    put: Text | None = None
    patch: Text | None = None
    delete: Text | None = None
    method: Annotated[str, choices(*METHODS)] | None = None
    path: Text | None = None
    query: Fields = ()
    headers: Fields = ()
    json_: Any = Field(alias="json", default=None)  # any YAML value
    body: Text | None = None
    body_file: Text | None = None
    expect: Expect = Expect()
    timeout: Annotated[float, seconds(least_s=0.001, most_s=900, says="1ms to 15m")] = 30.0
    function: Text = ""
    messages: Annotated[int, wholes("a whole number 1 to 10", least=1, most=10)] = 1

    @model_validator(mode="after")
    def _one_of_each(self) -> "Request":
        methods = [method for method in METHODS if getattr(self, method) is not None]
        if len(methods) > 1:
            raise mistake(f"found {' and '.join(methods)}; allowed: one method per request", methods[1])
        if methods and (self.method is not None or self.path is not None):
            raise mistake(f"stands beside {methods[0]}; allowed: either, not both", "method" if self.method else "path")
        if not methods and self.path is None and not self.contents():
            raise mistake("says nothing of what is sent; allowed: a method with its path, such as get: /orders")
        bodies = [key for key in ("json", "body", "body_file") if key in self.contents()]
        if len(bodies) > 1:
            raise mistake(f"found {' and '.join(bodies)}; allowed: one of json, body, body_file", bodies[1])
        return self

    def contents(self) -> set[str]:
        """Return which of `json`, `body` and `body_file` are stated; `json: null` counts."""
        stated = {"json" if name == "json_" else name for name in self.model_fields_set}
        return {key for key in ("json", "body", "body_file") if key in stated and (key == "json" or self._text(key))}

    def _text(self, key: str) -> bool:
        return getattr(self, key) is not None

    @property
    def bare(self) -> bool:
        """Whether it has a body alone: what the Invoke API and SQS are sent, which need neither method nor path."""
        return self.path is None and self.method is None and all(getattr(self, method) is None for method in METHODS)

    def verb(self) -> str:
        """Return the method in capitals; a bare one is a POST."""
        for method in METHODS:
            if getattr(self, method) is not None:
                return method.upper()
        return "POST" if self.bare else (self.method or "get").upper()

    def url_path(self) -> str:
        """Return the path with its query as written."""
        for method in METHODS:
            value = getattr(self, method)
            if value is not None:
                return str(value)
        return self.path or ""
