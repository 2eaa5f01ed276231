"""`burstline stop RUN`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from burstline.client.errors import DEFAULT_SERVER
from burstline.client.options import access_options

if TYPE_CHECKING:
    from burstline.v1 import resources_pb2 as v1

EPILOG = """\b
Examples:
  burstline stop last
  burstline stop 3f2a --server 10.0.0.5:7460

A run without a server is stopped with Ctrl-C where it runs."""


@click.command("stop", epilog=EPILOG)
@click.argument("run")
@access_options(DEFAULT_SERVER)
def command(run: str, server: str, token: str, ca: Path | None, cert: Path | None, key: Path | None) -> int:
    """Stop RUN: an id, the beginning of one, or `last`. What was sent is settled and reported."""
    import asyncio

    from burstline.client.connection import Access, connect
    from burstline.client.picking import find_run
    from burstline.client.wording import plural

    async def stop() -> int:
        async with connect(Access(server, token, ca, cert, key)) as connection:
            found = await find_run(connection, run)
            answer = await connection.stop_run(found.name)
        name = found.name.removeprefix("runs/")
        if answer.unreachable_worker_count:
            click.echo(
                f"{name}: {plural(answer.stopped_worker_count, 'worker')} stopped, "
                f"{answer.unreachable_worker_count} cannot be reached and stop when their lease ends, "
                f"at {answer.stop_time.ToDatetime():%H:%M:%S} UTC"
            )
        elif answer.stopped_worker_count:
            click.echo(f"{name}: stopped on {plural(answer.stopped_worker_count, 'worker')}")
        else:
            click.echo(f"{name}: {without_workers(answer.run)}")
        return 0

    return asyncio.run(stop())


def without_workers(run: "v1.Run") -> str:
    """Return what came of a run that no worker held when it was to stop."""
    from burstline.v1 import resources_pb2 as v1

    if run.state in (v1.Run.QUEUED, v1.Run.PREPARING):
        return "stopped before its load began"
    if run.state in (v1.Run.RUNNING, v1.Run.SETTLING):
        return "sends nothing any more; its report follows"
    return "it had ended already"
