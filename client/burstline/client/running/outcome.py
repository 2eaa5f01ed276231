"""The end of a run: its report, fetched, written, printed, and turned into an exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstline.client.errors import ClientError, ServerFailed
from burstline.client.picking import Runs
from burstline.client.writing import json_bytes, write_files
from burstline.v1 import resources_pb2 as v1

if TYPE_CHECKING:
    from rich.console import Console


async def fetch_report(connection: Runs, run: v1.Run) -> dict[str, Any]:
    """Return a run's report.

    Raises:
        ClientError: there is none; says why.
    """
    try:
        content = await connection.get_report(run.name)
    except ServerFailed as error:
        raise ClientError(run.reason or str(error)) from error
    report: dict[str, Any] = json.loads(content)
    return report


def write_report(
    report: dict[str, Any],
    *,
    json_file: Path | None = None,
    junit_file: Path | None = None,
    html_file: Path | None = None,
    csv_file: Path | None = None,
    openmetrics_file: Path | None = None,
) -> None:
    """Write a report to the files that were asked for; `-` is standard output.

    Raises:
        ClientError: a file cannot be written, for example because the disk is full.
    """
    wanted: list[tuple[Path | None, Callable[[dict[str, Any]], bytes]]] = [
        (json_file, json_bytes),
        (junit_file, _junit),
        (html_file, _html),
        (csv_file, _csv),
        (openmetrics_file, _openmetrics),
    ]
    remedy = f"the report is kept: `burstline report {report['run']['id']} --json FILE` writes it again"
    write_files([(path, made(report)) for path, made in wanted if path is not None], remedy)


# Each imports what it needs when it is asked for: a run starts without waiting for any of them.


def _junit(report: dict[str, Any]) -> bytes:
    from burstline.client.reports.junit import junit_xml

    return junit_xml(report)


def _csv(report: dict[str, Any]) -> bytes:
    from burstline.client.reports.tabular import csv_bytes

    return csv_bytes(report)


def _openmetrics(report: dict[str, Any]) -> bytes:
    from burstline.client.reports.tabular import openmetrics_bytes

    return openmetrics_bytes(report)


def _html(report: dict[str, Any]) -> bytes:
    from burstline.server.pages.report import report_html  # half a second, for the charts' library

    return report_html(report).encode()


def print_report(report: dict[str, Any], console: "Console") -> None:
    """Print a report."""
    from burstline.client.reports.text import render_report

    render_report(report, console)
