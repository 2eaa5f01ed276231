"""A report in the terminal: the verdict first, then why, what to do, and the numbers; fits 80 columns."""

from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from burstline.client.reports.aws_text import aws_lines, cold_starts_table, queues_table, reading_lines
from burstline.client.wording import count_text, latency_text, plural, span_text
from burstline.server.pages.formats import quota_title, words

Report = dict[str, Any]

STYLES = {
    "passed": "bold green",
    "quota_bound": "bold red",
    "threshold_failed": "bold red",
    "could_not_run": "bold red",
}
"""How verdicts look; the others are yellow: they say something about the run, not about the target."""

MOST_BINDINGS = 8
"""More are summed up in a line; the JSON report has all."""


def render_report(report: Report, console: Console) -> None:
    """Print a report of schema `burstline.report/v1`."""
    _verdict(report, console)
    _bindings(report, console)
    _advice(report, console)
    _ledger(report, console)
    _latency(report, console)
    _thresholds(report, console)
    _findings(report, console)
    _aws(report, console)
    _generator(report, console)
    _notes(report, console)


def _verdict(report: Report, console: Console) -> None:
    verdict = report["verdict"]
    console.print()
    line = Text(verdict.replace("_", " ").upper(), style=STYLES.get(verdict, "bold yellow"))
    line.append(f"  {report['summary']}", style="bold")
    console.print(line)
    others = [other.replace("_", " ") for other in report["verdicts"][1:]]
    if others:
        console.print(f"Also: {', '.join(others)}.", highlight=False)


def _bindings(report: Report, console: Console) -> None:
    bindings = sorted(report["bindings"], key=lambda one: -one["throttled_count"])
    if not bindings:
        return
    _heading(console, "What throttled")
    for binding in sorted(bindings[:MOST_BINDINGS], key=lambda one: one["from_s"]):
        layers = [one["layer"] for one in binding["candidates"]]
        owner = words(binding["layer"]) if binding["layer"] else " or ".join(words(layer) for layer in layers)
        part = f", its {binding['part']}" if binding["part"] else ""
        line = Text(f"{binding['from_s']:,.1f} s to {binding['to_s']:,.1f} s  ", style="bold")
        line.append(
            f"{owner or 'unknown'} ({words(binding['family'])}{part}): "
            f"{plural(binding['throttled_count'], 'request')} throttled, confidence {binding['confidence']:.0%}",
            style="not bold",
        )
        console.print(Padding(line, (0, 0, 0, 2)))
        for candidate in binding["candidates"]:
            if not binding["layer"] or candidate["layer"] == binding["layer"]:
                _bullet(console, f"{words(candidate['layer'])}: {candidate['evidence']}", indent=4)
    rest = bindings[MOST_BINDINGS:]
    if rest:
        count = sum(one["throttled_count"] for one in rest)
        _bullet(console, f"and {plural(len(rest), 'shorter span')} with {plural(count, 'request')} throttled")


def _advice(report: Report, console: Console) -> None:
    if not report["advice"]:
        return
    _heading(console, "What to do")
    names = {one["quota"]: one["name"] for one in report["findings"]}
    for number, advice in enumerate(report["advice"], 1):
        headline = f"{number}. {quota_title(advice['quota'], names)} ({advice['quota']}): {_headline(advice)}"
        console.print(Padding(Text(headline, style="bold"), (0, 0, 0, 2)))
        _bullet(console, advice["derivation"], indent=5, mark="")
        if advice["command"]:
            # no wrapping by rich: a command is copied whole
            console.print(f"     $ {advice['command']}", style="cyan", highlight=False, markup=False, soft_wrap=True)
        for alternative in advice["alternatives"]:
            _bullet(console, alternative, indent=5)


def _headline(advice: dict[str, Any]) -> str:
    checked = "checked by replay" if advice["verified"] else "not confirmed by replay"
    if advice["recommended"] is None:
        return "an increase will not help"
    burst = advice["burst"]
    now, then = _number(advice["current"]), _number(advice["recommended"])
    text = f"{then} {advice['unit']} (now {now}, required {_number(advice['required'])})"
    if burst and burst["recommended"] is not None:
        text += f", burst {_number(burst['recommended'])} (now {_number(burst['current'])})"
    return f"{text}; {checked}"


def _ledger(report: Report, console: Console) -> None:
    ledger = report["ledger"]
    _heading(console, "The ledger")
    table = _table(("", "left"), ("count", "right"), ("share", "right"))
    for name in ("scheduled", "not_due", "due", "dropped", "unsent", "lost", "sent"):
        if ledger[name] or name in ("scheduled", "sent"):
            _row(table, words(name), count_text(ledger[name]), "")
        for reason, count in ledger["dropped_by_reason"].items() if name == "dropped" else ():
            if count:
                _row(table, f"  {words(reason)}", count_text(count), "")
    for outcome, count in ledger["outcomes"].items():
        if count:
            share = count / ledger["sent"] if ledger["sent"] else 0.0
            _row(table, f"  {words(outcome)}", count_text(count), f"{share:.2%}")
    for name in ("in_flight", "orphaned"):
        if ledger[name]:
            _row(table, f"  {words(name)}", count_text(ledger[name]), "")
    console.print(Padding(table, (0, 0, 0, 2)))
    signatures = {name: count for name, count in ledger["signatures"].items() if not name.endswith(".ok")}
    if signatures:
        seen = ", ".join(f"{name} {count_text(count)}" for name, count in signatures.items())
        _bullet(console, f"answers: {seen}", mark="")


