"""Conditions on a comparison: `latency p99 > +10%`, `throttled > 0.1%`, `headroom < 20%`.

A number with a sign is a change from the first run to the second, one without is the second run's own value. A change
in % is relative for times, rates and costs, and in percentage points for shares and headroom. With `surely` at the
end, a change counts only if its whole 95 % interval is beyond the number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from burstline.client.comparing.comparison import Comparison, Row
from burstline.wire.conditions import UNITS_S

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
MEASURES = (
    "latency", "lateness", "rate", "accepted", "peak", "throttled", "rejected", "failed", "timed_out", "unreachable",
    "dropped", "headroom", "cost",
)  # fmt: skip
_PATTERN = re.compile(
    r"(?P<name>[a-z_]\w*(?:\s+[A-Za-z0-9][\w:.\-/]*)?)\s*(?P<operator><=|>=|<|>)\s*"
    r"(?P<sign>[+-]?)(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|m|h|%)?(?P<surely>\s+surely)?"
)
_FORM = "write it as `latency p99 > +10%`, `throttled > 0.1%` or `headroom < 20%`"


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition.

    Attributes:
        text: as the user wrote it.
        name: of the measure.
        operator: `<`, `<=`, `>` or `>=`.
        limit: signed; seconds, a ratio, or a bare number.
        change: whether it is about the change.
        relative: whether a change is taken relative to the first run.
        surely: whether the whole interval must be beyond the limit.
    """

    text: str
    name: str
    operator: str
    limit: float
    change: bool
    relative: bool
    surely: bool

    def holds(self, comparison: Comparison) -> tuple[bool, str]:
        """Return whether it holds, and what was found; what is not known is taken to hold, for a gate must not open."""
        row = comparison.rows.get(self.name)
        if row is None:
            return True, f"{self.text}: neither run knows {self.name}"
        value = self._value(row)
        if value is None:
            return True, f"{self.text}: {self.name} is not known{_why(row)}"
        found = COMPARE[self.operator](value, self.limit)
        return found, f"{self.text}: found {self._shown(value, row.unit)}"

    def _value(self, row: Row) -> float | None:
        if not self.change:
            return row.second
        if self.surely:
            if row.interval is None:
                return None
            edge = row.interval.low if self.operator.startswith(">") else row.interval.high
            return edge / row.first if self.relative and row.first else None if self.relative else edge
        return row.change_ratio if self.relative else row.change

    def _shown(self, value: float, unit: str) -> str:
        sign = "+" if self.change else ""
        if self.relative or unit == "ratio":
            return f"{value:{sign}.2%}"
        return f"{value * 1000:{sign}.4g} ms" if unit == "s" else f"{value:{sign}.6g}"


def _why(row: Row) -> str:
    return ": too few answers" if row.name.startswith("latency") else ""


def parse_expression(text: str) -> Expression:
    """Return a condition.

    Raises:
        ValueError: it is none; the message is a sentence that says what was found and what is allowed.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'found "{text}"; {_FORM}')
    name = re.sub(r"\s+", " ", match["name"])
    head, _, tail = name.partition(" ")
    unit, change, number = match["unit"], bool(match["sign"]), float(match["number"])
    if head not in MEASURES:
        raise ValueError(f'found "{head}"; allowed: {", ".join(MEASURES)}')
    times = head in ("latency", "lateness")
    allowed = ("p50", "p90", "p95", "p99", "p999", "max") if head == "latency" else ("p50", "p99", "max")
    if times and tail not in allowed:
        raise ValueError(f'found "{name}"; allowed after {head}: {", ".join(allowed)}')
    if tail and not times and head != "headroom":
        raise ValueError(f'found "{name}"; allowed: {head} alone')
    if match["surely"] and not change:
        raise ValueError(f'found "{text}"; `surely` belongs to changes, such as `latency p99 > +10% surely`')
    ratio = head not in ("latency", "lateness", "rate", "accepted", "peak", "cost")
    _check_unit(text, unit, ratio=ratio, times=times, change=change)
    value = number * (0.01 if unit == "%" else UNITS_S[unit] if unit else 1.0)
    sign = -1.0 if match["sign"] == "-" else 1.0
    relative = change and unit == "%" and not ratio
    return Expression(text, name, match["operator"], sign * value, change, relative, bool(match["surely"]))


def _check_unit(text: str, unit: str | None, *, ratio: bool, times: bool, change: bool) -> None:
    if ratio and unit != "%":
        raise ValueError(f'found "{text}"; allowed is a share such as 0.1%')
    if times and not (unit in UNITS_S or (unit == "%" and change)):
        raise ValueError(f'found "{text}"; allowed is a time such as 300ms, or a change such as +10%')
    if not ratio and not times and not (unit is None or (unit == "%" and change)):
        raise ValueError(f'found "{text}"; allowed is a bare number, or a change such as -5%')
