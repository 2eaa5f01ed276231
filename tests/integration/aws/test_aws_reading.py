"""Reading an account over HTTP with real boto3, against the emulator's AWS side on loopback."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.aws.iam import Scope
from burstline.core.quota.aws.readings import CONCURRENCY, GATEWAY_RATE, AccountReading, Reading, apply_readings
from burstline.core.quota.quotas import Account, Function, Queue, default_account
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.emulator.settings import EmulatorSettings
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import Unreachable
from burstline.server.aws.reading import read_account
from burstline.server.aws.settings import AwsSettings

StartPractice = Callable[..., AbstractAsyncContextManager[Any]]
SECRET = "s3cr3t-of-the-function"
ACCOUNT = Account(
    region="eu-west-1", concurrency=900, functions={"checkout": Function("checkout", reserved=200, timeout_s=10)}
)


def scope(functions: tuple[str, ...] = ("checkout",), front: Front = Front.REST, stage: str = "prod") -> Scope:
    return Scope(functions=functions, front=front, host="127.0.0.1", stage=stage)


def by_path(found: AccountReading, path: str) -> Reading:
    """The reading that counts for a path: the last one, which is the service's own."""
    return [reading for reading in found.readings if reading.path == path][-1]


async def test_everything_a_rest_plan_runs_into_is_read_with_source_and_code(practice: StartPractice) -> None:
    async with practice() as it:
        found = await read_account(it.aws, scope(), now_s=lambda: 1234.0)
    assert found.region == "eu-west-1"
    assert found.account_last4 == "9012"
    assert found.api == ("practice01", "rest")
    assert found.api_name == "practice"
    concurrency = by_path(found, "lambda.concurrency")
    assert (concurrency.value, concurrency.source, concurrency.quota, concurrency.read_at_s) == (
        900, "lambda GetAccountSettings", CONCURRENCY, 1234.0,
    )  # fmt: skip
    assert by_path(found, "apigateway.rate").value == 8_000
    assert by_path(found, "apigateway.burst").adjustable is False
    assert by_path(found, "lambda.functions.checkout.reserved").value == 200
    assert by_path(found, "lambda.functions.checkout.provisioned").value == 50
    assert by_path(found, "lambda.functions.checkout.timeout").value == 10
    assert by_path(found, "apigateway.stages.prod.rate").value == 2_000
    assert by_path(found, "apigateway.stages.prod.burst").value == 1_000
    assert by_path(found, "apigateway.usage_plans.gold.quota").value == 1_000_000
    assert found.log_groups == {"checkout": ("/aws/lambda/checkout", "Text")}
    assert all(reading.known for reading in found.readings)


async def test_key_values_are_never_asked_for(practice: StartPractice) -> None:
    async with practice() as it:
        await read_account(it.aws, scope())
        calls = set(it.side.calls)
    assert "apigateway GetUsagePlans" in calls
    assert not [call for call in calls if "Key" in call or call == "lambda GetFunction"]


async def test_what_was_read_becomes_the_account_the_emulator_was_made_of(practice: StartPractice) -> None:
    async with practice() as it:
        found = await read_account(it.aws, scope(("checkout", "search")))
    account, notes = apply_readings(default_account("eu-west-1"), found.readings)
    assert notes == ()
    assert account.gateway == it.account.gateway
    assert account.stages == it.account.stages
    assert account.usage_plans == it.account.usage_plans
    assert account.concurrency == 900
    assert account.functions["checkout"].reserved == 200
    assert account.functions["search"].reserved is None
    assert {"lambda.concurrency", "apigateway.stages.prod", "lambda.functions.checkout.reserved"} <= account.read
    assert account.read <= account.declared


