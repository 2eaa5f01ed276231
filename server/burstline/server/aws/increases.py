"""Asking AWS for more: what stands in the way, the one call, and where the request stands afterwards."""

from dataclasses import dataclass
from typing import Any

from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import Absent, AwsError, Denied, Refused, Unreachable

OPEN = ("PENDING", "CASE_OPENED")
"""States of a request that AWS has not decided. Source: botocore's model of Service Quotas, `RequestStatus`."""

NOT_SENT, UNCERTAIN = "NOT_SENT", "UNCERTAIN"
"""States of ours: AWS was not asked, or its answer did not arrive."""


@dataclass(frozen=True, slots=True)
class QuotaNow:
    """A quota as it is now.

    Attributes:
        quota: `SERVICE:CODE`.
        name: AWS's.
        value: applied, or AWS's default.
        adjustable: AWS takes requests for it.
    """

    quota: str
    name: str
    value: float
    adjustable: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A request as AWS has it.

    Attributes:
        id: AWS's; "" if there is none.
        state: AWS's status, or one of ours.
        case_id: AWS Support's case; "" if there is none.
        value: asked for.
        explanation: a sentence for the user; "" if there is nothing to add.
    """

    id: str
    state: str
    case_id: str = ""
    value: float = 0.0
    explanation: str = ""


async def quota_now(aws: Aws, quota: str) -> QuotaNow:
    """Return a quota as it is now, whatever was read before.

    Raises:
        AwsError: it could not be read; Absent if there is no such quota.
    """
    service, _, code = quota.partition(":")
    given = {"ServiceCode": service, "QuotaCode": code}
    try:
        found = (await aws.call("service-quotas", "GetServiceQuota", **given))["Quota"]
    except Absent:
        found = (await aws.call("service-quotas", "GetAWSDefaultServiceQuota", **given))["Quota"]
    if "Value" not in found:
        raise Refused("NoValue", f"AWS gave no value for {quota}")
    name = str(found.get("QuotaName", quota))
    return QuotaNow(quota, name, float(found["Value"]), bool(found.get("Adjustable")))


async def open_request(aws: Aws, quota: str) -> Request | None:
    """Return the request for a quota that AWS has not decided yet; None if there is none.

    Raises:
        AwsError: the history could not be read.
    """
    service, _, code = quota.partition(":")
    operation = "ListRequestedServiceQuotaChangeHistoryByQuota"
    token: dict[str, str] = {}
    while True:
        answer = await aws.call("service-quotas", operation, ServiceCode=service, QuotaCode=code, **token)
        for found in answer.get("RequestedQuotas", []):
            if found.get("Status") in OPEN:
                return _request(found)
        if not answer.get("NextToken"):
            return None
        token = {"NextToken": answer["NextToken"]}


def obstacle(now: QuotaNow, desired: float, pending: Request | None) -> str:
    """Return why a request would not be sent, a sentence; "" if nothing stands in the way."""
    if not now.adjustable:
        return (
            f"{now.name} ({now.quota}) cannot be raised: AWS takes no requests for it. See the report's alternatives."
        )
    if pending is not None:
        return (
            f"A request for {pending.value:,.0f} is open already ({pending.state}, id {pending.id}); AWS allows one "
            "per quota. `burstline increases` follows it."
        )
    if desired <= now.value:
        return f"{now.name} is {now.value:,.0f} already; {desired:,.0f} would be no increase."
    return ""


async def send_request(aws: Aws, quota: str, desired: float, *, support_case: bool = True) -> Request:
    """Ask AWS, with a single call that is never repeated; what AWS refuses is explained, not raised.

    When the answer is lost on the way, the history tells whether the request arrived.

    Args:
        aws: whom to ask.
        quota: `SERVICE:CODE`.
        desired: above the current value.
        support_case: AWS may open a support case for it.

    Raises:
        Denied: the policy lacks `servicequotas:RequestServiceQuotaIncrease`.
    """
    service, _, code = quota.partition(":")
    given: dict[str, Any] = {"ServiceCode": service, "QuotaCode": code, "DesiredValue": desired}
    if not support_case:
        given["SupportCaseAllowed"] = False
    try:
        answer = await aws.call_once("service-quotas", "RequestServiceQuotaIncrease", **given)
        return _request(answer["RequestedQuota"])
    except Denied:
        raise
    except Refused as error:
        if error.code in _REFUSALS:
            return Request("", NOT_SENT, value=desired, explanation=_REFUSALS[error.code])
        return await _lost(aws, quota, desired, error)
    except Absent as error:
        return Request("", NOT_SENT, value=desired, explanation=error.message)
    except Unreachable as error:
        return await _lost(aws, quota, desired, error)


_REFUSALS = {
    "ResourceAlreadyExistsException": "AWS has an open request for this quota already; it allows one at a time.",
    "QuotaExceededException": "AWS has too many open requests of this account (20, or 2 in an opt-in region).",
    "IllegalArgumentException": "AWS does not take this value for this quota.",
    "InvalidResourceStateException": "AWS does not take requests for this quota now.",
    "ParamValidationError": "AWS does not take this value for this quota.",
    "TooManyRequestsException": "AWS takes no more requests just now; nothing was asked. Try again in a minute.",
}
"""What AWS's errors mean for the user. Sources: botocore's model of Service Quotas; Service Quotas User Guide, "Service
Quotas quotas"; read 2026-11-23."""


async def _lost(aws: Aws, quota: str, desired: float, error: AwsError) -> Request:
    """The answer did not arrive: look whether the request did."""
    aws.forget()
    try:
        found = await open_request(aws, quota)
    except AwsError:
        found = None
    if found is not None and found.value == desired:
        return found
    text = (
        f"{error.message}. Whether AWS has the request is not known: `burstline increases` looks before you try again."
    )
    return Request("", UNCERTAIN, value=desired, explanation=text)


async def follow_request(aws: Aws, request_id: str) -> Request:
    """Return where a request stands now.

    Raises:
        AwsError: it could not be looked up; Absent after AWS's 90 days of history.
    """
    answer = await aws.call("service-quotas", "GetRequestedServiceQuotaChange", RequestId=request_id)
    return _request(answer["RequestedQuota"])


def outcome_text(state: str, desired: float, value_after: float | None) -> str:
    """Return what an ended request came to, a sentence; "" while it is open.

    `CASE_CLOSED` alone says nothing: the quota, read again, does.
    """
    if state in OPEN or state in (NOT_SENT, UNCERTAIN):
        return ""
    if value_after is None:
        return f"AWS ended it as {state}; the quota could not be read again."
    if value_after >= desired:
        return f"Granted: the quota is {value_after:,.0f} now."
    if state in ("APPROVED", "CASE_CLOSED"):
        return f"The quota is {value_after:,.0f} now, not {desired:,.0f}: granted in part, later, or not at all."
    return f"AWS ended it as {state}; the quota is {value_after:,.0f}."


def _request(found: dict[str, Any]) -> Request:
    return Request(
        id=str(found.get("Id", "")),
        state=str(found.get("Status", "PENDING")),
        case_id=str(found.get("CaseId") or ""),
        value=float(found.get("DesiredValue", 0.0)),
    )
