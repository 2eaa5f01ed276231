"""A report's series and distributions, folded to what a chart can show."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Report = dict[str, Any]
Column = list[float | None]

MOST_POINTS = 720
"""Points of a line; a longer run is folded."""

SAMPLES_ABOVE = 10
"""As in the report: a quantile q is drawn up to where 10 / (1 - q) samples tell it."""


@dataclass(frozen=True, slots=True)
class Series:
    """Columns of equal length over run time.

    Attributes:
        step_s: what one value covers, seconds.
        columns: by name, as in the report; means of counts, the highest of everything else; None is unknown.
    """

    step_s: float
    columns: dict[str, Column]

    @property
    def length(self) -> int:
        """How many values each column has."""
        return len(next(iter(self.columns.values()), []))

    @property
    def starts_s(self) -> list[float]:
        """Run time at which each value begins, seconds."""
        return [index * self.step_s for index in range(self.length)]

    def column(self, name: str) -> Column:
        """Return a column; unknown values if the report has none of that name."""
        return self.columns.get(name) or [None] * self.length

    def peak(self, name: str) -> tuple[float, float] | None:
        """Return the highest value of a column and when it begins, seconds; None if nothing is known."""
        known = [(value, -at) for at, value in zip(self.starts_s, self.column(name), strict=True) if value is not None]
        if not known:
            return None
        value, at = max(known)
        return value, -at


COUNTS = frozenset("due sent dropped ok throttled rejected failed timed_out unreachable".split())


def series_of(report: Report, most: int = MOST_POINTS) -> Series:
    """Return a report's series with at most `most` values a column."""
    found: dict[str, Column] = report["series"]["columns"]
    step_s = float(report["series"]["step_s"])
    length = max((len(column) for column in found.values()), default=0)
    width = max(1, math.ceil(length / most))
    return Series(step_s * width, {name: _fold(column, width, name in COUNTS) for name, column in found.items()})


def _fold(column: Column, width: int, mean: bool) -> Column:
    folded: Column = []
    for at in range(0, len(column), width):
        known = [value for value in column[at : at + width] if value is not None]
        folded.append((sum(known) / len(known) if mean else max(known)) if known else None)
    return folded


def accepted_column(series: Series) -> Column:
    """Return what every quota let in, whatever became of it then."""
    return _sum(series, ("ok", "rejected", "failed", "timed_out"))


def failed_column(series: Series) -> Column:
    """Return what was neither ok nor throttled."""
    return _sum(series, ("rejected", "failed", "timed_out", "unreachable"))


def _sum(series: Series, wanted: Iterable[str]) -> Column:
    names = [name for name in wanted if name in series.columns]
    return [sum(value or 0 for value in values) for values in zip(*map(series.column, names), strict=True)]


def percentile_curve(distribution: dict[str, Any]) -> list[tuple[float, float]]:
    """Return (quantile, seconds), ascending, of one of a report's distributions, as far as its samples tell.

    The quantile is of the share below a bucket's upper bound, which is at most 1.6 % above what lies in the bucket.
    """
    curve: list[tuple[float, float]] = []
    below, count = 0, distribution["count"]
    for bound_s, here in zip(distribution["below_s"], distribution["counts"], strict=True):
        if not curve:
            curve.append((0.0, bound_s))
        below += here
        if count - below < SAMPLES_ABOVE:
            last = 1 - SAMPLES_ABOVE / count
            if last > curve[-1][0]:
                curve.append((last, bound_s))
            break
        curve.append((below / count, bound_s))
    return curve


def value_at(curve: Sequence[tuple[float, float]], quantile: float) -> float | None:
    """Return a curve's value at a quantile, seconds; None beyond what it tells."""
    return next((value for reached, value in curve if reached >= quantile), None)
