"""`burstline quotas [PLAN]`."""

from pathlib import Path

import click

from burstline.client.aws import aws_options, aws_settings
from burstline.client.options import EXISTING, access_options

EPILOG = """\b
Examples:
  burstline quotas --region eu-west-1
  burstline quotas plan.yaml --profile staging
  burstline quotas plan.yaml --endpoint-url http://127.0.0.1:7463

Without --server, AWS is asked from here, with your own credentials. Nothing is changed."""


@click.command("quotas", epilog=EPILOG)
@click.argument("plan", type=EXISTING, required=False)
@aws_options
@access_options(None)
def command(
    plan: Path | None,
    region: str,
    profile: str,
    role_arn: str,
    endpoint_url: str,
    server: str | None,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
) -> int:
    """Read the account's quotas, with their use and headroom; with PLAN, its functions' and API's settings, too.

    What may not be read says which IAM action is missing; the rest is shown.
    """
    import asyncio

    from burstline.client.connection import Access
    from burstline.client.consoles import output_console
    from burstline.client.reports.quota_tables import print_quotas
    from burstline.client.spelling.plans import load_plan
    from burstline.client.stored import looking

    message = load_plan(plan).message if plan is not None else None

    async def read() -> int:
        access = Access(server, token, ca, cert, key) if server else None
        async with looking(access, aws_settings(region, profile, role_arn, endpoint_url)) as connection:
            pages = await connection.list_quotas(message, region)
        print_quotas(pages, output_console(one_line=True))
        return 0

    return asyncio.run(read())
