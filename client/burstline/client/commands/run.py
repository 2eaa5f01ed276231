"""`burstline run PLAN`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from burstline.client.aws import aws_options, aws_settings, option_seconds
from burstline.client.options import FILE, access_options

if TYPE_CHECKING:
    from burstline.client.spelling.plans import LoadedPlan
    from burstline.core.quota.ahead import Ahead

EPILOG = """\b
Examples:
  burstline run plan.yaml
  burstline run plan.yaml --target http://127.0.0.1:7462/prod --html report.html --json report.json
  burstline run plan.yaml --set load.0.rate=500 --set requests.quote.weight=2
  burstline run plan.yaml --server 10.0.0.5:7460 --junit result.xml --quiet

\b
Exit codes: 0 passed, 1 could not run, 2 wrong usage or plan, 3 a quota
throttled, 4 this generator was the limit, 5 incomplete, 6 aborted,
99 a threshold failed, 130 Ctrl-C, 143 SIGTERM."""


@click.command("run", epilog=EPILOG)
@click.argument("plan", type=FILE)
@access_options(None)
@click.option("--target", metavar="URL", help="Target, in place of the plan's.")
@click.option("--account", type=FILE, metavar="FILE", help="Declared quotas, in place of the plan's account.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Change one field; may be repeated.")
@click.option("--workers", type=click.IntRange(1, 1000), help="Worker processes, or most workers of --server.")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the report as JSON; - is standard output.")
@click.option("--html", "html_file", type=FILE, metavar="FILE", help="Write the report as one HTML file.")
@click.option("--junit", "junit_file", type=FILE, metavar="FILE", help="Write verdict and thresholds as JUnit XML.")
@click.option("--quiet", is_flag=True, help="Print nothing but the verdict.")
@click.option("--wait-aws", default="4m", show_default=True, metavar="DURATION", help="Wait so long for CloudWatch.")
@aws_options
@click.option("--yes", is_flag=True, help="Agree to send to a host that was not used before.")
def command(
    plan: Path,
    server: str | None,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    target: str | None,
    account: Path | None,
    settings: tuple[str, ...],
    workers: int | None,
    json_file: Path | None,
    html_file: Path | None,
    junit_file: Path | None,
    quiet: bool,
    wait_aws: str,
    region: str,
    profile: str,
    role_arn: str,
    endpoint_url: str,
    yes: bool,
) -> int:
    """Run PLAN: show progress, then the report with the verdict, the binding quota and advice.

    A plan whose target is in AWS, or any with --endpoint-url, has its quotas read before and CloudWatch after.

    Without --server, this command brings its own server and workers along. The first Ctrl-C stops the run and
    reports what was sent; the second leaves at once.
    """
    from burstline.client.running.children import Children, default_workers
    from burstline.client.traces import traced_command

    begun: Children | None = click.get_current_context().obj
    with traced_command("run"), begun or Children() as children:
        if server is None:  # before all else: server and workers get ready while this process reads the plan
            children.begin_engine()
        from burstline.client.paths import local_store
        from burstline.client.spelling.plans import load_plan
        from burstline.client.writing import check_writable
        from burstline.core import tracing

        with tracing.span("parsing"):
            loaded = load_plan(plan, settings=settings, target=target, account=account)
        check_writable(json_file, html_file, junit_file)
        for note in loaded.notes if not quiet else ():
            click.echo(f"note: {note}", err=True)
        store = local_store() if server is None else ""
        aws = aws_settings(region, profile, role_arn, endpoint_url)
        wait_s = option_seconds("--wait-aws", wait_aws)
        if server is None:
            from burstline.client.running.engine import order_for

            _ask(loaded, yes)
            children.begin_engine().order(order_for(loaded.message, store, workers or default_workers(), aws, wait_s))
        import asyncio  # this and gRPC: while the server starts

        from burstline.client.connection import Access
        from burstline.client.running.running import RunOptions, run_plan

        access = Access(server, token, ca, cert, key) if server is not None else None
        options = RunOptions(access, workers or 0, store, json_file, junit_file, quiet, aws, wait_s, html_file)
        return asyncio.run(run_plan(loaded, options, children))


def _ask(loaded: "LoadedPlan", yes: bool) -> None:
    from burstline.client.paths import known_hosts_file
    from burstline.client.running.consent import obtain_consent

    obtain_consent(
        loaded.message.target.url,
        lambda: _ahead(loaded),
        yes=yes,
        known=known_hosts_file(),
        ask=lambda question: click.confirm(question, err=True),
    )


def _ahead(loaded: "LoadedPlan") -> "Ahead":
    from burstline.core.quota.ahead import ahead_of
    from burstline.wire.account import account_from_proto

    return ahead_of(loaded.record, account_from_proto(loaded.account))
