"""Every front answers every situation as AWS does: status, body and headers."""

import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.admission.admission import Decision
from burstline.core.quota.quotas import Family, Layer
from burstline.emulator.answers import Situation, situation_answer, success_answer, throttle_answer
from burstline.emulator.encoding import Encoder

SERVED = [front for front in Front if front is not Front.SQS]
BUCKET = Decision(Layer.STAGE, Family.BUCKET)
QUOTA = Decision(Layer.USAGE_PLAN, Family.PLAN_QUOTA)
ACCOUNT = Decision(Layer.ACCOUNT_CONCURRENCY, Family.CONCURRENCY)
RESERVED = Decision(Layer.RESERVED_CONCURRENCY, Family.CONCURRENCY)
SCALING = Decision(Layer.SCALING_RATE, Family.SCALING_RATE)
INVOCATIONS = Decision(Layer.INVOCATION_RATE, Family.INVOCATION_RATE)


@pytest.mark.parametrize(
    ("front", "decision", "status", "body", "error_type"),
    [
        (Front.REST, BUCKET, 429, b'{"message":"Too Many Requests"}', "TooManyRequestsException"),
        (Front.REST, QUOTA, 429, b'{"message":"Limit Exceeded"}', "LimitExceededException"),
        (Front.REST, ACCOUNT, 500, b'{"message": "Internal server error"}', "InternalServerErrorException"),
        (Front.REST, INVOCATIONS, 500, b'{"message": "Internal server error"}', "InternalServerErrorException"),
        (Front.HTTP, BUCKET, 429, b'{"message":"Too Many Requests"}', None),
        (Front.HTTP, RESERVED, 503, b'{"message":"Service Unavailable"}', None),
        (Front.PLAIN, BUCKET, 429, b"too many requests\n", None),
        (Front.PLAIN, SCALING, 503, b"unavailable\n", None),
    ],
)
def test_a_throttle_reads_as_its_front_words_it(
    front: Front, decision: Decision, status: int, body: bytes, error_type: str | None
) -> None:
    answer = throttle_answer(front, decision, reserved=False)
    assert (answer.status, answer.body) == (status, body)
    assert dict(answer.headers).get("x-amzn-ErrorType") == error_type
    assert "retry-after" not in {name.lower() for name, _ in answer.headers}


def test_an_alb_hides_every_lambda_throttle_behind_its_502_page() -> None:
    answers = {throttle_answer(Front.ALB, d, reserved=False) for d in (ACCOUNT, RESERVED, SCALING, INVOCATIONS)}
    (answer,) = answers
    assert (answer.status, answer.content_type) == (502, "text/html")
    assert b"<h1>502 Bad Gateway</h1>" in answer.body


