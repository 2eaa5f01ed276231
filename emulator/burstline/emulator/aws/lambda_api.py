"""Lambda's control plane: account settings, functions, their concurrency, event sources and URLs."""

from datetime import UTC, datetime

from burstline.core.load.plan import Front
from burstline.emulator.aws.backend import Answer, ApiError, Backend, Handler, with_token

MODIFIED = "2026-01-01T00:00:00.000+0000"
ALIAS = "live"
"""The alias that provisioned concurrency stands on: $LATEST can have none."""


def get_account_settings(backend: Backend, _: Answer) -> Answer:
    """Answer with the concurrency limit that the admission model enforces."""
    account = backend.account
    return {
        "AccountLimit": {
            "TotalCodeSize": 80_530_636_800,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": account.concurrency,
            "UnreservedConcurrentExecutions": account.unreserved(),
        },
        "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": len(backend.functions)},
    }


def _configuration(backend: Backend, name: str) -> Answer:
    function = backend.function(name)
    json_log = function.name in backend.settings.json_logs
    return {
        "FunctionName": function.name,
        "FunctionArn": backend.arn("lambda", f"function:{function.name}"),
        "Runtime": "python3.13",
        "Role": f"arn:aws:iam::{backend.settings.account_id}:role/practice",
        "Handler": "app.handler",
        "CodeSize": 1_000,
        "Description": "",
        "Timeout": int(function.timeout_s),
        "MemorySize": function.memory_mb,
        "LastModified": MODIFIED,
        "CodeSha256": "",
        "Version": "$LATEST",
        "Environment": {"Variables": dict(backend.settings.environment)},
        "State": "Active",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {
            "LogFormat": "JSON" if json_log else "Text",
            "LogGroup": f"/aws/lambda/{function.name}",
            **({"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if json_log else {}),
        },
    }


def get_function_configuration(backend: Backend, given: Answer) -> Answer:
    """Answer with a function's settings, environment variables among them as AWS's are."""
    return _configuration(backend, given["FunctionName"])


def list_functions(backend: Backend, given: Answer) -> Answer:
    """Answer with a page of functions."""
    names, token = backend.page(sorted(backend.functions), given.get("Marker"), given.get("MaxItems"))
    return with_token({"Functions": [_configuration(backend, name) for name in names]}, "NextMarker", token)


def get_function_concurrency(backend: Backend, given: Answer) -> Answer:
    """Answer with the reserved concurrency; nothing when there is none, as AWS does."""
    reserved = backend.function(given["FunctionName"]).reserved
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


def _provisioned(backend: Backend, name: str) -> list[Answer]:
    function = backend.function(name)
    if not function.provisioned:
        return []
    count = function.provisioned
    return [
        {
            "FunctionArn": backend.arn("lambda", f"function:{function.name}:{ALIAS}"),
            "RequestedProvisionedConcurrentExecutions": count,
            "AvailableProvisionedConcurrentExecutions": count,
            "AllocatedProvisionedConcurrentExecutions": count,
            "Status": "READY",
            "LastModified": MODIFIED,
        }
    ]


def list_provisioned_concurrency_configs(backend: Backend, given: Answer) -> Answer:
    """Answer with a page of provisioned concurrency."""
    found, token = backend.page(
        _provisioned(backend, given["FunctionName"]), given.get("Marker"), given.get("MaxItems")
    )
    return with_token({"ProvisionedConcurrencyConfigs": found}, "NextMarker", token)


def get_provisioned_concurrency_config(backend: Backend, given: Answer) -> Answer:
    """Answer with one alias's provisioned concurrency, or that there is none."""
    for config in _provisioned(backend, given["FunctionName"]):
        if given.get("Qualifier") == ALIAS:
            return {key: value for key, value in config.items() if key != "FunctionArn"}
    raise ApiError(404, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found")


def list_event_source_mappings(backend: Backend, given: Answer) -> Answer:
    """Answer with a page of the queues that feed a function."""
    wanted = given.get("FunctionName")
    name = backend.function(wanted).name if wanted else None
    found = [
        {
            "UUID": f"00000000-0000-4000-8000-{number:012x}",
            "BatchSize": queue.batch,
            "MaximumBatchingWindowInSeconds": int(queue.batch_window_s),
            "EventSourceArn": backend.arn("sqs", own),
            "FunctionArn": backend.arn("lambda", f"function:{queue.function}"),
            "LastModified": datetime(2026, 1, 1, tzinfo=UTC).timestamp(),
            "State": "Enabled",
            "StateTransitionReason": "USER_INITIATED",
            "FunctionResponseTypes": ["ReportBatchItemFailures"] if queue.partial_batch else [],
            **(
                {"ScalingConfig": {"MaximumConcurrency": queue.maximum_concurrency}}
                if queue.maximum_concurrency
                else {}
            ),
        }
        for number, (own, queue) in enumerate(sorted(backend.account.queues.items()), 1)
        if name in (None, queue.function)
    ]
    page, token = backend.page(found, given.get("Marker"), given.get("MaxItems"))
    return with_token({"EventSourceMappings": page}, "NextMarker", token)


def get_function_url_config(backend: Backend, given: Answer) -> Answer:
    """Answer with the function's URL, when the emulator plays one."""
    function = backend.function(given["FunctionName"])
    if backend.emulator.front is not Front.FUNCTION_URL:
        raise ApiError(404, "ResourceNotFoundException", "The resource you requested does not exist.")
    return {
        "FunctionUrl": f"https://practice.lambda-url.{backend.account.region}.on.aws/",
        "FunctionArn": backend.arn("lambda", f"function:{function.name}"),
        "AuthType": "NONE",
        "CreationTime": "2026-01-01T00:00:00.000000Z",
        "LastModifiedTime": "2026-01-01T00:00:00.000000Z",
        "InvokeMode": "BUFFERED",
    }


def list_aliases(backend: Backend, given: Answer) -> Answer:
    """Answer with the one alias."""
    function = backend.function(given["FunctionName"])
    alias = {
        "AliasArn": backend.arn("lambda", f"function:{function.name}:{ALIAS}"),
        "Name": ALIAS,
        "FunctionVersion": "1",
        "Description": "",
        "RevisionId": "00000000-0000-4000-8000-000000000001",
    }
    return {"Aliases": [alias]}


HANDLERS: dict[str, Handler] = {
    "GetAccountSettings": get_account_settings,
    "GetFunctionConfiguration": get_function_configuration,
    "ListFunctions": list_functions,
    "GetFunctionConcurrency": get_function_concurrency,
    "ListProvisionedConcurrencyConfigs": list_provisioned_concurrency_configs,
    "GetProvisionedConcurrencyConfig": get_provisioned_concurrency_config,
    "ListEventSourceMappings": list_event_source_mappings,
    "GetFunctionUrlConfig": get_function_url_config,
    "ListAliases": list_aliases,
}
"""By operation."""
