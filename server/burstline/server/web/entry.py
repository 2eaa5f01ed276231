"""Who may use the web pages: bearer tokens, or sessions begun with one; and no orders on behalf of other sites.

A browser sends no bearer token by itself, so a page asks for it once and keeps it on this side, under a random cookie
that scripts cannot read and other sites cannot use. Two checks stand before every order (a POST) of a browser: it must
come from a page of this very server, and, where no tokens protect the server, under a name that no stranger can point
at it (a public name could be made to resolve to this machine: DNS rebinding).
"""

import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from burstline.server.access import check
from burstline.server.errors import Refused, ServerError
from burstline.server.settings import Token

COOKIE = "burstline_session"
SESSION_S = 12 * 3600.0
MOST_SESSIONS = 1_000
STOP_METHOD = "/burstline.v1.RunService/StopRun"
"""Whose role a stop button needs."""

OPEN = frozenset({"/healthz", "/login"})
"""Paths that need no token."""


@dataclass(frozen=True, slots=True)
class _Session:
    authorization: str
    until_s: float


class Sessions:
    """Browsers that showed a token; forgotten when the server ends."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._sessions: dict[str, _Session] = {}

    def begin(self, authorization: str) -> str:
        """Return a new session's key, for the cookie."""
        now_s = self._now_s()
        living = {key: one for key, one in self._sessions.items() if one.until_s > now_s}
        self._sessions = dict(list(living.items())[-MOST_SESSIONS + 1 :])
        key = secrets.token_urlsafe(32)
        self._sessions[key] = _Session(authorization, now_s + SESSION_S)
        return key

    def end(self, key: str) -> None:
        """Forget a session."""
        self._sessions.pop(key, None)

    def authorization(self, key: str) -> str:
        """Return the header that a session stands for; "" if there is none."""
        session = self._sessions.get(key)
        return session.authorization if session is not None and session.until_s > self._now_s() else ""


def authorization_of(request: web.Request, sessions: Sessions) -> str:
    """Return a request's own authorization, else its session's; "" for neither."""
    return request.headers.get("Authorization", "") or sessions.authorization(request.cookies.get(COOKIE, ""))


def order_refusal(request: web.Request, tokens: tuple[Token, ...]) -> ServerError | None:
    """Return why a POST of a browser is refused, or None. A caller that shows a bearer token is no browser."""
    if request.headers.get("Authorization"):
        return None
    if not is_same_origin(request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin"), request.host):
        return Refused("an order must come from a page of this server; scripts show a bearer token")
    if not tokens and not is_private_name(request.host):
        return Refused(
            f"without tokens no order is taken under the public name {request.host}: use the address, "
            "or give the server tokens"
        )
    return None


def is_same_origin(fetch_site: str | None, origin: str | None, host: str) -> bool:
    """Return whether a browser says that a request comes from a page of `host` itself.

    Args:
        fetch_site: the header Sec-Fetch-Site; None if there is none, as from old browsers.
        origin: the header Origin; None if there is none.
        host: the header Host.
    """
    if fetch_site is not None and fetch_site != "same-origin":
        return False
    if origin is None:
        return fetch_site == "same-origin"
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and parts.netloc.lower() == host.lower()


def is_private_name(host: str, own: Iterable[str] | None = None) -> bool:
    """Return whether a Host header is an address, this machine's name, or one that public DNS does not serve.

    Args:
        host: with or without a port.
        own: names of this machine; None asks the system.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if _is_address(name):
        return True
    names = {socket.gethostname().lower(), socket.getfqdn().lower()} if own is None else {one.lower() for one in own}
    return bool(name) and ("." not in name or name.endswith((".localhost", ".local", ".internal")) or name in names)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def token_check(tokens: tuple[Token, ...], sessions: Sessions) -> Middleware:
    """Ask for a token everywhere but on `OPEN` paths, when tokens are configured; browsers are led to the sign-in."""

    @web.middleware
    async def check_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in OPEN:
            return await handler(request)
        refusal = check("/burstline.http" + request.path, authorization_of(request, sessions), tokens)
        if refusal is None:
            return await handler(request)
        if request.method == "GET" and wants_html(request):
            raise web.HTTPSeeOther(f"/login?next={quote(request.path, safe='/')}")
        return web.json_response({"error": refusal.message}, status=401)

    return check_token


def wants_html(request: web.Request) -> bool:
    """Return whether a request is a browser's that shows pages, and not a script's."""
    return "text/html" in request.headers.get("Accept", "")


def own_path(path: str) -> str:
    """Return `path` if it leads to this server, else `/`: a sign-in must not send its user elsewhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"
