"""HTTP for what stands beside a run's load: one POST, no redirects, and no connection to a forbidden address."""

import errno
import http.client
import socket
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from burstline.core.load.hosts import is_loopback, is_never_allowed
from burstline.workers.tls import client_context

TIMEOUT_S = 10.0
ANSWER_BYTES = 1 << 20


def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Post over HTTP, through proxies where the environment names them.

    Returns:
        Status and body; a redirect is an answer like others: secrets go where the plan says and nowhere else.

    Raises:
        OSError: there was no answer, or the host's name leads to an address that is never connected to.
    """
    opener = build_opener(_Http(), _Https(), _NoRedirects())
    try:
        with opener.open(Request(url, body, dict(headers)), timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read(ANSWER_BYTES)
    except HTTPError as error:
        with error:
            return error.code, error.read(ANSWER_BYTES)
    except http.client.HTTPException as error:
        raise OSError(f"no answer in HTTP: {type(error).__name__}") from error


def connect_checked(address: tuple[str, int], timeout_s: float | None = None, source: Any = None) -> socket.socket:
    """Connect as `socket.create_connection`, to the first address of a name that answers, if none of them is forbidden.

    Raises:
        OSError: as that, or EACCES for a link-local or metadata address, or a loopback name that leads elsewhere.
    """
    host, port = address
    found = [str(one[-1][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for where in found:
        if is_never_allowed(where):
            raise OSError(errno.EACCES, f"{host} is {where}, a link-local or metadata address: never allowed")
        if is_loopback(host) and not is_loopback(where):
            raise OSError(errno.EACCES, f"{host} is {where}, not this machine")
    problem = OSError(f"{host} has no address")
    for where in found:
        try:
            return socket.create_connection((where, port), timeout_s, source)
        except OSError as error:
            problem = error
    raise problem


class _Plain(http.client.HTTPConnection):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._create_connection = connect_checked  # what http.client itself connects with


class _Tls(http.client.HTTPSConnection):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._create_connection = connect_checked


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_Plain, req)


class _Https(HTTPSHandler):
    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_Tls, req, context=client_context())


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:
        return None
