"""aiohttp's connector and response protocol without its session. Everything that touches their internals is here.

Why not ClientSession: it silently re-sends GET and PUT on a kept-alive connection that the target closed (tried), and
its bookkeeping costs four fifths of a request. Pinned to aiohttp >= 3.14, < 3.15. What is relied on besides the public
surface: `TCPConnector.connect`, `ClientRequest` as its argument, the connector's `_factory`, and of `ResponseHandler`
`feed_data` (a parsed response head arrives there), `set_response_params`, `should_close` and `_parser`.
"""

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import BasicAuth, ClientError, ClientTimeout, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.helpers import get_env_proxy_for_url
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from burstline.core.load.plan import Connections
from burstline.workers.addresses import Gate
from burstline.workers.answers import plain_status
from burstline.workers.resolving import GatedResolver
from burstline.workers.templating import Text
from burstline.workers.tls import ClientContext, client_context

_FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Reading:
    """What is wanted of a response's body.

    Attributes:
        keep_bytes: how much of a long body is handed over at least.
        skipped: by status, 0..999: whether a body that came with its head need not be looked at.
        bare: by status: whether the status says it all, and neither headers nor body are looked at.
    """

    keep_bytes: int = 4096
    skipped: Sequence[bool] = (False,) * 1000
    bare: Sequence[bool] = (False,) * 1000


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
        self.transport.write(data)

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


def _proxy_for(target: URL) -> tuple[URL | None, BasicAuth | None]:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a target, if any."""
    try:
        return get_env_proxy_for_url(target)
    except LookupError:
        return None, None


class Dialer:
    """Opens links to one target, through a proxy where the environment names one for it.

    Args:
        url: the target's.
        policy: of the plan.
        gate: which addresses may be connected to.
        timeout_s: for one connection, DNS and TLS included, seconds.
    """

    def __init__(self, url: str, policy: Connections, gate: Gate, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        target = URL(url)
        proxy, proxy_auth = _proxy_for(target)
        self.proxied_plain = proxy is not None and target.scheme == "http"
        self.proxy_authorization = proxy_auth.encode() if proxy_auth is not None else ""
        self._gate = Gate(named=True) if proxy is not None else gate  # the proxy is the user's choice, by name
        self._tls: ClientContext | None = client_context() if target.scheme == "https" else None
        self._last: Link | None = None
        tls = self._tls or True
        self._request = ClientRequest("GET", target, loop=loop, ssl=tls, proxy=proxy, proxy_auth=proxy_auth)
        self._timeout = ClientTimeout(connect=timeout_s, sock_connect=timeout_s, ceil_threshold=3600)
        self._connector = TCPConnector(
            limit=0,
            limit_per_host=0,
            force_close=False,
            keepalive_timeout=policy.keep_alive_s,
            ttl_dns_cache=policy.dns_every_s,  # type: ignore[arg-type]  # seconds; a float is as good
            family=_FAMILIES[policy.ip],
            resolver=GatedResolver(self._gate),
            socket_factory=self._open_socket,
        )
        self._connector._factory = lambda: Link(loop)  # type: ignore[assignment]

    def proxy_header(self) -> tuple[str, Text]:
        """Return the header for a plain proxy's password; through a tunnel aiohttp says it itself."""
        return ("Proxy-Authorization", Text.literal(self.proxy_authorization))

    def _open_socket(self, info: Any) -> socket.socket:
        """Open a socket: the last place to refuse an address, whatever names, literals or caches said before."""
        family, kind, protocol, _, address = info
        self._gate.check(str(address[0]))
        return socket.socket(family=family, type=kind, proto=protocol)

    async def open(self) -> tuple[Link, Any]:
        """Open a new connection; never one that was used before.

        Returns:
            The link, and what to give to its `adopt`.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError: it could not be opened.
        """
        if self._tls is not None and self._last is not None:
            self._tls.keep(self._last.tls)  # its ticket came after its handshake
        connection = await self._connector.connect(self._request, [], self._timeout)
        link = connection.protocol
        assert isinstance(link, Link)
        self._last = link
        return link, connection

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()
