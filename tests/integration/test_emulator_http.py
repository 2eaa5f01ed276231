"""The emulator over real HTTP: exact counts of throttles, and HTTP/1.1 as clients expect it."""

import asyncio
import json
import multiprocessing
import os
import signal
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime, UsagePlan
from burstline.emulator.running import RunningEmulator, start_emulator
from burstline.emulator.serving import run_emulator
from burstline.emulator.settings import EmulatorSettings
from certificates import certify

FAST = ServiceTime(0.001, 0.001)
SLOW = ServiceTime(0.5, 0.5)
ACCOUNT = Account(functions={"f": Function("f", duration=FAST)})


@asynccontextmanager
async def emulator(account: Account, settings: EmulatorSettings) -> AsyncIterator[RunningEmulator]:
    running = await start_emulator(account, settings)
    try:
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(10)) as session:
        yield session


async def statuses(session: aiohttp.ClientSession, urls: list[str]) -> Counter[int]:
    async def one(url: str) -> int:
        async with session.get(url) as response:
            await response.read()
            return response.status

    return Counter(await asyncio.gather(*map(one, urls)))


async def control(session: aiohttp.ClientSession, running: RunningEmulator, page: str) -> Any:
    async with session.get(f"{running.base_url}/_burstline/{page}") as response:
        assert response.status == 200
        return json.loads(await response.read())


async def test_a_burst_into_a_bucket_is_admitted_to_the_burst_exactly() -> None:
    account = replace(ACCOUNT, stages={"prod": Bucket(0, 50)})
    async with emulator(account, EmulatorSettings(stage="prod")) as running, http() as session:
        assert running.url.endswith("/prod")
        assert await statuses(session, [f"{running.url}/x"] * 80) == {200: 50, 429: 30}
        requests = (await control(session, running, "stats"))["requests"]
    assert requests["received"] == 80
    assert requests["admitted"] == 50
    assert requests["throttled_by_layer"] == {"stage": 30}
    assert requests["by_status"] == {"200": 50, "429": 30}


async def test_two_functions_share_the_accounts_concurrency() -> None:
    functions = {name: Function(name, duration=SLOW) for name in "ab"}
    account = Account(concurrency=5, functions=functions)
    settings = EmulatorSettings(routes={"/a": "a", "/b": "b"})
    async with emulator(account, settings) as running, http() as session:
        urls = [f"{running.url}/{name}" for name in "abababab"]
        # A REST API says 500 for a throttled Lambda.
        assert await statuses(session, urls) == {200: 5, 500: 3}
        stats = await control(session, running, "stats")
    assert stats["requests"]["throttled_by_layer"] == {"account_concurrency": 3}
    assert stats["account"]["peak_claimed"] == 5
    assert sum(f["peak_concurrency"] for f in stats["account"]["functions"].values()) == 5


async def test_reserved_concurrency_throttles_its_function_alone() -> None:
    functions = {"a": Function("a", duration=SLOW, reserved=2), "b": Function("b", duration=SLOW)}
    settings = EmulatorSettings(front=Front.ALB, routes={"/a": "a", "/b": "b"})
    async with emulator(Account(functions=functions), settings) as running, http() as session:
        a, b = await asyncio.gather(
            statuses(session, [f"{running.url}/a"] * 5), statuses(session, [f"{running.url}/b"] * 5)
        )
    assert (a, b) == ({200: 2, 502: 3}, {200: 5})


