"""The control plane in a browser: what it shows, and who may stop a run."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from axe import violations_async
from burstline.server.app import RunningServer, running
from burstline.server.settings import Role, Token
from burstline.server.web.entry import COOKIE
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc

Make = Callable[..., Any]
CHROMIUM = Path("/usr/bin/chromium")
HTML = {"Accept": "text/html,*/*;q=0.8"}
TOKENS = (Token(Role.VIEWER, "looks"), Token(Role.RUNNER, "runs"))


@contextlib.asynccontextmanager
async def browsing(server: RunningServer, **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without scripts: it keeps cookies, also of an address, and asks for HTML."""
    jar = aiohttp.CookieJar(unsafe=True)
    base = f"http://{server.http_address}"
    async with aiohttp.ClientSession(base, cookie_jar=jar, headers={**HTML, **headers}) as session:
        yield session


def own_site(server: RunningServer) -> dict[str, str]:
    """What a browser adds to a form that a page of the server sent."""
    return {"Origin": f"http://{server.http_address}", "Sec-Fetch-Site": "same-origin"}


async def text_at(session: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with session.get(path) as response:
        text = await response.text()
        assert response.status == status, text
        assert response.content_type == "text/html"
        assert response.headers["X-Frame-Options"] == "DENY"
        return text


async def test_runs_their_report_quotas_and_workers_are_shown(settings: Make, workers: Make, plan: Make) -> None:
    """With the real judge: the report page is made of what it wrote."""
    async with running(settings()) as server, grpc.aio.insecure_channel(server.grpc_address) as channel:
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        await workers(server.grpc_address, signature="rest.ok")
        message = plan((0.5, 100.0))
        message.name, message.target.front, message.target.function = "<b>shop</b>", v1.REST, "f"
        run = await stub.CreateRun(wire.CreateRunRequest(run=v1.Run(plan=message)))
        async for _ in stub.WatchRun(wire.WatchRunRequest(name=run.name)):
            pass
        async with browsing(server) as browser:
            runs = await text_at(browser, "/")
            assert "&lt;b&gt;shop&lt;/b&gt;" in runs
            assert "<b>shop" not in runs
            assert f'href="/{run.name}/report"' in runs
            page = await text_at(browser, f"/{run.name}")
            assert "Open the report" in page
            assert "Stop this run" not in page
            report = await text_at(browser, f"/{run.name}/report")
            assert f'href="/{run.name}"' in report
            assert "&lt;b&gt;shop&lt;/b&gt;" in report
            assert report == await text_at(browser, f"/{run.name}/report")
            quotas = await text_at(browser, "/quotas")
            assert "lambda:L-B99A9384" in quotas
            assert "fake, pid 1" in await text_at(browser, "/workers")
            assert "there is no runs/nope" in await text_at(browser, "/runs/nope", 404)
            assert "no report of this run" in await text_at(browser, "/runs/nope/report", 404)
        async with aiohttp.ClientSession(f"http://{server.http_address}") as script, script.get("/runs/nope") as answer:
            assert answer.status == 404
            assert "there is no" in (await answer.json())["error"]


async def test_events_tell_a_run_until_it_has_ended(serving: Make, settings: Make, workers: Make, plan: Make) -> None:
    async with serving(settings()) as (server, client), browsing(server) as browser:
        await workers(server.grpc_address)
        run = await client.create(plan((1.0, 100.0)))
        page = await text_at(browser, f"/{run.name}")
        assert "new EventSource" in page
        assert "connect-src &#39;self&#39;" in page
        async with browser.get(f"/{run.name}/events") as response:
            assert response.content_type == "text/event-stream"
            moments = [json.loads(line[6:]) async for line in response.content if line.startswith(b"data: ")]
        assert [moment["final"] for moment in moments].count(True) == 1
        last = moments[-1]
        assert last["final"]
        assert (last["state"], last["sent"], last["outcomes"]) == ("SUCCEEDED", 100, {"ok": 100})
        assert last["elapsed_s"] == last["planned_s"] == 1.0
        assert last["quotas"] == []  # a plain front has none
        assert last["seconds"][0]["at"] == 0
        assert 0 < sum(second["sent"] for second in last["seconds"]) <= 100
        sent = [moment["sent"] for moment in moments]
        assert sent == sorted(sent)
        async with browser.get("/runs/nope/events") as response:
            assert response.status == 404


async def test_an_open_stream_does_not_hold_up_the_servers_end(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with serving(settings()) as (server, client):
            browser = await stack.enter_async_context(browsing(server))
            await workers(server.grpc_address)
            run = await client.create(plan((60.0, 10.0)))
            response = await stack.enter_async_context(browser.get(f"/{run.name}/events"))
            await response.content.readline()
            loop = asyncio.get_running_loop()
            before_s = loop.time()
        assert loop.time() - before_s < 5


async def test_a_reader_who_leaves_a_stream_makes_no_noise(
    serving: Make, settings: Make, workers: Make, plan: Make, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(settings()) as (server, client):
        await workers(server.grpc_address)
        run = await client.create(plan((60.0, 10.0)))
        async with browsing(server) as browser, browser.get(f"/{run.name}/events") as response:
            await response.content.readline()
        async with browsing(server) as browser:
            for _ in range(5):  # five more events, for nobody
                await text_at(browser, "/workers")
                await asyncio.sleep(0.06)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_stop_button_stops_and_other_sites_cannot_press_it(
    serving: Make, settings: Make, workers: Make, plan: Make
) -> None:
    async with serving(settings()) as (server, client), browsing(server) as browser:
        await workers(server.grpc_address)
        run = await client.create(plan((30.0, 50.0)))
        await client.until(run.name, v1.Run.RUNNING)
        assert "Stop this run" in await text_at(browser, f"/{run.name}")
        strangers: list[dict[str, str]] = [
            {},
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
            {"Origin": "null"},
            {"Origin": "http://rebound.example", "Host": "rebound.example", "Sec-Fetch-Site": "same-origin"},
        ]
        for stranger in strangers:
            async with browser.post(f"/{run.name}/stop", headers=stranger) as response:
                assert response.status == 403, stranger
        assert (await client.runs.GetRun(wire.GetRunRequest(name=run.name))).state == v1.Run.RUNNING
        async with browser.post(f"/{run.name}/stop", headers=own_site(server), allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, f"/{run.name}")
        assert (await client.ended(run.name)).state == v1.Run.STOPPED
        async with browser.post("/runs/nope/stop", headers=own_site(server)) as response:
            assert response.status == 404
        async with browser.get(f"/{run.name}/stop") as response:
            assert response.status == 405


async def signed_in(browser: aiohttp.ClientSession, server: RunningServer, token: str) -> int:
    """Sign in, as the form does; returns the status of the answer."""
    form = {"token": token, "next": "/workers"}
    async with browser.post("/login", data=form, headers=own_site(server), allow_redirects=False) as response:
        if response.status == 303:
            assert response.headers["Location"] == "/workers"
            cookie = response.cookies[COOKIE]
            assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
            assert token not in cookie.value
        return response.status


async def test_with_tokens_a_browser_signs_in_and_a_viewer_cannot_stop(
    settings: Make, workers: Make, plan: Make
) -> None:
    runner = (("authorization", "Bearer runs"),)
    async with (
        running(settings(tokens=TOKENS)) as server,
        grpc.aio.insecure_channel(server.grpc_address) as channel,
        browsing(server) as viewer,
        browsing(server) as boss,
    ):
        await workers(server.grpc_address, token="runs")
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        run = await stub.CreateRun(wire.CreateRunRequest(run=v1.Run(plan=plan((30.0, 50.0)))), metadata=runner)
        async with viewer.get(f"/{run.name}", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, f"/login?next=/{run.name}")
        assert 'type="password"' in await text_at(viewer, f"/login?next=/{run.name}")
        assert await signed_in(viewer, server, "wrong") == 403
        assert await signed_in(viewer, server, "looks") == 303
        assert await signed_in(boss, server, "runs") == 303
        page = await text_at(viewer, f"/{run.name}")
        assert "Sign out" in page
        assert "Stop this run" not in page
        assert "needs the role of a runner" in page
        async with viewer.post(f"/{run.name}/stop", headers=own_site(server)) as response:
            assert response.status == 403
            assert "role is viewer" in await response.text()
        assert "Stop this run" in await text_at(boss, f"/{run.name}")
        async with boss.post(f"/{run.name}/stop", headers=own_site(server), allow_redirects=False) as response:
            assert response.status == 303
        async with boss.post("/logout", headers=own_site(server), allow_redirects=False) as response:
            assert response.headers["Location"] == "/login"
        async with boss.get("/", allow_redirects=False) as response:
            assert response.status == 303


async def test_scripts_show_a_bearer_token_and_get_json(settings: Make) -> None:
    async with running(settings(tokens=TOKENS)) as server:
        base = f"http://{server.http_address}"
        async with aiohttp.ClientSession(base, headers={"Authorization": "Bearer runs"}) as script:
            async with script.get("/") as response:
                assert (await response.json())["runs"] == []
            async with script.post("/runs/nope/stop") as response:
                assert response.status == 404
        async with aiohttp.ClientSession(base) as stranger, stranger.get("/quotas") as response:
            assert response.status == 401
            assert "token" in (await response.json())["error"]


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM} here: `apt-get install chromium` brings it to life")
async def test_chromium_follows_a_run_and_its_button_stops_it(settings: Make, workers: Make, plan: Make) -> None:
    from playwright.async_api import async_playwright

    async with (
        running(settings(watch_every_s=0.2)) as server,
        grpc.aio.insecure_channel(server.grpc_address) as channel,
        async_playwright() as driver,
    ):
        await workers(server.grpc_address)
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        message = plan((60.0, 50.0))
        message.target.front, message.target.function = v1.REST, "f"
        run = await stub.CreateRun(wire.CreateRunRequest(run=v1.Run(plan=message)))
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = await browser.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        for path in ("/workers", "/quotas", "/login", "/runs/nope", "/"):
            await page.goto(f"http://{server.http_address}{path}")
            assert await violations_async(page) == [], path
        said.clear()  # the page of a run that is not there is a 404, which the console tells
        await page.click("tbody th a")
        await page.wait_for_selector("html[data-seen]")
        assert await violations_async(page) == []
        sent = page.locator("[data-field=sent]")
        before = await sent.inner_text()
        while await sent.inner_text() == before:
            await page.wait_for_timeout(50)
        await page.wait_for_selector(".uses .bar")
        assert "concurrency: " in await page.inner_text(".uses")
        await page.click("button.stop")
        await page.wait_for_selector("a.button", timeout=20_000)
        assert "Stopped by a user" in await page.inner_text("h1")
        await page.click("a.button")
        await page.wait_for_selector("html[data-drawn=true]", timeout=60_000)
        assert (await stub.GetRun(wire.GetRunRequest(name=run.name))).state == v1.Run.STOPPED
        assert [text for text in said if "[bokeh" not in text] == []
        assert all(re.match(rf"http://{re.escape(server.http_address)}/|data:", url) for url in asked)
        await browser.close()
