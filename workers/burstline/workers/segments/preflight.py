"""One look at the target before a run: a request per name, with what its answer shows."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from burstline.core.load.plan import Front
from burstline.core.load.samples import TIMED_OUT, UNREACHABLE_NO_RESPONSE
from burstline.core.quota.answers.classify import classify
from burstline.workers.requests.secrets import hidden, secrets_of
from burstline.workers.requests.templating import Text
from burstline.workers.segments.preparing import Toolkit
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.sending import Sender

MARK = ("x-burstline-preflight", "1")
"""Tells a preflight's request from a run's, in the target's logs."""

SHOWN_COUNT = 200
"""Characters of a refusal's body that are shown."""

_NO_COMMON_PROTOCOL = "APPLICATION_PROTOCOL"
_ONE_VERSION = "; if the target speaks HTTP/2 alone: burstline speaks HTTP/1.1, as all fronts of AWS do"

_CACHE_HEADERS = ("x-cache", "age", "cf-cache-status", "x-amz-cf-pop", "cache-control")
_GUESSES = (
    ("x-amz-apigw-id", Front.REST),
    ("apigw-requestid", Front.HTTP),
    ("x-amz-executed-version", Front.LAMBDA),
)
_SERVERS = (("awselb", Front.ALB),)


@dataclass(frozen=True, slots=True)
class Look:
    """What one request showed.

    Attributes:
        request: its name.
        address: IP address it went to; "" if none was reached.
        status: HTTP status; 0 if there was no answer.
        signature: of the plan's front.
        front: what the answer's headers look like; None if they do not say.
        tls: TLS version; "" for plain HTTP.
        latency_s: from sending to the last byte, connecting included, seconds.
        cache_headers: as "name: value".
        problem: for a reader; "" if there is none.
        on_wire: whether its bytes were written.
    """

    request: str
    address: str
    status: int
    signature: str
    front: Front | None
    tls: str
    latency_s: float
    cache_headers: tuple[str, ...]
    problem: str
    on_wire: bool


def front_of(headers: Mapping[str, str]) -> Front | None:
    """Return the front that a response's headers look like, or None.

    API Gateway's REST APIs answer with `x-amzn-RequestId` and `x-amz-apigw-id`, its HTTP APIs with `apigw-requestid`;
    function URLs with `x-amzn-RequestId` and `X-Amzn-Trace-Id` alone; a load balancer's own answers say
    `Server: awselb/2.0` (seen in AWS's documentation, read 2026-11-23). A hint, no proof: owners can add headers.
    """
    for name, front in _GUESSES:
        if name in headers:
            return front
    server = headers.get("server", "").lower()
    for start, front in _SERVERS:
        if server.startswith(start):
            return front
    if "x-amzn-requestid" in headers and "x-amzn-trace-id" in headers:
        return Front.FUNCTION_URL
    return None


@dataclass(slots=True)
class _Seen:
    status: int = 0
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    signature: str = ""


class _Look:
    """One request and its answer."""

    def __init__(self, toolkit: Toolkit, index: int) -> None:
        self._toolkit, self._index = toolkit, index
        self._done = asyncio.Event()
        self.seen = _Seen()
        self._secrets: list[str] = []
        self.sender = Sender(toolkit.dialer, 60.0, 1, self._answered, self._failed, lambda _: None)

    def _answered(self, _: Flight, status: int, headers: Mapping[str, str], body: bytes) -> None:
        expected = self._toolkit.builders[self._index].expected(status, body)
        signature = classify(self._toolkit.plan.target.front, status, headers, body, expected)
        self.seen = _Seen(status, headers, body, signature)
        self._done.set()

    def _failed(self, _: Flight, signature: str) -> None:
        self.seen = _Seen(signature=signature)
        self._done.set()

    async def take(self) -> Look:
        toolkit, builder = self._toolkit, self._toolkit.builders[self._index]
        data = builder.build(0, toolkit.rows[0] if toolkit.rows else {})
        started_s = time.monotonic()
        flight = Flight(0, 0, self._index, 0.0, 0.0, builder.timeout_s)
        address = tls = ""
        await self.sender.warm(1)
        link = self.sender.peek()
        if link is not None:
            address, tls = link.peer, link.tls_version
        self._secrets = secrets_of(toolkit.plan, data)
        self.sender.send(flight, data, builder.head, builder.reading)
        try:
            await asyncio.wait_for(self._done.wait(), builder.timeout_s)
        except TimeoutError:
            self.seen = _Seen(signature=TIMED_OUT)
        await self.sender.drop_all()
        return self._look(address, tls, time.monotonic() - started_s, flight.on_wire)

    def _look(self, address: str, tls: str, latency_s: float, on_wire: bool) -> Look:
        seen, headers = self.seen, self.seen.headers or {}
        name = self._toolkit.plan.requests[self._index].name
        problem = ""
        if not seen.status:
            reason = self.sender.last_problem
            problem = self._shown(f"no answer ({seen.signature})" + (f": {reason}" if reason else ""))
            if seen.signature == UNREACHABLE_NO_RESPONSE or _NO_COMMON_PROTOCOL in reason:
                problem += _ONE_VERSION
        elif seen.status in (401, 403):
            text = " ".join(self._shown(seen.body.decode("utf-8", "replace")).split())
            problem = f"the target refused us with {seen.status}: {text[:SHOWN_COUNT]}"
        found = tuple(self._shown(f"{key}: {headers[key]}") for key in _CACHE_HEADERS if key in headers)
        return Look(
            name, address, seen.status, seen.signature, front_of(headers), tls, latency_s, found, problem, on_wire
        )

    def _shown(self, text: str) -> str:
        """Return what of the target's words may be shown: all but the secrets that it was sent."""
        return hidden(text, self._secrets)


async def look(toolkit: Toolkit) -> list[Look]:
    """Send one request per name, one after the other, and return what each showed.

    Args:
        toolkit: made with `preflight_headers` added.
    """
    return [await _Look(toolkit, index).take() for index in range(len(toolkit.builders))]


def preflight_headers() -> list[tuple[str, Text]]:
    """Return the header that marks a preflight's requests."""
    return [(MARK[0], Text(MARK[1]))]
