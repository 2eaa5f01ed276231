"""CloudWatch and Logs Insights as the emulator shows them, against what it really did."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import numpy as np
import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.aws.attribution import attribute
from burstline.core.quota.aws.cloudwatch import headrooms, layer_of_throttles
from burstline.core.quota.aws.iam import Scope
from burstline.core.quota.quotas import Account, Function, Layer, ServiceTime
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.emulator.settings import EmulatorSettings
from burstline.server.aws.cold_starts import read_cold_starts
from burstline.server.aws.errors import Denied
from burstline.server.aws.neighbouring import neighbour_throttles, read_neighbours
from burstline.server.aws.reading import read_account
from burstline.server.aws.watching import Span, Wait, metrics_of, watch_run

StartPractice = Callable[..., AbstractAsyncContextManager[Any]]
NO_LAG = AwsSideSettings(lag_s=0.0)
REST = EmulatorSettings(front=Front.REST, stage="prod")
SCOPE = Scope(functions=("checkout",), front=Front.REST, host="127.0.0.1", stage="prod")
AT_ONCE = Wait(most_s=0.0)


def account(function: Function, concurrency: int = 1_000, **others: Function) -> Account:
    functions = {function.name: function, **others}
    return Account(
        region="eu-west-1", concurrency=concurrency, functions=functions, declared=frozenset({"lambda.concurrency"})
    )


async def send(url: str, count: int, at_once: bool = True) -> list[int]:
    """Send requests and return their statuses."""

    async def one(session: aiohttp.ClientSession) -> int:
        async with session.get(url + "/x") as response:
            await response.read()
            return response.status

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        if at_once:
            return list(await asyncio.gather(*(one(session) for _ in range(count))))
        return [await one(session) for _ in range(count)]


async def soon(_: float) -> None:
    """Wait a moment in place of a second."""
    await asyncio.sleep(0.01)


async def test_metrics_are_what_the_emulator_did_and_name_the_throttles(practice: StartPractice) -> None:
    made = account(Function("checkout", duration=ServiceTime(0.3, 0.3)), concurrency=10)
    async with practice(NO_LAG, made, REST) as it:
        read = await read_account(it.aws, SCOPE)
        start_s = time.time()
        statuses = await send(it.emulator.url, 40)
        span = Span(start_s, time.time())
        ok, thrown = statuses.count(200), statuses.count(500)
        assert (ok, thrown) == (10, 30)
        metrics = metrics_of(SCOPE, read.api, read.api_name)
        watch = await watch_run(it.aws, metrics, span, ("checkout",), 40, AT_ONCE)
    assert watch.complete
    assert watch.problems == ()
    assert watch.total("Throttles", "checkout") == 30
    assert watch.total("Invocations", "checkout") == 10
    assert watch.peak("ClaimedAccountConcurrency") == 10
    assert watch.total("Count") == 40
    assert watch.total("5XXError") == 30
    p99 = watch.find("Duration", "checkout", "p99")
    assert p99 is not None
    assert p99.points[0][1] == pytest.approx(300, rel=0.02)
    assert all((start_s + at) % 60 == pytest.approx(0, abs=1e-3) for at, _ in p99.points)
    assert [(use.layer, use.at_limit) for use in headrooms(watch, made, ("checkout",))] == [
        (Layer.ACCOUNT_CONCURRENCY, True)
    ]
    found = layer_of_throttles(watch, made, "checkout")
    assert found is not None
    assert found[0] is Layer.ACCOUNT_CONCURRENCY
    bins = np.array([30] + [0] * 99, dtype=np.int64)
    split = attribute({"rest.500.internal": bins}, watch, ("checkout",))["rest.500.internal"]
    assert (split.throttled_count, split.failed_count, split.confirmed) == (30, 0, True)


async def test_the_same_500s_without_throttles_are_failures(practice: StartPractice) -> None:
    """HTTP APIs answer a function's error with 500, too: CloudWatch is what tells the two apart."""
    made = account(Function("checkout", duration=ServiceTime(0.01, 0.01), error_ratio=1.0))
    http = EmulatorSettings(front=Front.HTTP, stage="prod")
    async with practice(NO_LAG, made, http) as it:
        start_s = time.time()
        assert set(await send(it.emulator.url, 20)) == {500}
        scope = Scope(functions=("checkout",), front=Front.HTTP, host="127.0.0.1", stage="prod")
        read = await read_account(it.aws, scope)
        metrics = metrics_of(scope, read.api)
        watch = await watch_run(it.aws, metrics, Span(start_s, time.time()), ("checkout",), 20, AT_ONCE)
    assert watch.total("Errors", "checkout") == 20
    assert watch.total("5xx") == 20
    split = attribute({"http.500.internal": np.array([20], dtype=np.int64)}, watch, ("checkout",))
    assert split["http.500.internal"].throttled_count == 0
    assert split["http.500.internal"].failed_count == 20
    assert layer_of_throttles(watch, made, "checkout") is None


