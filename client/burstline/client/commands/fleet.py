"""`burstline fleet fargate up|down|status|iam-policy`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from burstline.client.aws import aws_options, aws_settings, option_seconds
from burstline.client.groups import NearGroup

if TYPE_CHECKING:
    from burstline.client.fleet.ecs import Ecs
    from burstline.client.fleet.fargate import Waiting

EPILOG = """\b
Examples:
  burstline fleet fargate up --count 8 --server 10.0.1.5:7460 --cluster load --subnet subnet-0a1b2c3d \\
      --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/burstline:0.1.0 \\
      --execution-role arn:aws:iam::123456789012:role/ecsTaskExecutionRole
  burstline fleet fargate status
  burstline fleet fargate down 3f2a91c0
  burstline fleet fargate iam-policy --cluster load

\b
A fleet is found by its id, which tags all that was started: nothing is kept on this machine."""

wait_option = click.option("--wait", default="5m", show_default=True, metavar="DURATION", help="Wait at most so long.")


@click.group("fleet", cls=NearGroup, epilog=EPILOG)
def command() -> None:
    """Start worker machines for a server, and take them away again."""


@command.group("fargate", cls=NearGroup, epilog=EPILOG)
def fargate() -> None:
    """Workers as tasks of ECS on Fargate."""


@fargate.command("up")
@click.option("--count", type=click.IntRange(1, 1000), required=True, help="Tasks.")
@click.option("--server", envvar="BURSTLINE_SERVER", required=True, metavar="HOST:PORT", help="As the tasks reach it.")
@click.option("--cluster", required=True, help="ECS cluster that exists.")
@click.option("--image", required=True, help="The image of this repository's Dockerfile, in a registry.")
@click.option("--subnet", "subnets", multiple=True, required=True, metavar="ID", help="May be repeated.")
@click.option("--security-group", "security_groups", multiple=True, metavar="ID", help="May be repeated.")
@click.option("--public-ip", is_flag=True, help="Public addresses: in a subnet without NAT, to pull the image.")
@click.option("--vcpu", type=click.Choice(["1", "2", "4", "8", "16"]), default="1", show_default=True, help="Per task, with as many worker processes.")  # fmt: skip  # noqa: E501
@click.option("--arm", is_flag=True, help="The image is for arm64.")
@click.option("--execution-role", default="", metavar="ARN", help="ECS pulls, reads the token and logs with it.")
@click.option("--task-role", default="", metavar="ARN", help="Workers sign requests (SigV4) with it.")
@click.option("--token-secret", default="", metavar="ARN", help="Secret or parameter that holds the server's token.")
@click.option("--ca", default="", metavar="PATH", help="In the image: authority of the server's certificate.")
@click.option("--cert", default="", metavar="PATH", help="In the image: certificate for mutual TLS.")
@click.option("--key", default="", metavar="PATH", help="In the image: its key.")
@click.option(
    "--log-group", default="", metavar="NAME", help="CloudWatch log group that exists; else no logs are kept."
)
@click.option("--id", "fleet", default="", metavar="ID", help="Of the fleet; by default a new one.")
@click.option("--dry-run", is_flag=True, help="Print what AWS would be asked for; start nothing.")
@wait_option
@aws_options
def up(fleet: str, count: int, vcpu: str, dry_run: bool, wait: str, region: str, profile: str, role_arn: str,
       endpoint_url: str, **given: Any) -> int:  # fmt: skip
    """Start tasks that run workers, and wait until they run.

    With the --id of a fleet that is there, only what is missing is started. When it fails or is interrupted, what it
    began is taken away again.
    """
    from burstline.client.fleet.checking import check
    from burstline.client.fleet.fargate import up as bring_up
    from burstline.client.fleet.naming import new_id
    from burstline.client.fleet.showing import asked_text, up_text
    from burstline.client.fleet.tasks import FleetSpec

    named = fleet or new_id()
    spec = check(FleetSpec(fleet=named, count=count, vcpu=int(vcpu), region=region, **given))
    waiting = _waiting(wait)

    async def work(ecs: "Ecs", in_region: str) -> str:
        from dataclasses import replace

        asked = replace(spec, region=in_region)
        if dry_run:
            return asked_text(asked)
        _say(f"fleet {named}: {count} tasks in {in_region}")
        return up_text(await bring_up(ecs, asked, waiting, _say), asked)

    return _with_ecs(work, region, profile, role_arn, endpoint_url)


@fargate.command("down")
@click.argument("fleet", metavar="ID")
@click.option("--cluster", "clusters", multiple=True, help="Look there, too; a fleet knows its own.")
@wait_option
@aws_options
def down(
    fleet: str, clusters: tuple[str, ...], wait: str, region: str, profile: str, role_arn: str, endpoint_url: str
) -> int:
    """Stop and deregister all that the fleet's id tags, and wait until it is gone.

    May be called any number of times, from any machine, also after an `up` that was killed.
    """
    from burstline.client.fleet.checking import check_id
    from burstline.client.fleet.fargate import down as take_down
    from burstline.client.fleet.showing import down_text

    check_id(fleet)
    waiting = _waiting(wait)

    async def work(ecs: "Ecs", _: str) -> str:
        return down_text(await take_down(ecs, fleet, waiting, _say, clusters))

    return _with_ecs(work, region, profile, role_arn, endpoint_url)


@fargate.command("status")
@click.argument("fleet", metavar="[ID]", required=False)
@aws_options
def status(fleet: str | None, region: str, profile: str, role_arn: str, endpoint_url: str) -> int:
    """Show the fleets that are there, with their tasks."""
    from burstline.client.fleet.checking import check_id
    from burstline.client.fleet.fargate import status as look
    from burstline.client.fleet.showing import status_text

    if fleet is not None:
        check_id(fleet)

    async def work(ecs: "Ecs", _: str) -> str:
        return status_text(await look(ecs, fleet))

    return _with_ecs(work, region, profile, role_arn, endpoint_url)


@fargate.command("iam-policy")
@click.option("--cluster", default="*", help="The only cluster that may be used; else any.")
@click.option("--region", default="*", help="AWS region; else any.")
@click.option("--account-id", default="*", metavar="DIGITS", help="12 digits; else any account.")
@click.option("--role", "roles", multiple=True, metavar="ARN", help="Role that tasks get; may be repeated.")
def iam_policy(cluster: str, region: str, account_id: str, roles: tuple[str, ...]) -> int:
    """Print the least IAM policy for `up`, `down` and `status`, as JSON. No AWS is asked."""
    import json

    from burstline.client.errors import UsageError
    from burstline.client.fleet.policy import fleet_policy

    if account_id != "*" and not (len(account_id) == 12 and account_id.isdecimal()):
        raise UsageError(f'--account-id: found "{account_id}"; allowed: 12 digits')
    policy = fleet_policy(region=region, account=account_id, cluster=cluster, roles=roles)
    click.echo(json.dumps(policy, indent=2))
    return 0


def _say(text: str) -> None:
    click.echo(text, err=True)


def _waiting(text: str) -> "Waiting":
    from burstline.client.fleet.fargate import Waiting

    return Waiting(most_s=option_seconds("--wait", text))


def _with_ecs(work: "Callable[[Ecs, str], Awaitable[str]]", region: str, profile: str, role_arn: str, url: str) -> int:
    """Do the work with a connection to ECS and print what it returns; Ctrl-C and SIGTERM cancel it."""
    import asyncio

    from burstline.client.errors import ClientError
    from burstline.client.fleet.ecs import Ecs
    from burstline.client.running.signals import stop_signals
    from burstline.server.aws.calling import Aws
    from burstline.server.aws.errors import AwsError

    async def run() -> int:
        aws = Aws(aws_settings(region, profile, role_arn, url))
        try:
            doing = asyncio.ensure_future(work(Ecs(aws), await aws.region()))
            with stop_signals(lambda: None) as asked:
                stopped = asyncio.ensure_future(asked.event.wait())
                await asyncio.wait([doing, stopped], return_when=asyncio.FIRST_COMPLETED)
                stopped.cancel()
                if not doing.done():
                    doing.cancel()
                    await asyncio.wait([doing])
                if doing.cancelled():
                    return asked.exit_code
            click.echo(await doing)
            return 0
        except AwsError as error:
            raise ClientError(error.message) from error
        finally:
            aws.close()

    return asyncio.run(run())
