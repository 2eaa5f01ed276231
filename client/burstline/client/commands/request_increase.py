"""`burstline request-increase RUN --quota Q`."""

from pathlib import Path

import click

from burstline.client.aws import aws_options, aws_settings
from burstline.client.options import access_options

EPILOG = """\b
Examples:
  burstline request-increase last --quota lambda:L-B99A9384
  burstline request-increase 3f2a --quota lambda:L-B99A9384 --value 3000 --yes

An increase may raise your bill's ceiling; AWS decides, and may open a support case."""


@click.command("request-increase", epilog=EPILOG)
@click.argument("run")
@click.option("--quota", required=True, metavar="SERVICE:CODE", help="The quota, as the report names it.")
@click.option("--value", type=click.FloatRange(0, 1e10, min_open=True), help="In place of the recommended value.")
@click.option("--no-support-case", is_flag=True, help="AWS may not open a support case.")
@click.option("--yes", is_flag=True, help="Agree without being asked.")
@aws_options
@access_options(None)
def command(
    run: str,
    quota: str,
    value: float | None,
    no_support_case: bool,
    yes: bool,
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
    """Ask AWS for more of a quota, as the report of RUN (an id, the beginning of one, or `last`) advises.

    Shows current and requested value, derivation and the text for AWS Support; asks; then sends one request. One
    that is open, a value that is no increase, or a quota that cannot be raised is explained, not sent.
    """
    import asyncio
    import sys

    from burstline.client.connection import Access
    from burstline.client.errors import UsageError
    from burstline.client.picking import find_run
    from burstline.client.reports.quota_tables import State, increase_text
    from burstline.client.stored import looking

    if ":" not in quota.strip(":"):
        raise UsageError(
            f'--quota: found "{quota}"; allowed: SERVICE:CODE as the report names it, such as lambda:L-B99A9384'
        )

    async def request() -> int:
        access = Access(server, token, ca, cert, key) if server else None
        async with looking(access, aws_settings(region, profile, role_arn, endpoint_url)) as connection:
            name = (await find_run(connection, run)).name
            asked = {"quota": quota, "desired_value": value or 0.0, "region": region}
            shown = await connection.request_increase(name, validate_only=True, **asked)
            click.echo(increase_text(shown))
            if not shown.sendable:
                click.echo(f"not sent: {shown.explanation}")
                return 0
            if not yes:
                if not sys.stdin.isatty():
                    raise UsageError("nothing was sent: there is no terminal to ask on; --yes agrees")
                if not click.confirm("Send this request to AWS?"):
                    click.echo("not sent")
                    return 0
            sent = await connection.request_increase(
                name, confirmed=True, support_case_disallowed=no_support_case, **asked
            )
        if sent.state == State.NOT_SENT:
            click.echo(f"not sent: {sent.explanation}")
            return 0
        case = f", case {sent.case_id}" if sent.case_id else ""
        click.echo(f"sent: {State.Name(sent.state).lower()}, id {sent.aws_request_id or 'not known'}{case}")
        click.echo(sent.explanation or "`burstline increases` follows it")
        return 0

    return asyncio.run(request())
