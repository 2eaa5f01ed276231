"""A report's seconds as CSV, and its numbers as OpenMetrics text, for other tools."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from burstline.client.comparing.measures import QUANTILES, latencies, quantile_of, stated

Labels = dict[str, str]


def csv_bytes(report: dict[str, Any]) -> bytes:
    """Return a report's series: a header, then a row per second of the run; empty where nothing is known."""
    columns = report["series"]["columns"]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["second", *columns])
    for second, values in enumerate(zip(*columns.values(), strict=True)):
        rows.writerow([second, *("" if value is None else value for value in values)])
    return text.getvalue().encode()


def openmetrics_bytes(report: dict[str, Any]) -> bytes:
    """Return a report's numbers as OpenMetrics text (version 1.0.0), with the server's names.

    No label holds the run's id: two runs of a plan have the same series, so that tools such as GitLab's metrics
    report can set them side by side.
    """
    lines = [*_run(report), *_latency(report), *_quotas(report), "# EOF"]
    return ("\n".join(lines) + "\n").encode()


def _run(report: dict[str, Any]) -> Iterable[str]:
    run, ledger = report["run"], report["ledger"]
    yield from _family("burstline_run", "info", "The run.", [("_info", {"name": run["name"]}, 1)])
    yield from _family("burstline_run_duration_seconds", "gauge", "Length of the run.", [("", {}, run["duration_s"])])
    signatures = [("_total", {"signature": name}, count) for name, count in ledger["signatures"].items()]
    yield from _family("burstline_requests", "counter", "Answers of requests, by signature.", signatures)
    outcomes = [("_total", {"outcome": name}, count) for name, count in ledger["outcomes"].items()]
    yield from _family("burstline_settled_requests", "counter", "Requests by settled outcome.", outcomes)
    counts = [("", {"part": name}, ledger[name]) for name in ("scheduled", "due", "sent", "dropped", "unsent", "lost")]
    yield from _family("burstline_ledger_requests", "gauge", "The parts of the ledger.", counts)


def _latency(report: dict[str, Any]) -> Iterable[str]:
    times = latencies(report)
    values = [(f"{quantile_of(name):g}", stated(times, quantile_of(name))) for name in QUANTILES]
    samples = [("", {"quantile": text}, value) for text, value in values if value is not None]
    text = "From due to the last byte, of answers that were not throttled or rejected."
    name = "burstline_request_duration_seconds"
    yield from _family(name, "summary", text, [*samples, ("_count", {}, times.count)])


def _quotas(report: dict[str, Any]) -> Iterable[str]:
    from burstline.server.metrics import quotas_of

    found = quotas_of(report)
    for key, name, text in (
        ("limit", "burstline_quota_limit", "A quota's value."),
        ("usage", "burstline_quota_usage", "Highest use seen in the run."),
        ("headroom", "burstline_quota_headroom_ratio", "1 - use / quota."),
        ("recommended", "burstline_quota_recommended", "What the advice is to ask for."),
    ):
        rows = [
            ("", {"quota": quota, "function": function}, value)
            for (quota, function), value in found.get(key, {}).items()
        ]
        yield from _family(name, "gauge", text, rows)


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[str, Labels, float]]) -> Iterable[str]:
    yield f"# TYPE {name} {kind}"
    yield f"# HELP {name} {text}"
    for suffix, labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"{name}{suffix}{f'{{{inside}}}' if inside else ''} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
