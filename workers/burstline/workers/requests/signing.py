"""AWS Signature Version 4 with the worker's own credentials: botocore finds them, the signature is made here.

botocore's `SigV4Auth` signs the same way (a property test holds the two together) and takes 59 microseconds a request;
this takes 12, and for a request that never changes one signature a second, for the signed time counts in seconds.
Source: "Signature Version 4 signing process", AWS General Reference, read 2026-11-23.
"""

import hmac
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from burstline.core.load.plan import Auth, Front
from burstline.workers.errors import CannotPrepare

_REGION_IN_HOST = re.compile(r"(?:^|\.)(?:execute-api|lambda-url|lambda|sqs)\.([a-z0-9-]+)\.(?:amazonaws\.com|on\.aws)")
_SERVICES = {Front.FUNCTION_URL: "lambda", Front.LAMBDA: "lambda", Front.SQS: "sqs"}

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = frozenset(
    "baggage connection expect keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade "
    "user-agent x-amzn-trace-id".split()
)
"""Headers that proxies may change on the way, so that botocore does not sign them either."""

MOST_HEADS = 1000
"""Sets of headers kept for a second; with templates in headers each request has its own."""

_NO_BODY = sha256().hexdigest()
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_~/-]*").fullmatch
_DEFAULT_PORTS = {"http": 80, "https": 443}


def signing_scope(auth: Auth, front: Front, host: str) -> tuple[str, str]:
    """Return the region and service to sign for: the plan's, else what host, environment and front say.

    Raises:
        CannotPrepare: no region is known.
    """
    match = _REGION_IN_HOST.search(host)
    region = auth.region or (match[1] if match else "") or os.environ.get("AWS_REGION", "")
    region = region or os.environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise CannotPrepare(f"auth.sigv4.region is not stated and cannot be taken from the host {host}")
    return region, auth.service or _SERVICES.get(front, "execute-api")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is signed with. `token` is "" for lasting credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Head:
    """What requests with the same headers share for a second.

    Attributes:
        sent: the headers with time and token.
        canonical: their canonical lines and names, as far as the payload's hash.
        payload: that hash, if a header states it, else "".
        authorization: the header's value as far as the signature.
    """

    sent: list[tuple[str, str]]
    canonical: str
    payload: str
    authorization: str


class Signature:
    """Signs with fixed credentials.

    Args:
        credentials: to sign with.
        region, service: the scope.
        now: seconds since 1970, for tests.
    """

    def __init__(
        self, credentials: Credentials, region: str, service: str, now: Callable[[], float] = time.time
    ) -> None:
        self._credentials, self._region, self._service, self._now = credentials, region, service, now
        self._second = -1
        self.stamp = self._scope = self._preface = ""
        self._inner = self._outer = sha256()
        self._heads: dict[object, _Head] = {}

    def tick(self) -> str:
        """Return the signed time of this second, as in `20261123T120000Z`; the key is made anew once a day."""
        second = int(self._now())
        if second != self._second:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            if stamp[:8] != self.stamp[:8]:
                self._make_key(stamp[:8])
            self._second, self.stamp = second, stamp
            self._preface = f"{_ALGORITHM}\n{stamp}\n{self._scope}\n"
            self._heads.clear()
        return self.stamp

    def _make_key(self, day: str) -> None:
        key = f"AWS4{self._credentials.secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        # HMAC (RFC 2104) with its two halves keyed in advance: setting a key up costs more than signing.
        self._inner, self._outer = (sha256(bytes(one ^ pad for one in key.ljust(64, b"\0"))) for pad in (0x36, 0x5C))
        self._scope = f"{day}/{self._region}/{self._service}/aws4_request"

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        """Return the headers with the signature's own added.

        Args:
            method: in upper case.
            url: whole, percent-encoded, without a fragment.
            headers: as they will be sent, less Host and Content-Length.
            body: all of it.
        """
        self.tick()
        origin, found, query = url.partition("?")
        scheme, _, rest = origin.partition("://")
        netloc, slash, path = rest.partition("/")
        key = (netloc, *headers)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = self._head(headers, _host(scheme, netloc))
        payload = head.payload or (sha256(body).hexdigest() if body else _NO_BODY)
        canonical = (
            f"{method}\n{_canonical_path(slash + path)}\n{_canonical_query(query) if found else ''}\n"
            f"{head.canonical}{payload}"
        )
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{self._preface}{sha256(canonical.encode()).hexdigest()}".encode())
        outer.update(inner.digest())
        return [*head.sent, ("Authorization", head.authorization + outer.hexdigest())]

    def _head(self, headers: Sequence[tuple[str, str]], host: str) -> "_Head":
        """Return what does not change within a second for requests with the same headers."""
        if len(self._heads) >= MOST_HEADS:
            self._heads.clear()
        sent = self._dated(headers, self.stamp)
        names, lines = _canonical_headers(sent, host)
        payload = next((value for name, value in sent if name.lower() == "x-amz-content-sha256"), "")
        credential = f"{self._credentials.access_key}/{self._scope}"
        value = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature="
        return _Head(sent, f"{lines}\n{names}\n", payload, value)

    def _dated(self, headers: Sequence[tuple[str, str]], stamp: str) -> list[tuple[str, str]]:
        """Return the headers with time and token; those of the plan by the same names give way."""
        ours = [("X-Amz-Date", stamp)]
        if any(name.lower() == "date" for name, _ in headers):
            ours = [("Date", formatdate(self._second))]
        if self._credentials.token:
            ours.append(("X-Amz-Security-Token", self._credentials.token))
        replaced = {"authorization", *(name.lower() for name, _ in ours)}
        return [*(one for one in headers if one[0].lower() not in replaced), *ours]


