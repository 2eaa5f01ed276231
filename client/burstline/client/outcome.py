"""The end of a run: its report, fetched, written, printed, and turned into an exit code."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from burstline.client.connection import Connection
from burstline.client.errors import ClientError, ServerFailed, UsageError
from burstline.client.junit import junit_xml
from burstline.v1 import resources_pb2 as v1


def check_writable(*paths: Path | None) -> None:
    """Raise UsageError unless each file can be written; called before anything is sent."""
    for path in paths:
        if path is None or str(path) == "-":
            continue
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name a file")
        try:
            with path.open("ab"):
                pass
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error


async def fetch_report(connection: Connection, run: v1.Run) -> dict[str, Any]:
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
    report: dict[str, Any], *, json_file: Path | None, junit_file: Path | None, html_file: Path | None = None
) -> None:
    """Write a report to the files that were asked for; `-` is standard output.

    Raises:
        ClientError: a file cannot be written, for example because the disk is full.
    """
    files: list[tuple[Path | None, bytes]] = [
        (json_file, json.dumps(report, indent=2, ensure_ascii=False).encode() + b"\n"),
        (junit_file, junit_xml(report)),
    ]
    if html_file is not None:
        from burstline.server.pages.report import report_html  # half a second, for the charts' library

        files.append((html_file, report_html(report).encode()))
    for path, content in files:
        if path is None:
            continue
        try:
            if str(path) == "-":
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
            else:
                path.write_bytes(content)
        except OSError as error:
            name = str(report["run"]["id"])
            raise ClientError(
                f"{path} cannot be written: {error.strerror}; the report is kept: "
                f"`burstline report {name} --json FILE` writes it again"
            ) from error


def print_report(report: dict[str, Any], console: Console, *, quiet: bool) -> None:
    """Print a report, or its verdict alone."""
    if quiet:
        console.print(report["verdict"], highlight=False)
    else:
        from burstline.client.reports.text import render_report

        render_report(report, console)
