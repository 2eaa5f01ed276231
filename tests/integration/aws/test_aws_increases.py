"""`QuotaService` over a real channel, with the emulator's AWS side behind it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from burstline.emulator.aws.running import RunningAwsSide
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.server.app import running
from burstline.server.aws.settings import AwsSettings
from burstline.server.settings import Role, ServerSettings, Token
from burstline.server.store.rows import RunRow, RunState
from burstline.server.store.store import Store
from burstline.v1 import quota_service_pb2 as wire
from burstline.v1 import resources_pb2 as v1
from burstline.v1.quota_service_pb2_grpc import QuotaServiceStub
from google.rpc import error_details_pb2
from grpc_status import rpc_status

StartPractice = Callable[..., AbstractAsyncContextManager[Any]]
CONCURRENCY = "lambda:L-B99A9384"
State = wire.IncreaseRequest.State
REPORT = {
    "schema": "burstline.report/v1",
    "run": {"id": "r1", "name": "launch", "started_at": "2026-11-23T10:00:00+00:00", "duration_s": 60.0},
    "ledger": {"sent": 60_000, "outcomes": {"ok": 57_000, "throttled": 3_000}},
    "latency": [{"request": "quote", "outcome": "ok", "basis": "sent", "p50_s": 0.2, "p95_s": 0.4, "p99_s": None}],
    "bindings": [{"layer": "account_concurrency"}],
    "findings": [{"quota": CONCURRENCY, "limit": 900, "peak_use": 900, "use_source": "cloudwatch"}],
    "advice": [
        {
            "quota": CONCURRENCY,
            "adjustable": True,
            "recommended": 1500,
            "derivation": "1,000/s x 0.4 s, + 20 %.",
        },
        {"quota": "apigateway:L-CDF5615A", "adjustable": False, "recommended": 6000, "derivation": ""},
        {"quota": "apigateway:L-8A5B8E43", "adjustable": True, "recommended": None, "alternatives": ["A cache."]},
    ],
    "plan": {"name": "launch", "target": {"front": "rest", "function": "checkout"}, "goal": {"rate_per_s": 3000}},
}


@dataclass(frozen=True, slots=True)
class Desk:
    """A server with one run's report, and the AWS it asks."""

    stub: Any
    side: RunningAwsSide
    store: str


@asynccontextmanager
async def desk(
    practice: StartPractice, folder: Path, side: AwsSideSettings | None = None, tokens: tuple[Token, ...] = ()
) -> AsyncIterator[Desk]:
    url = f"sqlite:///{folder}/store.db"
    await _keep_report(url)
    async with practice(side) as it:
        aws = AwsSettings(region="eu-west-1", endpoint_url=it.side.url)
        settings = ServerSettings(listen="127.0.0.1:0", http="", store=url, aws=aws, tokens=tokens)
        async with running(settings) as server, grpc.aio.insecure_channel(server.grpc_address) as channel:
            yield Desk(QuotaServiceStub(channel), it.side, url)


def plan() -> v1.Plan:
    message = v1.Plan(name="launch", target=v1.Target(url="http://127.0.0.1:9/prod", function="checkout"))
    message.requests.add(name="quote")
    phase = message.load.add(name="p")
    phase.duration.FromSeconds(1)
    phase.constant.request_count_per_second = 1
    return message


async def _keep_report(url: str) -> None:
    store = Store(url)
    row = RunRow(
        id="r1", server="s", name="launch", create_nanos=1, plan=plan().SerializeToString(), state=RunState.SUCCEEDED
    )
    await store.insert_run(row)
    await store.end_run("r1", json.dumps(REPORT).encode(), verdict="quota_bound")
    store.close()


def ask(quota: str = CONCURRENCY, **more: Any) -> wire.RequestIncreaseRequest:
    return wire.RequestIncreaseRequest(run="runs/r1", quota=quota, **more)


def reason(error: grpc.aio.AioRpcError) -> str:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it only asks for metadata, code and details
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.reason


