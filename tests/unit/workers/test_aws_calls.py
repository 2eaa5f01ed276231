"""The Invoke API and SendMessageBatch as a plan drives them: what is on the wire."""

import json
from typing import Any

import pytest
from burstline.core.load.plan import Constant, Front, Phase, Plan, Request, Target
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.aws_calls import as_sent, base_url
from burstline.workers.requests.building import Builder

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def plan(target: Target, request: Request) -> Plan:
    return Plan("p", target, (request,), (Phase("a", 1.0, Constant(1.0)),))


def sent(target: Target, request: Request, number: int = 7, row: dict[str, Any] | None = None) -> tuple[str, Any]:
    """Return the head and the parsed body of what goes out."""
    queue_url = target.url if target.front is Front.SQS else ""
    made = Builder(
        as_sent(request, plan(target, request)), base_url(target.url, target.front), [], {}, "run-1",
        queue_url=queue_url,
    )  # fmt: skip
    head, _, body = made.build(number, row or {}).partition(b"\r\n\r\n")
    return head.decode(), json.loads(body)


def test_an_invocation_goes_to_the_function_and_qualifier() -> None:
    target = Target("https://lambda.eu-west-1.amazonaws.com", Front.LAMBDA, "checkout", qualifier="live")
    head, body = sent(target, Request("a", method="POST", path="", json='{"sku": 1}'))
    assert head.startswith("POST /2015-03-31/functions/checkout/invocations?Qualifier=live HTTP/1.1\r\n")
    assert body == {"sku": 1}


def test_each_request_may_invoke_a_function_of_its_own_by_name_or_arn() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:search"
    target = Target("https://l", Front.LAMBDA, "checkout", function_of=(("b", arn),))
    head, _ = sent(target, Request("b", method="POST", path="", json="{}"))
    assert "/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Asearch/invocations " in head


def test_a_path_that_is_stated_stays() -> None:
    target = Target("https://l", Front.LAMBDA, "checkout")
    head, _ = sent(target, Request("a", method="POST", path="/2015-03-31/functions/f/invocations", json="{}"))
    assert head.startswith("POST /2015-03-31/functions/f/invocations HTTP")


def test_messages_are_sent_in_one_batch_to_the_queue_of_the_url() -> None:
    head, body = sent(Target(QUEUE, Front.SQS), Request("a", method="POST", path="", body="hello", message_count=3))
    assert head.startswith("POST / HTTP/1.1\r\nHost: sqs.eu-west-1.amazonaws.com\r\n")
    assert "X-Amz-Target: AmazonSQS.SendMessageBatch" in head
    assert "Content-Type: application/x-amz-json-1.0" in head
    assert body == {"QueueUrl": QUEUE, "Entries": [{"Id": str(n), "MessageBody": "hello"} for n in range(3)]}


def test_values_inside_a_json_message_stay_json_inside_json() -> None:
    """A quote in a data row is escaped twice: once in the message, once in the call that carries it."""
    request = Request("a", method="POST", path="", json='{"sku": "{{ sku }}", "id": "{{ n }}"}', message_count=2)
    _, body = sent(Target(QUEUE, Front.SQS), request, row={"sku": 'a "b" \\ é'})
    messages = [json.loads(entry["MessageBody"]) for entry in body["Entries"]]
    assert messages == [{"sku": 'a "b" \\ é', "id": "7"}] * 2


def test_a_first_in_first_out_queue_gets_groups_and_ids() -> None:
    _, body = sent(Target(f"{QUEUE}.fifo", Front.SQS), Request("a", method="POST", path="", body="x", message_count=2))
    assert [entry["MessageGroupId"] for entry in body["Entries"]] == ["7", "7"]
    assert [entry["MessageDeduplicationId"] for entry in body["Entries"]] == ["run-1-7-0", "run-1-7-1"]


def test_a_message_needs_a_body() -> None:
    with pytest.raises(CannotPrepare, match="needs a body or json"):
        sent(Target(QUEUE, Front.SQS), Request("a", method="POST", path=""))
