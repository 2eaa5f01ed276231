"""`--set load.0.rate=500`: values from the command line, put into a document before it is read."""

from typing import Any

from burstline.client.problems import FieldPath, Problem
from burstline.client.spelling.documents import Document, Place, parse_document

FORM = "allowed: FIELD=VALUE, such as load.0.rate=500 or requests.quote.weight=2"


def apply_setting(document: Document, setting: str) -> list[Problem]:
    """Put one `FIELD=VALUE` into a document; return what is wrong with it."""
    field, equals, text = setting.partition("=")
    # what is put below auth may be a secret: messages end up in logs
    option = f"--set {field}=..." if field.lstrip().startswith("auth") else f"--set {setting}"
    parts = [part for part in field.replace("[", ".").replace("]", "").split(".") if part]
    if not equals or not parts or not isinstance(document.data, dict):
        return [Problem(option, 0, 0, "", f'found "{setting}"; {FORM}')]
    value = parse_document(text, option)
    if value.problems and text.strip():
        return value.problems
    return _put(document, parts, value.data, option)


def put(document: Document, path: FieldPath, value: Any, option: str) -> None:
    """Put a value below mappings that exist or can be made, and note the option as its place."""
    into = document.data
    for part in path[:-1]:
        into = into.setdefault(part, {})
    into[path[-1]] = value
    mark(document, path, option)


def mark(document: Document, path: FieldPath, option: str) -> None:
    """Note that everything at and below a path came from an option."""
    for places in (document.places, document.keys):
        for below in [known for known in places if known[: len(path)] == path]:
            del places[below]
    document.places[path] = Place(option)


def _put(document: Document, parts: list[str], value: Any, option: str) -> list[Problem]:
    into: Any = document.data
    path: FieldPath = ()
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(into, list):
            position = _position(into, part)
            if position is None:
                numbers = "none: the list is empty" if not into else "0" if len(into) == 1 else f"0 to {len(into) - 1}"
                allowed = f"allowed: {numbers}{', or the name of an item' if into else ''}"
                return [Problem(option, 0, 0, "", f'found "{part}" for an item of a list; {allowed}')]
            path = (*path, position)
            if last:
                into[position] = value
            into = into[position]
        elif isinstance(into, dict):
            path = (*path, part)
            if last:
                into[part] = value
            elif into.get(part) is None:
                into[part] = {}
            into = into[part]
        else:
            return [
                Problem(option, 0, 0, "", f'"{".".join(parts[:index])}" is a single value; nothing stands below it')
            ]
    mark(document, path, option)
    return []


def _position(items: list[Any], part: str) -> int | None:
    if part.isdecimal():
        return int(part) if int(part) < len(items) else None
    return next((i for i, item in enumerate(items) if isinstance(item, dict) and item.get("name") == part), None)
