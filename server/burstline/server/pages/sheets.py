"""A report's tables: latency, ledger, workers, phases, and the rest."""

from typing import Any

from burstline.server.pages.folding import Report
from burstline.server.pages.formats import (
    UNKNOWN,
    count_text,
    latency_text,
    number_text,
    plural,
    share_text,
    span_text,
    usd_text,
    words,
)
from burstline.server.pages.tables import Table

QUANTILES = ("p50", "p90", "p95", "p99", "p999", "max")
ENTRIES = ("scheduled", "not_due", "due", "dropped", "unsent", "lost", "sent", "in_flight", "orphaned")


def latency_table(report: Report) -> Table:
    """Return percentiles by request and outcome, from due and from actual send."""
    rows = [
        (
            one["request"],
            words(one["outcome"]),
            one["basis"],
            count_text(one["count"]),
            *(latency_text(one[f"{name}_s"]) for name in QUANTILES),
        )
        for one in report["latency"]
    ]
    names = ("p50", "p90", "p95", "p99", "p99.9", "longest")
    return Table("Latency by request and outcome", ("request", "outcome", "from", "count", *names), tuple(rows), left=3)


def ledger_sheet(report: Report) -> dict[str, Any]:
    """Return the ledger's rows with a column for the run and one for each phase."""
    ledgers = [report["ledger"], *(phase["ledger"] for phase in report["phases"])]
    columns = ["run", "share", *(phase["name"] for phase in report["phases"])]
    rows = []
    for name in ENTRIES:
        rows.append(_row(name, [ledger[name] for ledger in ledgers], report["ledger"]["scheduled"], sub=name in SUBS))
        if name == "dropped":
            rows += [
                _row(reason, [ledger["dropped_by_reason"][reason] for ledger in ledgers], 0, sub=True)
                for reason, count in report["ledger"]["dropped_by_reason"].items()
                if count
            ]
        if name == "sent":
            sent = report["ledger"]["sent"]
            rows += [
                _row(outcome, [ledger["outcomes"][outcome] for ledger in ledgers], sent, sub=True)
                for outcome in report["ledger"]["outcomes"]
            ]
    wire = [ledger["sent_on_wire"] for ledger in ledgers]
    rows.append(_row("reached the wire", wire, 0))
    rows.append(_row("preflight, apart", [report["ledger"]["preflight"]], 0, missing=len(report["phases"])))
    return {"columns": columns, "rows": rows}


SUBS = ("in_flight", "orphaned")


def _row(name: str, counts: list[int], whole: int, *, sub: bool = False, missing: int = 0) -> dict[str, Any]:
    share = share_text(counts[0], whole) if whole and counts[0] else ""
    cells = [count_text(counts[0]), share, *map(count_text, counts[1:]), *[""] * missing]
    label = "still in flight" if name == "in_flight" else words(name)
    return {"name": label, "cells": cells, "sub": sub, "zero": not any(counts)}


def signature_table(report: Report) -> Table:
    """Return what the answers looked like."""
    ledger = report["ledger"]
    rows = [
        (name, count_text(count), share_text(count, ledger["sent"]))
        for name, count in sorted(ledger["signatures"].items(), key=lambda item: -item[1])
    ]
    return Table("What the answers looked like, before they were settled", ("signature", "count", "share"), tuple(rows))


def worker_table(report: Report) -> Table:
    """Return the workers with their lateness and their start."""
    rows = [
        (
            f"{one['hostname'] or one['name']}, pid {one['pid']}" + (" (lost)" if one["lost"] else ""),
            ", ".join(map(str, one["segments"])),
            count_text(one.get("sent")),
            latency_text(one.get("lateness_p99_s")),
            latency_text(one.get("lateness_max_s")),
            bin_text(one.get("start_late_s")),
            f"± {latency_text(one['clock_error_s'])}" if one["clock_error_s"] is not None else UNKNOWN,
        )
        for one in report["workers"]
    ]
    columns = ("worker", "segments", "sent", "late p99", "latest", "first request late by", "clock error")
    skew = report["start_skew_s"]
    caption = "Workers" if skew is None else f"Workers; their starts lay {bin_text(skew)} apart"
    return Table(caption, columns, tuple(rows), left=2)


def bin_text(seconds: float | None) -> str:
    """Return a time that is known to a bin of 10 ms."""
    return "under 10 ms" if seconds == 0 else latency_text(seconds)


