"""API Gateway's control plane, REST and HTTP APIs: the one API that the emulator is, if its front is one."""

from datetime import UTC, datetime

from burstline.core.quota.quotas import Bucket, UsagePlan
from burstline.emulator.aws.backend import API_ID, API_NAME, Answer, ApiError, Backend, Handler, with_token

MADE_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
MADE = "2026-01-01T00:00:00Z"

RESPONSE_TYPES = (
    "ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE",
    "BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS", "DEFAULT_4XX", "DEFAULT_5XX", "EXPIRED_TOKEN", "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE", "MISSING_AUTHENTICATION_TOKEN", "QUOTA_EXCEEDED",
    "REQUEST_TOO_LARGE", "RESOURCE_NOT_FOUND", "THROTTLED", "UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED",
)  # fmt: skip
"""Source: API Gateway Developer Guide, "Gateway response types"; read 2026-11-23."""


def get_account(backend: Backend, _: Answer) -> Answer:
    """Answer with the account's throttle."""
    bucket = backend.account.gateway
    return {
        "throttleSettings": {"burstLimit": int(bucket.burst), "rateLimit": float(bucket.rate_per_s)},
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
    }


def _rest_api(backend: Backend) -> list[Answer]:
    if backend.kind != "rest":
        return []
    api = {"id": API_ID, "name": API_NAME, "createdDate": MADE_S, "apiKeySource": "HEADER"}
    return [api | {"endpointConfiguration": {"types": ["REGIONAL"]}, "disableExecuteApiEndpoint": False}]


def get_rest_apis(backend: Backend, given: Answer) -> Answer:
    """Answer with a page of REST APIs."""
    found, token = backend.page(_rest_api(backend), given.get("position"), given.get("limit"))
    return with_token({"item": found}, "position", token)


def get_rest_api(backend: Backend, given: Answer) -> Answer:
    """Answer with one REST API."""
    for api in _rest_api(backend):
        if api["id"] == given["restapi_id"]:
            return api
    raise ApiError(404, "NotFoundException", "Invalid API identifier specified")


def get_stage(backend: Backend, given: Answer) -> Answer:
    """Answer with a REST stage; a throttle of its own stands under all methods."""
    get_rest_api(backend, given)
    name = given["stage_name"]
    if name not in {backend.stage, *backend.account.stages}:
        raise ApiError(404, "NotFoundException", "Invalid stage identifier specified")
    bucket = backend.account.stages.get(name)
    return {
        "deploymentId": "practice",
        "stageName": name,
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {"*/*": _method_setting(bucket)} if bucket else {},
        "variables": dict(backend.settings.environment),
        "tracingEnabled": False,
        "createdDate": MADE_S,
        "lastUpdatedDate": MADE_S,
    }


def _method_setting(bucket: Bucket) -> Answer:
    return {
        "metricsEnabled": False,
        "dataTraceEnabled": False,
        "throttlingBurstLimit": int(bucket.burst),
        "throttlingRateLimit": float(bucket.rate_per_s),
        "cachingEnabled": False,
        "cacheTtlInSeconds": 300,
        "cacheDataEncrypted": False,
        "requireAuthorizationForCacheControl": True,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    }


def get_stages(backend: Backend, given: Answer) -> Answer:
    """Answer with all REST stages."""
    names = sorted({backend.stage, *backend.account.stages})
    return {"item": [get_stage(backend, given | {"stage_name": name}) for name in names]}


def get_usage_plans(backend: Backend, given: Answer) -> Answer:
    """Answer with a page of usage plans; all hold the stage that the emulator plays."""
    plans = [_usage_plan(backend, plan) for _, plan in sorted(backend.account.usage_plans.items())]
    found, token = backend.page(plans if backend.kind == "rest" else [], given.get("position"), given.get("limit"))
    return with_token({"item": found}, "position", token)


