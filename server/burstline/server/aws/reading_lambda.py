"""Lambda: the account's limits, and each function's settings. Environment variables are never kept."""

import asyncio
from typing import Any

from burstline.core.quota.aws.readings import CONCURRENCY, Reading
from burstline.server.aws.asking import Asked
from burstline.server.aws.errors import Absent, AwsError

Answer = dict[str, Any]


async def read_lambda_account(asked: Asked) -> list[Reading]:
    """Return the concurrency limit that Lambda enforces, and what of it is not reserved."""
    source = "lambda GetAccountSettings"
    same = {"quota": CONCURRENCY, "path": "lambda.concurrency", "unit": "environments", "adjustable": True}
    try:
        limit = (await asked.aws.read("lambda", "GetAccountSettings")).get("AccountLimit", {})
    except AwsError as error:
        return [asked.unread(source, "Concurrent executions", error, **same)]
    found = []
    if "ConcurrentExecutions" in limit:
        found.append(asked.reading(source, "Concurrent executions", limit["ConcurrentExecutions"], **same))
    if "UnreservedConcurrentExecutions" in limit:
        value = limit["UnreservedConcurrentExecutions"]
        found.append(asked.reading(source, "Unreserved concurrency", value, unit="environments"))
    return found


async def read_function(asked: Asked, name: str) -> tuple[list[Reading], tuple[str, str] | None]:
    """Return one function's settings, and its log group with its format (`Text` or `JSON`) if that was read."""
    configuration, *others = await asyncio.gather(
        _configuration(asked, name),
        _reserved(asked, name),
        _provisioned(asked, name),
        _event_sources(asked, name),
        _url(asked, name),
    )
    readings, log_group = configuration
    for more in others:
        readings.extend(more)
    return readings, log_group


async def _configuration(asked: Asked, name: str) -> tuple[list[Reading], tuple[str, str] | None]:
    source, path = "lambda GetFunctionConfiguration", f"lambda.functions.{name}"
    try:
        answer = await asked.aws.read("lambda", "GetFunctionConfiguration", FunctionName=name)
    except AwsError as error:
        return [asked.unread(source, f"{name}: configuration", error)], None
    if answer.get("CapacityProviderConfig"):
        asked.notes.append(
            f"{name} runs on Lambda Managed Instances: its scaling and throttling follow other rules, which are not "
            "modelled here."
        )
    found = []
    if "MemorySize" in answer:
        value = answer["MemorySize"]
        found.append(asked.reading(source, f"{name}: memory", value, unit="MB", path=f"{path}.memory_mb"))
    if "Timeout" in answer:
        found.append(asked.reading(source, f"{name}: timeout", answer["Timeout"], unit="s", path=f"{path}.timeout"))
    snap_start = answer.get("SnapStart", {}).get("ApplyOn", "None")
    if snap_start != "None":
        found.append(asked.reading(source, f"{name}: SnapStart", None, detail=str(snap_start)))
    logging = answer.get("LoggingConfig", {})
    group = str(logging.get("LogGroup") or f"/aws/lambda/{name}")
    return found, (group, str(logging.get("LogFormat") or "Text"))


async def _reserved(asked: Asked, name: str) -> list[Reading]:
    source = "lambda GetFunctionConcurrency"
    same = {"path": f"lambda.functions.{name}.reserved", "unit": "environments"}
    try:
        answer = await asked.aws.read("lambda", "GetFunctionConcurrency", FunctionName=name)
    except AwsError as error:
        return [asked.unread(source, f"{name}: reserved concurrency", error, **same)]
    value = answer.get("ReservedConcurrentExecutions")
    if value == 0:
        asked.notes.append(f"{name} is switched off: its reserved concurrency is 0, so every call is throttled.")
    return [asked.reading(source, f"{name}: reserved concurrency", value, **same)]


async def _provisioned(asked: Asked, name: str) -> list[Reading]:
    source = "lambda ListProvisionedConcurrencyConfigs"
    same = {"path": f"lambda.functions.{name}.provisioned", "unit": "environments"}
    try:
        pages = await asked.aws.pages("lambda", "ListProvisionedConcurrencyConfigs", FunctionName=name)
    except Absent:
        return [asked.reading(source, f"{name}: provisioned concurrency", 0, **same)]
    except AwsError as error:
        return [asked.unread(source, f"{name}: provisioned concurrency", error, **same)]
    configs = [config for page in pages for config in page.get("ProvisionedConcurrencyConfigs", [])]
    qualifier = dict(asked.scope.qualifiers).get(name)
    total, parts = 0, []
    for config in configs:
        own = str(config.get("FunctionArn", "")).rpartition(":")[2]
        status, count = config.get("Status", ""), int(config.get("RequestedProvisionedConcurrentExecutions", 0))
        parts.append(f"{own}: {count} {status}")
        if status == "IN_PROGRESS":
            asked.notes.append(
                f"{name}:{own}: provisioned concurrency is still being allocated; none of it is used yet."
            )
        elif qualifier in (None, own):
            total += count
    detail = ", ".join(parts)
    return [asked.reading(source, f"{name}: provisioned concurrency", total, detail=detail, **same)]


async def _event_sources(asked: Asked, name: str) -> list[Reading]:
    source = "lambda ListEventSourceMappings"
    try:
        pages = await asked.aws.pages("lambda", "ListEventSourceMappings", FunctionName=name)
    except AwsError as error:
        return [asked.unread(source, f"{name}: event sources", error)]
    return [
        _event_source(asked, source, name, mapping) for page in pages for mapping in page.get("EventSourceMappings", [])
    ]


def _event_source(asked: Asked, source: str, name: str, mapping: Answer) -> Reading:
    arn = str(mapping.get("EventSourceArn", ""))
    kind, own = (arn.split(":")[2], arn.rpartition(":")[2]) if arn.count(":") >= 5 else ("?", arn)
    pollers = mapping.get("ProvisionedPollerConfig", {})
    parts = [
        f"batch {mapping.get('BatchSize', '?')}",
        f"state {mapping.get('State', '?')}",
        *(f"{key} {value}" for key, value in sorted(pollers.items())),
        *("partial batch responses" for kind in mapping.get("FunctionResponseTypes", []) if kind),
    ]
    most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
    return asked.reading(source, f"{name}: from {kind} {own}", most, unit="environments", detail=", ".join(parts))


async def _url(asked: Asked, name: str) -> list[Reading]:
    source = "lambda GetFunctionUrlConfig"
    try:
        answer = await asked.aws.read("lambda", "GetFunctionUrlConfig", FunctionName=name)
    except Absent:
        return []
    except AwsError as error:
        return [asked.unread(source, f"{name}: function URL", error)]
    return [asked.reading(source, f"{name}: function URL", None, detail=f"authorisation {answer.get('AuthType')}")]