def generator_words(report: Report) -> dict[str, Any]:
    """Return whether we sent what was asked for, in a sentence, and the spans where we did not."""
    generator, lateness, ledger = report["generator"], report["lateness"], report["ledger"]
    late = f"Requests left {latency_text(lateness['p99_s'])} late at the 99th percentile"
    late += f" and {latency_text(lateness['max_s'])} at most."
    spans = tuple(
        (f"{one['from_s']:,.1f} to {one['to_s']:,.1f} s", words(one["reason"])) for one in generator["limited_spans"]
    )
    if not ledger["sent"]:
        sentence = "Nothing was sent."
    elif spans:
        sentence = f"Not everywhere: for {span_text(generator['limited_s'])} we were the limit. {late}"
    else:
        sentence = f"Yes: no second was limited by us. {late}"
    return {"sentence": sentence, "spans": Table("Spans in which we were the limit", ("when", "why"), spans, left=2)}


def connection_table(report: Report) -> Table:
    """Return how connections fared."""
    one = report["connections"]
    rows = (
        ("opened", count_text(one["opened"])),
        ("used again, times", count_text(one["reused"])),
        ("failed", count_text(one["failed"])),
        ("time to connect, p99", latency_text(one["connect_p99_s"])),
        ("TLS handshake, p99", latency_text(one["tls_p99_s"])),
    )
    return Table("Connections", ("measure", "value"), rows)


def preflight_table(report: Report) -> Table:
    """Return what one request of each name showed before the run."""
    rows = tuple(
        (
            one["request"],
            str(one["status"] or UNKNOWN),
            one["signature"] or UNKNOWN,
            one["front"] or UNKNOWN,
            one["address"] or UNKNOWN,
            one["tls"] or "none",
            latency_text(one["latency_s"]),
            one["problem"] or "",
        )
        for one in report["preflight"]
    )
    columns = ("request", "status", "signature", "front", "address", "TLS", "latency", "problem")
    return Table("Before the run: one request of each name", columns, rows, left=8)


def phase_table(report: Report) -> Table:
    """Return the plan's phases in words."""
    rows = tuple(
        (
            phase["name"],
            f"{phase['from_s']:g} to {phase['to_s']:g} s",
            shape_words(planned.get("shape", {})),
            count_text(phase["ledger"]["scheduled"]),
            count_text(phase["ledger"]["outcomes"]["throttled"]),
        )
        for phase, planned in zip(report["phases"], report["plan"].get("load", []), strict=False)
    )
    return Table("Phases", ("phase", "when", "load", "scheduled", "throttled"), rows, left=3)


def shape_words(shape: dict[str, Any]) -> str:
    """Return a phase's shape in words."""
    number = {name: number_text(value) for name, value in shape.items() if isinstance(value, int | float)}
    kind = str(shape.get("kind", ""))
    match kind:
        case "constant":
            return f"{number['rate_per_s']}/s"
        case "ramp":
            return f"{number['from_per_s']}/s to {number['to_per_s']}/s"
        case "bursts":
            base = f", over {number['base_per_s']}/s" if shape.get("base_per_s") else ""
            return (
                f"bursts of {number['size']} every {span_text(shape['every_s'])}, within {span_text(shape['width_s'])}"
                f"{base}"
            )
        case "pause":
            return "pause"
        case _:
            rest = ", ".join(f"{name.removesuffix('_per_s').replace('_', ' ')} {text}" for name, text in number.items())
            return f"{kind}: {rest}" if rest else kind


def cost_table(report: Report) -> Table:
    """Return what the run cost, at most."""
    cost = report["cost"]
    rows = [(words(name), usd_text(usd)) for name, usd in cost["parts"].items()]
    if rows:
        rows.append(("together", usd_text(cost["estimated_usd"])))
    return Table("Cost at list prices, at most", ("part", "estimate"), tuple(rows))


def fit_table(report: Report) -> Table:
    """Return what was fitted, with its interval."""
    rows = tuple(
        (
            f"{words(one['family'])}: {words(one['parameter'])}",
            f"{number_text(one['value'])} {one['unit']}",
            f"{number_text(one['low'])} to {number_text(one['high'])}",
            f"{one['from_s']:,.1f} to {one['to_s']:,.1f} s",
        )
        for one in report["fits"]
    )
    return Table("Limits fitted from what this run saw alone", ("parameter", "value", "interval", "from"), rows)


def request_words(report: Report) -> str:
    """Return how many requests of how many kinds the plan has."""
    return plural(len(report["plan"].get("requests", [])), "request")
