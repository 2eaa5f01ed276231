"""Responses as AWS's documentation and public reports show them, and the signature each must get."""

from collections.abc import Iterator, Mapping

import pytest
from burstline.core.load.plan import Front
from burstline.core.load.samples import TRANSPORT_SIGNATURES, Outcome
from burstline.core.quota.answers.classify import classify, meaning, signatures
from burstline.core.quota.answers.signatures import BATCH_FAILED, BATCH_THROTTLED
from burstline.core.quota.quotas import Family, Layer
from hypothesis import given
from hypothesis import strategies as st


class Headers(Mapping[str, str]):
    """Headers that ignore case, as aiohttp's do."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values


TYPE = "x-amzn-ErrorType"
REASON = b'{"Reason":"%s","Type":"User","message":"Rate Exceeded."}'
REST, HTTP, URL, ALB, LAMBDA, SQS, PLAIN = (
    Front.REST,
    Front.HTTP,
    Front.FUNCTION_URL,
    Front.ALB,
    Front.LAMBDA,
    Front.SQS,
    Front.PLAIN,
)
CASES: list[tuple[Front, int, dict[str, str], bytes, str]] = [
    (REST, 429, {TYPE: "TooManyRequestsException"}, b'{"message":"Too Many Requests"}', "rest.429.too_many"),
    (REST, 429, {}, b'{"message":"Too Many Requests"}', "rest.429.too_many"),
    (REST, 429, {}, b'{ "MESSAGE" : "too many  requests." }', "rest.429.too_many"),
    (REST, 429, {}, b'{"message":"Too Many Requests", "padding": "cut o', "rest.429.too_many"),
    (REST, 429, {}, b"Too Many Requests", "rest.429.too_many"),
    (REST, 429, {TYPE: "LimitExceededException"}, b'{"message":"Limit Exceeded"}', "rest.429.plan_quota"),
    (REST, 429, {}, b'{"message":"Limit Exceeded"}', "rest.429.plan_quota"),
    (REST, 429, {}, b'{"error":"slow down"}', "rest.429.other"),
    (REST, 429, {}, b"", "rest.429.other"),
    (REST, 500, {TYPE: "InternalServerErrorException"}, b'{"message": "Internal server error"}', "rest.500.internal"),
    (REST, 500, {}, b'{"message": "Internal server error"}', "rest.500.internal"),
    (REST, 500, {}, b'{"error":"my own bug"}', "rest.500.other"),
    (REST, 502, {TYPE: "InternalServerErrorException"}, b'{"message": "Internal server error"}', "rest.502.internal"),
    (REST, 502, {}, b"<html>", "rest.502.other"),
    (REST, 503, {}, b"", "rest.5xx"),
    (REST, 504, {}, b'{"message":"Endpoint request timed out"}', "rest.504.timeout"),
    (REST, 504, {}, b'{"oops":1}', "rest.504.other"),
    (REST, 403, {TYPE: "ForbiddenException"}, b'{"message":"Forbidden"}', "rest.403.forbidden"),
    (
        REST,
        403,
        {TYPE: "MissingAuthenticationTokenException"},
        b'{"message":"Missing Authentication Token"}',
        "rest.403.missing_token",
    ),
    (REST, 403, {}, b"blocked by our rule", "rest.403.other"),
    (REST, 404, {}, b"", "rest.4xx"),
    (REST, 413, {}, b'{"message":"Request Too Long"}', "rest.413.too_large"),
    (HTTP, 429, {}, b'{"message":"Too Many Requests"}', "http.429.too_many"),
    (HTTP, 500, {}, b'{"message":"Internal Server Error"}', "http.500.internal"),
    (HTTP, 500, {}, b"boom", "http.500.other"),
    (HTTP, 502, {}, b"", "http.502.bad_gateway"),
    (HTTP, 503, {}, b'{"message":"Service Unavailable"}', "http.503.unavailable"),
    (HTTP, 503, {}, b"maintenance", "http.503.other"),
    (HTTP, 404, {}, b'{"message":"Not Found"}', "http.4xx"),
    (URL, 429, {}, REASON % b"ReservedFunctionConcurrentInvocationLimitExceeded", "url.429.reserved"),
    (URL, 429, {}, REASON % b"ConcurrentInvocationLimitExceeded", "url.429.account"),
    (URL, 429, {}, REASON % b"ReservedFunctionInvocationRateLimitExceeded", "url.429.reserved_rate"),
    (URL, 429, {}, REASON % b"FunctionInvocationRateLimitExceeded", "url.429.account_rate"),
    (URL, 429, {}, REASON % b"CallerRateLimitExceeded", "url.429.caller"),
    (URL, 429, {TYPE: "TooManyRequestsException"}, b'{"message":"Rate exceeded"}', "url.429.other"),
    (URL, 502, {}, b"Internal Server Error", "url.502.error"),
    (ALB, 502, {}, b"<html><h1>502 Bad Gateway</h1></html>", "alb.502"),
    (ALB, 504, {}, b"<html>", "alb.504"),
    (ALB, 403, {}, b"<html>", "alb.403.forbidden"),
    (LAMBDA, 429, {}, REASON % b"reservedfunctionconcurrentinvocationlimitexceeded", "lambda.429.reserved"),
    (LAMBDA, 429, {TYPE: "TooManyRequestsException:http://internal/"}, b"", "lambda.429.other"),
    (LAMBDA, 502, {TYPE: "ENILimitReachedException"}, b"", "lambda.502.capacity"),
    (LAMBDA, 502, {TYPE: "KMSDisabledException"}, b"", "lambda.502.other"),
    (LAMBDA, 500, {TYPE: "ServiceException"}, b"", "lambda.500.service"),
    (SQS, 400, {}, b'{"__type":"com.amazonaws.sqs#RequestThrottled"}', "sqs.400.throttled"),
    (SQS, 403, {}, b"<Error><Code>RequestThrottled</Code></Error>", "sqs.403.throttled"),
    (SQS, 403, {}, b"<Error><Code>AccessDenied</Code></Error>", "sqs.403.denied"),
    (PLAIN, 429, {}, b"", "plain.429"),
    (PLAIN, 503, {}, b"\xff\xfe", "plain.503"),
    (PLAIN, 404, {}, b"", "plain.4xx"),
    (PLAIN, 500, {}, b"", "plain.5xx"),
    (PLAIN, 204, {}, b"", "plain.unexpected"),
]


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (b'{"Successful":[{"Id":"0"}]}', "sqs.ok"),
        (b'{"Failed":[],"Successful":[{"Id":"0"}]}', "sqs.ok"),
        (b'{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"InternalError","SenderFault":false}]}', BATCH_FAILED),
        (b'{"Failed":[{"Code":"ThrottlingException","Id":"1","SenderFault":true}]}', BATCH_THROTTLED),
    ],
)
def test_a_batch_of_messages_is_ok_only_if_every_message_was_taken(body: bytes, signature: str) -> None:
    assert classify(SQS, 200, Headers({}), body, expected=True) == signature


@pytest.mark.parametrize(("front", "status", "headers", "body", "signature"), CASES, ids=lambda value: str(value)[:40])
def test_a_response_gets_its_signature(
    front: Front, status: int, headers: dict[str, str], body: bytes, signature: str
) -> None:
    assert classify(front, status, Headers(headers), body, expected=False) == signature
    assert signature in signatures(front)


@pytest.mark.parametrize("front", list(Front))
def test_a_response_that_met_its_expectation_is_ok_whatever_its_status(front: Front) -> None:
    signature = classify(front, 429, Headers({}), b'{"message":"Too Many Requests"}', expected=True)
    assert signature.endswith(".ok")
    assert meaning(signature).outcome is Outcome.OK


def test_a_function_error_is_not_ok_although_its_status_is() -> None:
    headers = Headers({"X-Amz-Function-Error": "Unhandled"})
    signature = classify(Front.LAMBDA, 200, headers, b"{}", expected=True)
    assert signature == "lambda.function_error"
    assert meaning(signature).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("signature", "outcome"),
    [
        ("rest.429.too_many", Outcome.THROTTLED),
        ("rest.429.plan_quota", Outcome.THROTTLED),
        ("rest.500.internal", Outcome.UNSETTLED),
        ("rest.502.internal", Outcome.FAILED),
        ("rest.504.timeout", Outcome.FAILED),
        ("rest.403.forbidden", Outcome.REJECTED),
        ("http.500.internal", Outcome.UNSETTLED),
        ("http.503.unavailable", Outcome.UNSETTLED),
        ("alb.502", Outcome.UNSETTLED),
        ("url.429.other", Outcome.THROTTLED),
        ("plain.503", Outcome.UNSETTLED),
        ("plain.unexpected", Outcome.FAILED),
        ("plain.4xx", Outcome.REJECTED),
        ("timed_out", Outcome.TIMED_OUT),
        ("unreachable.dns", Outcome.UNREACHABLE),
        ("unreachable.no_response", Outcome.UNREACHABLE),
    ],
)
def test_a_signature_has_its_provisional_outcome(signature: str, outcome: Outcome) -> None:
    assert meaning(signature).outcome is outcome
    assert meaning(signature).rejects is (outcome in (Outcome.THROTTLED, Outcome.UNSETTLED))


def test_only_a_reason_narrows_a_throttle_to_one_layer() -> None:
    assert meaning("url.429.reserved").layers == (Layer.RESERVED_CONCURRENCY,)
    assert meaning("url.429.reserved_rate").families == (Family.INVOCATION_RATE,)
    assert set(meaning("rest.429.too_many").layers) == {Layer.USAGE_PLAN, Layer.STAGE, Layer.ACCOUNT_GATEWAY}
    assert len(meaning("plain.429").families) > 3


def test_an_unknown_signature_is_refused() -> None:
    with pytest.raises(ValueError, match="no signature"):
        meaning("rest.999")


@pytest.mark.parametrize("front", list(Front))
def test_every_signature_has_a_meaning_and_throttles_have_families_and_layers(front: Front) -> None:
    known = signatures(front)
    assert len(set(known)) == len(known)
    assert set(TRANSPORT_SIGNATURES) <= set(known)
    for name in known:
        found = meaning(name)
        assert bool(found.families) == bool(found.layers)
        assert not found.rejects or found.families


@given(
    front=st.sampled_from(list(Front)),
    status=st.integers(100, 599),
    type_=st.text(max_size=40),
    body=st.binary(max_size=5000),
    expected=st.booleans(),
)
def test_the_set_is_closed_whatever_a_response_holds(
    front: Front, status: int, type_: str, body: bytes, expected: bool
) -> None:
    assert classify(front, status, Headers({TYPE: type_}), body, expected) in signatures(front)
