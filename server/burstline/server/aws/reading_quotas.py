"""Service Quotas: applied values, and AWS's defaults where none is applied."""

import asyncio
from dataclasses import dataclass

from burstline.core.quota.aws.readings import CONCURRENCY, GATEWAY_BURST, GATEWAY_RATE, INTEGRATION_TIMEOUT, Reading
from burstline.server.aws.asking import Asked
from burstline.server.aws.errors import Absent, AwsError


@dataclass(frozen=True, slots=True)
class KnownQuota:
    """A quota worth reading: service and quota code, a name until AWS says its own, and its path in an account."""

    quota: str
    name: str
    unit: str
    path: str = ""


LAMBDA_QUOTAS = (KnownQuota(CONCURRENCY, "Concurrent executions", "environments", "lambda.concurrency"),)
GATEWAY_QUOTAS = (
    KnownQuota(GATEWAY_RATE, "Throttle rate", "requests/s", "apigateway.rate"),
    KnownQuota(GATEWAY_BURST, "Throttle burst rate", "requests", "apigateway.burst"),
    KnownQuota(INTEGRATION_TIMEOUT, "Maximum integration timeout", "ms"),
)
"""Codes: AWS General Reference, read 2026-11-23."""


async def read_quotas(asked: Asked) -> list[Reading]:
    """Return the quotas that matter for the scope; all of them when it names neither function nor API."""
    scope = asked.scope
    wanted = [
        *(LAMBDA_QUOTAS if scope.functions or scope.queues or not scope.names_aws else ()),
        *(GATEWAY_QUOTAS if scope.gateway or not scope.names_aws else ()),
    ]
    return list(await asyncio.gather(*(read_quota(asked, known) for known in wanted)))


async def read_quota(asked: Asked, known: KnownQuota) -> Reading:
    """Return one quota: the applied value, or AWS's default marked as such, or why neither could be read."""
    service, _, code = known.quota.partition(":")
    given = {"ServiceCode": service, "QuotaCode": code}
    operation = "GetServiceQuota"
    same = {"quota": known.quota, "path": known.path}
    try:
        default = False
        try:
            answer = await asked.aws.read("service-quotas", operation, **given)
        except Absent:
            default, operation = True, "GetAWSDefaultServiceQuota"
            answer = await asked.aws.read("service-quotas", operation, **given)
    except AwsError as error:
        return asked.unread(f"service-quotas {operation}", known.name, error, unit=known.unit, **same)
    quota = answer.get("Quota", {})
    if "Value" not in quota:
        problem = quota.get("ErrorReason", {}).get("ErrorMessage", "AWS gave no value")
        source = f"service-quotas {operation}"
        return asked.unread(source, known.name, AwsError(str(problem)), unit=known.unit, **same)
    return asked.reading(
        f"service-quotas {operation}",
        str(quota.get("QuotaName") or known.name),
        quota["Value"],
        unit=known.unit,
        default=default,
        adjustable=quota.get("Adjustable"),
        **same,
    )
