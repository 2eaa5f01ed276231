"""`burstline emulate`."""

from pathlib import Path

import click

from burstline.client.options import FILE, with_parent

EPILOG = """\b
Examples:
  burstline emulate --account account.yaml
  burstline emulate --account account.yaml --front http --listen 127.0.0.1:8080

The account file may have a section `emulator:` with front, stage, routes, api_keys,
round_trip and seed: docs/plan.md has them all. Counts are at /_burstline/stats."""


@click.command("emulate", epilog=EPILOG)
@click.option("--account", required=True, type=FILE, metavar="FILE", help="Quotas and functions to play.")
@click.option("--listen", default="127.0.0.1:7462", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option(
    "--front",
    type=click.Choice(["rest", "http", "function_url", "alb", "lambda", "plain"]),
    help="The entry point to play, in place of the account file's.",
)
@click.option("--aws-listen", metavar="HOST:PORT", help="Answer AWS's APIs there, for --endpoint-url. Default: not.")
@click.option("--aws-lag", default="60s", show_default=True, metavar="DURATION", help="CloudWatch is so far behind.")
@with_parent
def command(
    account: Path, listen: str, front: str | None, aws_listen: str | None, aws_lag: str, with_parent: bool
) -> int:
    """Run a practice AWS on this machine: a front with Lambda behind it that throttles as the real one does.

    Ends with Ctrl-C.
    """
    from burstline.client.errors import ClientError, UsageError
    from burstline.client.running.children import LISTENING, end_with_parent
    from burstline.client.running.practice import load_practice
    from burstline.emulator.serving import run_emulator

    host, port = _address("--listen", listen)
    side = None
    if aws_listen is not None:
        from burstline.client.aws import option_seconds
        from burstline.emulator.aws.settings import AwsSideSettings

        aws_host, aws_port = _address("--aws-listen", aws_listen)
        side = AwsSideSettings(host=aws_host, port=aws_port, lag_s=option_seconds("--aws-lag", aws_lag))
    quotas, settings = load_practice(account, host=host, port=port, front=front)
    if with_parent:
        end_with_parent()
    try:
        run_emulator(
            quotas,
            settings,
            lambda url: click.echo(f"{LISTENING}{url}"),
            side,
            lambda url: click.echo(f"AWS side on {url}"),
        )
    except ValueError as error:
        raise UsageError(f"{account}: {error}") from error
    except OSError as error:
        raise ClientError(
            f"cannot listen on {listen}: {error.strerror or error}; choose another address with --listen"
        ) from error
    return 0


def _address(option: str, text: str) -> tuple[str, int]:
    from burstline.client.errors import UsageError

    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f'{option}: found "{text}"; allowed: HOST:PORT, such as 127.0.0.1:7462')
    return host.strip("[]"), int(port)
