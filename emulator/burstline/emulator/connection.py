"""HTTP/1.1 on one connection: bytes in, requests to the front desk, answers out, in the order of the requests."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

import httptools

from burstline.emulator.answers import Answer
from burstline.emulator.counting import NUMBER_HEADER, PREFLIGHT_HEADER, RUN_HEADER
from burstline.emulator.encoding import BAD_REQUEST, CONTINUE, Encoder
from burstline.emulator.exchange import Exchange
from burstline.emulator.front import INVOCATION_TYPE_HEADER
from burstline.emulator.routing import KEY_HEADER

_EXPECT = b"expect"
_WANTED = frozenset({RUN_HEADER, PREFLIGHT_HEADER, NUMBER_HEADER, KEY_HEADER, INVOCATION_TYPE_HEADER, _EXPECT})
_WANTED_LENGTHS = frozenset(len(name) for name in _WANTED)

WAITING_COUNT = 64
"""Requests one connection may send ahead of its answers; then nothing more is read from it."""


class Connection(asyncio.Protocol):
    """One client connection. Requests that come before the last one is answered wait their turn.

    The `on_*` methods are what httptools calls while it parses.

    Args:
        handle: takes one complete request; the answer comes through `send` or `abandon`.
        encoder: writes answers.
        opened: this connection is in it while it is open.
        on_bad: called when what came was no HTTP.

    Attributes:
        active_s: when the last bytes came or went, seconds of `time.monotonic`.
    """

    def __init__(
        self,
        handle: Callable[[Exchange], None],
        encoder: Encoder,
        opened: "set[Connection]",
        on_bad: Callable[[], None],
    ) -> None:
        self._handle = handle
        self._encoder = encoder
        self._opened = opened
        self._on_bad = on_bad
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._incoming = Exchange(self)
        self._current: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self.active_s = monotonic()

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self._current is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        # asyncio hands over a Transport here; uvloop's is one only by its methods.
        self._transport = transport  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport; calls that are under way run on, as Lambda's do."""
        self._transport = None
        self._waiting.clear()
        self._opened.discard(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self.active_s = monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # We speak nothing but HTTP/1.1: the request is answered as if it had not asked for more.
            self._parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserError:
            self._on_bad()
            if self._transport is not None:
                self._transport.write(BAD_REQUEST)
                self.close()

    def on_message_begin(self) -> None:
        """A new request starts."""
        self._incoming = Exchange(self)

    def on_url(self, url: bytes) -> None:
        """A piece of path and query."""
        self._incoming.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; most are of no interest."""
        if len(name) in _WANTED_LENGTHS:
            lower = name.lower()
            if lower in _WANTED:
                headers = self._incoming.headers
                if headers is None:
                    headers = self._incoming.headers = {}
                headers[lower] = value

    def on_headers_complete(self) -> None:
        """All headers are here; the body may wait for our word."""
        headers = self._incoming.headers
        if not headers or headers.pop(_EXPECT, b"").lower() != b"100-continue":
            return
        if self._transport is not None and self._current is None:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body: counted, not kept."""
        self._incoming.body_bytes += len(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        exchange = self._incoming
        exchange.method = self._parser.get_method()
        exchange.keep_alive = self._parser.should_keep_alive()
        if self._current is None:
            self._current = exchange
            self._handle(exchange)
            return
        self._waiting.append(exchange)
        if len(self._waiting) >= WAITING_COUNT and self._transport is not None:
            self._transport.pause_reading()

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Write the answer, and take up the next request if one waits."""
        self.write(exchange, self._encoder, answer)

    def write(self, exchange: Exchange, encoder: Encoder, answer: Answer) -> None:
        """Write the answer with headers of another encoder's: as `send`."""
        transport = self._transport
        if transport is None:
            return
        now_s = self.active_s = monotonic()
        keep_alive = exchange.keep_alive
        transport.write(encoder.encode(answer, now_s, keep_alive=keep_alive, head=exchange.method == b"HEAD"))
        self._current = None
        if not keep_alive:
            self.close()
        elif self._waiting:
            self._current = self._waiting.popleft()
            transport.resume_reading()
            # Not at once: a client that sends far ahead would make this call itself deeper and deeper.
            asyncio.get_running_loop().call_soon(self._handle, self._current)

    def abandon(self, exchange: Exchange) -> None:
        """Close without an answer."""
        self.close()

    def close(self) -> None:
        """Close once what was written is sent."""
        self._waiting.clear()
        if self._transport is not None:
            self._transport.close()