async def test_a_quota_that_was_never_applied_is_read_as_aws_default_and_marked_so(practice: StartPractice) -> None:
    account = Account(region="eu-west-1", functions={"checkout": Function("checkout")}, concurrency=900)
    async with practice(account=account) as it:
        found = await read_account(it.aws, scope())
    quota = next(r for r in found.readings if r.quota == CONCURRENCY)
    assert (quota.source, quota.value, quota.default) == ("service-quotas GetAWSDefaultServiceQuota", 1_000, True)
    assert any("says 1000, lambda GetAccountSettings says 900" in note for note in found.notes)


async def test_a_missing_permission_names_its_action_and_the_rest_goes_on(practice: StartPractice) -> None:
    denied = frozenset({"lambda:GetFunctionConcurrency", "servicequotas:GetServiceQuota"})
    async with practice(AwsSideSettings(denied=denied)) as it:
        found = await read_account(it.aws, scope())
    reserved = by_path(found, "lambda.functions.checkout.reserved")
    assert not reserved.known
    assert reserved.missing_action == "lambda:GetFunctionConcurrency"
    assert found.missing_actions() == ("servicequotas:GetServiceQuota", "lambda:GetFunctionConcurrency")
    assert by_path(found, "lambda.concurrency").value == 900
    assert by_path(found, "lambda.functions.checkout.provisioned").value == 50
    account, _ = apply_readings(default_account("eu-west-1"), found.readings)
    assert "lambda.functions.checkout.reserved" not in account.read


async def test_with_no_permission_at_all_every_quota_says_so_and_nothing_fails(practice: StartPractice) -> None:
    denied = frozenset({
        "lambda:GetAccountSettings", "lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency",
        "lambda:ListProvisionedConcurrencyConfigs", "lambda:ListEventSourceMappings", "lambda:GetFunctionUrlConfig",
        "servicequotas:GetServiceQuota", "apigateway:GET", "sts:GetCallerIdentity",
    })  # fmt: skip
    async with practice(AwsSideSettings(denied=denied)) as it:
        found = await read_account(it.aws, scope())
    assert found.account_last4 is None
    assert not any(reading.known for reading in found.readings)
    assert set(found.missing_actions()) == denied - {"sts:GetCallerIdentity"}


async def test_an_http_api_is_read_by_its_own_calls(practice: StartPractice) -> None:
    front = EmulatorSettings(front=Front.HTTP, stage="prod")
    async with practice(front=front) as it:
        found = await read_account(it.aws, scope(front=Front.HTTP))
    assert found.api == ("practice01", "http")
    assert by_path(found, "apigateway.stages.prod.rate").source == "apigatewayv2 GetStage"
    assert by_path(found, "apigateway.stages.prod.burst").value == 1_000


async def test_a_queue_is_read_with_its_event_source(practice: StartPractice) -> None:
    queue = Queue("orders", "checkout", maximum_concurrency=20, max_receives=3, dead_letter_queue="dead")
    async with practice(account=replace(ACCOUNT, queues={"orders": queue})) as it:
        found = await read_account(it.aws, scope())
    values = {reading.name: reading.value for reading in found.readings}
    assert values["checkout: from sqs orders"] == 20
    assert values["queue orders: visibility timeout"] == 30
    assert values["queue orders: maxReceiveCount"] == 3
    assert found.queues == {"orders": queue}


async def test_a_queue_that_the_plan_sends_to_is_read_without_naming_its_function(practice: StartPractice) -> None:
    queue = Queue("orders", "checkout", batch=5, partial_batch=True)
    async with practice(account=replace(ACCOUNT, queues={"orders": queue})) as it:
        found = await read_account(it.aws, Scope(front=Front.SQS, host="127.0.0.1", queues=("orders",)))
    assert found.queues == {"orders": queue}
    assert by_path(found, "lambda.concurrency").value == 900


async def test_rewritten_gateway_responses_are_noted(practice: StartPractice) -> None:
    async with practice(AwsSideSettings(rewritten={"THROTTLED": 503})) as it:
        found = await read_account(it.aws, scope())
    assert any("rewrote gateway response THROTTLED (503)" in note for note in found.notes)


