"""Service Quotas: what is applied, AWS's defaults, and requests for more that are decided after a while."""

from dataclasses import dataclass, replace
from uuid import uuid4

from burstline.core.quota.quotas import DEFAULT_CONCURRENCY, Account, default_account
from burstline.emulator.aws.backend import Answer, ApiError, Backend, Handler, with_token

MOST_OPEN = 20
"""Open requests per account. Source: Service Quotas User Guide, "Service Quotas quotas"; read 2026-11-23."""

OPEN = ("PENDING", "CASE_OPENED")
GRANTED = ("APPROVED", "CASE_CLOSED")

NAMES = {"lambda": "AWS Lambda", "apigateway": "Amazon API Gateway"}


@dataclass(frozen=True, slots=True)
class QuotaItem:
    """A quota that is known here.

    Attributes:
        service: its code.
        code: its quota code.
        name: AWS's name.
        path: what of `Account.declared` says that a value is applied.
        adjustable: it may be asked for.
        default: AWS's default.
        applied: the account's value.
    """

    service: str
    code: str
    name: str
    path: str
    adjustable: bool
    default: float
    applied: float


def items(account: Account) -> list[QuotaItem]:
    """Return all quotas of an account, by service and code."""
    gateway, own = default_account(account.region).gateway, account.gateway
    rate = QuotaItem(
        "apigateway", "L-8A5B8E43", "Throttle rate", "apigateway.rate", True, gateway.rate_per_s, own.rate_per_s
    )
    burst = QuotaItem(
        "apigateway", "L-CDF5615A", "Throttle burst rate", "apigateway.burst", False, gateway.burst, own.burst
    )
    timeout = QuotaItem("apigateway", "L-E5AE38E3", "Maximum integration timeout in milliseconds", "", True, 29e3, 29e3)
    concurrency = QuotaItem(
        "lambda", "L-B99A9384", "Concurrent executions", "lambda.concurrency", True,
        DEFAULT_CONCURRENCY, account.concurrency,
    )  # fmt: skip
    return [rate, burst, timeout, concurrency]


@dataclass(slots=True)
class Request:
    """One request for more: when it was made, what was asked, and what it is decided to be."""

    id: str
    quota: QuotaItem
    value: float
    made_s: float
    granted: bool = False


