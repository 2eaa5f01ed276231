"""How each front words each answer: status, headers and body, as AWS sends them.

Graded as our collection of facts grades them. Documented or observed by third parties: all statuses of `rest`, the
bodies of its 403, 429, 500, 502 and 504; the 429, 500 and timeout 503 of `http`; the status 429 of `function_url`;
every 502 of `alb`; the Invoke API's statuses, `Reason` and `X-Amz-Function-Error`. **Unconfirmed**, marked U below:
what `http` answers when Lambda is throttled and to an unknown route; body and headers of a function URL's 429, its 502
and its 404; the error type of a REST 504 and the body of its 413; an ALB's 404 without a rule; which `Reason` goes
with the invocation rate and with the scaling rate. The `plain` front imitates nobody.
"""

from dataclasses import dataclass
from enum import Enum, auto

from burstline.core.load.plan import Front
from burstline.core.quota.admission.admission import Decision
from burstline.core.quota.quotas import Family, Layer


class Situation(Enum):
    """What an answer tells, other than success or a throttle."""

    FUNCTION_ERROR = auto()
    FUNCTION_TIMEOUT = auto()
    INTEGRATION_TIMEOUT = auto()
    NO_KEY = auto()
    NO_ROUTE = auto()
    TOO_LARGE = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, without the parts that differ from request to request.

    Attributes:
        status: HTTP status.
        body: its body.
        content_type: of the body.
        headers: further headers, name and value.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def _error(status: int, body: str, error_type: str = "") -> Answer:
    return Answer(status, body.encode(), headers=(("x-amzn-ErrorType", error_type),) if error_type else ())


def _html(status: int, title: str) -> Answer:
    text = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), "text/html")


_INTERNAL = "InternalServerErrorException"
_REST_500 = _error(500, '{"message": "Internal server error"}', _INTERNAL)
_REST_502 = _error(502, '{"message": "Internal server error"}', _INTERNAL)
_HTTP_500 = _error(500, '{"message":"Internal Server Error"}')
_HTTP_503 = _error(503, '{"message":"Service Unavailable"}')
_URL_502 = Answer(502, b"Internal Server Error", "text/plain")  # U
_ALB_502 = _html(502, "Bad Gateway")

_SITUATIONS: dict[Front, dict[Situation, Answer]] = {
    Front.REST: {
        Situation.FUNCTION_ERROR: _REST_502,
        Situation.FUNCTION_TIMEOUT: _REST_502,
        Situation.INTEGRATION_TIMEOUT: _error(504, '{"message":"Endpoint request timed out"}', _INTERNAL),  # U
        Situation.NO_KEY: _error(403, '{"message":"Forbidden"}', "ForbiddenException"),
        Situation.NO_ROUTE: _error(
            403, '{"message":"Missing Authentication Token"}', "MissingAuthenticationTokenException"
        ),
        Situation.TOO_LARGE: _error(413, '{"message":"Request Too Long"}', "RequestTooLargeException"),  # U
    },
    Front.HTTP: {
        Situation.FUNCTION_ERROR: _HTTP_500,
        Situation.FUNCTION_TIMEOUT: _HTTP_500,
        Situation.INTEGRATION_TIMEOUT: _HTTP_503,
        Situation.NO_KEY: _error(403, '{"message":"Forbidden"}'),  # U: HTTP APIs have no API keys
        Situation.NO_ROUTE: _error(404, '{"message":"Not Found"}'),  # U
        Situation.TOO_LARGE: _error(413, '{"message":"Request Entity Too Large"}'),  # U
    },
    Front.FUNCTION_URL: {
        Situation.FUNCTION_ERROR: _URL_502,
        Situation.FUNCTION_TIMEOUT: _URL_502,
        Situation.INTEGRATION_TIMEOUT: _URL_502,
        Situation.NO_KEY: _error(403, '{"Message":"Forbidden"}', "AccessDeniedException"),  # U
        Situation.NO_ROUTE: _error(404, '{"Message":null}'),  # U: a function URL serves every path
        Situation.TOO_LARGE: _error(413, '{"Message":"Request too large"}', "RequestTooLargeException"),  # U
    },
    Front.ALB: {
        Situation.FUNCTION_ERROR: _ALB_502,
        Situation.FUNCTION_TIMEOUT: _ALB_502,
        Situation.INTEGRATION_TIMEOUT: _html(504, "Gateway Time-out"),
        Situation.NO_KEY: _html(403, "Forbidden"),
        Situation.NO_ROUTE: _html(404, "Not Found"),  # U
        Situation.TOO_LARGE: _html(413, "Request Entity Too Large"),
    },
    Front.LAMBDA: {
        # A failed invocation is a success of the Invoke API: look at the header, never at the status alone.
        Situation.FUNCTION_ERROR: Answer(
            200,
            b'{"errorMessage":"injected failure","errorType":"Error"}',
            headers=(("X-Amz-Function-Error", "Unhandled"), ("X-Amz-Executed-Version", "$LATEST")),
        ),
        Situation.FUNCTION_TIMEOUT: Answer(
            200,
            b'{"errorMessage":"Task timed out","errorType":"Sandbox.Timedout"}',
            headers=(("X-Amz-Function-Error", "Unhandled"), ("X-Amz-Executed-Version", "$LATEST")),
        ),
        Situation.INTEGRATION_TIMEOUT: _error(500, '{"Type":"Service","Message":"timeout"}', "ServiceException"),  # U
        Situation.NO_KEY: _error(403, '{"Message":"Forbidden"}', "AccessDeniedException"),  # U
        Situation.NO_ROUTE: _error(
            404, '{"Type":"User","Message":"Function not found"}', "ResourceNotFoundException"
        ),
        Situation.TOO_LARGE: _error(413, '{"Type":"User","message":"too large"}', "RequestTooLargeException"),
    },
    Front.PLAIN: {
        Situation.FUNCTION_ERROR: Answer(500, b"failed\n", "text/plain"),
        Situation.FUNCTION_TIMEOUT: Answer(500, b"timed out\n", "text/plain"),
        Situation.INTEGRATION_TIMEOUT: Answer(504, b"timed out\n", "text/plain"),
        Situation.NO_KEY: Answer(403, b"forbidden\n", "text/plain"),
        Situation.NO_ROUTE: Answer(404, b"not found\n", "text/plain"),
        Situation.TOO_LARGE: Answer(413, b"too large\n", "text/plain"),
    },
}  # fmt: skip