def _host(scheme: str, netloc: str) -> str:
    host = netloc.rpartition("@")[2].lower()
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() and int(port) == _DEFAULT_PORTS.get(scheme) else host


def _canonical_headers(headers: Sequence[tuple[str, str]], host: str) -> tuple[str, str]:
    """Return the signed names joined by semicolons, and a line for each."""
    values = {"host": host}
    for name, value in headers:
        lower = name.lower()
        if lower not in _UNSIGNED:
            value = " ".join(value.split())
            values[lower] = f"{values[lower]},{value}" if lower in values else value
    names = sorted(values)
    return ";".join(names), "".join([f"{name}:{values[name]}\n" for name in names])


def _canonical_query(query: str) -> str:
    if "&" not in query:
        return query if not query or "=" in query else query + "="
    pairs = sorted((name, value) for name, _, value in (pair.partition("=") for pair in query.split("&")))
    return "&".join([f"{name}={value}" for name, value in pairs])


def _canonical_path(path: str) -> str:
    """Return a path with its dot segments and empty segments taken out, encoded once more, as all but S3 want it."""
    if _PLAIN_PATH(path) and "//" not in path:
        return path
    if "//" in path or "/." in path:
        kept: list[str] = []
        for part in path.split("/"):
            if part == "..":
                del kept[-1:]
            elif part and part != ".":
                kept.append(part)
        path = "/" + "/".join(kept) + ("/" if path.endswith("/") and kept else "")
    return quote(path or "/", safe="/~")


CREDENTIALS_EVERY_S = 60.0
"""How often AWS credentials are asked for again; they are renewed minutes before they end."""


class Signer:
    """Signs requests with credentials that are renewed. Made in a thread: finding them may ask files and the network.

    Raises:
        CannotPrepare: this worker has no AWS credentials.
    """

    def __init__(self, region: str, service: str) -> None:
        from botocore.exceptions import BotoCoreError  # a third of a second, and few plans are signed
        from botocore.session import get_session

        try:
            self._source: Any = get_session().get_credentials()
        except BotoCoreError as error:
            raise CannotPrepare(f"AWS credentials could not be read on the worker: {type(error).__name__}") from error
        if self._source is None:
            raise CannotPrepare("auth.sigv4 needs AWS credentials on the worker, and it has none")
        self._region, self._service = region, service
        self.refresh()

    def refresh(self) -> None:
        """Take over renewed credentials; may ask the network, so call it in a thread, well before they end."""
        from botocore.exceptions import BotoCoreError

        try:
            frozen = self._source.get_frozen_credentials()
        except BotoCoreError as error:
            raise CannotPrepare(f"AWS credentials could not be renewed: {type(error).__name__}") from error
        credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")
        self.signature = Signature(credentials, self._region, self._service)

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        """Return the headers with the signature's own added; see `Signature.sign`."""
        return self.signature.sign(method, url, headers, body)

    def refresh_in_s(self) -> float:
        """Return in how many seconds credentials are to be asked for again."""
        return CREDENTIALS_EVERY_S

    def ends_in_s(self) -> float | None:
        """Return None: botocore does not say when credentials end."""
        return None

    def moment(self) -> object:
        """Return a value that stays equal as long as signatures of the same request do: at most a second."""
        return self.signature, self.signature.tick()
