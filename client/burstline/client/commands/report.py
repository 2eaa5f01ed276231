"""`burstline report RUN`."""

from pathlib import Path

import click

from burstline.client.options import FILE, access_options

EPILOG = """\b
Examples:
  burstline report last --html report.html
  burstline report last --json - | jq .advice
  burstline report last --csv seconds.csv --openmetrics metrics.txt

Without --server, the runs that this machine made without a server."""


@click.command("report", epilog=EPILOG)
@click.argument("run")
@access_options(None)
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the report as JSON; - is standard output.")
@click.option("--html", "html_file", type=FILE, metavar="FILE", help="Write the report as one HTML file.")
@click.option("--junit", "junit_file", type=FILE, metavar="FILE", help="Write verdict and thresholds as JUnit XML.")
@click.option("--csv", "csv_file", type=FILE, metavar="FILE", help="Write the run second by second as CSV.")
@click.option("--openmetrics", "metrics_file", type=FILE, metavar="FILE", help="Write its numbers as OpenMetrics.")
def command(
    run: str,
    server: str | None,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    junit_file: Path | None,
    csv_file: Path | None,
    metrics_file: Path | None,
) -> int:
    """Write the report of RUN (an id, the beginning of one, or `last`) to files."""
    import asyncio

    from burstline.client.connection import Access
    from burstline.client.errors import UsageError
    from burstline.client.picking import find_run
    from burstline.client.running.outcome import fetch_report, write_report
    from burstline.client.stored import reading
    from burstline.client.writing import check_writable

    files = {
        "json_file": json_file,
        "html_file": html_file,
        "junit_file": junit_file,
        "csv_file": csv_file,
        "openmetrics_file": metrics_file,
    }
    if not any(files.values()):
        raise UsageError("say where to: --html, --json, --junit, --csv or --openmetrics FILE; several are fine")
    check_writable(*files.values())

    async def write() -> int:
        async with reading(Access(server, token, ca, cert, key) if server else None) as connection:
            report = await fetch_report(connection, await find_run(connection, run))
        write_report(report, **files)
        return 0

    return asyncio.run(write())
