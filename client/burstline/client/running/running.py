"""One run from the plan to the exit code, on a given server or an embedded one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from burstline.client import exits
from burstline.client.connection import Access, Connection, connect
from burstline.client.running.children import Children, default_workers
from burstline.client.running.engine import order_for
from burstline.client.running.following import QuietView, View, follow
from burstline.client.running.outcome import fetch_report, print_report, write_report
from burstline.client.running.signals import stop_signals
from burstline.client.spelling.plans import LoadedPlan
from burstline.v1 import resources_pb2 as v1

if TYPE_CHECKING:
    from burstline.server.aws.settings import AwsSettings


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `run` was asked for.

    Attributes:
        access: the server; None is an embedded one.
        workers: most workers to use; for an embedded server, the processes to start. 0: all, or the default.
        store: the embedded server's store.
        json_file: where the report goes as JSON; "-" is standard output.
        junit_file: where it goes as JUnit XML.
        quiet: print nothing but the verdict.
        aws: whether and as whom an embedded server asks AWS; None is as boto3 finds it.
        aws_wait_s: how long an embedded server's run waits for CloudWatch, seconds.
        html_file: where the report goes as one HTML file.
    """

    access: Access | None
    workers: int
    store: str
    json_file: Path | None = None
    junit_file: Path | None = None
    quiet: bool = False
    aws: "AwsSettings | None" = None
    aws_wait_s: float = 0.0
    html_file: Path | None = None

    @property
    def worker_count(self) -> int:
        """What the run asks for: an embedded server's run waits for all of its workers."""
        return self.workers or (0 if self.access else default_workers())


async def run_plan(loaded: LoadedPlan, options: RunOptions, children: Children) -> int:
    """Run a plan, print and write its report, and return the exit code.

    Raises:
        ClientError: it could not be run, or a file not be written.
    """
    view = _quiet_view if options.quiet else _view
    report, code = await run_to_end(loaded, options, children, view, at_once=children.kill)
    if str(options.json_file) != "-":
        _print(report, quiet=options.quiet)
    write_report(report, json_file=options.json_file, junit_file=options.junit_file, html_file=options.html_file)
    if not options.quiet and options.json_file is None and options.html_file is None:
        server = f" --server {options.access.server}" if options.access else ""
        number = report["run"]["id"]
        click.echo(f"kept: burstline report {number}{server} --html FILE", err=True)
    return code or exits.exit_code(str(report["verdict"]))


def _quiet_view() -> AbstractContextManager[View]:
    return nullcontext(QuietView())


def _view() -> AbstractContextManager[View]:
    from rich.console import Console  # with all else that shows progress: once the server has the plan

    from burstline.client.running.progress import progress_view

    return progress_view(Console(stderr=True))


def _print(report: dict[str, Any], *, quiet: bool) -> None:
    if quiet:
        click.echo(report["verdict"])
        return
    from burstline.client.consoles import output_console

    print_report(report, output_console())


async def run_to_end(
    loaded: LoadedPlan,
    options: RunOptions,
    children: Children,
    view: Callable[[], AbstractContextManager[View]],
    *,
    at_once: Callable[[], None],
) -> tuple[dict[str, Any], int]:
    """Run a plan and return its report, and the exit code of the signal that stopped it, or 0.

    Args:
        loaded: the plan.
        options: how.
        children: where the worker processes of an embedded server belong; ended when the run has.
        view: gives what shows progress; called when the run is there.
        at_once: called on a second signal, before the process exits.

    Raises:
        ClientError: it could not be run.
    """
    with stop_signals(at_once) as asked:
        async with server_for(loaded, options, children) as access, connect(access) as connection:
            run = await submit(connection, loaded, options.worker_count)
            with view() as shown:
                shown.say(f"run {run.name.removeprefix('runs/')}: {loaded.message.name} -> {loaded.message.target.url}")
                last = await follow(connection, run.name, shown, asked, stops_run=True)
            ended = last.run if last is not None else await connection.get_run(run.name)
            report = await fetch_report(connection, ended)
        return report, asked.exit_code


@asynccontextmanager
async def server_for(loaded: LoadedPlan, options: RunOptions, children: Children) -> AsyncIterator[Access]:
    """Give the server that was named, or an embedded one with workers."""
    if options.access is not None:
        yield options.access
        return
    engine = children.begin_engine()
    engine.order(order_for(loaded.message, options.store, options.worker_count, options.aws, options.aws_wait_s))
    try:
        yield Access(await asyncio.to_thread(engine.address))
    finally:
        await children.stopped()


async def submit(connection: Connection, loaded: LoadedPlan, worker_count: int) -> v1.Run:
    """Upload a plan's files and start its run."""
    run = v1.Run(plan=loaded.message, account=loaded.account, worker_count=worker_count)
    for file in loaded.files:
        await connection.upload(file)
    return await connection.create_run(run)
