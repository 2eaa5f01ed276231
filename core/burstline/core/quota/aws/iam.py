"""The least IAM policies: one that reads, one that asks for more, for the resources a plan names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from burstline.core.load.plan import Front, Plan

PREFIXES = {
    "service-quotas": "servicequotas", "lambda": "lambda", "cloudwatch": "cloudwatch", "logs": "logs", "sqs": "sqs",
    "sts": "sts",
}  # fmt: skip
"""IAM prefix of each service, by its SDK name; API Gateway's two share actions named by HTTP verb."""

RAISABLE = ("lambda/L-B99A9384", "apigateway/L-8A5B8E43", "apigateway/L-E5AE38E3")
"""Quotas that may be asked for, as in the resource of `servicequotas:RequestServiceQuotaIncrease`."""


def action_of(service: str, operation: str) -> str:
    """Return the IAM action an API call needs, for example `lambda:GetAccountSettings`.

    Source: Service Authorization Reference; API Gateway Developer Guide, "Control access to a REST API" (its
    management actions are HTTP verbs); read 2026-11-23.
    """
    if service in ("apigateway", "apigatewayv2"):
        return "apigateway:GET"
    return f"{PREFIXES.get(service, service)}:{operation}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a plan touches in AWS.

    Attributes:
        region: AWS region; "*" if unknown.
        functions: Lambda functions, without qualifier.
        qualifiers: function -> alias or version that is invoked, where one is named.
        front: the kind of entry point.
        host: of the target.
        api_id: API Gateway's id, where the host has it; "" else.
        stage: API Gateway stage; "" is unknown.
        usage_plan: "" is none.
        account: 12 digits; "*" if unknown.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
        queues: names of SQS queues.
    """

    region: str = "*"
    functions: tuple[str, ...] = ()
    qualifiers: tuple[tuple[str, str], ...] = ()
    front: Front = Front.PLAIN
    host: str = ""
    api_id: str = ""
    stage: str = ""
    usage_plan: str = ""
    account: str = "*"
    partition: str = "aws"
    queues: tuple[str, ...] = ()

    @property
    def gateway(self) -> bool:
        """Whether API Gateway is in front."""
        return self.front in (Front.REST, Front.HTTP)

    @property
    def names_aws(self) -> bool:
        """Whether there is anything in AWS to read: a function, an API or a queue."""
        return bool(self.functions or self.queues) or self.gateway


_API_HOST = re.compile(r"^([a-z0-9]+)\.execute-api(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$")
_URL_HOST = re.compile(r"^[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws$")
_SERVICE_HOST = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:elb\.)?amazonaws\.com(?:\.cn)?$")
_ARN = re.compile(r"^arn:([a-z-]+):lambda:([a-z0-9-]+):(\d{12}):function:([A-Za-z0-9-_]+)(?::([A-Za-z0-9-_$]+))?$")


def split_function(name: str) -> tuple[str, str, str, str]:
    """Return (function, qualifier, region, account) of a name, `name:qualifier` or ARN; "" for what it lacks."""
    arn = _ARN.match(name)
    if arn:
        return arn[4], arn[5] or "", arn[2], arn[3]
    function, _, qualifier = name.partition(":")
    return function, qualifier, "", ""


def scope_of(plan: Plan, region: str = "") -> Scope:
    """Return what a plan touches; the region is `region`, else what the target's host or a function's ARN says."""
    host = (urlsplit(plan.target.url).hostname or "").lower()
    api, url = _API_HOST.match(host), _URL_HOST.match(host)
    named = [plan.target.function, *(function for _, function in plan.target.function_of)]
    split = [split_function(name) for name in dict.fromkeys(named) if name]
    service = _SERVICE_HOST.search(host)
    found = (
        region
        or (api[2] if api else "")
        or (url[1] if url else "")
        or next((r for _, _, r, _ in split if r), "")
        or (service[1] if service else "")
        or plan.auth.region
    )
    path = urlsplit(plan.target.url).path.strip("/").split("/")[0]
    owner = path if plan.target.queue and path.isdigit() and len(path) == 12 else "*"
    in_path = path if api and plan.target.front is Front.REST else ""
    return Scope(
        region=found or "*",
        functions=tuple(dict.fromkeys(name for name, _, _, _ in split)),
        qualifiers=tuple((n, q or plan.target.qualifier) for n, q, _, _ in split if q or plan.target.qualifier),
        front=plan.target.front,
        host=host,
        api_id=api[1] if api else "",
        stage=plan.target.stage or in_path,
        usage_plan=plan.target.usage_plan,
        account=next((a for _, _, _, a in split if a), owner),
        partition=partition_of(found),
        queues=(plan.target.queue,) if plan.target.queue else (),
    )


def on_aws(host: str) -> bool:
    """Whether a host name is one of AWS's own."""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".on.aws"))


