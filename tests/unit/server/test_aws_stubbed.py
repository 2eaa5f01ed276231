"""AWS's rarer answers, through botocore's Stubber, which checks them against the service's model."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
)
from botocore.stub import Stubber
from burstline.core.quota.aws.cloudwatch import LAMBDA, Metric
from burstline.core.quota.aws.iam import Scope
from burstline.server.aws.asking import Asked
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import Absent, AwsError, Denied, Refused, Unreachable, translate
from burstline.server.aws.increases import NOT_SENT, UNCERTAIN, QuotaNow, Request, obstacle, outcome_text, send_request
from burstline.server.aws.limits import LIMITS_PER_S, CallLimits
from burstline.server.aws.reading_gateway import read_http
from burstline.server.aws.reading_quotas import LAMBDA_QUOTAS, read_quota
from burstline.server.aws.settings import Asking, AwsSettings, asks_aws
from burstline.server.aws.watching import Span, read_metrics

CODE = {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}
QUOTA = "lambda:L-B99A9384"


class StubbedClients:
    """Clients whose answers are set by a test; nothing leaves the process."""

    def __init__(self) -> None:
        self._stubs: dict[str, tuple[Any, Stubber]] = {}

    def stub(self, service: str) -> Stubber:
        if service not in self._stubs:
            client = boto3.client(
                service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x",
                endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1}),
            )  # fmt: skip
            stubber = Stubber(client)
            stubber.activate()
            self._stubs[service] = (client, stubber)
        return self._stubs[service][1]

    def client(self, service: str, *, retries: bool = True) -> Any:
        self.stub(service)
        return self._stubs[service][0]

    def region(self) -> str:
        return "eu-west-1"

    def close(self) -> None:
        for client, _ in self._stubs.values():
            client.close()

    def all_used(self) -> None:
        for _, stubber in self._stubs.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def clients() -> Iterator[StubbedClients]:
    made = StubbedClients()
    yield made
    made.all_used()
    made.close()


@pytest.fixture
def aws(clients: StubbedClients) -> Iterator[Aws]:
    made = Aws(AwsSettings(), clients)  # type: ignore[arg-type]  # a stand-in of the same shape
    yield made
    made.close()


def client_error(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Op")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (client_error("AccessDeniedException", 403), Denied, "the policy lacks lambda:GetAccountSettings"),
        (client_error("AccessDenied", 403), Denied, "lambda:GetAccountSettings"),
        (client_error("ResourceNotFoundException", 404), Absent, "does not exist"),
        (client_error("ExpiredTokenException", 403), Unreachable, "does not accept the credentials"),
        (client_error("UnrecognizedClientException", 403), Unreachable, "renew them"),
        (client_error("TooManyRequestsException", 429), Refused, "answered TooManyRequestsException: m"),
        (client_error("", 500), Refused, "answered 500"),
        (NoCredentialsError(), Unreachable, "no AWS credentials were found"),
        (NoRegionError(), Unreachable, "no AWS region is set"),
        (ProfileNotFound(profile="p"), Unreachable, "aws configure list-profiles"),
        (EndpointConnectionError(endpoint_url="u"), Unreachable, "cannot be reached"),
        (ReadTimeoutError(endpoint_url="u"), Unreachable, "cannot be reached"),
    ],
)
def test_every_error_becomes_one_of_ours_with_a_sentence(error: Exception, kind: type[AwsError], said: str) -> None:
    found = translate(error, "lambda", "GetAccountSettings")
    assert type(found) is kind
    assert said in found.message


async def test_a_quota_that_aws_cannot_tell_says_why(aws: Aws, clients: StubbedClients) -> None:
    reason = {"ErrorCode": "DEPENDENCY_SERVICE_ERROR", "ErrorMessage": "The service did not answer."}
    clients.stub("service-quotas").add_response("get_service_quota", {"Quota": {"ErrorReason": reason}}, CODE)
    found = await read_quota(Asked(aws, Scope()), LAMBDA_QUOTAS[0])
    assert (found.value, found.problem) == (None, "The service did not answer.")


async def test_provisioned_concurrency_counts_the_invoked_alias_and_only_when_ready(
    aws: Aws, clients: StubbedClients
) -> None:
    stub = clients.stub("lambda")
    name = "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
    configs = [
        {"FunctionArn": f"{name}:live", "RequestedProvisionedConcurrentExecutions": 20, "Status": "READY"},
        {"FunctionArn": f"{name}:old", "RequestedProvisionedConcurrentExecutions": 7, "Status": "READY"},
        {"FunctionArn": f"{name}:next", "RequestedProvisionedConcurrentExecutions": 9, "Status": "IN_PROGRESS"},
    ]
    stub.add_response("list_provisioned_concurrency_configs", {"ProvisionedConcurrencyConfigs": configs})
    asked = Asked(aws, Scope(functions=("checkout",), qualifiers=(("checkout", "live"),)))
    from burstline.server.aws.reading_lambda import _provisioned

    (found,) = await _provisioned(asked, "checkout")
    assert found.value == 20
    assert found.detail == "live: 20 READY, old: 7 READY, next: 9 IN_PROGRESS"
    assert "checkout:next: provisioned concurrency is still being allocated" in asked.notes[0]


async def test_managed_instances_are_said_to_follow_other_rules(aws: Aws, clients: StubbedClients) -> None:
    from burstline.server.aws.reading_lambda import _configuration

    config = {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:p"
        }
    }
    clients.stub("lambda").add_response(
        "get_function_configuration", {"FunctionName": "checkout", "CapacityProviderConfig": config}
    )
    asked = Asked(aws, Scope())
    await _configuration(asked, "checkout")
    assert "Managed Instances" in asked.notes[0]


async def test_a_route_with_a_throttle_of_0_is_named_as_blocking_everything(aws: Aws, clients: StubbedClients) -> None:
    stage = {
        "StageName": "prod",
        "RouteSettings": {"GET /quote": {"ThrottlingRateLimit": 0.0, "ThrottlingBurstLimit": 0}},
    }
    clients.stub("apigatewayv2").add_response("get_stage", stage)
    asked = Asked(aws, Scope())
    found = await read_http(asked, "abc", "prod")
    assert [reading.value for reading in found if "route GET /quote" in reading.name] == [0, 0]
    assert asked.notes == ["Route GET /quote has a throttle of 0: every call to it is answered 429."]


async def test_a_metric_that_is_forbidden_is_told_and_the_others_stay(aws: Aws, clients: StubbedClients) -> None:
    at = datetime.fromtimestamp(1_700_000_040, UTC)
    results = [
        {"Id": "m0", "StatusCode": "Forbidden", "Timestamps": [], "Values": []},
        {"Id": "m1", "StatusCode": "Complete", "Timestamps": [at], "Values": [5.0]},
    ]
    clients.stub("cloudwatch").add_response("get_metric_data", {"MetricDataResults": results})
    metrics = [Metric(LAMBDA, "Throttles", "Sum"), Metric(LAMBDA, "Invocations", "Sum")]
    found, problems = await read_metrics(aws, metrics, Span(1_700_000_045.5, 1_700_000_050.0))
    assert found[1].points == ((-5.5, 5.0),)
    assert problems == ["CloudWatch gave no Throttles: Forbidden."]


def test_a_span_is_asked_for_in_whole_minutes() -> None:
    span = Span(1_700_000_045.5, 1_700_000_170.0)
    assert (span.from_s, span.to_s) == (1_700_000_040, 1_700_000_220)
    assert Span(60.0, 120.0).to_s == 120


@pytest.mark.parametrize(
    ("code", "state", "said"),
    [
        ("ResourceAlreadyExistsException", NOT_SENT, "one at a time"),
        ("QuotaExceededException", NOT_SENT, "too many open requests"),
        ("IllegalArgumentException", NOT_SENT, "does not take this value"),
        ("TooManyRequestsException", NOT_SENT, "Try again in a minute"),
    ],
)
async def test_what_aws_refuses_is_explained(
    aws: Aws, clients: StubbedClients, code: str, state: str, said: str
) -> None:
    clients.stub("service-quotas").add_client_error("request_service_quota_increase", code)
    found = await send_request(aws, QUOTA, 2000)
    assert found.state == state
    assert said in found.explanation


async def test_an_answer_that_is_lost_and_not_in_the_history_is_uncertain(aws: Aws, clients: StubbedClients) -> None:
    stub = clients.stub("service-quotas")
    stub.add_client_error("request_service_quota_increase", "ServiceException", http_status_code=500)
    stub.add_response(
        "list_requested_service_quota_change_history_by_quota",
        {"RequestedQuotas": [{"Id": "r", "Status": "DENIED", "DesiredValue": 2000.0}]}, CODE,
    )  # fmt: skip
    found = await send_request(aws, QUOTA, 2000)
    assert found.state == UNCERTAIN
    assert "Whether AWS has the request is not known" in found.explanation


async def test_a_support_case_can_be_ruled_out(aws: Aws, clients: StubbedClients) -> None:
    expected = {**CODE, "DesiredValue": 2000, "SupportCaseAllowed": False}
    answer = {"RequestedQuota": {"Id": "r", "Status": "PENDING", "DesiredValue": 2000.0}}
    clients.stub("service-quotas").add_response("request_service_quota_increase", answer, expected)
    assert (await send_request(aws, QUOTA, 2000, support_case=False)).id == "r"


NOW = QuotaNow(QUOTA, "Concurrent executions", 1000, True)


@pytest.mark.parametrize(
    ("now", "desired", "pending", "said"),
    [
        (NOW, 2000, None, ""),
        (NOW, 1000, None, "1,000 already"),
        (NOW, 999, None, "999 would be no increase"),
        (NOW, 2000, Request("r", "CASE_OPENED", value=1500), "for 1,500 is open already (CASE_OPENED, id r)"),
        (QuotaNow(QUOTA, "Burst", 5, False), 10, None, "cannot be raised"),
    ],
)
def test_what_stands_in_the_way_of_a_request_is_a_sentence(
    now: QuotaNow, desired: float, pending: Request | None, said: str
) -> None:
    found = obstacle(now, desired, pending)
    assert (found == "") if not said else (said in found)


@pytest.mark.parametrize(
    ("state", "after", "said"),
    [
        ("PENDING", None, ""),
        ("CASE_CLOSED", 2000.0, "Granted: the quota is 2,000 now."),
        ("CASE_CLOSED", 1000.0, "not 2,000: granted in part, later, or not at all."),
        ("CASE_CLOSED", None, "could not be read again."),
        ("DENIED", 1000.0, "AWS ended it as DENIED; the quota is 1,000."),
    ],
)
def test_a_closed_case_is_read_from_the_quota_not_from_its_name(state: str, after: float | None, said: str) -> None:
    assert outcome_text(state, 2000, after).endswith(said) if said else outcome_text(state, 2000, after) == ""


def test_each_api_has_the_limiter_that_its_calls_share() -> None:
    limits = CallLimits()
    assert limits.of("lambda", "GetAccountSettings") is limits.of("lambda", "GetFunctionConcurrency")
    assert limits.of("apigateway", "GetAccount") is limits.of("apigatewayv2", "GetApis")
    assert limits.of("service-quotas", "GetServiceQuota") is not limits.of(
        "service-quotas", "RequestServiceQuotaIncrease"
    )
    assert limits.of("lambda", "X").rate_limit == LIMITS_PER_S["lambda"] <= 15
    assert LIMITS_PER_S["service-quotas"] <= 5
    assert LIMITS_PER_S["apigateway"] <= 10


@pytest.mark.parametrize(
    ("url", "function", "settings", "asked"),
    [
        ("https://a1.execute-api.eu-west-1.amazonaws.com/prod", "f", AwsSettings(), True),
        ("http://127.0.0.1:7462/prod", "f", AwsSettings(), False),
        ("http://127.0.0.1:7462/prod", "f", AwsSettings(endpoint_url="http://127.0.0.1:7463"), True),
        ("https://shop.example.com", "f", AwsSettings(asking=Asking.ALWAYS), True),
        ("https://a1.execute-api.eu-west-1.amazonaws.com/prod", "f", AwsSettings(asking=Asking.NEVER), False),
        ("https://shop.example.com", "", AwsSettings(endpoint_url="http://127.0.0.1:7463"), False),
    ],
    ids=["in AWS", "loopback", "loopback with endpoint", "always", "never", "names nothing"],
)
def test_only_plans_in_aws_are_looked_up_there(url: str, function: str, settings: AwsSettings, asked: bool) -> None:
    """A practice target's function must not be looked up in whatever account the machine has credentials for."""
    from burstline.core.load.plan import Constant, Phase, Plan, Target
    from burstline.core.load.plan import Request as PlanRequest

    plan = Plan("p", Target(url, function=function), (PlanRequest("q"),), (Phase("p", 1.0, Constant(1.0)),))
    assert asks_aws(plan, settings) is asked
