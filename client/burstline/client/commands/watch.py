"""`burstline watch RUN`."""

from pathlib import Path

import click

from burstline.client.errors import DEFAULT_SERVER
from burstline.client.options import access_options

EPILOG = """\b
Examples:
  burstline watch
  burstline watch 3f2a --server 10.0.0.5:7460

Ctrl-C ends the watching, not the run: `burstline stop` does that."""


@click.command("watch", epilog=EPILOG)
@click.argument("run", default="last")
@access_options(DEFAULT_SERVER)
def command(run: str, server: str, token: str, ca: Path | None, cert: Path | None, key: Path | None) -> int:
    """Follow RUN (an id, the beginning of one, or `last`) until it ends, then print its report."""
    import asyncio

    from rich.console import Console

    from burstline.client.connection import Access, connect
    from burstline.client.consoles import output_console
    from burstline.client.picking import find_run
    from burstline.client.running.following import follow
    from burstline.client.running.outcome import fetch_report, print_report
    from burstline.client.running.progress import progress_view
    from burstline.client.running.signals import stop_signals

    async def watch() -> int:
        with stop_signals(lambda: None) as asked:
            async with connect(Access(server, token, ca, cert, key)) as connection:
                found = await find_run(connection, run)
                with progress_view(Console(stderr=True)) as view:
                    last = await follow(connection, found.name, view, asked, stops_run=False)
                if last is None:
                    return asked.exit_code
                report = await fetch_report(connection, last.run)
        print_report(report, output_console())
        return 0

    return asyncio.run(watch())