async def test_listings_are_read_to_their_last_page(practice: StartPractice) -> None:
    queues = {f"queue-{n}": Queue(f"queue-{n}", "checkout") for n in range(5)}
    async with practice(AwsSideSettings(page_count=2), replace(ACCOUNT, queues=queues)) as it:
        found = await read_account(it.aws, scope())
        assert it.side.calls["lambda ListEventSourceMappings"] == 3
    assert sum("from sqs queue-" in reading.name for reading in found.readings) == 5


async def test_each_call_is_made_once_a_run_and_anew_after_it(practice: StartPractice) -> None:
    async with practice() as it:
        await read_account(it.aws, scope())
        first = dict(it.side.calls)
        await read_account(it.aws, scope())
        assert dict(it.side.calls) == first
        assert {count for call, count in first.items() if call.startswith(("lambda", "apigateway"))} == {1}
        it.aws.forget()
        await read_account(it.aws, scope())
        assert it.side.calls["lambda GetAccountSettings"] == 2


async def test_a_call_that_aws_throttles_is_retried(practice: StartPractice) -> None:
    async with practice(AwsSideSettings(throttled_calls=1)) as it:
        answer = await it.aws.read("lambda", "GetAccountSettings")
        assert answer["AccountLimit"]["ConcurrentExecutions"] == 900
        assert it.side.calls["lambda GetAccountSettings"] == 2


async def test_environment_variables_are_in_no_answer_and_no_log(
    practice: StartPractice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with practice(AwsSideSettings(environment={"PASSWORD": SECRET})) as it:
        answer = await it.aws.read("lambda", "GetFunctionConfiguration", FunctionName="checkout")
        stage = await it.aws.read("apigateway", "GetStage", restApiId="practice01", stageName="prod")
        found = await read_account(it.aws, scope())
    assert SECRET not in caplog.text
    assert SECRET not in repr((answer, stage, found))


async def test_without_credentials_the_reason_is_one_sentence(
    practice: StartPractice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with practice() as it:
        with pytest.raises(Unreachable, match="no AWS credentials were found"):
            await read_account(it.aws, scope())
        assert not it.side.calls


async def test_an_endpoint_that_is_not_there_is_given_up_at_once() -> None:
    aws = Aws(AwsSettings(region="eu-west-1", endpoint_url="http://127.0.0.1:9", attempts=1, timeout_s=2))
    try:
        with pytest.raises(Unreachable, match="cannot be reached"):
            await read_account(aws, scope())
        assert aws.call_count == 1
    finally:
        aws.close()


async def test_a_role_is_assumed_and_used_for_all_calls(practice: StartPractice) -> None:
    role = {"role_arn": "arn:aws:iam::123456789012:role/reader", "external_id": "practice"}
    async with practice(**role) as it:
        answer = await it.aws.read("lambda", "GetAccountSettings")
        assert answer["AccountLimit"]["ConcurrentExecutions"] == 900
        assert it.side.calls["sts AssumeRole"] == 1


async def test_a_scope_that_names_nothing_reads_the_account_quotas_alone(practice: StartPractice) -> None:
    async with practice() as it:
        found = await read_account(it.aws, Scope())
    assert by_path(found, "lambda.concurrency").value == 900
    assert {r.quota for r in found.readings} >= {CONCURRENCY, GATEWAY_RATE}
    assert found.api is None


async def test_the_region_of_the_environment_is_taken_where_none_is_stated(
    practice: StartPractice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 itself knows AWS_DEFAULT_REGION only; users set AWS_REGION, too."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    async with practice(region="") as it:
        assert (await read_account(it.aws, Scope())).region == "eu-central-1"
    monkeypatch.delenv("AWS_REGION")
    async with practice(region="", fallback_region="eu-north-1") as it:
        assert (await read_account(it.aws, Scope())).region == "eu-north-1"
    async with practice(region="") as it:
        with pytest.raises(Unreachable, match="no AWS region is set"):
            await read_account(it.aws, Scope())
