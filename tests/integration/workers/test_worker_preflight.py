"""The agent before a run: what preflight shows, and who is refused for good."""

import asyncio
from typing import Any

import pytest
from burstline.core.load.plan import Constant, Phase, Request
from burstline.core.load.window import Drop
from burstline.v1 import worker_service_pb2 as v1
from burstline.workers.errors import Refused
from burstline.workers.joining.agent import run_agent
from burstline.workers.settings import AgentSettings
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from played.plans import plan_for, plan_to_proto
from played.server import House


async def test_preflight_sends_one_marked_request_per_name_and_shows_what_it_saw(house: House, target: Any) -> None:
    async def answer(line: str, writer: asyncio.StreamWriter) -> None:
        status = b"403 Forbidden" if "/b" in line else b"200 OK"
        extra = b"x-amzn-RequestId: 1\r\nx-amz-apigw-id: 2\r\nX-Cache: Miss from cloudfront\r\n"
        writer.write(b"HTTP/1.1 " + status + b"\r\n" + extra + b"Content-Length: 4\r\n\r\nnope")

    target.behaviour = answer
    server = house.server
    await house.attach()
    plan = plan_for(target, requests=(Request("a", path="/a"), Request("b", path="/b")))
    server.say(preflight=v1.Preflight(run="runs/r1", plan=plan_to_proto(plan)))
    await server.until(lambda: server.preflights)
    report = server.preflights[0]
    first, second = report.answers
    assert (report.run, report.sent_count, len(target.requests)) == ("runs/r1", 2, 2)
    assert all("x-burstline-preflight: 1" in head for head in target.requests)
    assert (first.request, first.address, first.status, first.signature) == ("a", "127.0.0.1", 200, "plain.ok")
    assert first.front == 1, "REST, from its headers"
    assert list(first.cache_headers) == ["x-cache: Miss from cloudfront"]
    assert (first.tls, first.problem) == ("", "")
    assert second.status == 403
    assert "refused us with 403: nope" in second.problem


async def test_preflight_of_a_dead_target_says_so(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    server.say(preflight=v1.Preflight(run="runs/r1", plan=plan_to_proto(plan_for(target, url="http://127.0.0.1:1"))))
    await server.until(lambda: server.preflights)
    (answer,) = server.preflights[0].answers
    assert (answer.status, answer.address, server.preflights[0].sent_count) == (0, "", 0)
    assert "unreachable.connect" in answer.problem


async def test_a_template_without_a_result_is_said_at_once(house: House, target: Any) -> None:
    """It used to be nobody's word, and the server waited for a minute."""
    server = house.server
    await house.attach()
    plan = plan_for(target, requests=(Request("a", path="/{{ 1 // n }}"),))
    server.say(preflight=v1.Preflight(run="runs/r1", plan=plan_to_proto(plan)))
    await server.until(lambda: server.preflights)
    (answer,) = server.preflights[0].answers
    assert answer.problem == "path: a template cannot be filled in (ZeroDivisionError)"


async def test_arrivals_whose_template_has_no_result_are_dropped_and_the_run_goes_on(house: House, target: Any) -> None:
    server = house.server
    await house.attach()
    load = Phase("c", 0.5, Constant(40))
    key = server.assign(plan_for(target, load, requests=(Request("a", path="/{{ 1 // (n - 5) }}"),)))
    await server.start(key)
    assert (await server.end(key)).reason == "done"
    totals = server.totals()
    loads = totals.loads[0]
    assert (loads.due, loads.sent, loads.dropped) == (20, 19, {Drop.TEMPLATE: 1})
    ((key_of, trouble),) = totals.troubles.items()
    assert (key_of.kind, key_of.request, key_of.place, key_of.reason) == ("template", 0, "path", "ZeroDivisionError")
    assert (trouble.count, trouble.example.endswith("at arrival 5")) == (1, True)


async def test_preflight_of_a_target_that_speaks_http_2_alone_says_that_this_may_be_why(
    house: House, target: Any
) -> None:
    async def settings_frame(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        writer.close()

    target.behaviour = settings_frame
    await house.attach()
    house.server.say(preflight=v1.Preflight(run="runs/r1", plan=plan_to_proto(plan_for(target))))
    await house.server.until(lambda: house.server.preflights)
    answer = house.server.preflights[0].answers[0]
    assert "unreachable.no_response" in answer.problem
    assert "burstline speaks HTTP/1.1" in answer.problem


async def test_another_version_is_a_sentence_and_no_second_try(house: House) -> None:
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(reason="VERSION_MISMATCH", domain="burstline"))
    house.server.refusal = status_pb2.Status(
        code=code_pb2.FAILED_PRECONDITION, message="this worker is burstline 1.2.3: install 2.0.x", details=[detail]
    )
    with pytest.raises(Refused, match=r"does not take this worker: this worker is burstline 1\.2\.3: install 2"):
        await run_agent(AgentSettings(house.address, version="1.2.3"))


async def test_a_wrong_token_is_refused_for_good(house: House) -> None:
    house.server.refusal = status_pb2.Status(code=code_pb2.UNAUTHENTICATED, message="no such token")
    with pytest.raises(Refused, match="no such token"):
        await run_agent(AgentSettings(house.address, token="wrong"))
