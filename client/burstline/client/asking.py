"""AWS asked from the command itself, without a server: what a forecast needs."""

import asyncio
from dataclasses import replace

from burstline.client.errors import ClientError
from burstline.core.load.plan import Plan
from burstline.core.quota.aws.evidence import AwsEvidence
from burstline.core.quota.quotas import Account
from burstline.server.aws.joining import AwsRun
from burstline.server.aws.settings import AwsSettings


def read_account(plan: Plan, account: Account, settings: AwsSettings) -> tuple[Account, AwsEvidence]:
    """Return the account with what AWS says in place of what was declared, and what it came from.

    Raises:
        ClientError: AWS cannot be asked at all.
    """
    fallback = account.region if "region" in account.declared else ""
    evidence = asyncio.run(_read(AwsRun(plan, replace(settings, fallback_region=fallback)), account))
    if evidence[1].reading is None:
        raise ClientError(" ".join(evidence[1].notes))
    return evidence


async def _read(run: AwsRun, account: Account) -> tuple[Account, AwsEvidence]:
    try:
        before = await run.before(account)
    finally:
        await run.close()
    return before.account, before.evidence
