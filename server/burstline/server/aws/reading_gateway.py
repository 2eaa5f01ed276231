"""API Gateway: the account's throttle, the API behind the target, its stage, usage plans and gateway responses."""

from typing import Any

from burstline.core.load.plan import Front
from burstline.core.quota.aws.readings import GATEWAY_BURST, GATEWAY_RATE, Reading
from burstline.server.aws.asking import Asked
from burstline.server.aws.errors import Absent, AwsError

Answer = dict[str, Any]
KINDS = {Front.REST: "rest", Front.HTTP: "http"}

REWRITTEN = frozenset({"THROTTLED", "QUOTA_EXCEEDED", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "DEFAULT_4XX",
                       "DEFAULT_5XX"})  # fmt: skip
"""Gateway responses whose rewriting changes how a throttle or a failure reads."""


async def read_gateway_account(asked: Asked) -> list[Reading]:
    """Return the throttle that all APIs of the region share."""
    source = "apigateway GetAccount"
    rate = {"quota": GATEWAY_RATE, "path": "apigateway.rate", "unit": "requests/s", "adjustable": True}
    burst = {"quota": GATEWAY_BURST, "path": "apigateway.burst", "unit": "requests", "adjustable": False}
    try:
        throttle = (await asked.aws.read("apigateway", "GetAccount")).get("throttleSettings", {})
    except AwsError as error:
        return [
            asked.unread(source, "Throttle rate", error, **rate),
            asked.unread(source, "Throttle burst", error, **burst),
        ]
    found = []
    if "rateLimit" in throttle:
        found.append(asked.reading(source, "Throttle rate", throttle["rateLimit"], **rate))
    if "burstLimit" in throttle:
        found.append(asked.reading(source, "Throttle burst", throttle["burstLimit"], **burst))
    return found


async def find_api(asked: Asked) -> tuple[tuple[str, str] | None, str, list[Reading]]:
    """Find the API behind the target: by its host, by a custom domain's mapping, or because there is only one.

    Returns:
        (id, kind) or None, the stage ("" if unknown), and readings that say why it was not found.
    """
    scope, kind = asked.scope, KINDS[asked.scope.front]
    if scope.api_id:
        return (scope.api_id, kind), scope.stage, []
    source = "apigatewayv2 GetApiMappings"
    try:
        mappings = (await asked.aws.read("apigatewayv2", "GetApiMappings", DomainName=scope.host)).get("Items", [])
        if mappings:
            # One domain may serve several APIs by path; the one at its root is the likeliest.
            chosen = min(mappings, key=lambda item: len(item.get("ApiMappingKey", "")))
            return (str(chosen["ApiId"]), kind), scope.stage or str(chosen["Stage"]), []
    except Absent:
        pass
    except AwsError as error:
        return None, "", [asked.unread(source, f"API behind {scope.host}", error)]
    return await _only_api(asked, kind)


async def _only_api(asked: Asked, kind: str) -> tuple[tuple[str, str] | None, str, list[Reading]]:
    service, operation, items, key = (
        ("apigateway", "GetRestApis", "items", "id")
        if kind == "rest"
        else ("apigatewayv2", "GetApis", "Items", "ApiId")
    )
    host = asked.scope.host
    try:
        pages = await asked.aws.pages(service, operation)
    except AwsError as error:
        return None, "", [asked.unread(f"{service} {operation}", f"API behind {host}", error)]
    found = [str(item[key]) for page in pages for item in page.get(items, [])]
    if len(found) == 1:
        asked.notes.append(f"{host} is taken for API {found[0]}, the only one of its kind in the region.")
        return (found[0], kind), asked.scope.stage, []
    unknown = AwsError(
        f"{host} is neither an API's own host nor a custom domain of this account; {len(found)} APIs here"
    )
    return None, "", [asked.unread(f"{service} {operation}", f"API behind {host}", unknown)]


async def read_rest(asked: Asked, api: str, stage: str) -> tuple[list[Reading], str]:
    """Return a REST API's stage and method throttles, usage plans and rewritten responses, and its name."""
    name = ""
    try:
        name = str((await asked.aws.read("apigateway", "GetRestApi", restApiId=api)).get("name", ""))
    except AwsError as error:
        asked.notes.append(f"The name of API {api} could not be read ({error.message}): no API metrics.")
    found = await _rest_stage(asked, api, stage) if stage else []
    found += await _usage_plans(asked, api, stage)
    await _note_responses(asked, api)
    return found, name


