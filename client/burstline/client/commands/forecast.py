"""`burstline forecast PLAN`."""

from pathlib import Path

import click

from burstline.client.aws import aws_options, aws_settings
from burstline.client.options import FILE

EPILOG = """\b
Examples:
  burstline forecast plan.yaml --account account.yaml
  burstline forecast plan.yaml --goal 3000 --scaling legacy --json forecast.json
  burstline forecast plan.yaml --aws --profile staging

With --aws the account is read first, with your own credentials: quotas, settings, and what other functions take."""


@click.command("forecast", epilog=EPILOG)
@click.argument("plan", type=FILE)
@click.option("--account", type=FILE, metavar="FILE", help="Declared quotas, in place of the plan's account.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Change one field; may be repeated.")
@click.option(
    "--goal",
    type=click.FloatRange(min=0, min_open=True),
    metavar="RATE",
    help="Scale the whole plan so that its highest 1 s rate is this many requests/s.",
)
@click.option("--scaling", type=click.Choice(["current", "legacy"]), help="Scaling regime, in place of the account's.")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write it as JSON; - is standard output.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, help="Of the simulated runs; the same seed, the same answer."
)
@click.option("--aws", "ask_aws", is_flag=True, help="Read quotas and other functions' use from AWS first.")
@aws_options
def command(
    plan: Path,
    account: Path | None,
    settings: tuple[str, ...],
    goal: float | None,
    scaling: str | None,
    json_file: Path | None,
    seed: int,
    ask_aws: bool,
    region: str,
    profile: str,
    role_arn: str,
    endpoint_url: str,
) -> int:
    """Say what PLAN would meet: when throttling begins, by which quota, how much, and the cost. Nothing is sent.

    Ends with 0 if it could answer and with 2 if the plan has mistakes.
    """
    import json
    from dataclasses import replace

    from burstline.client.asking import read_account
    from burstline.client.consoles import output_console
    from burstline.client.errors import ClientError, UsageError
    from burstline.client.reports.forecast_text import render_forecast
    from burstline.client.spelling.plans import load_plan
    from burstline.client.traces import traced_command
    from burstline.client.writing import check_writable
    from burstline.core import tracing
    from burstline.core.quota.advice.demand import scaled
    from burstline.core.quota.forecast.document import document
    from burstline.core.quota.forecast.forecasting import forecast
    from burstline.core.quota.forecast.loads import highest_rate
    from burstline.core.quota.forecast.pool import pool_share_of
    from burstline.core.quota.quotas import Scaling
    from burstline.wire.account import account_from_proto

    check_writable(json_file, None)
    loaded = load_plan(plan, settings=settings, account=account)
    asked = loaded.record
    if goal is not None:
        planned = highest_rate(asked.load)
        if planned <= 0:
            raise UsageError("--goal needs a plan with a rate: this one has users only")
        asked = replace(asked, load=scaled(asked.load, goal / planned))
    regime = Scaling(scaling) if scaling else None
    quotas = account_from_proto(loaded.account)
    neighbours, read = None, tuple[str, ...]()
    with traced_command("forecast"):
        if ask_aws:
            with tracing.span("reading AWS"):
                quotas, evidence = read_account(asked, quotas, aws_settings(region, profile, role_arn, endpoint_url))
            neighbours, read = evidence.neighbours, evidence.notes
        with tracing.span("solving"):
            found = forecast(asked, quotas, seed=seed, scaling=regime)
    found = replace(found, notes=(*read, *found.notes))
    share = pool_share_of(found, quotas, neighbours)
    if json_file is not None:
        text = json.dumps(document(found, share), indent=2) + "\n"
        if str(json_file) == "-":
            click.echo(text, nl=False)
            return 0
        try:
            json_file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ClientError(f"{json_file} cannot be written: {error.strerror}") from error
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    render_forecast(found, output_console(), share)
    return 0
