"""`burstline iam-policy PLAN`."""

from pathlib import Path

import click

from burstline.client.options import EXISTING

EPILOG = """\b
Examples:
  burstline iam-policy plan.yaml --account-id 123456789012 > reader.json
  burstline iam-policy plan.yaml --requester

No AWS is asked and nothing is changed."""


@click.command("iam-policy", epilog=EPILOG)
@click.argument("plan", type=EXISTING)
@click.option("--requester", is_flag=True, help="The policy that asks for increases, in place of the reader's.")
@click.option("--region", default="", help="AWS region; else the one of the target's host.")
@click.option("--account-id", default="", metavar="DIGITS", help="12 digits; else * (any account).")
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="SQS queue to read; may be repeated.")
def command(plan: Path, requester: bool, region: str, account_id: str, queues: tuple[str, ...]) -> int:
    """Print the least IAM policy, as JSON, that reads what PLAN needs from AWS; or, with --requester, asks for more.

    The reader's cannot change anything, nor read code, keys or invoke functions. Two policies, because they
    belong to two people.
    """
    import json
    from dataclasses import replace

    from burstline.client.errors import UsageError
    from burstline.client.spelling.plans import load_plan
    from burstline.core.quota.aws.iam import reader_policy, requester_policy, scope_of

    if account_id and not (len(account_id) == 12 and account_id.isdecimal()):
        raise UsageError(f'--account-id: found "{account_id}"; allowed: 12 digits')
    scope = scope_of(load_plan(plan).record, region)
    scope = replace(scope, account=account_id or scope.account, queues=queues)
    click.echo(json.dumps(requester_policy(scope) if requester else reader_policy(scope), indent=2))
    return 0