_BUCKET_429 = {
    Front.REST: _error(429, '{"message":"Too Many Requests"}', "TooManyRequestsException"),
    Front.HTTP: _error(429, '{"message":"Too Many Requests"}'),
    Front.PLAIN: Answer(429, b"too many requests\n", "text/plain"),
}
_QUOTA_429 = {
    Front.REST: _error(429, '{"message":"Limit Exceeded"}', "LimitExceededException"),
    Front.HTTP: _error(429, '{"message":"Limit Exceeded"}'),  # U: HTTP APIs have no usage plans
    Front.PLAIN: Answer(429, b"limit exceeded\n", "text/plain"),
}
_LAMBDA_THROTTLED = {
    Front.REST: _REST_500,
    Front.HTTP: _HTTP_503,  # U
    Front.ALB: _ALB_502,
    Front.PLAIN: Answer(503, b"unavailable\n", "text/plain"),
}


def situation_answer(front: Front, situation: Situation) -> Answer:
    """Return what `front` answers in `situation`."""
    return _SITUATIONS[front][situation]


def throttle_reason(layer: Layer, reserved: bool) -> str:
    """Return the Invoke API's `Reason` for a Lambda throttle.

    Source of the names: botocore 1.43.11, `ThrottleReason`. That the scaling rate says
    `ConcurrentInvocationLimitExceeded`, and the 10x rule `...RateLimitExceeded`, is unconfirmed.

    Args:
        layer: which refused.
        reserved: the function has reserved concurrency.
    """
    if layer is Layer.INVOCATION_RATE:
        return f"{'ReservedFunction' if reserved else 'Function'}InvocationRateLimitExceeded"
    if layer is Layer.RESERVED_CONCURRENCY:
        return "ReservedFunctionConcurrentInvocationLimitExceeded"
    return "ConcurrentInvocationLimitExceeded"


def throttle_answer(front: Front, decision: Decision, reserved: bool) -> Answer:
    """Return what `front` answers to a refused call.

    Args:
        front: the entry point.
        decision: the refusal; its layer is set.
        reserved: the function has reserved concurrency.
    """
    layer = decision.layer
    if layer is None:
        raise ValueError("an admitted call is no throttle")
    if decision.family is Family.PLAN_QUOTA:
        return _QUOTA_429[front]
    if decision.family is Family.BUCKET:
        return _BUCKET_429[front]
    if front in _LAMBDA_THROTTLED:
        return _LAMBDA_THROTTLED[front]
    reason = throttle_reason(layer, reserved)
    body = f'{{"Reason":"{reason}","Type":"User","message":"Rate Exceeded."}}'
    return _error(429, body, "TooManyRequestsException")  # for a function URL: U, but for the status


def success_answer(front: Front, status: int, body: str) -> Answer:
    """Return what `front` answers when the function succeeded with `status` and the JSON text `body`."""
    if front is Front.LAMBDA:
        return Answer(200, body.encode(), headers=(("X-Amz-Executed-Version", "$LATEST"),))
    return Answer(status, body.encode())