async def test_the_invoke_api_names_the_reason() -> None:
    account = Account(functions={"f": Function("f", reserved=0)})
    async with emulator(account, EmulatorSettings(front=Front.LAMBDA)) as running, http() as session:
        url = f"{running.url}/2015-03-31/functions/f/invocations"
        async with session.post(url, json={}) as response:
            assert response.status == 429
            assert response.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
            assert (await response.json())["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        async with session.post(url, headers={"X-Amz-Invocation-Type": "DryRun"}) as response:
            assert response.status == 204


async def test_a_usage_plan_limits_its_keys_and_others_are_forbidden() -> None:
    account = replace(ACCOUNT, usage_plans={"gold": UsagePlan("gold", Bucket(0, 3), 2, "day")})
    settings = EmulatorSettings(api_keys={"k": "gold"}, api_key_required=True)
    async with emulator(account, settings) as running, http() as session:
        found = []
        for key in ("wrong", "k", "k", "k", "k"):
            async with session.get(running.url, headers={"x-api-key": key}) as response:
                found.append((response.status, (await response.json()).get("message")))
    assert found == [
        (403, "Forbidden"), (200, None), (200, None), (429, "Limit Exceeded"), (429, "Too Many Requests"),
    ]  # fmt: skip


async def test_bodies_with_a_length_or_in_chunks_and_heads_are_understood() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1000

    async with emulator(ACCOUNT, EmulatorSettings()) as running, http() as session:
        for data in (b"y" * 300_000, chunks()):
            async with session.post(running.url, data=data) as response:
                assert (response.status, await response.json()) == (200, {"ok": True})
        async with session.post(running.url, data=b"z" * 1000, expect100=True) as response:
            assert response.status == 200
        async with session.head(running.url) as response:
            assert (response.status, response.headers["Content-Length"]) == (200, "11")
        async with session.get(running.url) as response:
            assert response.status == 200
        assert running.stats()["requests"]["received"] == 5


async def test_a_body_too_large_is_refused_and_meets_no_quota() -> None:
    async with emulator(ACCOUNT, EmulatorSettings(front=Front.ALB)) as running, http() as session:
        async with session.post(running.url, data=BytesIO(b"x" * 1_048_577)) as response:
            assert response.status == 413
        assert running.stats()["requests"]["rejected"] == 1
        assert running.stats()["account"]["admitted"] == 0


async def test_control_pages_are_no_requests() -> None:
    settings = EmulatorSettings(log=True)
    async with emulator(ACCOUNT, settings) as running, http() as session:
        headers = {"x-burstline-run": "r1", "x-burstline-n": "7"}
        async with session.get(running.url, headers=headers) as response:
            assert response.status == 200
        async with session.get(running.url, headers={**headers, "x-burstline-preflight": "1"}) as response:
            assert response.status == 200
        requests = (await control(session, running, "stats"))["requests"]
        assert (requests["received"], requests["preflight"], requests["by_run"]) == (1, 1, {"r1": 1})
        assert [entry[1:] for entry in await control(session, running, "log")] == [["r1", "7", 200]] * 2
        async with session.get(f"{running.base_url}/_burstline/metrics") as response:
            text = await response.text()
        assert "burstline_emulator_requests_total 1.0" in text
        assert 'burstline_emulator_answers_total{status="200"} 1.0' in text
        async with session.get(f"{running.base_url}/_burstline/reset") as response:
            assert response.status == 405
        async with session.post(f"{running.base_url}/_burstline/reset") as response:
            assert response.status == 200
        assert (await control(session, running, "stats"))["requests"]["received"] == 0


async def test_a_second_emulator_on_the_same_port_is_refused() -> None:
    async with emulator(ACCOUNT, EmulatorSettings()) as running:
        with pytest.raises(OSError, match=str(running.port)):
            await start_emulator(ACCOUNT, EmulatorSettings(port=running.port))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_runs_as_a_spawned_process_until_a_signal(number: signal.Signals) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=run_emulator, args=(ACCOUNT, EmulatorSettings(), theirs.send))
    process.start()
    try:
        assert await asyncio.to_thread(ours.poll, 20)
        url = ours.recv()
        async with http() as session:
            assert await statuses(session, [url] * 10) == {200: 10}
        os.kill(process.pid or 0, number)
        await asyncio.to_thread(process.join, 10)
        assert process.exitcode == 0
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()
        theirs.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A fresh certificate for 127.0.0.1 and its key, as PEM files."""
    folder = certify(tmp_path, "IP:127.0.0.1")
    return str(folder / "cert.pem"), str(folder / "key.pem")


async def test_it_speaks_tls_when_given_a_certificate(certificate: tuple[str, str]) -> None:
    chain, key = certificate
    async with emulator(ACCOUNT, EmulatorSettings(tls_certificate=chain, tls_key=key)) as running, http() as session:
        assert running.url.startswith("https://")
        async with session.get(running.url, ssl=ssl.create_default_context(cafile=chain)) as response:
            assert (response.status, await response.json()) == (200, {"ok": True})
