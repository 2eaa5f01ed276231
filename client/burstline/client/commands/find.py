"""`burstline find PLAN`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from burstline.client.options import FILE, access_options

if TYPE_CHECKING:
    from burstline.client.running.running import RunOptions
    from burstline.client.running.searching import Answer
    from burstline.client.spelling.plans import LoadedPlan
    from burstline.core.quota.search.answer import Bounds

EPILOG = """\b
Examples:
  burstline find plan.yaml
  burstline find plan.yaml --account account.yaml --max-rate 2000
  burstline find plan.yaml --server 10.0.0.5:7460 --json found.json

\b
Exit codes: 0 answered, 1 no answer, 2 wrong usage or plan, 130 Ctrl-C,
143 SIGTERM."""


@click.command("find", epilog=EPILOG)
@click.argument("plan", type=FILE)
@access_options(None)
@click.option("--target", metavar="URL", help="Target, in place of the plan's.")
@click.option("--account", type=FILE, metavar="FILE", help="Declared quotas, in place of the plan's account.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Change one field; may be repeated.")
@click.option("--workers", type=click.IntRange(1, 1000), help="Worker processes, or most workers of --server.")
@click.option("--max-rate", type=click.FloatRange(min=1), help="Never send faster, requests/s [default: 10000].")
@click.option("--max-requests", type=click.IntRange(1), help="Never send more in all [default: 1000000].")
@click.option("--rest", type=click.FloatRange(0, 300), default=5.0, help="Seconds between probes [default: 5].")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the answer as JSON; - is standard output.")
@click.option("--quiet", is_flag=True, help="Print nothing but the rate.")
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
    max_rate: float | None,
    max_requests: int | None,
    rest: float,
    json_file: Path | None,
    quiet: bool,
    yes: bool,
) -> int:
    """Find the highest rate that PLAN's target lets through, and the quota that stops it, with few requests.

    The plan's requests, target and ceilings hold; its load is replaced by probes: bursts from idle, an overload that
    shows how fast what was used comes back, and a last stretch that shows that the answer holds.
    """
    import asyncio

    from burstline.client.connection import Access
    from burstline.client.paths import local_store
    from burstline.client.running.running import RunOptions
    from burstline.client.running.searching import bounds_of
    from burstline.client.spelling.plans import load_plan
    from burstline.client.traces import traced_command
    from burstline.client.writing import check_writable

    loaded = load_plan(plan, settings=settings, target=target, account=account)
    check_writable(json_file, None)
    bounds = bounds_of(loaded.record, loaded, max_rate, max_requests, rest)
    for note in loaded.notes if not quiet else ():
        click.echo(f"note: {note}", err=True)
    if server is None:
        _ask(loaded, bounds, yes)
    access = Access(server, token, ca, cert, key) if server is not None else None
    options = RunOptions(access, workers or 0, local_store() if server is None else "", quiet=quiet)
    with traced_command("find"):
        answer = asyncio.run(_find(loaded, options, bounds))
    if answer.found is None:
        return answer.exit_code
    _show(loaded, answer, json_file, quiet)
    return 0


def _ask(loaded: "LoadedPlan", bounds: "Bounds", yes: bool) -> None:
    from burstline.client.paths import known_hosts_file
    from burstline.client.running.consent import obtain_consent
    from burstline.client.running.searching import preview_of

    obtain_consent(
        loaded.message.target.url,
        lambda: preview_of(loaded.record, loaded, bounds),
        yes=yes,
        known=known_hosts_file(),
        ask=lambda question: click.confirm(question, err=True),
    )


async def _find(loaded: "LoadedPlan", options: "RunOptions", bounds: "Bounds") -> "Answer":
    from rich.console import Console

    from burstline.client.running.children import Children
    from burstline.client.running.searching import find

    async with Children() as children:
        return await find(loaded, options, bounds, children, Console(stderr=True))


def _show(loaded: "LoadedPlan", answer: "Answer", json_file: Path | None, quiet: bool) -> None:
    import json

    from burstline.client.running.searching import answer_document

    found = answer.found
    assert found is not None
    if json_file is not None:
        text = json.dumps(answer_document(loaded.record, found), indent=2) + "\n"
        if str(json_file) == "-":
            click.echo(text, nl=False)
            return
        json_file.write_text(text, encoding="utf-8")
    if quiet:
        click.echo(f"{found.rate_per_s:.1f}")
        return
    if found.family is None:
        click.echo(f"No limit found: {found.text}.")
    else:
        click.echo(f"Highest rate that holds: {found.rate_per_s:,.1f} requests/s")
        if found.held_per_s is not None:
            click.echo(f"  shown to hold for 5 s: {found.held_per_s:,.1f} requests/s")
        if found.concurrency is not None:
            click.echo(f"Calls in flight: {found.concurrency:,.0f}")
        elif found.burst is not None:
            click.echo(f"Burst from idle: {found.burst:,.0f} requests")
        click.echo(f"What stops it: {found.text}")
    click.echo(f"Asked with {found.request_count:,} requests in {found.probe_count} probes.")
