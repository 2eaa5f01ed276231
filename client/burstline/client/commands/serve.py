"""`burstline serve`."""

from pathlib import Path

import click

from burstline.client.aws import aws_options, aws_settings, option_seconds
from burstline.client.options import EXISTING, listen_address, with_parent

EPILOG = """\b
Examples:
  burstline serve
  burstline serve --listen 0.0.0.0:7460 --allow api.example.com
  burstline serve --store postgresql://burstline@db/burstline

\b
Then, on this or another machine:
  burstline work --server HOST:7460 --processes 2
  burstline run plan.yaml --server HOST:7460"""


@click.command("serve", epilog=EPILOG)
@click.option("--listen", default="127.0.0.1:7460", show_default=True, metavar="HOST:PORT", help="gRPC services.")
@click.option(
    "--http", default="127.0.0.1:7461", show_default=True, metavar="HOST:PORT", help='Web pages and metrics; "" is off.'
)
@click.option(
    "--store",
    envvar="BURSTLINE_STORE",
    metavar="URL",
    help="sqlite:///path or postgresql://... [env: BURSTLINE_STORE; default: a file in your data folder].",
)
@click.option("--allow", multiple=True, metavar="HOST", help="A host plans may target; may be repeated.")
@click.option("--server-id", default="", help="Identity by which a restarted server finds its runs.")
@click.option("--cert", type=EXISTING, help="Certificate chain, PEM: turns TLS on, for both ports.")
@click.option("--key", type=EXISTING, help="Its key, PEM.")
@click.option("--client-ca", type=EXISTING, help="Authority of client certificates, PEM: mutual TLS.")
@click.option("--wait-aws", default="4m", show_default=True, metavar="DURATION", help="Runs wait so for CloudWatch.")
@aws_options
@with_parent
def command(
    listen: str,
    http: str,
    store: str | None,
    allow: tuple[str, ...],
    server_id: str,
    cert: Path | None,
    key: Path | None,
    client_ca: Path | None,
    wait_aws: str,
    region: str,
    profile: str,
    role_arn: str,
    endpoint_url: str,
    with_parent: bool,
) -> int:
    """Run a server: it keeps runs, hands their load to workers, judges them, and serves /metrics.

    Plans may target this machine and the hosts of --allow, or of the variable BURSTLINE_ALLOW (separated by
    commas). Tokens come from BURSTLINE_TOKENS as role=secret, separated by commas; the roles are viewer, runner
    and admin. Ends with Ctrl-C; runs under way go on when it is started again.
    """
    import asyncio
    import os

    from burstline.client.errors import UsageError
    from burstline.client.paths import server_store
    from burstline.client.running.children import end_with_parent
    from burstline.client.running.serving import serve_until_signal, tokens_from
    from burstline.client.traces import say_if_missing
    from burstline.server.looping import loop_factory
    from burstline.server.settings import ServerSettings, Tls
    from burstline.wire.traces import traced

    if (cert is None) != (key is None):
        raise UsageError(f"--cert and --key go together; found only --{'key' if cert is None else 'cert'}")
    for option, address in (("--listen", listen), *((("--http", http),) if http else ())):
        listen_address(option, address)
    if client_ca is not None and cert is None:
        raise UsageError("--client-ca needs --cert and --key")
    hosts = (*allow, *(host.strip() for host in os.environ.get("BURSTLINE_ALLOW", "").split(",") if host.strip()))
    settings = ServerSettings(
        listen=listen,
        http=http,
        store=store or server_store(),
        allow=hosts,
        tokens=tokens_from(os.environ.get("BURSTLINE_TOKENS", "")),
        tls=Tls(cert, key, client_ca) if cert is not None and key is not None else None,
        server_id=server_id,
        aws=aws_settings(region, profile, role_arn, endpoint_url),
        aws_wait_s=option_seconds("--wait-aws", wait_aws),
    )
    if with_parent:
        end_with_parent()
    say_if_missing()
    with traced("burstline-server"), asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serve_until_signal(settings))
