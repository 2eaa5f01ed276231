"""`burstline runs`."""

from pathlib import Path

import click

from burstline.client.options import access_options


@click.command("runs", epilog="Without --server, the runs that this machine made without a server.")
@access_options(None)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most runs to list.")
def command(server: str | None, token: str, ca: Path | None, cert: Path | None, key: Path | None, limit: int) -> int:
    """List runs, newest first."""
    import asyncio

    from rich.console import Console

    from burstline.client.connection import Access
    from burstline.client.listing import runs_table
    from burstline.client.stored import looking

    async def list_them() -> int:
        async with looking(Access(server, token, ca, cert, key) if server else None) as connection:
            page = await connection.list_runs(limit)
        if not page.runs:
            click.echo("no runs yet")
            return 0
        Console().print(runs_table(page.runs))
        if page.next_page_token:
            click.echo(f"there are more; --limit shows up to 1000 (now {limit})")
        return 0

    return asyncio.run(list_them())