class QuotaDesk:
    """Keeps requests, and what they changed. A granted one changes what is read, and the account from a reset on."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.granted: dict[str, float] = {}

    def status(self, backend: Backend, request: Request) -> str:
        """Return where a request stands now; a grant takes effect when it is first seen."""
        settings = backend.settings
        if backend.recorder.now_s() - request.made_s < settings.decide_after_s:
            return "PENDING"
        if settings.decision in GRANTED and not request.granted:
            request.granted = True
            limit = request.value if settings.grant_limit is None else min(request.value, settings.grant_limit)
            self.granted[request.quota.code] = limit
            if request.quota.code == "L-B99A9384":
                backend.account = replace(backend.account, concurrency=int(limit))
            elif request.quota.code == "L-8A5B8E43":
                gateway = replace(backend.account.gateway, rate_per_s=limit)
                backend.account = replace(backend.account, gateway=gateway)
        return settings.decision

    def value(self, quota: QuotaItem) -> float:
        """Return what is applied now."""
        return self.granted.get(quota.code, quota.applied)

    def find(self, backend: Backend, given: Answer) -> QuotaItem:
        """Return the quota a call is about.

        Raises:
            ApiError: there is none.
        """
        for quota in items(backend.account):
            if (quota.service, quota.code) == (given.get("ServiceCode"), given.get("QuotaCode")):
                return quota
        raise ApiError(400, "NoSuchResourceException", "The requested quota does not exist.")

    def settle(self, backend: Backend) -> None:
        """Let decisions that are due take effect."""
        for request in self.requests:
            self.status(backend, request)

    def get_service_quota(self, backend: Backend, given: Answer) -> Answer:
        """Answer with the applied value; one that was never applied does not exist, as for some of AWS's."""
        self.settle(backend)
        quota = self.find(backend, given)
        if quota.path not in backend.account.declared and quota.code not in self.granted:
            raise ApiError(400, "NoSuchResourceException", "There is no applied value for this quota.")
        return {"Quota": self._quota(backend, quota, self.value(quota))}

    def get_default(self, backend: Backend, given: Answer) -> Answer:
        """Answer with AWS's default."""
        quota = self.find(backend, given)
        return {"Quota": self._quota(backend, quota, quota.default)}

    def list_service_quotas(self, backend: Backend, given: Answer) -> Answer:
        """Answer with a page of a service's quotas."""
        self.settle(backend)
        found = [q for q in items(backend.account) if q.service == given.get("ServiceCode")]
        page, token = backend.page(found, given.get("NextToken"), given.get("MaxResults"))
        return with_token({"Quotas": [self._quota(backend, q, self.value(q)) for q in page]}, "NextToken", token)

    def request_increase(self, backend: Backend, given: Answer) -> Answer:
        """Take a request in, or refuse it as AWS does."""
        self.settle(backend)
        quota, value = self.find(backend, given), float(given["DesiredValue"])
        if not quota.adjustable:
            raise ApiError(400, "IllegalArgumentException", "The quota is not adjustable.")
        if value <= self.value(quota):
            raise ApiError(400, "IllegalArgumentException", "The desired value must be above the current one.")
        open_requests = [r for r in self.requests if self.status(backend, r) in OPEN]
        if any(r.quota.code == quota.code for r in open_requests):
            raise ApiError(
                400, "ResourceAlreadyExistsException", "Only one open service quota increase request is allowed."
            )
        if len(open_requests) >= MOST_OPEN:
            raise ApiError(400, "QuotaExceededException", "You have exceeded your service quota of open requests.")
        request = Request(uuid4().hex, quota, value, backend.recorder.now_s())
        self.requests.append(request)
        # AWS answers PENDING, also when it approves a moment later.
        return {"RequestedQuota": self._request(backend, request) | {"Status": "PENDING"}}

    def get_request(self, backend: Backend, given: Answer) -> Answer:
        """Answer with one request."""
        for request in self.requests:
            if request.id == given.get("RequestId"):
                return {"RequestedQuota": self._request(backend, request)}
        raise ApiError(400, "NoSuchResourceException", "The request does not exist.")

    def list_requests(self, backend: Backend, given: Answer) -> Answer:
        """Answer with a page of requests, newest first, of one quota or of all."""
        found = [
            self._request(backend, r)
            for r in reversed(self.requests)
            if given.get("ServiceCode", r.quota.service) == r.quota.service
            and given.get("QuotaCode", r.quota.code) == r.quota.code
        ]
        found = [r for r in found if given.get("Status", r["Status"]) == r["Status"]]
        page, token = backend.page(found, given.get("NextToken"), given.get("MaxResults"))
        return with_token({"RequestedQuotas": page}, "NextToken", token)

    def _quota(self, backend: Backend, quota: QuotaItem, value: float) -> Answer:
        found: Answer = {
            "ServiceCode": quota.service,
            "ServiceName": NAMES[quota.service],
            "QuotaArn": backend.arn("servicequotas", f"{quota.service}/{quota.code}"),
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": float(value),
            "Unit": "None",
            "Adjustable": quota.adjustable,
            "GlobalQuota": False,
            "QuotaAppliedAtLevel": "ACCOUNT",
        }
        if quota.code == "L-B99A9384":
            found["UsageMetric"] = {
                "MetricNamespace": "AWS/Lambda", "MetricName": "ConcurrentExecutions", "MetricDimensions": {},
                "MetricStatisticRecommendation": "Maximum",
            }  # fmt: skip
        return found

    def _request(self, backend: Backend, request: Request) -> Answer:
        status, quota = self.status(backend, request), request.quota
        return {
            "Id": request.id,
            "ServiceCode": quota.service,
            "ServiceName": NAMES[quota.service],
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "DesiredValue": request.value,
            "Status": status,
            "Created": request.made_s,
            "LastUpdated": request.made_s + (0.0 if status in OPEN else backend.settings.decide_after_s),
            "Requester": '{"accountId":"' + backend.settings.account_id + '"}',
            "QuotaArn": backend.arn("servicequotas", f"{quota.service}/{quota.code}"),
            "GlobalQuota": False,
            "Unit": "None",
            "QuotaRequestedAtLevel": "ACCOUNT",
        } | ({"CaseId": "1000000001"} if status == "CASE_CLOSED" else {})


def handlers() -> dict[str, Handler]:
    """Return the operations of one desk with no requests yet."""
    desk = QuotaDesk()
    return {
        "GetServiceQuota": desk.get_service_quota,
        "GetAWSDefaultServiceQuota": desk.get_default,
        "ListServiceQuotas": desk.list_service_quotas,
        "RequestServiceQuotaIncrease": desk.request_increase,
        "GetRequestedServiceQuotaChange": desk.get_request,
        "ListRequestedServiceQuotaChangeHistory": desk.list_requests,
        "ListRequestedServiceQuotaChangeHistoryByQuota": desk.list_requests,
    }
