"""One mistake in a plan or account file: where it is, what was found there, and what is allowed."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

FieldPath = tuple[str | int, ...]
"""Keys and list positions (counted from 0) from the top of a file to a value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake.

    Attributes:
        file: the file as the user named it, or the option (`--set load.0.rate=x`) that brought the value in.
        line: counted from 1; 0 where there is no line.
        column: counted from 1; 0 where there is no column.
        field: the field as `load[2].bursts.every`; "" for the file as a whole.
        message: what was found and what is allowed, one sentence without a full stop.
    """

    file: str
    line: int
    column: int
    field: str
    message: str

    def __str__(self) -> str:
        """Return `file:line:column: field: message`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


def field_text(path: FieldPath) -> str:
    """Return a path as a reader writes it: `requests[0].expect.status`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def found(value: object) -> str:
    """Return a value as it looks in YAML, shortened, for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'"{value[:57]}..."' if len(value) > 60 else f'"{value}"'
    return str(value)


def allowed(value: object, what: str) -> str:
    """Return the sentence that says what was found and what is allowed instead."""
    return f"found {found(value)}; allowed: {what}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the sentence about a key that does not exist, with the nearest that does."""
    names = list(known)
    near = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.6)
    guess = f'did you mean "{near[0]}"? ' if near else ""
    return f"no such field; {guess}allowed: {', '.join(names)}"