def _latency(report: Report, console: Console) -> None:
    rows = [row for row in report["latency"] if row["basis"] == "due"]
    if not rows:
        return
    _heading(console, "Latency from due")
    names = ("p50", "p95", "p99", "p999", "max")
    table = _table(("request", "left"), ("outcome", "left"), ("count", "right"), *((name, "right") for name in names))
    for row in rows:
        times = [latency_text(row[f"{name}_s"]) for name in names]
        _row(table, row["request"][:20], words(row["outcome"]), count_text(row["count"]), *times)
    console.print(Padding(table, (0, 0, 0, 2)))


def _thresholds(report: Report, console: Console) -> None:
    if not report["thresholds"]:
        return
    _heading(console, "Thresholds")
    for threshold in report["thresholds"]:
        mark, style = ("passed", "green") if threshold["passed"] else ("FAILED", "red")
        line = Text(f"{mark}  ", style=style)
        line.append(f"{threshold['expression']}  (observed {_observed(threshold)})", style="default")
        console.print(Padding(line, (0, 0, 0, 2)))


def _observed(threshold: dict[str, Any]) -> str:
    value = threshold["observed"]
    if value is None:
        return "nothing"
    measure = threshold["expression"].split()[0]
    if measure in ("latency", "lateness"):
        return latency_text(value)
    return f"{value:,.1f}/s" if measure == "rate" else f"{value:.3%}"


def _findings(report: Report, console: Console) -> None:
    if not report["findings"]:
        return
    _heading(console, "Quotas: use and headroom")
    table = _table(
        ("quota", "left"), ("limit", "right"), ("peak use", "right"), ("headroom", "right"), ("from", "left")
    )
    for one in report["findings"]:
        headroom = "-" if one["headroom_ratio"] is None else f"{one['headroom_ratio']:.0%}"
        style = "red" if (one["headroom_ratio"] or 0) < 0 else ""
        use = Text(_number(one["peak_use"]), style=style)
        _row(table, one["name"], _number(one["limit"]), use, Text(headroom, style=style), one["limit_source"])
    console.print(Padding(table, (0, 0, 0, 2)))


def _aws(report: Report, console: Console) -> None:
    aws = report.get("aws")
    if aws is None:
        return
    _heading(console, "What AWS says")
    for line in (*reading_lines(aws), *aws_lines(aws)):
        _bullet(console, line)
    for table in (cold_starts_table(aws), queues_table(aws)):
        if table is not None:
            console.print(Padding(table, (0, 0, 0, 2)))


def _generator(report: Report, console: Console) -> None:
    _heading(console, "Did we send what was asked?")
    if not report["ledger"]["sent"]:
        _bullet(console, "Nothing was sent.", mark="")
        return
    lateness, generator = report["lateness"], report["generator"]
    late = f"sent late by {latency_text(lateness['p99_s'])} (p99), {latency_text(lateness['max_s'])} (max)"
    if not generator["limited_spans"]:
        _bullet(console, f"Yes: {late}; no second was limited by us.", mark="")
        return
    _bullet(console, f"Not always: {late}; we were the limit for {span_text(generator['limited_s'])}:", mark="")
    for span in generator["limited_spans"][:MOST_BINDINGS]:
        _bullet(console, f"{span['from_s']:,.0f} s to {span['to_s']:,.0f} s: {span['reason']}", indent=4)


def _notes(report: Report, console: Console) -> None:
    cost = report["cost"]["estimated_usd"]
    notes = list(report["notes"])
    if cost is not None:
        notes.append(f"Estimated cost at list prices, at most: USD {cost:,.4f}.")
    if notes:
        _heading(console, "Notes")
        for note in notes:
            _bullet(console, note)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold underline"))


def _bullet(console: Console, text: str, *, indent: int = 2, mark: str = "- ") -> None:
    # Text, not markup: names and notes may hold brackets
    grid = Table.grid()
    grid.add_column(width=len(mark))
    grid.add_column()
    grid.add_row(Text(mark), Text(text))
    console.print(Padding(grid if mark else Text(text), (0, 0, 0, indent)))


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, side in columns:
        table.add_column(name, justify="right" if side == "right" else "left", overflow="fold")
    return table


def _row(table: Table, *cells: str | Text) -> None:
    # a plain string would be read as markup: request names may hold brackets
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}"
