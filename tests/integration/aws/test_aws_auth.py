"""Every way to authenticate over HTTP: a target that checks it lets every request of a run in."""

import base64
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from burstline.core.load.plan import Auth, AuthKind, Cognito, Constant, Front, Phase, Plan, Request, Target
from burstline.core.load.totals import Totals
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.workers.clock import RunClock
from burstline.workers.errors import CannotPrepare
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.preparing import make_toolkit, prepare
from burstline.workers.segments.running import Segment

StartPractice = Callable[..., AbstractAsyncContextManager[Any]]
SECRETS = {"API_KEY": "the-api-key", "TOKEN": "the-bearer-token", "PASSWORD": "pa55", "CLIENT_SECRET": "cl1ent"}
Check = Callable[[web.Request, bytes], bool]


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def guarded(check: Check) -> AsyncIterator[str]:
    """A target that answers 200 to whom `check` lets in, 401 to others."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=200 if check(request, await request.read()) else 401)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _nothing(_: str) -> AsyncIterator[bytes]:
    raise AssertionError("nothing is uploaded")
    yield b""


async def answers(url: str, auth: Auth, duration_s: float = 0.5) -> dict[str, int]:
    """Send 40 requests/s for a while and return what came back, by signature."""
    request = Request("a", method="POST", path="/x", query=(("b", "1 2"),), json='{"n": 1}')
    plan = Plan("auth", Target(url, Front.PLAIN), (request,), (Phase("p", duration_s, Constant(40.0)),), auth=auth)
    files, totals = FileCache(_nothing), Totals()
    try:
        toolkit = await make_toolkit(plan, "run", (), files, "0")
    finally:
        files.close()
    clock = RunClock(time.monotonic)
    segment = Segment(prepare(toolkit, 0, 1, 0), clock, lambda: 1.0, lambda: 0.0, lambda window: totals.add(0, window))
    try:
        await segment.sender.warm(4)
        clock.start(-0.05, time.monotonic())
        await segment.run()
    finally:
        await segment.sender.close()
    found: dict[str, int] = {}
    for key, count in totals.answers.items():
        found[key.signature] = found.get(key.signature, 0) + count
    return found


def _is_signed(request: web.Request, body: bytes) -> bool:
    """Recompute the signature with botocore from what arrived."""
    scope = request.headers["Authorization"]
    signed = scope.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    made = AWSRequest(request.method, f"http://{request.host}{request.raw_path}", data=body)
    for name in signed:
        if name != "host":
            made.headers[name] = request.headers[name]
    made.context["timestamp"] = request.headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials("AKIAPRACTICE", "practice"), "execute-api", "eu-west-1")
    text = auth.string_to_sign(made, auth.canonical_request(made))
    return scope.endswith(f"Signature={auth.signature(text, made)}")


BASIC = base64.b64encode(b"load:pa55").decode()
WAYS: dict[str, tuple[Auth, Check]] = {
    "api key": (
        Auth(AuthKind.API_KEY, value="${env:API_KEY}"), lambda r, _: r.headers.get("x-api-key") == "the-api-key"
    ),
    "bearer": (
        Auth(AuthKind.BEARER, value="${env:TOKEN}"),
        lambda r, _: r.headers.get("Authorization") == "Bearer the-bearer-token",
    ),
    "basic": (
        Auth(AuthKind.BASIC, username="load", password="${env:PASSWORD}"),
        lambda r, _: r.headers.get("Authorization") == f"Basic {BASIC}",
    ),
    "sigv4": (Auth(AuthKind.SIGV4, region="eu-west-1", service="execute-api"), _is_signed),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_a_target_lets_every_request_in(way: str) -> None:
    auth, check = WAYS[way]
    async with guarded(check) as url:
        found = await answers(url, auth)
    assert found == {"plain.ok": 20}


def pool_auth(url: str, *, client: bool) -> Auth:
    """How a pool's tokens are asked for."""
    if client:
        cognito = Cognito("c1", client_secret="${env:CLIENT_SECRET}", token_url=f"{url}/oauth2/token")
    else:
        cognito = Cognito(
            "c1", client_secret="${env:CLIENT_SECRET}", username="load", password="${env:PASSWORD}", endpoint_url=url
        )
    return Auth(AuthKind.COGNITO, cognito=cognito)


@pytest.mark.parametrize("client", [False, True], ids=["user and password", "client credentials"])
async def test_a_pools_tokens_are_renewed_before_they_end(
    practice: StartPractice, client: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Tokens that hold 2 s, a run of 4.5 s: without renewal more than half of it would be answered 401."""
    caplog.set_level(logging.DEBUG)
    side = AwsSideSettings(users={"load": "pa55"}, clients={"c1": "cl1ent"}, token_life_s=2.0)
    async with practice(side) as it:
        backend, seen = it.side.backend, set[str]()

        def check(request: web.Request, _: bytes) -> bool:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            seen.add(token)
            return bool(backend.tokens.get(token, 0.0) > backend.recorder.now_s())

        async with guarded(check) as url:
            found = await answers(url, pool_auth(it.side.url, client=client), 4.5)
    assert found == {"plain.ok": 180}
    assert len(seen) >= 3
    assert not any(secret in caplog.text for secret in (*SECRETS.values(), *seen))


async def test_a_wrong_password_stops_the_run_before_anything_is_sent(practice: StartPractice) -> None:
    async with practice(AwsSideSettings(users={"load": "another"}, clients={"c1": "cl1ent"})) as it:
        with pytest.raises(CannotPrepare, match="gave no token: 400 NotAuthorizedException"):
            await answers("http://127.0.0.1:9", pool_auth(it.side.url, client=False))
