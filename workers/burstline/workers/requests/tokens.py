"""Tokens of an Amazon Cognito user pool: fetched before the run, fetched again before they expire, never logged.

Two flows. With user name and password: `InitiateAuth` with USER_PASSWORD_AUTH (Amazon Cognito User Pools API
Reference). With the client's own credentials: `grant_type=client_credentials` at the pool's token endpoint (Amazon
Cognito Developer Guide, "The token issuer endpoint"). Both read 2026-11-23.
"""

import base64
import hmac
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from burstline.core.load.hosts import HostKind, host_kind
from burstline.core.load.plan import Cognito
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.posting import post
from burstline.workers.requests.secrets import hidden, resolve, secrets_of

RENEWED_AT_RATIO = 0.8
"""A token is renewed after this share of its life: 12 minutes before the end of an hour, 1 before that of 5 minutes."""

RETRY_S = 5.0
"""Until the next try after one that failed, seconds."""

Post = Callable[[str, Mapping[str, str], bytes], tuple[int, bytes]]
"""Posts a body with headers to a URL; returns status and body. Raises OSError."""

_OWN = (".amazonaws.com", ".amazonaws.com.cn", ".amazoncognito.com")


class TokenSource:
    """Puts a pool's token on requests, and renews it. Made in a thread: it asks the network.

    Args:
        cognito: how tokens are asked for; its references are resolved here, at each renewal.
        allowed_hosts: where secrets may be sent, besides this machine and AWS; "*" is everywhere.
        send: how HTTP is spoken; tests give their own.
        now_s: seconds, monotonic.

    Raises:
        CannotPrepare: the endpoint is not allowed, or gave no token.
    """

    def __init__(
        self,
        cognito: Cognito,
        allowed_hosts: Collection[str],
        send: Post = post,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cognito, self._post, self._now_s = cognito, send, now_s
        self._url = _endpoint(cognito)
        _check_host(self._url, allowed_hosts)
        self._header, self._renew_at_s, self._end_s = "", 0.0, 0.0
        self.refresh()

    def refresh(self) -> None:
        """Fetch a token; raises CannotPrepare, with the endpoint's error code but nothing that was sent."""
        self._renew_at_s = self._now_s() + RETRY_S
        asked_s = self._now_s()
        headers, body = _asked(self._cognito)
        try:
            status, answer = self._post(self._url, headers, body)
        except OSError as error:
            reason = getattr(error, "reason", None) or error
            raise CannotPrepare(f"auth.cognito: {_place(self._url)} cannot be reached: {reason}") from error
        token, life_s = _token_of(status, answer, self._cognito, _place(self._url))
        self._header, self._renew_at_s = f"Bearer {token}", asked_s + RENEWED_AT_RATIO * life_s
        self._end_s = asked_s + life_s

    def refresh_in_s(self) -> float:
        """Return in how many seconds the token is to be renewed, >= 0."""
        return max(0.0, self._renew_at_s - self._now_s())

    def ends_in_s(self) -> float:
        """Return in how many seconds the token ends."""
        return self._end_s - self._now_s()

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        """Return the headers with the token added; an Authorization of the plan's own gives way."""
        own = [one for one in headers if one[0].lower() != "authorization"]
        return [*own, ("Authorization", self._header)]

    def moment(self) -> object:
        """Return the header: equal as long as the token is the same."""
        return self._header


def _endpoint(cognito: Cognito) -> str:
    suffix = ".cn" if cognito.region.startswith("cn-") else ""
    return (
        cognito.token_url
        or cognito.endpoint_url.rstrip("/")
        or f"https://cognito-idp.{cognito.region}.amazonaws.com{suffix}"
    )


def _place(url: str) -> str:
    return urlsplit(url).netloc


def _check_host(url: str, allowed_hosts: Collection[str]) -> None:
    host = (urlsplit(url).hostname or "").lower()
    if host_kind(host) is HostKind.NEVER:
        raise CannotPrepare(f"auth.cognito: {host} is link-local or a cloud metadata address: never allowed")
    allowed = host_kind(host) is HostKind.LOOPBACK or host.endswith(_OWN)
    if not (allowed or "*" in allowed_hosts or host in allowed_hosts):
        raise CannotPrepare(
            f"auth.cognito: {host} is neither AWS's nor on the allow-list: start the server with --allow {host}"
        )


def _asked(cognito: Cognito) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request for a token."""
    client, secret = resolve(cognito.client_id), resolve(cognito.client_secret)
    if cognito.token_url:
        pair = base64.b64encode(f"{client}:{secret}".encode()).decode()
        fields = {"grant_type": "client_credentials"}
        if cognito.scopes:
            fields["scope"] = " ".join(cognito.scopes)
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"}
        return headers, urlencode(fields).encode()
    username = resolve(cognito.username)
    parameters = {"USERNAME": username, "PASSWORD": resolve(cognito.password)}
    if secret:
        digest = hmac.digest(secret.encode(), f"{username}{client}".encode(), "sha256")
        parameters["SECRET_HASH"] = base64.b64encode(digest).decode()
    body = {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client, "AuthParameters": parameters}
    headers = {
        "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
        "Content-Type": "application/x-amz-json-1.1",
    }
    return headers, json.dumps(body).encode()


def _token_of(status: int, answer: bytes, cognito: Cognito, place: str) -> tuple[str, float]:
    """Return the token and its life in seconds; what is said of a refusal comes from the answer's error code alone."""
    try:
        found: Any = json.loads(answer)
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    if status != 200:
        code = _shown(str(found.get("__type") or found.get("error") or "no reason").rpartition("#")[2], cognito)
        raise CannotPrepare(f"auth.cognito: {place} gave no token: {status} {code}")
    if found.get("ChallengeName"):
        name = _shown(str(found["ChallengeName"]), cognito)
        raise CannotPrepare(f"auth.cognito: {place} wants more than a password ({name}): use a user of your tests")
    if cognito.token_url:
        token, life_s = found.get("access_token"), found.get("expires_in")
    else:
        result = found.get("AuthenticationResult") or {}
        token, life_s = result.get("AccessToken" if cognito.access else "IdToken"), result.get("ExpiresIn")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise CannotPrepare(f"auth.cognito: {place} answered without a token")
    return token, float(life_s) if isinstance(life_s, int | float) and life_s > 0 else 300.0


def _shown(code: str, cognito: Cognito) -> str:
    """Return the beginning of a code of the endpoint's, without what it may give away of what it was sent."""
    return hidden(code, secrets_of(cognito, b""))[:60]
