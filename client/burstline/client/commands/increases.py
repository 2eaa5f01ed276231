"""`burstline increases`."""

from pathlib import Path

import click

from burstline.client.aws import aws_options, aws_settings
from burstline.client.options import access_options

EPILOG = """\b
Examples:
  burstline increases
  burstline increases --server 10.0.0.5:7460

Without --server, the requests that this machine made without a server."""


@click.command("increases", epilog=EPILOG)
@aws_options
@access_options(None)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most requests to list.")
def command(
    region: str,
    profile: str,
    role_arn: str,
    endpoint_url: str,
    server: str | None,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    limit: int,
) -> int:
    """List requests for more of a quota, newest first; those that AWS has not decided are looked up."""
    import asyncio

    from burstline.client.connection import Access
    from burstline.client.consoles import output_console
    from burstline.client.reports.quota_tables import increases_table
    from burstline.client.stored import looking

    async def list_them() -> int:
        access = Access(server, token, ca, cert, key) if server else None
        async with looking(access, aws_settings(region, profile, role_arn, endpoint_url)) as connection:
            found = await connection.list_increases(limit)
        if not found:
            click.echo("no requests yet")
            return 0
        output_console(one_line=True).print(increases_table(found))
        return 0

    return asyncio.run(list_them())
