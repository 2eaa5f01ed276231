"""`burstline work`."""

from pathlib import Path

import click

from burstline.client.options import access_options, with_parent

EPILOG = """\b
Examples:
  burstline work --server 127.0.0.1:7460 --processes 2
  burstline work --server control.example.com:7460 --ca ca.pem --metrics-port 9100

One process uses one core. A server that is away is tried again every second."""


@click.command("work", epilog=EPILOG)
@access_options("127.0.0.1:7460")
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="How many workers.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Serve /metrics here; the next process one higher.")
@click.option("--name", help="What the server shows; by default the host's name.")
@with_parent
def command(
    server: str,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    processes: int,
    metrics_port: int | None,
    name: str | None,
    with_parent: bool,
) -> int:
    """Run workers: processes that send what a server's runs ask for.

    Ends with Ctrl-C: nothing is sent any more, answers under way are waited for.
    """
    import socket

    from burstline.client.children import end_with_parent
    from burstline.client.working import work
    from burstline.workers.settings import AgentSettings

    settings = AgentSettings(
        server=server,
        token=token,
        tls=ca is not None or cert is not None,
        ca_file=str(ca or ""),
        certificate_file=str(cert or ""),
        key_file=str(key or ""),
        metrics_port=metrics_port,
        name=name or socket.gethostname(),
    )
    if with_parent:
        end_with_parent()
    return work(settings, processes, quiet=with_parent)
