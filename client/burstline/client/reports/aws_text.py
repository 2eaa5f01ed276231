"""What AWS said of a run, in the terminal: what was read, cold starts, queues, and what could not be confirmed."""

from typing import Any

from rich.table import Table

from burstline.client.wording import count_text, latency_text, plural

Aws = dict[str, Any]
MOST_READINGS = 12
"""Quotas first; the JSON report and report.html have all."""


def reading_lines(aws: Aws) -> list[str]:
    """Return the quotas and settings that were read, with value, code, source and time; quotas first."""
    known = [one for one in aws["readings"] if not one["problem"] and one["value"] is not None]
    shown = sorted(known, key=lambda one: one["quota"] is None)
    lines = []
    for one in shown[:MOST_READINGS]:
        value = f"{one['value']:,g} {one['unit']}".strip()
        default = ", AWS's default" if one["default"] else ""
        code = f"{one['quota']}, " if one["quota"] else ""
        lines.append(f"{one['name']}: {value} ({code}{one['source']}{default}, {one['read_at'][11:19]} UTC)")
    if len(shown) > MOST_READINGS:
        lines.append(f"and {plural(len(shown) - MOST_READINGS, 'more value')}, in the JSON report and the page")
    return lines


COLD_ROWS = (
    ("init p50", "init_p50_s"), ("init p99", "init_p99_s"), ("init max", "init_max_s"), ("warm p50", "warm_p50_s"),
    ("warm p99", "warm_p99_s"), ("cold p50", "cold_p50_s"), ("cold p99", "cold_p99_s"), ("billed", "billed_s"),
    ("of it INIT", "init_billed_s"),
)  # fmt: skip
"""What is told of a function's cold starts: a heading, and the report's own name."""


def cold_starts_table(aws: Aws) -> Table | None:
    """Return the cold starts, a column for each function; None if none are known."""
    found = aws["cold_starts"]
    if not found:
        return None
    table = _table("cold starts", *(one["function"] for one in found))
    counts = (f"{count_text(one['cold_count'])} of {count_text(one['invocation_count'])}" for one in found)
    table.add_row("cold", *counts)
    table.add_row("share", *("-" if one["cold_ratio"] is None else f"{one['cold_ratio']:.2%}" for one in found))
    for name, key in COLD_ROWS:
        table.add_row(name, *(latency_text(one[key]) for one in found))
    return table


def queues_table(aws: Aws) -> Table | None:
    """Return the queues' backlogs; None if there are none."""
    seen = [one for one in aws.get("queues", ()) if one["points"]]
    if not seen:
        return None
    table = _table("queue", "most waiting", "left", "dead letters")
    for one in seen:
        last = one["points"][-1]
        dead = "-" if one["dead_letters"] is None else count_text(one["dead_letters"])
        table.add_row(
            one["name"], count_text(one["peak_waiting"]), count_text(last["waiting"] + last["in_flight"]), dead
        )
    return table


def aws_lines(aws: Aws) -> list[str]:
    """Return how complete it is and what could not be confirmed, sentences."""
    lines = []
    watch = aws["cloudwatch"]
    if watch is None:
        lines.append("CloudWatch was not read: ambiguous answers stay as the client sees them.")
    else:
        how = "complete" if watch["complete"] else "not complete yet"
        lines.append(f"CloudWatch's minutes were {how}, {watch['waited_s']:,.0f} s after the run.")
    problems = [one for one in aws["readings"] if one["problem"]]
    lines += [f"Not confirmed: {one['name']}: {one['problem']}." for one in problems[:MOST_READINGS]]
    if len(problems) > MOST_READINGS:
        lines.append(f"and {plural(len(problems) - MOST_READINGS, 'more value')} that could not be read.")
    return lines


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left", overflow="fold")
    return table
