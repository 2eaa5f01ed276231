"""Opens connections to one target with aiohttp's connector: DNS, IPv4 and IPv6, proxies, TLS.

Relied on besides aiohttp's public surface: `TCPConnector.connect`, `ClientRequest` as its argument, and the connector's
`_factory`. Names are resolved again every `dns.every`; each new connection starts with the next of the addresses, so
that connections spread over all of them.
"""

import asyncio
import socket
from typing import Any

from aiohttp import BasicAuth, ClientTimeout, TCPConnector
from aiohttp.client_reqrep import ClientRequest
from aiohttp.helpers import get_env_proxy_for_url
from yarl import URL

from burstline.core.load.plan import Connections
from burstline.workers.requests.templating import Text
from burstline.workers.sending.addresses import Gate
from burstline.workers.sending.connections import Link
from burstline.workers.sending.resolving import GatedResolver
from burstline.workers.tls import ClientContext, client_context

_FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}


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
        secure = target.scheme == "https" or (proxy is not None and proxy.scheme == "https")
        self._tls: ClientContext | None = client_context() if secure else None
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
