"""`burstline check PLAN`."""

from pathlib import Path

import click

from burstline.client.options import FILE

ASSUMED_LATENCY_S = 0.1
"""Of one request, seconds: `run` asks the target, `check` sends nothing."""

EPILOG = """\b
Examples:
  burstline check plan.yaml
  burstline check plan.yaml --account account.yaml --set load.0.rate=500
  burstline check --schema > plan.schema.json"""


def _print_schema(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        import json

        from burstline.client.spelling.schema import plan_schema

        click.echo(json.dumps(plan_schema(), indent=2, ensure_ascii=False))
        context.exit()


@click.command("check", epilog=EPILOG)
@click.argument("plan", type=FILE)
@click.option("--account", type=FILE, metavar="FILE", help="Declared quotas, in place of the plan's account.")
@click.option("--target", metavar="URL", help="Target, in place of the plan's.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Change one field; may be repeated.")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
    help="Print the JSON Schema of plans, for editors, and end.",
)  # fmt: skip
def command(plan: Path, account: Path | None, target: str | None, settings: tuple[str, ...]) -> int:
    """Check PLAN: every mistake at once, with file, line and field. Nothing is sent.

    Ends with 0 if the plan is good and with 2 if it is not.
    """
    from burstline.client.spelling.plans import load_plan
    from burstline.client.wording import plural, rate_text, span_text
    from burstline.core.load.cold import cold_burst
    from burstline.core.quota.ahead import ahead_of, usd_text
    from burstline.wire.account import account_from_proto

    loaded = load_plan(plan, settings=settings, target=target, account=account)
    ahead = ahead_of(loaded.record, account_from_proto(loaded.account))
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    cold = cold_burst(loaded.record.load, loaded.record.connections, 1, ASSUMED_LATENCY_S)
    if cold is not None and loaded.record.target.url.startswith("https:"):
        click.echo(
            f"note: phase {cold.phase!r} opens {plural(cold.count, 'TLS connection')} while its burst lasts, "
            f"{cold.cpu_s * 1000:,.0f} ms of CPU: `run` refuses it with fewer than "
            f"{plural(cold.worker_count, 'worker')}; "
            "`connections: {warm: auto}` opens them before",
            err=True,
        )
    rate = loaded.record.ceilings.rate_per_s
    if rate is not None and ahead.peak_per_s > rate:
        click.echo(
            f"note: the load reaches up to {rate_text(ahead.peak_per_s)}; what exceeds ceilings.rate, "
            f"{rate_text(rate)}, is dropped and counted",
            err=True,
        )
    users = " plus what its users send" if ahead.closed else ""
    click.echo(f"{plan}: no mistakes")
    click.echo(
        f"{plural(len(loaded.record.load), 'phase')}, {span_text(ahead.duration_s)}, "
        f"{plural(ahead.request_count, 'request')}{users}, at most {rate_text(ahead.peak_per_s)}"
        if ahead.request_count or not ahead.closed
        else f"{plural(len(loaded.record.load), 'phase')}, {span_text(ahead.duration_s)}, all requests by users"
    )
    if ahead.cost_usd is not None:
        click.echo(f"estimated cost: {usd_text(ahead.cost_usd)} at list prices of us-east-1")
    return 0
