"""`burstline show RUN`."""

from pathlib import Path

import click

from burstline.client.options import access_options

EPILOG = """\b
Examples:
  burstline show last
  burstline show 3f2a --server 10.0.0.5:7460

Without --server, the runs that this machine made without a server."""


@click.command("show", epilog=EPILOG)
@click.argument("run")
@access_options(None)
def command(run: str, server: str | None, token: str, ca: Path | None, cert: Path | None, key: Path | None) -> int:
    """Print the report of RUN: an id, the beginning of one, or `last`."""
    import asyncio

    from burstline.client.connection import Access
    from burstline.client.consoles import output_console
    from burstline.client.picking import find_run
    from burstline.client.running.outcome import fetch_report, print_report
    from burstline.client.stored import reading

    async def show() -> int:
        async with reading(Access(server, token, ca, cert, key) if server else None) as connection:
            report = await fetch_report(connection, await find_run(connection, run))
        print_report(report, output_console())
        return 0

    return asyncio.run(show())
