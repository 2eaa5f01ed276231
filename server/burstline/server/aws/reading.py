"""Reads everything of an account that a plan runs into. What cannot be read says so; the rest goes on."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from burstline.core.quota.aws.iam import Scope
from burstline.core.quota.aws.readings import AccountReading, Reading
from burstline.server.aws.asking import Asked
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError, Unreachable
from burstline.server.aws.reading_gateway import find_api, read_gateway_account, read_http, read_rest
from burstline.server.aws.reading_lambda import read_function, read_lambda_account
from burstline.server.aws.reading_queues import read_queues
from burstline.server.aws.reading_quotas import read_quotas


async def read_account(aws: Aws, scope: Scope, now_s: Callable[[], float] = time.time) -> AccountReading:
    """Read quotas and settings.

    Args:
        aws: whom to ask.
        scope: what the plan touches; one that names neither function nor API reads the account's quotas only.
        now_s: seconds since the Unix epoch.

    Raises:
        Unreachable: AWS cannot be asked at all: no credentials, region or network.
    """
    region = await aws.region()
    asked = Asked(aws, replace(scope, region=region), now_s)
    account_last4 = await _account_last4(aws)
    parts = await asyncio.gather(
        read_quotas(asked),
        read_lambda_account(asked) if scope.functions or scope.queues or not scope.names_aws else _nothing(),
        read_gateway_account(asked) if scope.gateway or not scope.names_aws else _nothing(),
    )
    functions = await asyncio.gather(*(read_function(asked, name) for name in scope.functions))
    readings: list[Reading] = [reading for part in parts for reading in part]
    readings += [reading for part, _ in functions for reading in part]
    more, queues = await read_queues(asked)
    readings += more
    api, name, of_api = await _read_api(asked)
    readings += of_api
    _note_disagreement(asked, readings)
    return AccountReading(
        region=region,
        account_last4=account_last4,
        readings=tuple(readings),
        notes=tuple(asked.notes),
        log_groups={function: found for function, (_, found) in zip(scope.functions, functions, strict=True) if found},
        api=api,
        api_name=name,
        queues=queues,
    )


async def _account_last4(aws: Aws) -> str | None:
    """Return the end of the account's number. Alone and first: without credentials this one call waits for the end."""
    try:
        return str((await aws.read("sts", "GetCallerIdentity")).get("Account", ""))[-4:] or None
    except Unreachable:
        raise
    except AwsError:
        return None


async def _nothing() -> list[Reading]:
    return []


async def _read_api(asked: Asked) -> tuple[tuple[str, str] | None, str, list[Reading]]:
    if not asked.scope.gateway:
        return None, "", []
    api, stage, found = await find_api(asked)
    if api is None:
        return None, "", found
    if api[1] == "rest":
        more, name = await read_rest(asked, api[0], stage)
        return api, name, found + more
    return api, "", found + await read_http(asked, api[0], stage)


def _note_disagreement(asked: Asked, readings: list[Reading]) -> None:
    """Say so where Service Quotas and the service itself give different values: the service enforces its own."""
    by_quota: dict[str, list[Reading]] = {}
    for reading in readings:
        if reading.quota and reading.value is not None:
            by_quota.setdefault(reading.quota, []).append(reading)
    for quota, found in by_quota.items():
        first, last = found[0], found[-1]
        if first.value != last.value:
            asked.notes.append(
                f"{quota}: {first.source} says {first.value:g}, {last.source} says {last.value:g}; the latter is used."
            )


def failed_reading(error: AwsError) -> str:
    """Return why a run goes on without AWS, a sentence for its notes."""
    return f"AWS was not read: {error.message}. Quotas are as declared, or AWS's defaults."
