"""The AWS side's answers, held against botocore's own service models: required members, types, enums, known names."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account, Bucket, Function, Queue, UsagePlan
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.emulator.settings import EmulatorSettings

StartPractice = Callable[..., AbstractAsyncContextManager[Any]]
ACCOUNT = Account(
    region="eu-west-1",
    stages={"prod": Bucket(100, 50)},
    usage_plans={"gold": UsagePlan("gold", Bucket(10, 20), 1000, "day")},
    functions={"checkout": Function("checkout", reserved=20, provisioned=5), "search": Function("search")},
    queues={"orders": Queue("orders", "checkout", maximum_concurrency=5, max_receives=5, dead_letter_queue="dead")},
    declared=frozenset({"lambda.concurrency"}),
)
SIDE = AwsSideSettings(
    lag_s=0, page_count=1, json_logs=frozenset({"search"}), environment={"A": "b"},
    rewritten={"THROTTLED": 503},
)  # fmt: skip
FN = {"FunctionName": "checkout"}
QUOTA = {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}
QUERY = {
    "Id": "a", "MetricStat": {"Metric": {"Namespace": "AWS/Lambda", "MetricName": "Invocations"}, "Period": 60,
                              "Stat": "Sum"},
}  # fmt: skip
SPAN = {"StartTime": 0, "EndTime": 2_000_000_000}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("service-quotas", "GetServiceQuota", QUOTA),
    ("service-quotas", "GetAWSDefaultServiceQuota", QUOTA),
    ("service-quotas", "ListServiceQuotas", {"ServiceCode": "apigateway"}),
    ("service-quotas", "RequestServiceQuotaIncrease", {**QUOTA, "DesiredValue": 5000.0}),
    ("service-quotas", "ListRequestedServiceQuotaChangeHistory", {}),
    ("service-quotas", "ListRequestedServiceQuotaChangeHistoryByQuota", QUOTA),
    ("lambda", "GetAccountSettings", {}),
    ("lambda", "GetFunctionConfiguration", FN),
    ("lambda", "GetFunctionConfiguration", {"FunctionName": "search"}),
    ("lambda", "ListFunctions", {}),
    ("lambda", "GetFunctionConcurrency", FN),
    ("lambda", "GetFunctionConcurrency", {"FunctionName": "search"}),
    ("lambda", "ListProvisionedConcurrencyConfigs", FN),
    ("lambda", "GetProvisionedConcurrencyConfig", {**FN, "Qualifier": "live"}),
    ("lambda", "ListEventSourceMappings", {}),
    ("lambda", "ListAliases", FN),
    ("apigateway", "GetAccount", {}),
    ("apigateway", "GetRestApis", {}),
    ("apigateway", "GetRestApi", {"restApiId": "practice01"}),
    ("apigateway", "GetStage", {"restApiId": "practice01", "stageName": "prod"}),
    ("apigateway", "GetStages", {"restApiId": "practice01"}),
    ("apigateway", "GetUsagePlans", {}),
    ("apigateway", "GetGatewayResponses", {"restApiId": "practice01"}),
    ("apigatewayv2", "GetApiMappings", {"DomainName": "127.0.0.1"}),
    ("cloudwatch", "GetMetricData", {"MetricDataQueries": [QUERY], **SPAN}),
    ("cloudwatch", "ListMetrics", {"Namespace": "AWS/Lambda"}),
    ("logs", "StartQuery", {"logGroupName": "/aws/lambda/checkout", "startTime": 0, "endTime": 2_000_000_000,
                            "queryString": "stats count(*) as n"}),
    ("sqs", "GetQueueUrl", {"QueueName": "orders"}),
    ("sqs", "GetQueueAttributes", {"QueueUrl": "https://q/1/orders", "AttributeNames": ["All"]}),
    ("sqs", "GetQueueAttributes", {"QueueUrl": "https://q/1/dead", "AttributeNames": ["All"]}),
    ("sqs", "SendMessageBatch", {"QueueUrl": "https://q/1/orders", "Entries": [{"Id": "a", "MessageBody": "b"}]}),
    ("cognito-idp", "InitiateAuth", {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "c",
                                     "AuthParameters": {"USERNAME": "u", "PASSWORD": "p"}}),
    ("sts", "GetCallerIdentity", {}),
    ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::123456789012:role/reader", "RoleSessionName": "test"}),
]  # fmt: skip
HTTP_CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("apigatewayv2", "GetApis", {}),
    ("apigatewayv2", "GetApi", {"ApiId": "practice01"}),
    ("apigatewayv2", "GetStage", {"ApiId": "practice01", "StageName": "prod"}),
]
URL_CALLS: list[tuple[str, str, dict[str, Any]]] = [("lambda", "GetFunctionUrlConfig", FN)]


class Asker:
    """Calls an operation and holds what came back against its model."""

    def __init__(self, url: str) -> None:
        self._session = boto3.Session(region_name="eu-west-1")
        self._url = url

    def ask(self, service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=5)
        client = self._session.client(service, endpoint_url=self._url, config=config)
        raw: list[bytes] = []
        client.meta.events.register_last("before-parse.*", lambda response_dict, **_: raw.append(response_dict["body"]))
        method = next(n for n, o in client.meta.method_to_api_mapping.items() if o == operation)
        answer: dict[str, Any] = getattr(client, method)(**given)
        shape = client.meta.service_model.operation_model(operation).output_shape
        answer.pop("ResponseMetadata")
        hold(shape, answer, operation)
        if raw and raw[0].lstrip().startswith(b"{"):
            known_names(shape, json.loads(raw[0]), operation)
        client.close()
        return answer


TYPES = {"string": str, "integer": int, "long": int, "boolean": bool, "list": list, "map": dict, "structure": dict}


def hold(shape: Any, value: Any, at: str) -> None:
    """Check a parsed value: its type, required members, and enums, all the way down."""
    if shape.type_name in TYPES:
        assert isinstance(value, TYPES[shape.type_name]), f"{at} is no {shape.type_name}"
    if getattr(shape, "enum", None):
        assert value in shape.enum, f"{at}: {value!r}"
    if shape.type_name == "structure":
        for name in shape.required_members:
            assert name in value, f"{at}.{name} is missing"
        for name, inner in value.items():
            hold(shape.members[name], inner, f"{at}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            hold(shape.member, inner, f"{at}[]")
    elif shape.type_name == "map":
        for inner in value.values():
            hold(shape.value, inner, f"{at}{{}}")


def known_names(shape: Any, raw: Any, at: str) -> None:
    """Check that the wire has no member that botocore would silently drop."""
    if shape.type_name == "structure" and isinstance(raw, dict):
        members = {inner.serialization.get("name", name): inner for name, inner in shape.members.items()}
        for name, inner in raw.items():
            assert name in members, f"{at}.{name} is no member of the model"
            known_names(members[name], inner, f"{at}.{name}")
    elif shape.type_name == "list":
        for inner in raw:
            known_names(shape.member, inner, f"{at}[]")


@pytest.mark.parametrize(
    ("front", "calls"),
    [(Front.REST, CALLS), (Front.HTTP, HTTP_CALLS), (Front.FUNCTION_URL, URL_CALLS)],
    ids=["rest", "http", "function_url"],
)
async def test_every_answer_is_what_the_service_model_says(
    practice: StartPractice, front: Front, calls: list[tuple[str, str, dict[str, Any]]]
) -> None:
    async with practice(SIDE, ACCOUNT, EmulatorSettings(front=front, stage="prod")) as it:
        asker = Asker(it.side.url)
        for service, operation, given in calls:
            answer = await asyncio.to_thread(asker.ask, service, operation, given)
            if operation not in ("GetFunctionConcurrency", "GetMetricData"):
                assert answer, f"{operation} answered nothing"
            if operation == "RequestServiceQuotaIncrease":
                told = {"RequestId": answer["RequestedQuota"]["Id"]}
                await asyncio.to_thread(asker.ask, service, "GetRequestedServiceQuotaChange", told)
            if operation == "StartQuery":
                for _ in range(2):
                    await asyncio.to_thread(asker.ask, service, "GetQueryResults", {"queryId": answer["queryId"]})
                await asyncio.to_thread(asker.ask, service, "StopQuery", {"queryId": answer["queryId"]})


async def test_all_operations_that_are_served_are_held_against_their_model(practice: StartPractice) -> None:
    """A new operation without a line above would not be checked."""
    asked = {f"{service} {operation}" for service, operation, _ in (*CALLS, *HTTP_CALLS, *URL_CALLS)}
    asked |= {"service-quotas GetRequestedServiceQuotaChange", "logs GetQueryResults", "logs StopQuery"}
    async with practice() as it:
        served = {f"{service} {operation}" for service, own in it.side._handlers.items() for operation in own}
    assert served == asked


@pytest.mark.parametrize(
    ("service", "operation", "given", "code"),
    [
        ("lambda", "GetFunctionConfiguration", {"FunctionName": "nobody"}, "ResourceNotFoundException"),
        ("lambda", "GetFunctionUrlConfig", FN, "ResourceNotFoundException"),
        ("lambda", "GetProvisionedConcurrencyConfig", {**FN, "Qualifier": "x"},
         "ProvisionedConcurrencyConfigNotFoundException"),
        ("apigateway", "GetRestApi", {"restApiId": "other"}, "NotFoundException"),
        ("apigatewayv2", "GetApiMappings", {"DomainName": "example.com"}, "NotFoundException"),
        ("service-quotas", "GetServiceQuota", {"ServiceCode": "lambda", "QuotaCode": "L-0"}, "NoSuchResourceException"),
        ("service-quotas", "RequestServiceQuotaIncrease", {**QUOTA, "DesiredValue": 1.0}, "IllegalArgumentException"),
        ("sqs", "GetQueueUrl", {"QueueName": "x"}, "AWS.SimpleQueueService.NonExistentQueue"),
        ("logs", "GetQueryResults", {"queryId": "x"}, "ResourceNotFoundException"),
        ("sts", "DecodeAuthorizationMessage", {"EncodedMessage": "x"}, "UnknownOperationException"),
    ],
)  # fmt: skip
async def test_errors_carry_the_codes_that_botocore_knows(
    practice: StartPractice, service: str, operation: str, given: dict[str, Any], code: str
) -> None:
    from botocore.exceptions import ClientError

    async with practice(SIDE, ACCOUNT) as it:
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(Asker(it.side.url).ask, service, operation, given)
    assert caught.value.response["Error"]["Code"] == code


async def test_pages_join_to_the_whole(practice: StartPractice) -> None:
    async with practice(SIDE, ACCOUNT) as it:
        pages = await it.aws.pages("lambda", "ListFunctions")
        assert [f["FunctionName"] for page in pages for f in page["Functions"]] == ["checkout", "search"]
        assert len(pages) == 2


async def test_nothing_younger_than_the_lag_is_shown(practice: StartPractice) -> None:
    async with practice(AwsSideSettings(lag_s=3600), ACCOUNT) as it:
        it.side.backend.recorder.invoked(time.monotonic(), Function("checkout"), _admitted(), 0.1, False)
        answer = await it.aws.call("cloudwatch", "GetMetricData", MetricDataQueries=[QUERY], **SPAN)
    assert answer["MetricDataResults"][0]["Values"] == []


def _admitted() -> Any:
    from burstline.core.quota.admission.admission import Decision

    return Decision()
