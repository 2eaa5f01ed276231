"""What the practice AWS plays beyond answers: queues that are worked off, and a user pool's tokens."""

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.request import Request, urlopen

import pytest
from burstline.core.quota.quotas import Account, Function, Queue, ServiceTime
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.server.aws.errors import Refused

StartPractice = Callable[..., AbstractAsyncContextManager[Any]]
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def account(queue: Queue, **function: Any) -> Account:
    worker = Function("worker", duration=ServiceTime(0.05, 0.05), **function)
    return Account(region="eu-west-1", functions={"worker": worker}, queues={"orders": queue})


async def send(it: Any, count: int) -> dict[str, Any]:
    entries = [{"Id": str(n), "MessageBody": "hello"} for n in range(count)]
    answer: dict[str, Any] = await it.aws.call("sqs", "SendMessageBatch", QueueUrl=URL, Entries=entries)
    return answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the emulator's queue has no event to wait for
            await asyncio.sleep(0.02)


async def test_messages_are_worked_off_in_batches_through_the_functions_quotas(practice: StartPractice) -> None:
    queue = Queue("orders", "worker", batch=5)
    async with practice(AwsSideSettings(lag_s=0), account(queue)) as it:
        assert len((await send(it, 10))["Successful"]) == 10
        one = it.emulator.queues.by_name["orders"]
        await until(lambda: one.counts.deleted == 10)
        assert it.emulator.desk.admission.use().admitted_count == 2
        assert (one.visible_count, one.hidden_count) == (0, 0)


async def test_the_event_source_begins_with_five_invocations_at_a_time(practice: StartPractice) -> None:
    queue = Queue("orders", "worker", batch=1)
    async with practice(AwsSideSettings(lag_s=0), account(queue)) as it:
        await send(it, 10)
        use = it.emulator.desk.admission.use().functions["worker"]
        assert use.peak_concurrency == 5
        one = it.emulator.queues.by_name["orders"]
        assert one.visible_count == 5
        await until(lambda: one.counts.deleted == 10)


async def test_what_always_fails_ends_in_the_dead_letter_queue_after_its_receives(practice: StartPractice) -> None:
    queue = Queue(
        "orders", "worker", batch=10, visibility_timeout_s=0.1, max_receives=2, dead_letter_queue="dead"
    )  # fmt: skip
    async with practice(AwsSideSettings(lag_s=0), account(queue, error_ratio=1.0)) as it:
        await send(it, 3)
        await until(lambda: it.emulator.queues.dead("dead") == 3)
        assert it.emulator.queues.by_name["orders"].counts.received == 6
        answer = await it.aws.call(
            "sqs", "GetQueueAttributes", QueueUrl=URL.replace("orders", "dead"), AttributeNames=["All"]
        )
        assert answer["Attributes"]["ApproximateNumberOfMessages"] == "3"


async def test_throttled_batches_are_tried_again_until_their_visibility_timeout_ends(practice: StartPractice) -> None:
    queue = Queue("orders", "worker", visibility_timeout_s=1.0, max_receives=1, dead_letter_queue="dead")
    async with practice(AwsSideSettings(lag_s=0), account(queue, reserved=0)) as it:
        await send(it, 1)
        await until(lambda: it.emulator.queues.dead("dead") == 1)
        assert it.emulator.desk.admission.use().admitted_count == 0
        assert sum(second.throttles for second in it.side.backend.recorder.functions.values()) == 2


async def test_an_empty_message_fails_alone(practice: StartPractice) -> None:
    async with practice(account=account(Queue("orders", "worker"))) as it:
        entries = [{"Id": "a", "MessageBody": ""}, {"Id": "b", "MessageBody": "x"}]
        answer = await it.aws.call("sqs", "SendMessageBatch", QueueUrl=URL, Entries=entries)
    assert [one["Id"] for one in answer["Successful"]] == ["b"]
    assert [one["Id"] for one in answer["Failed"]] == ["a"]


async def test_a_user_and_a_client_get_tokens_and_strangers_do_not(practice: StartPractice) -> None:
    side = AwsSideSettings(users={"load": "pw"}, clients={"c1": "s3cret"}, token_life_s=60)
    async with practice(side) as it:
        digest = base64.b64encode(hmac.digest(b"s3cret", b"loadc1", "sha256")).decode()
        given = {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "c1"}
        parameters = {"USERNAME": "load", "PASSWORD": "pw", "SECRET_HASH": digest}
        found = await it.aws.call("cognito-idp", "InitiateAuth", **given, AuthParameters=parameters)
        assert found["AuthenticationResult"]["IdToken"] in it.side.backend.tokens
        assert found["AuthenticationResult"]["ExpiresIn"] == 60
        with pytest.raises(Refused, match="NotAuthorizedException"):
            await it.aws.call(
                "cognito-idp", "InitiateAuth", **given, AuthParameters={**parameters, "PASSWORD": "wrong"}
            )
        token = await asyncio.to_thread(_client_token, it.side.url, "c1:s3cret")
        assert token["access_token"] in it.side.backend.tokens


def _client_token(url: str, pair: str) -> dict[str, Any]:
    request = Request(f"{url}/oauth2/token", b"grant_type=client_credentials")
    request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    with urlopen(request, timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
