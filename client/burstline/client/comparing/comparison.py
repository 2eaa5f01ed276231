"""The comparison of two reports: every measure that both have, with its change and how sure it is."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from burstline.client.comparing.bootstrap import Interval, latency_changes, share_change
from burstline.client.comparing.measures import QUANTILES, SHARES, Measure, latencies, measures_of, quantile_of

SCHEMA = "burstline.comparison/v1"


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of both runs.

    Attributes:
        name: see `Measure`.
        unit: see `Measure`.
        first: value in the first run; None where it is not known.
        second: value in the second.
        worse: +1 if more is worse, -1 if less is, 0 if neither.
        interval: of second - first, 95 %; None where it cannot be told.
    """

    name: str
    unit: str
    first: float | None
    second: float | None
    worse: int
    interval: Interval | None

    @property
    def change(self) -> float | None:
        """Second - first, in the unit."""
        return None if self.first is None or self.second is None else self.second - self.first

    @property
    def change_ratio(self) -> float | None:
        """Second / first - 1; None where the first is 0."""
        return None if self.change is None or not self.first else self.change / self.first

    @property
    def judged(self) -> str:
        """`better`, `worse`, `same` (0 is inside the interval), or `unsure` (there is no interval)."""
        if not self.worse or self.change is None or self.interval is None:
            return "unsure"
        if not self.interval.sure:
            return "same"
        return "worse" if self.change * self.worse > 0 else "better"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs beside each other.

    Attributes:
        first: the report compared with.
        second: the report that is judged.
        rows: each measure that one of them has, by name.
        notes: why they may not be comparable, sentences.
    """

    first: dict[str, Any]
    second: dict[str, Any]
    rows: dict[str, Row]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON types, schema `burstline.comparison/v1`."""
        return {
            "schema": SCHEMA,
            "first": _run(self.first),
            "second": _run(self.second),
            "measures": [_row(row) for row in self.rows.values()],
            "notes": list(self.notes),
        }


def compare(first: dict[str, Any], second: dict[str, Any]) -> Comparison:
    """Return what changed from the first report to the second."""
    intervals = dict(_intervals(first, second))
    before, after = measures_of(first), measures_of(second)
    rows = {}
    for name in dict.fromkeys((*before, *after)):
        known = before.get(name) or after[name]
        values = [_value(found.get(name)) for found in (before, after)]
        rows[name] = Row(name, known.unit, values[0], values[1], known.worse, intervals.get(name))
    return Comparison(first, second, rows, tuple(_notes(first, second)))


def _value(measure: Measure | None) -> float | None:
    return measure.value if measure is not None else None


def _intervals(first: dict[str, Any], second: dict[str, Any]) -> Iterator[tuple[str, Interval | None]]:
    found = latency_changes(latencies(first), latencies(second), [quantile_of(name) for name in QUANTILES])
    yield from ((f"latency {name}", interval) for name, interval in zip(QUANTILES, found, strict=False))
    for name in SHARES:
        yield name, share_change(_share(first, name), _share(second, name))
    yield "dropped", share_change(_dropped(first), _dropped(second))


def _share(report: dict[str, Any], outcome: str) -> tuple[int, int]:
    outcomes = report["ledger"]["outcomes"]
    return int(outcomes[outcome]), sum(outcomes.values())


def _dropped(report: dict[str, Any]) -> tuple[int, int]:
    return int(report["ledger"]["dropped"]), int(report["ledger"]["due"])


def _notes(first: dict[str, Any], second: dict[str, Any]) -> Iterator[str]:
    for place, report in (("first", first), ("second", second)):
        if report["verdict"] in ("generator_limited", "incomplete", "could_not_run", "aborted"):
            yield f"the {place} run is {report['verdict']}: what it measured is not only the target"
    if first["plan"].get("load") != second["plan"].get("load"):
        yield "the plans' loads differ: rates, shares and headroom differ with them"
    if first["run"]["target"] != second["run"]["target"]:
        yield f"the targets differ: {first['run']['target']} and {second['run']['target']}"


def _run(report: dict[str, Any]) -> dict[str, Any]:
    run = {name: report["run"][name] for name in ("id", "name", "target", "started_at", "duration_s")}
    layers = [binding["layer"] or binding["family"] for binding in report["bindings"]]
    return run | {"verdict": report["verdict"], "bindings": list(dict.fromkeys(layers))}


def _row(row: Row) -> dict[str, Any]:
    return {
        "measure": row.name,
        "unit": row.unit,
        "first": row.first,
        "second": row.second,
        "change": row.change,
        "change_ratio": row.change_ratio,
        "interval": asdict(row.interval) if row.interval else None,
        "judged": row.judged,
    }
