"""The exact `aws` commands that carry an advice out. Placeholders the reader must fill in are in capitals."""

from urllib.parse import urlsplit

from burstline.core.load.plan import Front, Target

CONCURRENCY_QUOTA = "lambda:L-B99A9384"
GATEWAY_RATE_QUOTA = "apigateway:L-8A5B8E43"
GATEWAY_BURST_QUOTA = "apigateway:L-CDF5615A"
"""Quota codes. Source: AWS General Reference, "Lambda / API Gateway endpoints and quotas"; read 2026-11-23."""


def request_increase(quota: str, region: str, value: float) -> str:
    """Return the command that asks AWS for a higher quota, `SERVICE:CODE`."""
    service, code = quota.split(":")
    return (
        f"aws service-quotas request-service-quota-increase --region {region} --service-code {service} "
        f"--quota-code {code} --desired-value {value:.0f}"
    )


def put_reserved(function: str, region: str, value: int) -> str:
    """Return the command that sets a function's reserved concurrency."""
    return (
        f"aws lambda put-function-concurrency --region {region} --function-name {function} "
        f"--reserved-concurrent-executions {value}"
    )


def put_provisioned(function: str, region: str, value: int) -> str:
    """Return the command that sets provisioned concurrency of a version or alias."""
    return (
        f"aws lambda put-provisioned-concurrency-config --region {region} --function-name {function} "
        f"--qualifier ALIAS --provisioned-concurrent-executions {value}"
    )


def update_stage(target: Target, region: str, rate_per_s: float, burst: float) -> str:
    """Return the command that sets a stage's throttle, for a REST or an HTTP API."""
    api, stage = api_id(target), target.stage or "STAGE"
    if target.front is Front.HTTP:
        settings = f"ThrottlingRateLimit={rate_per_s:.0f},ThrottlingBurstLimit={burst:.0f}"
        return (
            f"aws apigatewayv2 update-stage --region {region} --api-id {api} --stage-name '{stage}' "
            f"--default-route-settings {settings}"
        )
    return (
        f"aws apigateway update-stage --region {region} --rest-api-id {api} --stage-name {stage} --patch-operations "
        f"'op=replace,path=/*/*/throttling/rateLimit,value={rate_per_s:.0f}' "
        f"'op=replace,path=/*/*/throttling/burstLimit,value={burst:.0f}'"
    )


def update_usage_plan(region: str, rate_per_s: float, burst: float) -> str:
    """Return the command that sets a usage plan's throttle."""
    return (
        f"aws apigateway update-usage-plan --region {region} --usage-plan-id USAGE_PLAN_ID --patch-operations "
        f"op=replace,path=/throttle/rateLimit,value={rate_per_s:.0f} "
        f"op=replace,path=/throttle/burstLimit,value={burst:.0f}"
    )


def update_usage_plan_quota(region: str, limit: float) -> str:
    """Return the command that sets how many requests a usage plan allows per period."""
    return (
        f"aws apigateway update-usage-plan --region {region} --usage-plan-id USAGE_PLAN_ID --patch-operations "
        f"op=replace,path=/quota/limit,value={limit:.0f}"
    )


def api_id(target: Target) -> str:
    """Return the API's id where the target's host tells it, else a placeholder."""
    host = urlsplit(target.url).hostname or ""
    return host.split(".")[0] if ".execute-api." in host else "API_ID"
