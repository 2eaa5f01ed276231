"""`burstline work`."""

from pathlib import Path

import click

from burstline.client.options import access_options, listen_address, with_parent

EPILOG = """\b
Examples:
  burstline work --server 127.0.0.1:7460 --processes 2
  burstline work --server control.example.com:7460 --ca ca.pem --metrics 127.0.0.1:7463

One process uses one core. A server that is away is tried again every second."""


@click.command("work", epilog=EPILOG)
@access_options("127.0.0.1:7460")
@click.option("--processes", type=click.IntRange(1, 256), help="How many workers; by default one for each core.")
@click.option("--metrics", metavar="HOST:PORT", help="Serve /metrics here, the next process one port higher.")
@click.option("--name", help="What the server shows; by default the host's name.")
@with_parent
def command(
    server: str,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    processes: int | None,
    metrics: str | None,
    name: str | None,
    with_parent: bool,
) -> int:
    """Run workers: processes that send what a server's runs ask for.

    Ends with Ctrl-C: nothing is sent any more, answers under way are waited for.
    """
    import socket

    from burstline.client.running.children import end_with_parent
    from burstline.client.running.working import default_processes, work
    from burstline.client.traces import say_if_missing
    from burstline.workers.settings import AgentSettings

    host, port = listen_address("--metrics", metrics) if metrics is not None else ("127.0.0.1", None)
    settings = AgentSettings(
        server=server,
        token=token,
        tls=ca is not None or cert is not None,
        ca_file=str(ca or ""),
        certificate_file=str(cert or ""),
        key_file=str(key or ""),
        metrics_port=port,
        metrics_host=host,
        name=name or socket.gethostname(),
    )
    count = processes or default_processes()
    if with_parent:
        end_with_parent()
    else:
        say_if_missing()
        click.echo(f"{count} worker{'s' if count > 1 else ''} for {server}; Ctrl-C ends them")
    return work(settings, count, quiet=with_parent)