async def _rest_stage(asked: Asked, api: str, stage: str) -> list[Reading]:
    source, title = "apigateway GetStage", f"stage {stage}"
    try:
        answer = await asked.aws.read("apigateway", "GetStage", restApiId=api, stageName=stage)
    except AwsError as error:
        return [asked.unread(source, title, error, path=f"apigateway.stages.{stage}.rate")]
    settings: dict[str, Answer] = answer.get("methodSettings", {})
    everything = settings.get("*/*", {})
    found = _throttle(
        asked, source, title, f"apigateway.stages.{stage}",
        everything.get("throttlingRateLimit"), everything.get("throttlingBurstLimit"),
    )  # fmt: skip
    for method, own in settings.items():
        if method != "*/*" and own.get("throttlingRateLimit", -1) >= 0:
            label = f"{title}, method /{method.replace('~1', '/').lstrip('/')}"
            found += _throttle(asked, source, label, "", own["throttlingRateLimit"], own.get("throttlingBurstLimit"))
    if answer.get("cacheClusterEnabled"):
        asked.notes.append(
            f"Stage {stage} has a cache ({answer.get('cacheClusterSize')} GB): repeated GETs may not reach Lambda."
        )
    return found


def _throttle(asked: Asked, source: str, title: str, path: str, rate: Any, burst: Any) -> list[Reading]:
    """Return the two readings of a bucket; AWS writes "none of its own" as nothing or as a negative number."""

    def part(name: str, value: Any, unit: str) -> Reading:
        own = None if value is None or value < 0 else float(value)
        return asked.reading(source, f"{title}: throttle {name}", own, unit=unit, path=path and f"{path}.{name}")

    return [part("rate", rate, "requests/s"), part("burst", burst, "requests")]


async def _usage_plans(asked: Asked, api: str, stage: str) -> list[Reading]:
    source = "apigateway GetUsagePlans"
    try:
        pages = await asked.aws.pages("apigateway", "GetUsagePlans")
    except AwsError as error:
        return [asked.unread(source, "usage plans", error)]
    found = []
    for plan in (plan for page in pages for plan in page.get("items", [])):
        stages = [s for s in plan.get("apiStages", []) if s.get("apiId") == api and stage in ("", s.get("stage"))]
        if stages:
            found += _usage_plan(asked, source, plan, stages)
    return found


def _usage_plan(asked: Asked, source: str, plan: Answer, stages: list[Answer]) -> list[Reading]:
    name = str(plan.get("name", plan.get("id", "")))
    title, path = f"usage plan {name}", f"apigateway.usage_plans.{name}"
    throttle, quota = plan.get("throttle", {}), plan.get("quota", {})
    found = _throttle(asked, source, title, path, throttle.get("rateLimit"), throttle.get("burstLimit"))
    period = str(quota.get("period", "")).lower()
    found.append(
        asked.reading(
            source, f"{title}: quota", quota.get("limit"), unit="requests", path=f"{path}.quota", detail=period
        )
    )
    for method, own in ((m, t) for stage in stages for m, t in stage.get("throttle", {}).items()):
        found += _throttle(asked, source, f"{title}, method {method}", "", own.get("rateLimit"), own.get("burstLimit"))
    return found


async def _note_responses(asked: Asked, api: str) -> None:
    try:
        pages = await asked.aws.pages("apigateway", "GetGatewayResponses", restApiId=api)
    except AwsError as error:
        asked.notes.append(f"Whether the API's owner rewrote its error answers could not be read: {error.message}.")
        return
    for response in (item for page in pages for item in page.get("items", [])):
        kind = str(response.get("responseType", ""))
        if kind in REWRITTEN and response.get("defaultResponse") is False:
            status = response.get("statusCode") or "its own status"
            asked.notes.append(
                f"The API's owner rewrote gateway response {kind} ({status}): its answers may read otherwise."
            )


async def read_http(asked: Asked, api: str, stage: str) -> list[Reading]:
    """Return an HTTP API's default route throttle and the routes' own."""
    source, stage = "apigatewayv2 GetStage", stage or "$default"
    title, path = f"stage {stage}", f"apigateway.stages.{stage}"
    try:
        answer = await asked.aws.read("apigatewayv2", "GetStage", ApiId=api, StageName=stage)
    except AwsError as error:
        return [asked.unread(source, title, error, path=f"{path}.rate")]
    default = answer.get("DefaultRouteSettings", {})
    found = _throttle(
        asked, source, title, path, default.get("ThrottlingRateLimit"), default.get("ThrottlingBurstLimit")
    )
    for route, own in answer.get("RouteSettings", {}).items():
        rate = own.get("ThrottlingRateLimit")
        found += _throttle(asked, source, f"{title}, route {route}", "", rate, own.get("ThrottlingBurstLimit"))
        if rate == 0:
            asked.notes.append(f"Route {route} has a throttle of 0: every call to it is answered 429.")
    return found
