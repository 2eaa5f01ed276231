"""Logs Insights: runs `filter`, `parse`, `fields`, `stats ... by` and `limit` over Lambda's log lines, for real."""

import json
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from burstline.emulator.aws.expressions import Expression, Line, NotUnderstood, Parser, number, tokens
from burstline.emulator.aws.recording import Report

ROW_COUNT = 10_000
"""Most rows of a result. Source: CloudWatch Logs User Guide, "CloudWatch Logs quotas"; read 2026-11-23."""

Aggregate = Callable[[list[Line]], Any]


def line_of(report: Report, json_log: bool) -> Line:
    """Return a REPORT line with the fields Insights discovers: `@...` in text logs, `record.metrics...` in JSON."""
    duration_ms, init_ms = report.duration_s * 1000, report.init_s * 1000
    billed_ms = math.ceil(duration_ms + init_ms)
    request_id = f"00000000-0000-4000-8000-{report.number:012x}"
    at = datetime.fromtimestamp(report.end_s, UTC).isoformat(timespec="milliseconds")
    if json_log:
        return _json_line(report, at, request_id, duration_ms, init_ms, billed_ms)
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed_ms} ms",
        f"Memory Size: {report.memory_mb} MB",
        f"Max Memory Used: {report.memory_mb // 2} MB",
        *([f"Init Duration: {init_ms:.2f} ms"] if report.init_s else []),
    ]
    line: Line = {
        "@timestamp": at, "@message": "\t".join(parts) + "\t\n", "@type": "REPORT", "@requestId": request_id,
        "@duration": round(duration_ms, 2), "@billedDuration": billed_ms,
        "@memorySize": report.memory_mb * 1_000_000, "@maxMemoryUsed": report.memory_mb // 2 * 1_000_000,
    }  # fmt: skip
    if report.init_s:
        line["@initDuration"] = round(init_ms, 2)
    return line


def _json_line(report: Report, at: str, request_id: str, duration_ms: float, init_ms: float, billed_ms: int) -> Line:
    metrics = {
        "durationMs": round(duration_ms, 3), "billedDurationMs": billed_ms, "memorySizeMB": report.memory_mb,
        "maxMemoryUsedMB": report.memory_mb // 2,
    } | ({"initDurationMs": round(init_ms, 3)} if report.init_s else {})  # fmt: skip
    record = {"requestId": request_id, "status": "success", "metrics": metrics}
    message = {"time": at, "type": "platform.report", "record": record}
    line: Line = {"@timestamp": at, "@message": json.dumps(message), "type": "platform.report", "time": at}
    return line | {f"record.metrics.{key}": value for key, value in metrics.items()}


def run_query(query: str, lines: Iterable[Line]) -> list[list[dict[str, str]]]:
    """Return a query's rows: each a list of `{"field", "value"}`; a value that is not there is left out.

    Raises:
        NotUnderstood: the query uses more of the language than there is here.
    """
    found: list[Line] = list(lines)
    shown = ["@timestamp", "@message"]
    for command in _commands(query):
        word, _, rest = command.partition(" ")
        if word == "filter":
            keep = _whole(rest)
            found = [line for line in found if keep(line)]
        elif word == "parse":
            found = _parse(rest, found)
        elif word in ("fields", "display"):
            named = _named(rest)
            shown = [name for name, _ in named]
            found = [line | {name: value(line) for name, value in named} for line in found]
        elif word == "stats":
            found = _stats(rest, found)
            shown = list(dict.fromkeys(name for line in found for name in line))
        elif word == "limit":
            found = found[: int(rest)]
        else:
            raise NotUnderstood(f"command {word} is not known here")
    rows = [
        [{"field": name, "value": _text(line[name])} for name in shown if line.get(name) is not None] for line in found
    ]
    return rows[:ROW_COUNT]


def _commands(query: str) -> list[str]:
    text = " ".join(line for line in query.splitlines() if not line.strip().startswith("#"))
    # A bar inside a regular expression or a string is none between commands.
    parts = re.findall(r"""(?:/(?:\\.|[^/\\])*/|"[^"]*"|'[^']*'|[^|])+""", text)
    return [re.sub(r"\s+", " ", part).strip() for part in parts if part.strip()]


def _whole(text: str) -> Expression:
    parser = Parser(tokens(text))
    found = parser.expression()
    if parser.next:
        raise NotUnderstood(f"unexpected {parser.next!r}")
    return found


def _parse(text: str, lines: list[Line]) -> list[Line]:
    match = re.fullmatch(r"(\S+) /(.*)/", text)
    if match is None:
        raise NotUnderstood("parse takes a field and a regular expression with named groups")
    try:
        pattern = re.compile(match[2].replace("(?<", "(?P<"))
    except re.error as error:
        raise NotUnderstood(f"regular expression: {error}") from error
    found = []
    for line in lines:
        hit = pattern.search(str(line.get(match[1], "")))
        found.append(line | hit.groupdict() if hit else line)
    return found


def _named(text: str) -> list[tuple[str, Expression]]:
    """Read `a as x, b`; what has no name is called by its text."""
    words = tokens(text)
    parser, found = Parser(words), []
    while parser.next:
        first = parser.next
        value = parser.expression()
        name = first
        if parser.next.lower() == "as":
            parser.take("as")
            name = parser.take()
        found.append((name, value))
        if parser.next:
            parser.take(",")
    return found


def _stats(text: str, lines: list[Line]) -> list[Line]:
    aggregates, _, by = text.partition(" by ")
    groups: dict[tuple[Any, ...], list[Line]] = {}
    keys = _named(by) if by else []
    for line in lines:
        groups.setdefault(tuple(value(line) for _, value in keys), []).append(line)
    if not keys and not groups:
        groups[()] = []
    parser, named = Parser(tokens(aggregates)), []
    while parser.next:
        aggregate = _aggregate(parser)
        parser.take("as")
        named.append((parser.take(), aggregate))
        if parser.next:
            parser.take(",")
    return [
        dict(zip((name for name, _ in keys), group, strict=True)) | {name: work(own) for name, work in named}
        for group, own in groups.items()
    ]


def _aggregate(parser: Parser) -> Aggregate:
    name = parser.take().lower()
    if name == "count" and parser.next == "(":
        return _count(parser)
    if name not in ("pct", "avg", "max", "min", "sum"):
        raise NotUnderstood(f"statistic {name} is not known here")
    value, *rest = parser.arguments()
    share = float(rest[0]({})) if rest else 50.0

    def work(lines: list[Line]) -> float | None:
        numbers = sorted(x for line in lines if (x := number(value(line))) is not None)
        if not numbers:
            return None
        if name == "pct":
            return numbers[max(0, math.ceil(share / 100 * len(numbers)) - 1)]
        if name == "avg":
            return sum(numbers) / len(numbers)
        return {"max": numbers[-1], "min": numbers[0], "sum": math.fsum(numbers)}[name]

    return work


def _count(parser: Parser) -> Aggregate:
    parser.take("(")
    if parser.next == "*":
        parser.take("*")
        parser.take(")")
        return len
    value = parser.expression()
    parser.take(")")
    return lambda lines: sum(value(line) is not None for line in lines)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return str(value)
