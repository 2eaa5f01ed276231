"""A comparison as a table for the terminal, and as Markdown for a pull request."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from burstline.client.comparing.comparison import Comparison, Row
from burstline.client.wording import latency_text
from burstline.server.pages.formats import usd_text, words

COLOURS = {"better": "green", "worse": "red", "same": "dim", "unsure": ""}
HEAD = ("measure", "first", "second", "change", "95% interval", "")
Verdicts = list[tuple[bool, str]]
"""Whether each --fail-if holds, and what was found."""


def value_text(value: float | None, unit: str, *, signed: bool = False) -> str:
    """Return a value in its unit; `-` for None."""
    if value is None:
        return "-"
    sign = ("+" if value >= 0 else "-") if signed else "" if value >= 0 else "-"
    size = abs(value)
    if unit == "s":
        return sign + latency_text(size)
    if unit == "ratio":
        points = " pp" if signed else "%"
        return f"{sign}{size * 100:.3g}{points}"
    if unit == "usd":
        return f"{sign}{usd_text(size)}"
    return f"{sign}{size:,.1f}/s"


def rows_shown(comparison: Comparison) -> list[tuple[Row, tuple[str, ...]]]:
    """Return the rows that say something, with their cells; what neither run knows, or both have as 0, is left out."""
    shown: list[tuple[Row, tuple[str, ...]]] = []
    for row in comparison.rows.values():
        if (row.first is None and row.second is None) or (not row.first and not row.second):
            continue
        change = value_text(row.change, row.unit, signed=True)
        if row.change_ratio is not None and row.unit != "ratio":
            change += f" ({row.change_ratio:+.1%})"
        between = "-"
        if row.interval is not None and row.change is not None:
            low, high = (value_text(one, row.unit, signed=True) for one in (row.interval.low, row.interval.high))
            between = f"{low} to {high}"
        word = "" if row.judged == "unsure" else row.judged
        cells = (row.name, value_text(row.first, row.unit), value_text(row.second, row.unit), change, between, word)
        shown.append((row, cells))
    return shown


def print_comparison(comparison: Comparison, verdicts: Verdicts, console: Console) -> None:
    """Print a comparison."""
    for place, report in (("first", comparison.first), ("second", comparison.second)):
        console.print(f"{place:7}{_run_text(report)}", highlight=False, markup=False, soft_wrap=True)
    console.print()
    table, quotas = _table(*HEAD), _table("headroom", *HEAD[1:4])
    for row, cells in rows_shown(comparison):
        if row.name.startswith("headroom "):
            quotas.add_row(row.name.partition(" ")[2], *cells[1:4])
        else:
            table.add_row(*cells[:-1], Text(cells[-1], style=COLOURS[row.judged]))
    console.print(table)
    if quotas.row_count:
        console.print()
        console.print(quotas)
    for note in comparison.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    for holds, text in verdicts:
        console.print(Text(f"{'FAILS' if holds else 'ok'}  {text}", style="red" if holds else "green"))


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    return table


def markdown(comparison: Comparison, verdicts: Verdicts) -> str:
    """Return a comparison as Markdown."""
    failed = [text for holds, text in verdicts if holds]
    head = f"**burstline: {len(failed)} of {len(verdicts)} conditions fail**" if verdicts else "**burstline**"
    lines = [f"{head}: {comparison.second['run']['name']}", ""]
    for place, report in (("first", comparison.first), ("second", comparison.second)):
        lines.append(f"- {place}: {_escaped(_run_text(report))}")
    lines += ["", f"| {' | '.join(HEAD)} |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    marks = {"worse": "**worse**", "better": "better", "same": "same", "": ""}
    for _, cells in rows_shown(comparison):
        lines.append(f"| {' | '.join(_escaped(cell) for cell in cells[:-1])} | {marks[cells[-1]]} |")
    lines += ["", *(f"- {'**fails**' if holds else 'ok'}: `{text}`" for holds, text in verdicts)]
    lines += [f"- note: {_escaped(note)}" for note in comparison.notes]
    return "\n".join(lines).rstrip() + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _run_text(report: dict[str, object]) -> str:
    run = report["run"]
    assert isinstance(run, dict)
    started = str(run["started_at"] or "not started")[:19].replace("T", " ")
    bindings = report["bindings"]
    assert isinstance(bindings, list)
    layers = ", ".join(dict.fromkeys(words(one["layer"] or one["family"]) for one in bindings))
    return f"{run['name']}  {run['id']}  {started}  {report['verdict']}{f' ({layers})' if layers else ''}"
