"""`burstline demo`."""

from pathlib import Path

import click

EPILOG = """\b
Examples:
  burstline demo
  burstline demo --reports /tmp/reports"""


@click.command("demo", epilog=EPILOG)
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="FOLDER",
    help="Where the report is written: demo.html and demo.json.",
)
def command(reports: Path) -> int:
    """See it work, in less than a minute and on this machine alone.

    Starts a practice AWS, a server and two workers on free ports, and runs a plan that crosses a quota. Ends with
    the verdict, the quota that was crossed, the advice, and the report's path. No process stays behind.

    The exit code is 0 when the demo did its job, although its verdict is quota_bound: `burstline run` would end
    with 3.
    """
    import asyncio

    from rich.console import Console

    from burstline.client.consoles import output_console
    from burstline.client.running.demonstration import run_demo
    from burstline.client.traces import traced_command

    with traced_command("demo"):
        return asyncio.run(run_demo(reports, output_console(), Console(stderr=True)))
