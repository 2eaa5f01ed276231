"""The least policies: which actions a plan's target needs, on which resources."""

from dataclasses import replace

import pytest
from burstline.core.load.plan import Constant, Front, Phase, Plan, Request, Target
from burstline.core.quota.aws.iam import action_of, reader_policy, requester_policy, scope_of

API = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod"


def plan(front: Front = Front.REST, url: str = "http://h/prod", function: str = "checkout") -> Plan:
    made = Target(url, front, function=function)
    return Plan("p", made, (Request("q"),), (Phase("p", 120.0, Constant(1.0)),))


@pytest.mark.parametrize(
    ("made", "region", "api", "stage"),
    [
        (plan(url=API), "eu-west-1", "abc123", "prod"),
        (plan(Front.FUNCTION_URL, "https://x7.lambda-url.us-east-2.on.aws/"), "us-east-2", "", ""),
        (plan(url="https://shop.example.com/v1"), "*", "", ""),
        (plan(url="https://shop.example.com", function="arn:aws:lambda:eu-north-1:123456789012:function:checkout:live"),
         "eu-north-1", "", ""),
    ],
    ids=["rest host", "function URL", "custom domain", "function ARN"],
)  # fmt: skip
def test_region_api_and_stage_come_from_the_target(made: Plan, region: str, api: str, stage: str) -> None:
    scope = scope_of(made)
    assert (scope.region, scope.api_id, scope.stage) == (region, api, stage)
    assert scope.functions == ("checkout",)


def test_policies_name_the_plans_own_resources_and_change_nothing() -> None:
    scope = replace(scope_of(plan(url=API)), account="123456789012")
    statements = {one["Sid"]: one for one in reader_policy(scope)["Statement"]}
    assert "arn:aws:lambda:eu-west-1:123456789012:function:checkout" in statements["ReadFunctions"]["Resource"]
    assert "arn:aws:apigateway:eu-west-1::/restapis/abc123/*" in statements["ReadApi"]["Resource"]
    actions = [action for one in statements.values() for action in one["Action"]]
    verbs = {action.split(":")[1] for action in actions}
    assert all(verb.startswith(("Get", "List", "GET", "Start", "Stop")) for verb in verbs)
    assert not {"lambda:GetFunction", "lambda:InvokeFunction", "lambda:ListFunctions"} & set(actions)
    asks = {one["Sid"]: one for one in requester_policy(scope)["Statement"]}["RequestIncrease"]
    assert asks["Action"] == ["servicequotas:RequestServiceQuotaIncrease"]
    assert "arn:aws:servicequotas:eu-west-1:123456789012:lambda/L-B99A9384" in asks["Resource"]


def test_policies_of_other_partitions_have_their_arns() -> None:
    made = plan(url="https://abc123.execute-api.cn-north-1.amazonaws.com.cn/prod")
    assert '"arn:aws-cn:' in str(reader_policy(scope_of(made))).replace("'", '"')


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("service-quotas", "GetServiceQuota", "servicequotas:GetServiceQuota"),
        ("apigatewayv2", "GetStage", "apigateway:GET"),
        ("lambda", "GetAccountSettings", "lambda:GetAccountSettings"),
    ],
)
def test_the_action_of_a_call_is_the_one_a_policy_names(service: str, operation: str, action: str) -> None:
    assert action_of(service, operation) == action
