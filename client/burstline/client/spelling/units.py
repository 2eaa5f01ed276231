"""Readers of single YAML values. Each raises a message that says what was found and what is allowed."""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from burstline.client.problems import allowed

SECOND_OF = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds in each unit of a duration."""

WEEK_S = 7 * 86400.0
MAX_RATE_PER_S = 1e7
"""The largest rate a plan may state, requests/s (resources.proto)."""

_DURATION = re.compile(r"^(?:[0-9]+(?:\.[0-9]*)?(?:us|µs|ms|s|m|h|d))+$")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)(us|µs|ms|s|m|h|d)")
_NUMBER = re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9]*)?$")


class Spelled(BaseModel):
    """A mapping of the YAML: unknown keys are mistakes."""

    # built when first used: a plan uses a few of them, and building all takes as long as reading it
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def mistake(message: str, at: str = "") -> PydanticCustomError:
    """Return the error that carries a message as it is; `at` names the key below the value that is wrong."""
    return PydanticCustomError("spelling", "{text}", {"text": message, "at": at})


def reader(read: Callable[[object], object], spelled: dict[str, Any] | None = None) -> BeforeValidator:
    """Return a validator that uses `read` alone; `spelled` is the JSON Schema of what it takes (anything)."""
    return BeforeValidator(read, json_schema_input_type=Annotated[Any, WithJsonSchema(spelled or {})])


def duration_spelled(what: str) -> dict[str, Any]:
    """Return the JSON Schema of a duration."""
    text = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]*)? *(us|µs|ms|s|m|h|d) *)+$"}
    return {"description": what, "anyOf": [text, {"const": 0}]}


def duration_s(value: object, what: str = "a duration such as 50ms, 30s, 2m or 1h30m") -> float:
    """Return a duration in seconds; raise unless it is 0 or text with units."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value == 0:
            return 0.0
        raise mistake(f"found {value} without a unit; allowed: {what} (did you mean {value:g}s?)")
    text = value.replace(" ", "") if isinstance(value, str) else ""
    if not _DURATION.match(text):
        raise mistake(allowed(value, what))
    return sum(float(number) * SECOND_OF[unit] for number, unit in _DURATION_PART.findall(text))


def seconds(
    *, over_s: float | None = None, least_s: float = 0.0, most_s: float | None = None, says: str = ""
) -> BeforeValidator:
    """Return a validator of durations: over `over_s`, at least `least_s`, at most `most_s`, all in seconds."""
    limits = says or ("over 0" if over_s == 0 else "")
    what = "a duration such as 50ms, 30s, 2m or 1h30m" + (f", {limits}" if limits else "")

    def read(value: object) -> float:
        found_s = duration_s(value, what)
        if (over_s is not None and found_s <= over_s) or found_s < least_s or (most_s is not None and found_s > most_s):
            raise mistake(allowed(value, what))
        return found_s

    return reader(read, duration_spelled(what))


def number(value: object, what: str) -> float:
    """Return a finite number; text counts only where it is digits with `_` between them."""
    if isinstance(value, str) and _NUMBER.match(value):
        if re.match(r"^[-+]?0[0-9]", value):
            raise mistake(f"found {value} with a leading zero; allowed: {what}")
        return float(value.replace("_", ""))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise mistake(allowed(value, what))
    return float(value)


def numbers(what: str, *, over: float | None = None, least: float = 0.0, most: float = math.inf) -> BeforeValidator:
    """Return a validator of numbers: over `over`, at least `least`, at most `most`."""

    def read(value: object) -> float:
        result = number(value, what)
        if (over is not None and result <= over) or not least <= result <= most:
            raise mistake(allowed(value, what))
        return result

    limits = {"exclusiveMinimum": over} if over is not None else {"minimum": least}
    most_spelled = {"maximum": most} if math.isfinite(most) else {}
    return reader(read, {"description": what, "type": "number", **limits, **most_spelled})


def wholes(what: str, *, least: int = 0, most: int = 2**63 - 1) -> BeforeValidator:
    """Return a validator of whole numbers from `least` to `most`."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            result = value
        else:
            exact = number(value, what)
            if exact != int(exact):
                raise mistake(allowed(value, what))
            result = int(exact)
        if not least <= result <= most:
            raise mistake(allowed(value, what))
        return result

    return reader(read, {"description": what, "type": "integer", "minimum": least, "maximum": most})


RATIO_SPELLED = {
    "description": "a share such as 0.1% or 25%, 0% to 100%",
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]*)? *%$"},
        {"type": "number", "minimum": 0, "maximum": 1},
    ],
}
"""The JSON Schema of a share."""


def ratio(value: object) -> float:
    """Return a share 0..1, from `0.1%` or from a number 0 to 1."""
    what = "a share such as 0.1% or 25%, 0% to 100%"
    if isinstance(value, str) and value.rstrip().endswith("%"):
        share = number_text(value.rstrip()[:-1].strip(), value, what) / 100
    else:
        share = number(value, what)
    if not 0 <= share <= 1:
        raise mistake(allowed(value, what))
    return share


def number_text(text: str, value: object, what: str) -> float:
    """Return the number that `text` is; `value` is what the message shows."""
    try:
        result = float(text)
    except ValueError:
        raise mistake(allowed(value, what)) from None
    if not math.isfinite(result):
        raise mistake(allowed(value, what))
    return result


def text(value: object) -> str:
    """Return text; numbers count as the text they were written as, a list or mapping does not."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise mistake(allowed(value, "text"))


def choices(*names: str) -> BeforeValidator:
    """Return a validator of one of some words."""

    def read(value: object) -> str:
        word = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if word.lower() not in names:
            raise mistake(allowed(value, ", ".join(names)))
        return word.lower()

    return reader(read, {"enum": [*names, *(int(name) for name in names if name.isdecimal())]})


def flag(value: object) -> bool:
    """Return true or false; `yes`, `no`, `on` and `off` are text in YAML 1.2 and get a message that says so."""
    if isinstance(value, bool):
        return value
    raise mistake(allowed(value, "true or false"))


Text = Annotated[str, reader(text, {"type": ["string", "number", "boolean"]})]
Ratio = Annotated[float, reader(ratio, RATIO_SPELLED)]
Flag = Annotated[bool, reader(flag, {"type": "boolean"})]
Rate = Annotated[float, numbers("requests per second, a number 0 to 10000000", most=MAX_RATE_PER_S)]
RateOverZero = Annotated[
    float, numbers("requests per second, a number over 0, at most 10000000", over=0, most=MAX_RATE_PER_S)
]
PhaseLength = Annotated[float, seconds(over_s=0, most_s=WEEK_S, says="over 0, at most 7 days")]
SecondsOverZero = Annotated[float, seconds(over_s=0)]
Seconds = Annotated[float, seconds()]