def _usage_plan(backend: Backend, plan: UsagePlan) -> Answer:
    found: Answer = {"id": f"plan-{plan.name}", "name": plan.name}
    found["apiStages"] = [{"apiId": API_ID, "stage": backend.stage}]
    if plan.bucket is not None:
        found["throttle"] = {"burstLimit": int(plan.bucket.burst), "rateLimit": float(plan.bucket.rate_per_s)}
    if plan.quota_limit is not None:
        period = (plan.quota_period or "month").upper()
        found["quota"] = {"limit": plan.quota_limit, "offset": 0, "period": period}
    return found


def get_gateway_responses(backend: Backend, given: Answer) -> Answer:
    """Answer with all gateway responses, those that were rewritten among them."""
    get_rest_api(backend, given)
    rewritten = backend.settings.rewritten
    items = [
        {"responseType": kind, "defaultResponse": kind not in rewritten}
        | ({"statusCode": str(rewritten[kind])} if kind in rewritten else {})
        for kind in RESPONSE_TYPES
    ]
    return {"item": items}


def _http_api(backend: Backend) -> list[Answer]:
    if backend.kind != "http":
        return []
    end = f"https://{API_ID}.execute-api.{backend.account.region}.amazonaws.com"
    api = {"apiId": API_ID, "name": API_NAME, "protocolType": "HTTP", "apiEndpoint": end, "createdDate": MADE}
    return [api | {"routeSelectionExpression": "$request.method $request.path"}]


def get_apis(backend: Backend, given: Answer) -> Answer:
    """Answer with a page of HTTP APIs."""
    found, token = backend.page(_http_api(backend), given.get("nextToken"), given.get("maxResults"))
    return with_token({"items": found}, "nextToken", token)


def get_api(backend: Backend, given: Answer) -> Answer:
    """Answer with one HTTP API."""
    for api in _http_api(backend):
        if api["apiId"] == given["apiId"]:
            return api
    raise ApiError(404, "NotFoundException", f"Invalid API identifier specified {given['apiId']}")


def get_http_stage(backend: Backend, given: Answer) -> Answer:
    """Answer with an HTTP API's stage; a throttle of its own is its default route setting."""
    get_api(backend, given)
    name = given["stageName"]
    if name not in {backend.stage, *backend.account.stages}:
        raise ApiError(404, "NotFoundException", "Unable to find stage")
    bucket = backend.account.stages.get(name)
    limits = {"throttlingBurstLimit": int(bucket.burst), "throttlingRateLimit": bucket.rate_per_s} if bucket else {}
    return {
        "stageName": name,
        "createdDate": MADE,
        "lastUpdatedDate": MADE,
        "defaultRouteSettings": {"detailedMetricsEnabled": False, **limits},
        "routeSettings": {},
        "stageVariables": dict(backend.settings.environment),
        "tags": {},
        "autoDeploy": True,
    }


def get_api_mappings(backend: Backend, given: Answer) -> Answer:
    """Answer with the API that the emulator's own host leads to, as a custom domain does."""
    if not backend.kind or given["domainName"] != backend.emulator.host:
        raise ApiError(404, "NotFoundException", "Invalid domain name identifier specified")
    return {"items": [{"apiId": API_ID, "apiMappingId": "practice", "apiMappingKey": "", "stage": backend.stage}]}


REST_HANDLERS: dict[str, Handler] = {
    "GetAccount": get_account,
    "GetRestApis": get_rest_apis,
    "GetRestApi": get_rest_api,
    "GetStage": get_stage,
    "GetStages": get_stages,
    "GetUsagePlans": get_usage_plans,
    "GetGatewayResponses": get_gateway_responses,
}
HTTP_HANDLERS: dict[str, Handler] = {
    "GetApis": get_apis,
    "GetApi": get_api,
    "GetStage": get_http_stage,
    "GetApiMappings": get_api_mappings,
}
"""By operation: REST APIs, and HTTP APIs."""