async def test_an_increase_is_shown_sent_once_and_followed_to_its_end(practice: StartPractice, tmp_path: Path) -> None:
    side = AwsSideSettings(decide_after_s=0.0, decision="APPROVED")
    async with desk(practice, tmp_path, side) as it:
        shown = await it.stub.RequestIncrease(ask(validate_only=True))
        assert shown.sendable
        assert (shown.current_value, shown.desired_value, shown.name) == (900, 1500, "")
        assert shown.derivation == "1,000/s x 0.4 s, + 20 %."
        for part in (
            "from 900 to 1,500 in eu-west-1, account ending in 9012",
            "an API Gateway REST API to Lambda function checkout",
            "3,000 requests a second",
            "60,000 requests in 60 s, 1,000 a second",
            "p50 200 ms, p95 400 ms",
            "3,000 of 60,000 requests (5.0%), by account_concurrency",
            "Highest use: 900 of 900 (seen by cloudwatch)",
        ):
            assert part in shown.justification
        assert it.side.calls["service-quotas RequestServiceQuotaIncrease"] == 0
        sent = await it.stub.RequestIncrease(ask(confirmed=True))
        assert sent.state == State.PENDING
        assert sent.aws_request_id
        assert it.side.calls["service-quotas RequestServiceQuotaIncrease"] == 1
        listed = (await it.stub.ListIncreaseRequests(wire.ListIncreaseRequestsRequest())).increase_requests
        assert [(one.name, one.state, one.value_after) for one in listed] == [(sent.name, State.APPROVED, 1500)]
        assert listed[0].explanation == "Granted: the quota is 1,500 now."


async def test_the_second_request_for_the_same_quota_is_explained_not_sent(
    practice: StartPractice, tmp_path: Path
) -> None:
    async with desk(practice, tmp_path, AwsSideSettings(decide_after_s=3600)) as it:
        await it.stub.RequestIncrease(ask(confirmed=True))
        again = await it.stub.RequestIncrease(ask(confirmed=True))
        assert again.state == State.NOT_SENT
        assert "A request for 1,500 is open already (PENDING" in again.explanation
        assert it.side.calls["service-quotas RequestServiceQuotaIncrease"] == 1
        listed = (await it.stub.ListIncreaseRequests(wire.ListIncreaseRequestsRequest())).increase_requests
        assert [one.state for one in listed] == [State.PENDING]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ask(confirmed=True, desired_value=900), "is 900 already; 900 would be no increase"),
        (ask(confirmed=True, desired_value=10), "is 900 already; 10 would be no increase"),
        (ask("apigateway:L-CDF5615A", confirmed=True), "cannot be raised: AWS takes no requests for it"),
        (ask("apigateway:L-8A5B8E43", confirmed=True), "an increase will not help. What else would do: A cache."),
    ],
    ids=["equal", "lower", "not adjustable", "no value"],
)
async def test_what_cannot_or_need_not_be_raised_is_explained_not_sent(
    practice: StartPractice, tmp_path: Path, asked: wire.RequestIncreaseRequest, said: str
) -> None:
    async with desk(practice, tmp_path) as it:
        answer = await it.stub.RequestIncrease(asked)
        assert answer.state == State.NOT_SENT
        assert not answer.sendable
        assert said in answer.explanation
        assert answer.justification == ""
        assert it.side.calls["service-quotas RequestServiceQuotaIncrease"] == 0


async def test_a_closed_case_is_no_grant_until_the_quota_says_so(practice: StartPractice, tmp_path: Path) -> None:
    side = AwsSideSettings(decision="CASE_CLOSED", grant_limit=1_200)
    async with desk(practice, tmp_path, side) as it:
        await it.stub.RequestIncrease(ask(confirmed=True))
        listed = (await it.stub.ListIncreaseRequests(wire.ListIncreaseRequestsRequest())).increase_requests
    assert listed[0].state == State.CASE_CLOSED
    assert listed[0].value_after == 1_200
    assert listed[0].case_id
    assert "is 1,200 now, not 1,500: granted in part" in listed[0].explanation