async def test_reserved_concurrency_is_named_as_the_layer(practice: StartPractice) -> None:
    made = account(Function("checkout", reserved=5, duration=ServiceTime(0.3, 0.3)))
    async with practice(NO_LAG, made, REST) as it:
        start_s = time.time()
        await send(it.emulator.url, 20)
        watch = await watch_run(it.aws, metrics_of(SCOPE), Span(start_s, time.time()), ("checkout",), 20, AT_ONCE)
    found = layer_of_throttles(watch, made, "checkout")
    assert found is not None
    assert found[0] is Layer.RESERVED_CONCURRENCY
    assert "reached 5 of 5" in found[1]


async def test_within_the_lag_the_numbers_are_not_called_complete(practice: StartPractice) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with practice(AwsSideSettings(lag_s=600.0), account(Function("checkout")), REST) as it:
        start_s = time.time()
        await send(it.emulator.url, 5)
        wait = Wait(most_s=0.02, poll_s=0.001, quiet_s=3600)
        watch = await watch_run(
            it.aws, metrics_of(SCOPE), Span(start_s, time.time()), ("checkout",), 5, wait, sleep=sleep
        )
    assert not watch.complete
    assert not watch.total("Invocations", "checkout")
    assert any("still changing, or too young" in problem for problem in watch.problems)
    assert set(slept) <= {0.001}


async def test_without_permission_the_watch_says_what_it_could_not_confirm(practice: StartPractice) -> None:
    denied = AwsSideSettings(denied=frozenset({"cloudwatch:GetMetricData"}))
    async with practice(denied, account(Function("checkout")), REST) as it:
        now = time.time()
        watch = await watch_run(it.aws, metrics_of(SCOPE), Span(now, now + 1), ("checkout",), 5, AT_ONCE)
    assert watch.series == ()
    assert "cloudwatch:GetMetricData" in watch.problems[0]


async def test_more_metrics_than_a_page_come_back_whole(practice: StartPractice) -> None:
    async with practice(AwsSideSettings(lag_s=0.0, page_count=3), account(Function("checkout")), REST) as it:
        start_s = time.time()
        await send(it.emulator.url, 5)
        watch = await watch_run(it.aws, metrics_of(SCOPE), Span(start_s, time.time()), ("checkout",), 5, AT_ONCE)
        assert it.side.calls["cloudwatch GetMetricData"] > 3
    assert watch.total("Invocations", "checkout") == 5


@pytest.mark.parametrize("json_logs", [frozenset(), frozenset({"checkout"})], ids=["text", "json"])
async def test_cold_starts_are_counted_from_report_lines(practice: StartPractice, json_logs: frozenset[str]) -> None:
    function = Function("checkout", duration=ServiceTime(0.05, 0.05), init_s=0.2)
    async with practice(AwsSideSettings(lag_s=0.0, json_logs=json_logs), account(function), REST) as it:
        read = await read_account(it.aws, SCOPE)
        start_s = time.time()
        await send(it.emulator.url, 25)
        await send(it.emulator.url, 30, at_once=False)
        use = it.emulator.desk.admission.use()
        span_s = (start_s, time.time())
        found = await read_cold_starts(it.aws, "checkout", read.log_groups["checkout"], span_s, sleep=soon)
    assert found is not None
    assert found.log_format == ("JSON" if json_logs else "Text")
    assert (found.invocation_count, found.cold_count) == (55, use.cold_starts)
    assert found.cold_count == 25
    assert found.init_p50_s == pytest.approx(0.2)
    assert found.init_p99_s is None, "25 values are too few for a 99th percentile"
    assert found.init_max_s == pytest.approx(0.2)
    assert found.warm_p50_s == pytest.approx(0.05)
    assert found.cold_p50_s == pytest.approx(0.25)
    assert found.billed_s == pytest.approx(55 * 0.05 + 25 * 0.2, abs=0.056), "each rounded up to a millisecond"
    assert found.init_billed_s == pytest.approx(5.0)


async def test_a_log_that_may_not_be_read_names_the_action(practice: StartPractice) -> None:
    async with practice(AwsSideSettings(denied=frozenset({"logs:StartQuery"})), account(Function("checkout"))) as it:
        with pytest.raises(Denied) as caught:
            await read_cold_starts(it.aws, "checkout", ("/aws/lambda/checkout", "Text"), (0, time.time()))
    assert caught.value.action == "logs:StartQuery"


async def test_neighbours_are_seen_before_a_run_and_noticed_when_they_are_throttled(practice: StartPractice) -> None:
    """The run takes the whole pool; a function that was well before it is throttled, and that is told."""
    made = account(
        Function("checkout", duration=ServiceTime(1.5, 1.5)), 20,
        search=Function("search", duration=ServiceTime(0.02, 0.02), other_rate_per_s=100),
    )  # fmt: skip
    async with practice(NO_LAG, made, REST) as it:
        await asyncio.sleep(0.3)
        before = await read_neighbours(it.aws, made, ("checkout",))
        assert set(before.peaks) == {"search"}
        assert 1 <= before.peaks["search"] <= 20
        assert before.throttles == {}
        assert before.reserved_by_others == 0
        sending = asyncio.create_task(send(it.emulator.url, 60))
        watching = neighbour_throttles(it.aws, before, ("checkout",), poll_s=0.1)
        seen = await asyncio.wait_for(anext(watching), 5)
        await sending
        await watching.aclose()
    assert set(seen.counts) == {"search"}
    assert "search" in seen.text
