"""Every feature of a plan through both ways of reading answers, and past aiohttp's own session: the same outcomes,
over plain HTTP and over TLS.

Our fast way measures a plainly framed answer in place, our full way takes aiohttp's parser and streams. The reference
is `ClientSession`, which the worker does not use: it re-sends, follows and remembers unless it is told not to.
"""

import asyncio
import gzip
import hashlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import (
    ClientConnectionError,
    ClientPayloadError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from burstline.core.load.plan import (
    Auth,
    AuthKind,
    Connections,
    Constant,
    DataFile,
    DataFormat,
    DataOrder,
    Expect,
    Front,
    Phase,
    Plan,
    Request,
    StatusRange,
)
from burstline.core.load.plan import Target as Aim
from burstline.core.load.samples import TIMED_OUT, UNREACHABLE_NO_RESPONSE
from burstline.core.load.window import Window
from burstline.core.quota.answers.classify import classify
from burstline.workers.clock import RunClock
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.preparing import Toolkit, make_toolkit, prepare
from burstline.workers.segments.running import Segment
from burstline.workers.sending import connections
from burstline.workers.tls import client_context

COUNT = 3
CREATED, THROTTLED = b"HTTP/1.1 201 Created\r\n", b"HTTP/1.1 429 Too Many Requests\r\n"
FILES = {hashlib.sha256(content).hexdigest(): content for content in (b"sku\nA1\nB2\nC3\n", b"an uploaded file")}
ROWS, UPLOADED = FILES
BODY = b"Content-Length: 5\r\n\r\nstock"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"stock" * 10_000
ZIPPED = gzip.compress(b"stock")


@dataclass(frozen=True)
class Feature:
    """What a plan may ask for, and how its target answers.

    `answer` is b"" for a target that closes without a word; one that `aborts` closes TCP without the end of TLS.
    """

    request: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    answer: bytes = b"HTTP/1.1 200 OK\r\n" + BODY
    front: Front = Front.PLAIN
    silent: bool = False
    closes: bool = False
    aborts: bool = False
    piece_bytes: int = 1 << 20


def expecting(*statuses: int, contains: str = "") -> dict[str, Any]:
    return {"expect": Expect(tuple(StatusRange(one, one) for one in statuses), contains)}


FEATURES = {
    "get": Feature(),
    "head": Feature({"method": "HEAD"}, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    "options": Feature({"method": "OPTIONS"}),
    "delete": Feature({"method": "DELETE"}),
    "query with a template": Feature({"path": "/a?b=1", "query": (("sku", "{{ n }} &"),)}),
    "headers with templates": Feature({"headers": (("X-Number", "{{ n }}"), ("User-Agent", "mine"))}),
    "text body": Feature({"method": "PUT", "body": "number {{ n }}"}),
    "json body": Feature({"method": "POST", "json": '{"id": "{{ n }}", "deep": [1, {"a": "\\u00e9"}]}'}),
    "uploaded body": Feature({"method": "PATCH", "body_sha256": UPLOADED}),
    "data rows": Feature(
        {"path": "/{{ sku }}"}, {"data": DataFile(ROWS, DataFormat.CSV, DataOrder.SEQUENTIAL, ("sku",))}
    ),
    "no marks": Feature(plan={"marks": False}),
    "basic": Feature(plan={"auth": Auth(AuthKind.BASIC, username="ann", password="secret")}),
    "bearer": Feature(plan={"auth": Auth(AuthKind.BEARER, value="token")}),
    "api key": Feature(plan={"auth": Auth(AuthKind.API_KEY, value="key")}),
    "an expected status": Feature({"method": "POST", **expecting(201)}, answer=CREATED + BODY),
    "an unexpected status": Feature(expecting(201)),
    "an expected body": Feature(expecting(200, contains="stock")),
    "an unexpected body": Feature(expecting(200, contains="gone")),
    "an error that is expected": Feature(expecting(429), answer=THROTTLED + BODY),
    "a redirect": Feature(answer=b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n" + BODY),
    "a cookie": Feature(answer=b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\n" + BODY),
    "chunks": Feature(
        expecting(200, contains="stock"),
        answer=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nst\r\n3\r\nock\r\n0\r\n\r\n",
    ),
    "a compressed body": Feature(
        expecting(200, contains="stock"),
        answer=b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED,
    ),
    "a long body": Feature(answer=LONG),
    "a long body in small pieces": Feature(answer=LONG, piece_bytes=1000),
    "an answer in pieces": Feature(expecting(200, contains="stock"), piece_bytes=7),
    "no content": Feature(answer=b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not modified": Feature(answer=b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "an interim answer": Feature(answer=b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + BODY),
    "a last answer": Feature(answer=b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + BODY, closes=True),
    "a body without length": Feature(answer=b"HTTP/1.1 200 OK\r\n\r\nstock", closes=True),
    "throttled by a stage": Feature(answer=THROTTLED + BODY, front=Front.REST),
    "throttled, plan quota": Feature(
        answer=THROTTLED + b'Content-Length: 28\r\n\r\n{"message":"Limit Exceeded"}', front=Front.REST
    ),
    "an ambiguous 500": Feature(answer=b"HTTP/1.1 500 Internal Server Error\r\n" + BODY, front=Front.REST),
    "a function's error": Feature(
        answer=b"HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\n" + BODY, front=Front.LAMBDA
    ),
    "a load balancer's 503": Feature(answer=b"HTTP/1.1 503 Service Unavailable\r\n" + BODY, front=Front.ALB),
    "half an answer": Feature(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nstock", closes=True),
    "half an answer in pieces": Feature(
        answer=b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nstock", closes=True, piece_bytes=7
    ),
    "an answer, then an end without a word": Feature(aborts=True),
    "half an answer that is cut off": Feature(answer=LONG[:30_000], aborts=True),
    "a body without length that is cut off": Feature(answer=b"HTTP/1.1 200 OK\r\n\r\nstock", aborts=True),
    "no answer": Feature(answer=b"", closes=True),
    "no answer, cut off": Feature(answer=b"", aborts=True),
    "another protocol": Feature(answer=b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", closes=True),
    "silence": Feature({"timeout_s": 0.1}, silent=True),
}


def plan_of(feature: Feature, url: str) -> Plan:
    request = Request("quote", **{"path": "/quote", **feature.request})
    load = (Phase("all", COUNT / 100, Constant(100.0)),)
    asked = {"connections": Connections(warm_count=1), "max_late_s": 10.0, **feature.plan}
    return Plan("paths", Aim(url, feature.front), (request,), load, **asked)


async def fetch(sha256: str) -> AsyncIterator[bytes]:
    yield FILES[sha256]


async def toolkit_of(feature: Feature, url: str) -> tuple[Toolkit, FileCache]:
    files = FileCache(fetch)
    return await make_toolkit(plan_of(feature, url), "run-1", frozenset(), files, "1.0"), files


async def through_a_segment(feature: Feature, url: str) -> Counter[str]:
    toolkit, files = await toolkit_of(feature, url)
    windows: list[Window] = []
    clock = RunClock(time.monotonic)
    segment = Segment(prepare(toolkit, 0, 1, 0, 0.01), clock, lambda: 10.0, lambda: 0.0, windows.append)
    clock.start(-0.01, time.monotonic())
    assert await segment.run() == "done"
    await segment.sender.close()
    files.close()
    found: Counter[str] = Counter()
    for window in windows:
        for key, count in window.answers.items():
            found[key.signature] += count
    return found


async def through_a_session(feature: Feature, url: str) -> Counter[str]:
    """Send the same requests with `ClientSession`, and classify what it returns."""
    toolkit, files = await toolkit_of(feature, url)
    builder, found = toolkit.builders[0], Counter[str]()
    timeout = ClientTimeout(builder.timeout_s)
    connector = TCPConnector(ssl=client_context())
    async with ClientSession(connector=connector, cookie_jar=DummyCookieJar(), timeout=timeout) as session:
        for number in range(COUNT):
            row = toolkit.rows[number % len(toolkit.rows)] if toolkit.rows else {}
            head, _, body = builder.build(number, row).partition(b"\r\n\r\n")
            line, *lines = head.decode().split("\r\n")
            headers = dict(one.split(": ", 1) for one in lines)
            method, path, _ = line.split(" ")
            sending = session.request(method, url + path, headers=headers, data=body or None, allow_redirects=False)
            try:
                async with sending as answer:
                    content = await answer.read()
                    expected = builder.expected(answer.status, content)
                    found[classify(feature.front, answer.status, answer.headers, content, expected)] += 1
            except TimeoutError:
                found[TIMED_OUT] += 1
            except (ClientConnectionError, ClientPayloadError, ValueError, OSError):
                found[UNREACHABLE_NO_RESPONSE] += 1
            except Exception as error:
                if type(error).__module__.partition(".")[0] != "aiohttp":
                    raise
                found[UNREACHABLE_NO_RESPONSE] += 1  # an answer that is none
    await toolkit.dialer.close()
    files.close()
    return found


def seen(target: Any) -> Sequence[tuple[str, bytes]]:
    """Return what arrived, in any order: lines of the head sorted, and the body; and forget it."""
    arrived = sorted(
        ("\n".join(sorted(head.split("\r\n"))), body) for head, body in zip(target.requests, target.bodies, strict=True)
    )
    target.requests.clear()
    target.bodies.clear()
    return arrived


@pytest.fixture(params=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Runs on a worker's loop, and on the one where that is not installed: TLS is the loop's."""
    factory = pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as made:
        yield made


@pytest.fixture(params=["plain", "TLS"])
def context(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext | None:
    """The target's TLS, or None for plain HTTP; the worker trusts it."""
    if request.param == "plain":
        return None
    certificate: Path = request.getfixturevalue("certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return made


async def answer(feature: Feature, writer: asyncio.StreamWriter) -> None:
    for start in range(0, 0 if feature.silent else len(feature.answer), feature.piece_bytes):
        writer.write(feature.answer[start : start + feature.piece_bytes])
        await asyncio.sleep(0)
    if feature.aborts:
        writer.transport.abort()
    elif feature.closes:
        writer.close()


async def compare(feature: Feature, target: Any, context: ssl.SSLContext | None) -> None:
    target.behaviour = lambda _, writer: answer(feature, writer)
    await target.start(context)
    url = target.url if context is None else f"https://127.0.0.1:{target.port}"
    try:
        fast = await through_a_segment(feature, url)
        by_fast = seen(target)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connections, "plain_status", lambda _: 0)
            full = await through_a_segment(feature, url)
        by_full = seen(target)
        assert fast == full
        assert by_fast == by_full
        assert len(by_fast) == sum(fast.values()) == COUNT
        assert await through_a_session(feature, url) == full
    finally:
        await target.stop()


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_has_the_same_outcome_on_every_way(
    new_target: Any, context: ssl.SSLContext | None, runner: asyncio.Runner, name: str
) -> None:
    runner.run(compare(FEATURES[name], new_target, context))
