"""`burstline runs`."""

from pathlib import Path

import click

from burstline.client.options import access_options

STATES = ("queued", "preparing", "running", "settling", "succeeded", "failed", "stopped")
VERDICTS = (
    "passed", "quota_bound", "threshold_failed", "generator_limited", "incomplete", "aborted", "could_not_run",
)  # fmt: skip

EPILOG = """\b
Examples:
  burstline runs --verdict quota_bound --since 7d
  burstline runs --name checkout --state running --server 10.0.0.5:7460
  burstline runs --json | jq -r '.[].run'

Without --server, the runs that this machine made without a server."""


@click.command("runs", epilog=EPILOG)
@access_options(None)
@click.option("--name", default="", metavar="TEXT", help="Only runs whose name has TEXT in it.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), metavar="STATE", help="Only in this state."
)
@click.option(
    "--verdict", "verdicts", multiple=True, type=click.Choice(VERDICTS), metavar="VERDICT", help="Only these."
)
@click.option("--since", metavar="DURATION", help="Only runs younger than this, such as 2h or 7d.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most runs to list.")
@click.option("--json", "as_json", is_flag=True, help="Print them as a JSON list.")
def command(
    server: str | None,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    name: str,
    states: tuple[str, ...],
    verdicts: tuple[str, ...],
    since: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List runs, newest first. Filters add up: a run must meet each of them; repeat one to allow several values."""
    import asyncio
    import json
    import time

    from burstline.client.aws import option_seconds
    from burstline.client.connection import Access
    from burstline.client.consoles import output_console
    from burstline.client.picking import all_runs
    from burstline.client.reports.listing import Filter, run_document, runs_table
    from burstline.client.stored import reading

    youngest_s = time.time() - option_seconds("--since", since) if since else 0.0
    wanted = Filter(name, states, verdicts, youngest_s)

    async def list_them() -> int:
        found = []
        async with reading(Access(server, token, ca, cert, key) if server else None) as connection:
            async for run in all_runs(connection):
                if wanted.takes(run):
                    found.append(run)
                if len(found) > limit or wanted.is_past(run):
                    break
        shown, more = found[:limit], len(found) > limit
        if as_json:
            click.echo(json.dumps([run_document(run) for run in shown], indent=2))
        elif not shown:
            click.echo("no such runs" if wanted != Filter() else "no runs yet")
        else:
            output_console(one_line=True).print(runs_table(shown))
        if more:
            click.echo(f"there are more; --limit shows up to 1000 (now {limit})", err=as_json)
        return 0

    return asyncio.run(list_them())