@pytest.mark.parametrize("front", [Front.LAMBDA, Front.FUNCTION_URL])
@pytest.mark.parametrize(
    ("decision", "reserved", "reason"),
    [
        (ACCOUNT, False, "ConcurrentInvocationLimitExceeded"),
        (SCALING, False, "ConcurrentInvocationLimitExceeded"),
        (SCALING, True, "ConcurrentInvocationLimitExceeded"),
        (RESERVED, True, "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (INVOCATIONS, False, "FunctionInvocationRateLimitExceeded"),
        (INVOCATIONS, True, "ReservedFunctionInvocationRateLimitExceeded"),
    ],
)
def test_lambda_itself_says_429_and_why(front: Front, decision: Decision, reserved: bool, reason: str) -> None:
    answer = throttle_answer(front, decision, reserved)
    assert answer.status == 429
    assert answer.body == f'{{"Reason":"{reason}","Type":"User","message":"Rate Exceeded."}}'.encode()
    assert dict(answer.headers) == {"x-amzn-ErrorType": "TooManyRequestsException"}


def test_an_admitted_call_has_no_throttle_answer() -> None:
    with pytest.raises(ValueError, match="admitted"):
        throttle_answer(Front.REST, Decision(), reserved=False)


@pytest.mark.parametrize(
    ("situation", "statuses"),
    [
        (Situation.FUNCTION_ERROR, (502, 500, 502, 502, 200, 500)),
        (Situation.FUNCTION_TIMEOUT, (502, 500, 502, 502, 200, 500)),
        (Situation.INTEGRATION_TIMEOUT, (504, 503, 502, 504, 500, 504)),
        (Situation.NO_KEY, (403, 403, 403, 403, 403, 403)),
        (Situation.NO_ROUTE, (403, 404, 404, 404, 404, 404)),
        (Situation.TOO_LARGE, (413,) * 6),
    ],
)
def test_each_situation_has_its_status_on_every_front(situation: Situation, statuses: tuple[int, ...]) -> None:
    fronts = (Front.REST, Front.HTTP, Front.FUNCTION_URL, Front.ALB, Front.LAMBDA, Front.PLAIN)
    assert set(fronts) == set(SERVED)
    assert tuple(situation_answer(front, situation).status for front in fronts) == statuses


def test_a_failed_invocation_is_told_by_a_header_not_by_the_status() -> None:
    for situation in (Situation.FUNCTION_ERROR, Situation.FUNCTION_TIMEOUT):
        assert dict(situation_answer(Front.LAMBDA, situation).headers)["X-Amz-Function-Error"] == "Unhandled"
    assert "X-Amz-Function-Error" not in dict(success_answer(Front.LAMBDA, 201, "{}").headers)


def test_the_invoke_api_says_200_whatever_the_function_says() -> None:
    assert success_answer(Front.LAMBDA, 201, "{}").status == 200
    assert success_answer(Front.REST, 201, "{}").status == 201


def fields(response: bytes) -> dict[str, str]:
    head = response.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}


@pytest.mark.parametrize(
    ("front", "present", "absent"),
    [
        (Front.REST, {"x-amzn-requestid", "x-amz-apigw-id"}, {"apigw-requestid"}),
        (Front.HTTP, {"apigw-requestid"}, {"x-amzn-requestid", "x-amz-apigw-id"}),
        (Front.FUNCTION_URL, {"x-amzn-requestid"}, {"apigw-requestid"}),
        (Front.LAMBDA, {"x-amzn-requestid"}, {"apigw-requestid"}),
        (Front.ALB, {"server"}, {"x-amzn-requestid", "apigw-requestid"}),
        (Front.PLAIN, set(), {"server", "x-amzn-requestid", "apigw-requestid"}),
    ],
)
def test_each_front_is_recognised_by_its_headers(front: Front, present: set[str], absent: set[str]) -> None:
    encoder = Encoder(front, 1)
    answer = success_answer(front, 200, "{}")
    one, two = (fields(encoder.encode(answer, 0.0, keep_alive=True, head=False)) for _ in range(2))
    assert present <= one.keys()
    assert not absent & one.keys()
    for name in present - {"server"}:
        assert one[name] != two[name], "request ids differ"


def test_a_head_request_gets_the_length_without_the_body() -> None:
    response = Encoder(Front.PLAIN, 1).encode(success_answer(Front.PLAIN, 200, "12345"), 0, keep_alive=True, head=True)
    assert fields(response)["content-length"] == "5"
    assert response.endswith(b"\r\n\r\n")


def test_a_closing_answer_says_so() -> None:
    encoder, answer = Encoder(Front.PLAIN, 1), success_answer(Front.PLAIN, 200, "{}")
    assert fields(encoder.encode(answer, 0, keep_alive=False, head=False))["connection"] == "close"
    assert "connection" not in fields(encoder.encode(answer, 0, keep_alive=True, head=False))


def test_a_204_has_neither_body_nor_length() -> None:
    answer = success_answer(Front.PLAIN, 204, "")
    assert "content-length" not in fields(Encoder(Front.PLAIN, 1).encode(answer, 0, keep_alive=True, head=False))