async def test_without_confirmation_nothing_is_sent(practice: StartPractice, tmp_path: Path) -> None:
    async with desk(practice, tmp_path) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.stub.RequestIncrease(ask())
        assert reason(caught.value) == "NOT_CONFIRMED"
        assert not it.side.calls


async def test_without_the_permission_the_action_is_named_and_the_row_says_not_sent(
    practice: StartPractice, tmp_path: Path
) -> None:
    denied = AwsSideSettings(denied=frozenset({"servicequotas:RequestServiceQuotaIncrease"}))
    async with desk(practice, tmp_path, denied) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.stub.RequestIncrease(ask(confirmed=True))
        assert reason(caught.value) == "AWS_DENIED"
        assert "servicequotas:RequestServiceQuotaIncrease" in (caught.value.details() or "")
        listed = (await it.stub.ListIncreaseRequests(wire.ListIncreaseRequestsRequest())).increase_requests
        assert [one.state for one in listed] == [State.NOT_SENT]


async def test_a_lost_answer_is_looked_up_and_never_sent_again(practice: StartPractice, tmp_path: Path) -> None:
    """AWS answers the request with 429 or breaks off: whether it has it is what the history says."""
    async with desk(practice, tmp_path, AwsSideSettings(decide_after_s=3600)) as it:
        handlers = it.side._handlers["service-quotas"]
        real = handlers["RequestServiceQuotaIncrease"]

        def takes_it_and_fails(backend: Any, given: dict[str, Any]) -> dict[str, Any]:
            from burstline.emulator.aws.backend import ApiError

            real(backend, given)
            raise ApiError(503, "ServiceException", "try later")

        handlers["RequestServiceQuotaIncrease"] = takes_it_and_fails
        sent = await it.stub.RequestIncrease(ask(confirmed=True))
        assert it.side.calls["service-quotas RequestServiceQuotaIncrease"] == 1
        assert sent.state == State.PENDING


async def test_an_increase_needs_the_role_admin(practice: StartPractice, tmp_path: Path) -> None:
    tokens = (Token(Role.RUNNER, "run"), Token(Role.ADMIN, "adm"))
    async with desk(practice, tmp_path, tokens=tokens) as it:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.stub.RequestIncrease(ask(validate_only=True), metadata=(("authorization", "Bearer run"),))
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        shown = await it.stub.RequestIncrease(ask(validate_only=True), metadata=(("authorization", "Bearer adm"),))
        assert shown.sendable


async def test_quotas_are_listed_with_their_use_in_pages(practice: StartPractice, tmp_path: Path) -> None:
    async with desk(practice, tmp_path) as it:
        found, token = [], ""
        while True:
            page = await it.stub.ListQuotas(wire.ListQuotasRequest(plan=plan(), page_size=3, page_token=token))
            found += page.quotas
            token = page.next_page_token
            if not token:
                break
    concurrency = [quota for quota in found if quota.path == "lambda.concurrency"][-1]
    assert (concurrency.value, concurrency.source) == (900, "lambda GetAccountSettings")
    assert concurrency.read_time.seconds > 1_700_000_000
    assert any(quota.path == "lambda.functions.checkout.reserved" for quota in found)


async def test_a_server_that_may_not_ask_aws_says_so(tmp_path: Path) -> None:
    from burstline.server.aws.settings import Asking

    aws = AwsSettings(asking=Asking.NEVER)
    settings = ServerSettings(listen="127.0.0.1:0", http="", store=f"sqlite:///{tmp_path}/s.db", aws=aws)
    async with running(settings) as server, grpc.aio.insecure_channel(server.grpc_address) as channel:
        stub: Any = QuotaServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListQuotas(wire.ListQuotasRequest())
    assert reason(caught.value) == "AWS_OFF"
