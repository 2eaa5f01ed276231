"""`burstline workers`."""

from pathlib import Path

import click

from burstline.client.errors import DEFAULT_SERVER
from burstline.client.options import access_options

EPILOG = """\b
Examples:
  burstline workers
  burstline workers --server 10.0.0.5:7460"""


@click.command("workers", epilog=EPILOG)
@access_options(DEFAULT_SERVER)
def command(server: str, token: str, ca: Path | None, cert: Path | None, key: Path | None) -> int:
    """List the workers attached to a server."""
    import asyncio

    from burstline.client.connection import Access, connect
    from burstline.client.consoles import output_console
    from burstline.client.reports.listing import workers_table

    async def list_them() -> int:
        async with connect(Access(server, token, ca, cert, key)) as connection:
            attached = await connection.list_workers()
        if attached:
            output_console(one_line=True).print(workers_table(attached))
        else:
            click.echo(f"no worker is attached; start one with: burstline work --server {server}")
        return 0

    return asyncio.run(list_them())
