"""aiohttp's response protocol without its session: what touches aiohttp's internals is here and in `dialing`.

Why not ClientSession: it silently re-sends GET and PUT on a kept-alive connection that the target closed (tried), and
its bookkeeping costs four fifths of a request. Pinned to aiohttp >= 3.14, < 3.15. What is relied on besides the public
surface: of `ResponseHandler` `feed_data` (a parsed response head arrives there), `set_response_params`, `should_close`
and `_parser`.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import ClientError
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from burstline.workers.requests.reading import Reading
from burstline.workers.sending.answers import plain_status

_NO_HEADERS: Mapping[str, str] = {}


class Owner(Protocol):
    """Who is told what happens on a link."""

    def answered(self, token: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A response is complete; the link may still be busy."""

    def freed(self, link: "Link") -> None:
        """The link can take another request, unless `should_close`."""

    def lost(self, link: "Link", token: Any) -> None:
        """The connection is gone; `token` is the exchange that will get no answer, or None."""


class Link(ResponseHandler):
    """One connection to the target, which carries one exchange at a time and calls back without a task.

    Until `adopt`, it is a plain aiohttp protocol: aiohttp itself talks through it to proxies.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.connected_s = time.monotonic()
        self.made_s = self.connected_s
        self.idle_since_s = 0.0
        self._owner: Owner | None = None
        self._connection: Any = None
        self._token: Any = None
        self._head = self._was_answered = self._parsing = False
        self._reading = Reading()
        self._body: StreamReader | None = None
        self._collector: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: after the TLS handshake, if there is one."""
        super().connection_made(transport)
        self.made_s = time.monotonic()

    def adopt(self, owner: Owner, connection: Any) -> None:
        """From now on tell `owner`; `connection` is aiohttp's hold on this link, given back at its end."""
        self._owner, self._connection = owner, connection

    @property
    def connected(self) -> bool:
        """Whether it was not closed while idle."""
        transport = self.transport
        return transport is not None and not transport.is_closing()

    @property
    def usable(self) -> bool:
        """Whether a request can be written: connected, and not about to close."""
        transport = self.transport
        return transport is not None and not transport.is_closing() and not self.should_close

    @property
    def peer(self) -> str:
        """The address connected to, or ""."""
        name = self.transport.get_extra_info("peername") if self.transport is not None else None
        return str(name[0]) if name else ""

    @property
    def tls(self) -> Any:
        """The TLS object, or None for plain HTTP."""
        return self.transport.get_extra_info("ssl_object") if self.transport is not None else None

    @property
    def tls_version(self) -> str:
        """The TLS version, or "" for plain HTTP."""
        return str(self.tls.version()) if self.tls is not None else ""

    def begin(self, token: Any, data: bytes, head: bool, reading: Reading) -> None:
        """Write one request; its answer comes to the owner with `token`.

        Args:
            token: names the exchange.
            data: the whole request.
            head: whether it is a HEAD request, whose answer has no body.
            reading: what is wanted of the answer's body.
        """
        self._token, self._reading = token, reading
        if self._parser is None or head or self._head:  # a parser serves many exchanges; its "no body" is for life
            self.set_response_params(read_until_eof=True, skip_payload=head)
            self._head = head
        assert self.transport is not None
        self.transport.write(data)  # the loop writes when it has read: at once it cost far more CPU (tried)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Called by aiohttp when the head of a response is parsed."""
        if self._owner is None:
            super().feed_data(data, size)
            return
        message, body = data
        if 100 <= message.code < 200 and message.code != 101:
            return
        if self._token is None or self._body is not None:  # an answer to nothing: the link is out of step
            self.drop()
        elif body.is_eof():
            self._complete(message, b"" if self._reading.skipped[message.code] else _content(body))
            self._was_answered = True
        else:
            self._body = body
            self._collector = self._loop.create_task(self._collect(message, body), name="body")

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        token, owner = self._token, self._owner
        if token is not None and owner is not None and not self._parsing and not self._head:
            status = plain_status(data)
            if status and self._reading.bare[status]:
                self._token = None
                owner.answered(token, status, _NO_HEADERS, b"")
                owner.freed(self)
                return
        self._parsing = True
        super().data_received(data)
        if self._was_answered:  # only now is the parser done with this data, and the link free
            self._was_answered = self._parsing = False
            if self._owner is not None:
                self._owner.freed(self)

    async def _collect(self, message: RawResponseMessage, body: StreamReader) -> None:
        kept = bytearray()
        try:
            async for piece in body.iter_any():
                if len(kept) < self._reading.keep_bytes:
                    kept += piece
        except (ClientError, OSError, ValueError):  # cut off or unreadable: there is no complete response
            self._body = None
            self._lose()
            return
        self._body = None
        if self._token is not None:
            self._complete(message, bytes(kept))
        self._parsing = False
        if self.transport is None:
            self._lose()
        elif self._owner is not None:
            self._owner.freed(self)

    def _complete(self, message: RawResponseMessage, body: bytes) -> None:
        token, self._token = self._token, None
        if self._owner is not None:
            self._owner.answered(token, message.code, message.headers, body)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by the loop: the connection is closed, by whichever end."""
        body = self._body
        super().connection_lost(exc)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(ConnectionResetError("closed in the middle of a body"))
        if body is None:
            self._lose()  # else the collector does, once it has seen the body's end or its exception

    def _lose(self) -> None:
        token, self._token = self._token, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._owner is not None:
            self._owner.lost(self, token)

    def drop(self) -> None:
        """Close the connection at once, telling the owner of no answer: the exchange, if any, is forgotten."""
        self._token = None
        self.force_close()
        transport = self.transport
        if transport is not None:
            transport.abort()


def _content(body: StreamReader) -> bytes:
    """Return a complete body. `read_nowait` would feed the parser once more, for nothing, unless it was paused."""
    if body.exception() is not None or not hasattr(body, "_buffer"):
        return b""
    return b"".join(body._buffer)