def partition_of(region: str) -> str:
    """Return the partition of a region, for ARNs: `aws`, `aws-cn` or `aws-us-gov`."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


_ANYWHERE = (
    "lambda:GetAccountSettings", "lambda:ListEventSourceMappings",
    "servicequotas:GetServiceQuota", "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:ListRequestedServiceQuotaChangeHistoryByQuota", "servicequotas:GetRequestedServiceQuotaChange",
    "cloudwatch:GetMetricData", "cloudwatch:ListMetrics",
)  # fmt: skip
"""Actions without resource-level permissions. Source: Service Authorization Reference, read 2026-11-23."""

_ON_FUNCTIONS = (
    "lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:ListProvisionedConcurrencyConfigs",
    "lambda:GetFunctionUrlConfig",
)  # fmt: skip


def reader_policy(scope: Scope) -> dict[str, Any]:
    """Return the least policy that reads what a plan needs: no code, no key values, nothing that changes anything."""
    anywhere = [*_ANYWHERE, *(("logs:GetQueryResults", "logs:StopQuery") if scope.functions else ())]
    statements = [_statement("ReadWithoutResources", anywhere, ["*"])]
    if scope.functions:
        arns = [_function_arn(scope, name) for name in scope.functions]
        statements.append(_statement("ReadFunctions", _ON_FUNCTIONS, [x for a in arns for x in (a, f"{a}:*")]))
        groups = [
            f"arn:{scope.partition}:logs:{scope.region}:{scope.account}:log-group:/aws/lambda/{name}:*"
            for name in scope.functions
        ]
        statements.append(_statement("ReadReports", ["logs:StartQuery"], groups))
    if scope.gateway:
        statements.append(_statement("ReadApi", ["apigateway:GET"], _gateway_arns(scope)))
    if scope.queues or scope.functions:
        # Which queues feed a function is known only after a first look; until then, those of the region.
        names = scope.queues or ("*",)
        queues = [f"arn:{scope.partition}:sqs:{scope.region}:{scope.account}:{name}" for name in names]
        statements.append(_statement("ReadQueues", ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"], queues))
    return {"Version": "2012-10-17", "Statement": statements}


def requester_policy(scope: Scope) -> dict[str, Any]:
    """Return the least policy that asks for an increase: the reader's quota actions and the one that writes.

    The service-linked role is what Service Quotas makes at the first request; its ARN is unconfirmed.
    """
    arns = [f"arn:{scope.partition}:servicequotas:{scope.region}:{scope.account}:{quota}" for quota in RAISABLE]
    reads = [action for action in _ANYWHERE if action.startswith("servicequotas:")]
    role = "role/aws-service-role/servicequotas.amazonaws.com/AWSServiceRoleForServiceQuotas"
    return {
        "Version": "2012-10-17",
        "Statement": [
            _statement("ReadQuotas", reads, ["*"]),
            _statement("RequestIncrease", ["servicequotas:RequestServiceQuotaIncrease"], arns),
            _statement("FirstRequest", ["iam:CreateServiceLinkedRole"], [f"arn:{scope.partition}:iam::*:{role}"]),
        ],
    }


def _function_arn(scope: Scope, name: str) -> str:
    return f"arn:{scope.partition}:lambda:{scope.region}:{scope.account}:function:{name}"


def _gateway_arns(scope: Scope) -> list[str]:
    start = f"arn:{scope.partition}:apigateway:{scope.region}::"
    kind = "restapis" if scope.front is Front.REST else "apis"
    found = [f"{start}/account"]
    if scope.api_id:
        found += [f"{start}/{kind}/{scope.api_id}", f"{start}/{kind}/{scope.api_id}/*"]
    else:
        found += [f"{start}/domainnames/{scope.host}/apimappings", f"{start}/{kind}", f"{start}/{kind}/*"]
    if scope.front is Front.REST:
        found += [f"{start}/usageplans"]
    return found


def _statement(sid: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
