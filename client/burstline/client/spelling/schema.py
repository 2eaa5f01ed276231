"""The JSON Schema of a plan file, for editors: keys, types and ranges; `burstline check` knows more."""

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from burstline.client.spelling.account import ACCOUNT_SECTIONS
from burstline.client.spelling.plan import PLAN_KEYS, SECTIONS
from burstline.client.spelling.units import duration_spelled

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ABOUT = {
    "name": "Display name; the file's name if missing.",
    "target": "Where requests go: a URL, or url with front, function, stage and usage_plan.",
    "auth": "One way to authenticate; secrets as ${env:NAME}.",
    "requests": "Kinds of request with their weights.",
    "writes": "POST, PUT, PATCH and DELETE are refused unless this says allowed.",
    "data": "Rows for templates.",
    "load": "Phases, one after the other.",
    "goal": "What the launch needs: requests per second in its highest second.",
    "tolerance": "Share of throttled requests that still passes.",
    "thresholds": "What the whole run must meet, such as latency p99 < 300ms.",
    "abort": "What stops the run, such as failed > 20% for 5s.",
    "ceilings": "Our own limits.",
    "connections": "Connection policy.",
    "account": "Declared quotas: an account file, or its content.",
    "max_late": "A request later than this is dropped, never sent in a clump.",
    "seed": "Fixes every random choice.",
    "marks": "false leaves out x-burstline-run and our User-Agent.",
}
"""A sentence for each key at the top."""


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan file."""
    kinds: dict[str, Any] = {}
    sections = {key: _schema(annotation, kinds) for key, annotation in SECTIONS.items()}
    account = {key: _schema(annotation, kinds) for key, annotation in ACCOUNT_SECTIONS.items()}
    _allow_short_forms(kinds)
    nothing = {"type": "null"}
    shapes = [{"$ref": f"#/$defs/{name}"} for name in ("Constant", "Ramp", "Step", "Pause", "Bursts", "Sine", "Users")]
    del kinds["Shapeless"]
    spelled = sections | {
        "target": {"anyOf": [{"type": "string"}, sections["target"]]},
        "requests": {"type": "array", "minItems": 1, "items": sections["requests"]},
        "load": {"type": "array", "minItems": 1, "items": {"anyOf": shapes}},
        "goal": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, sections["goal"], nothing]},
        "account": {"anyOf": [{"type": "string"}, _object(account | {"emulator": {"type": "object"}}), nothing]},
    }
    return {
        "$schema": DIALECT,
        "title": "A burstline plan",
        **_object({key: {"description": ABOUT[key], **_beside(spelled[key])} for key in PLAN_KEYS}),
        "required": ["target", "requests", "load"],
        "$defs": dict(sorted(kinds.items())),
    }


def _schema(annotation: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    """Return an annotation's schema; the kinds it refers to go into `kinds`."""
    found = TypeAdapter(annotation).json_schema()
    _clean(found)
    kinds.update(found.pop("$defs", {}))
    if "properties" in found:
        name = annotation.__name__
        kinds[name] = found
        return {"$ref": f"#/$defs/{name}"}
    return found


def _allow_short_forms(kinds: dict[str, Any]) -> None:
    """Add what models take before they look: a bare duration is its median, a function may be empty."""
    kinds["Function"]["properties"]["duration"]["anyOf"].append(duration_spelled("the median"))
    kinds["Lambda"]["properties"]["functions"]["additionalProperties"] = {
        "anyOf": [{"$ref": "#/$defs/Function"}, {"type": "null"}]
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _beside(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its own description, which gives way to the key's."""
    return {key: value for key, value in schema.items() if key != "description"}


def _clean(schema: Any) -> None:
    """Take out titles, which only repeat the keys, and defaults, which are of the values as they are read."""
    for below in _objects(schema):
        if isinstance(below.get("title"), str):
            del below["title"]
        below.pop("default", None)


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema inside one, but no mapping of names to schemas: a field may be called title."""
    if isinstance(schema, list):
        for item in schema:
            yield from _objects(item)
    elif isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            if key in ("properties", "$defs"):
                for below in value.values():
                    yield from _objects(below)
            elif key not in ("enum", "const", "required"):
                yield from _objects(value)
