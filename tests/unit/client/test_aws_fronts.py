"""Plans that drive Lambda and SQS directly, and every way to authenticate, as people spell them."""

from pathlib import Path

import pytest
from burstline.client.errors import InvalidPlan
from burstline.client.spelling.plans import LoadedPlan, load_plan
from burstline.core.load import plan as core
from burstline.core.quota.aws.iam import scope_of
from burstline.core.quota.quotas import Queue
from burstline.wire.account import account_from_proto

LOAD = "load: [{for: 1s, rate: 1}]\nwrites: allowed\n"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


@pytest.fixture(autouse=True)
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def load(folder: Path, text: str) -> LoadedPlan:
    (folder / "plan.yaml").write_text(text + LOAD, encoding="utf-8")
    return load_plan(folder / "plan.yaml")


def test_lambda_by_name_qualifier_and_region_is_signed_and_needs_neither_url_nor_method(tmp_path: Path) -> None:
    target = "{front: lambda, function: checkout, qualifier: live, region: eu-west-1}"
    plan = load(tmp_path, f"target: {target}\nrequests: [{{name: a, json: {{sku: 1}}}}]\n").record
    assert plan.target.url == "https://lambda.eu-west-1.amazonaws.com"
    assert (plan.target.function, plan.target.qualifier) == ("checkout", "live")
    assert (plan.requests[0].method, plan.requests[0].path) == ("POST", "")
    assert plan.auth == core.Auth(core.AuthKind.SIGV4, region="eu-west-1", service="lambda")
    assert scope_of(plan).qualifiers == (("checkout", "live"),)


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
def test_lambdas_region_comes_from_the_arn_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    arn = f"arn:aws:lambda:{region}:123456789012:function:checkout"
    plan = load(tmp_path, f'target: {{front: lambda, function: "{arn}"}}\nrequests: [{{json: {{}}}}]\n').record
    assert plan.target.url == f"https://lambda.{region}.amazonaws.com"
    monkeypatch.setenv("AWS_REGION", region)
    plan = load(tmp_path, "target: {front: lambda, function: checkout}\nrequests: [{json: {}}]\n").record
    assert plan.target.url == f"https://lambda.{region}.amazonaws.com"


def test_without_a_region_lambda_needs_a_url(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlan, match="front: lambda with function and region"):
        load(tmp_path, "target: {front: lambda, function: checkout}\nrequests: [{json: {}}]\n")


def test_a_queue_url_says_its_front_and_messages_are_signed(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        f"target: {{url: {QUEUE}, function: worker}}\nrequests: [{{name: a, json: {{sku: 1}}, messages: 10}}]\n"
        "account: {sqs: {queues: {orders: {function: worker, batch: 5, max_receives: 5, partial_batch: true,"
        " visibility_timeout: 1m, maximum_concurrency: 20}}}}\n",
    )
    plan = found.record
    assert (plan.target.front, plan.target.queue) == (core.Front.SQS, "orders")
    assert plan.requests[0].message_count == 10
    assert plan.auth == core.Auth(core.AuthKind.SIGV4, region="eu-west-1", service="sqs")
    scope = scope_of(plan)
    assert (scope.queues, scope.account, scope.region) == (("orders",), "123456789012", "eu-west-1")
    queue = account_from_proto(found.account).queues["orders"]
    assert queue == Queue("orders", "worker", 5, 0.0, 20, 60.0, 5, True, "orders-dlq")


def test_a_practice_endpoint_is_not_signed_unless_it_is_asked_for(tmp_path: Path) -> None:
    target = "{url: http://127.0.0.1:9, front: lambda, function: checkout}"
    assert load(tmp_path, f"target: {target}\nrequests: [{{json: {{}}}}]\n").record.auth == core.Auth()


def test_other_fronts_need_a_method(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlan, match=r"requests\[0\].*has a body, but no method"):
        load(tmp_path, "target: {url: http://localhost/prod, front: rest}\nrequests: [{json: {}}]\n")


USER = "{client_id: c1, username: load, password: '${env:PASSWORD}', region: eu-west-1, token: access}"
CLIENT = "{client_id: c1, client_secret: '${env:SECRET}', token_url: https://a.auth.x/oauth2/token, scopes: [a/b]}"


@pytest.mark.parametrize(
    ("spelled", "auth"),
    [
        ("{api_key: '${env:K}'}", core.Auth(core.AuthKind.API_KEY, value="${env:K}")),
        ("{bearer: '${env:K}'}", core.Auth(core.AuthKind.BEARER, value="${env:K}")),
        (
            "{basic: {username: u, password: '${env:K}'}}",
            core.Auth(core.AuthKind.BASIC, username="u", password="${env:K}"),
        ),
        (
            "{sigv4: {region: eu-west-1}}",
            core.Auth(core.AuthKind.SIGV4, region="eu-west-1", service="execute-api"),
        ),
        (
            f"{{cognito: {USER}}}",
            core.Auth(
                core.AuthKind.COGNITO,
                cognito=core.Cognito(
                    "c1", username="load", password="${env:PASSWORD}", region="eu-west-1", access=True
                ),
            ),
        ),
        (
            f"{{cognito: {CLIENT}}}",
            core.Auth(
                core.AuthKind.COGNITO,
                cognito=core.Cognito("c1", "${env:SECRET}", token_url="https://a.auth.x/oauth2/token", scopes=("a/b",)),
            ),
        ),
    ],
    ids="api key,bearer,basic,sigv4,cognito user,cognito client".split(","),
)
def test_each_way_to_authenticate(tmp_path: Path, spelled: str, auth: core.Auth) -> None:
    head = "target: {url: http://localhost/prod, front: rest}\nrequests: [{get: /}]\n"
    assert load(tmp_path, f"{head}auth: {spelled}\n").record.auth == auth


@pytest.mark.parametrize(
    ("spelled", "says"),
    [
        ("{cognito: {client_id: c, username: u, password: plain, region: x}}", "found a secret in the plan"),
        ("{cognito: {client_id: c, client_secret: plain, token_url: https://a/b}}", "found a secret in the plan"),
        ("{cognito: {client_id: c, username: u, password: '${env:P}'}}", "host names none"),
        ("{cognito: {client_id: c, password: '${env:P}', region: x}}", "the user, or token_url"),
        ("{cognito: {client_id: c, token_url: https://a/b}}", "secrets are given as a reference"),
        ("{cognito: {client_id: c, client_secret: '${env:P}', token_url: 'http://a/b'}}", "allowed is an https URL"),
        ("{cognito: {client_id: c}, bearer: '${env:P}'}", "exactly one of"),
    ],
)
def test_mistakes_in_cognito_are_named(tmp_path: Path, spelled: str, says: str) -> None:
    head = "target: {url: http://localhost/prod, front: rest}\nrequests: [{get: /}]\n"
    with pytest.raises(InvalidPlan, match=says):
        load(tmp_path, f"{head}auth: {spelled}\n")
