"""The command `burstline`. Each subcommand is a module of `commands`, imported only when it is used."""

import importlib
from typing import Any

import click

from burstline.client import exits
from burstline.client.groups import NearGroup

COMMANDS = {
    "demo": "See it work: a practice AWS, a server, two workers and a plan, on this machine.",
    "run": "Run a plan; end with its verdict, the binding quota and advice.",
    "check": "Check a plan: every mistake at once, nothing is sent.",
    "forecast": "Say what a plan would meet: which quota throttles, when, how much; nothing is sent.",
    "find": "Search the highest rate that holds, and the quota that stops it, with few requests.",
    "serve": "Run a server that other terminals and machines share.",
    "work": "Run workers for a server.",
    "emulate": "Run a practice AWS: API Gateway, function URL or ALB with Lambda behind it.",
    "runs": "List runs.",
    "show": "Print a run's report.",
    "report": "Write a run's report to files.",
    "compare": "Compare two runs: what changed, and how sure that is.",
    "watch": "Follow a run.",
    "stop": "Stop a run.",
    "workers": "List a server's workers.",
    "fleet": "Start worker machines on AWS Fargate for a server, and take them away.",
    "quotas": "Read the account's quotas from AWS, with their use and headroom.",
    "request-increase": "Ask AWS for more of a quota, as a run's report advises.",
    "increases": "List such requests and where they stand.",
    "iam-policy": "Print the least IAM policy for a plan.",
}
"""Name and one line of help, so that `--help` imports none of them."""

EPILOG = """\b
Examples:
  burstline demo
  burstline check plan.yaml
  burstline run plan.yaml --json report.json
  burstline run plan.yaml --server 10.0.0.5:7460

\b
Exit codes of run: 0 passed, 1 could not run, 2 wrong usage or plan, 3 a quota
throttled, 4 this generator was the limit, 5 incomplete, 6 aborted,
99 a threshold failed, 130 Ctrl-C, 143 SIGTERM."""


class LazyGroup(NearGroup):
    """Imports a subcommand when it is called, and turns our errors into a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a first day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"burstline.client.commands.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; an error of ours ends in a sentence and its exit code."""
        from burstline.client.errors import ClientError, InvalidPlan

        try:
            code = super().invoke(ctx)
        except InvalidPlan as error:
            click.echo(str(error), err=True)
            count = len(error.problems)
            click.echo(f"burstline: {count} mistake{'s' if count > 1 else ''}; nothing was sent", err=True)
            ctx.exit(error.exit_code)
        except ClientError as error:
            click.echo(f"burstline: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("burstline: interrupted", err=True)
            ctx.exit(exits.INTERRUPTED)
        ctx.exit(code or exits.PASSED)


@click.group(
    cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="burstline", prog_name="burstline", message="%(prog)s %(version)s")
def cli() -> None:
    """Send paced bursts at an API on AWS and learn which quota binds, when, and what to ask AWS for."""
