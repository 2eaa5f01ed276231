"""What AWS said of a run, as its page shows it: readings, cold starts, CloudWatch, queues, and what is open."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from burstline.server.pages.folding import Report
from burstline.server.pages.formats import UNKNOWN, count_text, latency_text, number_text, percent_text
from burstline.server.pages.tables import Table


@dataclass(frozen=True, slots=True)
class AwsSheet:
    """The section; tables without rows are None.

    Attributes:
        lines: sentences: which account, how complete, the share of the pool.
        unconfirmed: what could not be read or confirmed, sentences.
    """

    lines: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    readings: Table | None
    cold_starts: Table | None
    metrics: Table | None
    queues: Table | None


def aws_sheet(report: Report) -> AwsSheet | None:
    """Return what AWS said; None if it was not asked."""
    aws: Mapping[str, Any] | None = report.get("aws")
    if aws is None:
        return None
    return AwsSheet(
        lines=tuple(_lines(report, aws)),
        unconfirmed=tuple(_unconfirmed(aws)),
        readings=_readings(aws),
        cold_starts=_cold_starts(aws),
        metrics=_metrics(aws),
        queues=_queues(aws),
    )


def _lines(report: Report, aws: Mapping[str, Any]) -> list[str]:
    last4 = report["run"]["account_last4"]
    whose = f"account …{last4}" if last4 else "an account whose number could not be read"
    lines = [
        f"Read from {whose} in {aws['region'] or 'no region'}; key values and environment variables are never kept."
    ]
    watch = aws["cloudwatch"]
    if watch is not None:
        how = "complete" if watch["complete"] else "not complete yet: what it decides may still change"
        lines.append(f"CloudWatch's minutes were {how}, {watch['waited_s']:,.0f} s after the run.")
    neighbours = aws["neighbours"]
    if neighbours is not None and neighbours["share"]:
        lines.append(neighbours["share"])
    return lines


def _unconfirmed(aws: Mapping[str, Any]) -> list[str]:
    found = [f"{one['name']}: {one['problem']}" for one in aws["readings"] if one["problem"]]
    if not aws["readings"]:
        found.append("No quota was read: all limits are as declared, or AWS's defaults.")
    if aws["cloudwatch"] is None:
        found.append("CloudWatch was not read: whether ambiguous answers were throttles is the client's view alone.")
    if not aws["cold_starts"]:
        found.append("Cold starts are not known: no REPORT lines were read.")
    return found


def _readings(aws: Mapping[str, Any]) -> Table | None:
    rows = tuple(
        (
            one["name"] + (f" ({one['detail']})" if one["detail"] else ""),
            one["quota"] or UNKNOWN,
            one["source"] + (", AWS's default" if one["default"] else ""),
            one["read_at"].replace("T", " ").removesuffix("+00:00"),
            f"{number_text(one['value'])} {one['unit']}".strip() if one["value"] is not None else "none set",
        )
        for one in aws["readings"]
        if not one["problem"]
    )
    columns = ("what", "quota code", "read with", "at (UTC)", "value")
    return Table("Quotas and settings as AWS has them", columns, rows, left=4) if rows else None


def _cold_starts(aws: Mapping[str, Any]) -> Table | None:
    rows = tuple(
        (
            one["function"],
            f"{count_text(one['cold_count'])} of {count_text(one['invocation_count'])}",
            percent_text(one["cold_ratio"], 2),
            *(latency_text(one[f"init_{name}_s"]) for name in ("p50", "p99", "max")),
            *(latency_text(one[f"{name}_s"]) for name in ("warm_p50", "warm_p99", "cold_p50", "cold_p99")),
            latency_text(one["billed_s"]),
            latency_text(one["init_billed_s"]),
        )
        for one in aws["cold_starts"]
    )
    columns = (
        "function", "cold", "share", "init p50", "init p99", "init max", "warm p50", "warm p99", "cold p50", "cold p99",
        "billed", "of it INIT",
    )  # fmt: skip
    return Table("Cold starts, from the functions' own REPORT lines", columns, rows) if rows else None


def _metrics(aws: Mapping[str, Any]) -> Table | None:
    watch = aws["cloudwatch"]
    rows = tuple(
        (
            one["metric"],
            ", ".join(f"{key} {value}" for key, value in one["dimensions"].items()) or "region",
            one["statistic"],
            number_text(_overall(one)),
        )
        for one in (watch["series"] if watch is not None else ())
    )
    columns = ("metric", "of", "statistic", "over the run")
    return (
        Table("CloudWatch, whole minutes: sums added up, others at their highest", columns, rows, left=3)
        if rows
        else None
    )


def _overall(series: Mapping[str, Any]) -> float:
    values = [float(value) for _, value in series["points"]]
    return sum(values) if series["statistic"] == "Sum" else max(values)


def _queues(aws: Mapping[str, Any]) -> Table | None:
    rows = tuple(
        (one["name"], count_text(one["peak_waiting"]), count_text(_left(one)), count_text(one["dead_letters"]))
        for one in aws.get("queues", ())
        if one["points"]
    )
    columns = ("queue", "most waiting", "waiting or in flight at the end", "came to the dead-letter queue")
    return Table("Queues, every few seconds", columns, rows) if rows else None


def _left(queue: Mapping[str, Any]) -> int:
    last = queue["points"][-1]
    return int(last["waiting"] + last["in_flight"])
