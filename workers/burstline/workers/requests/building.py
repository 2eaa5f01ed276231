"""Builds the bytes of a request: once if nothing in it changes, else for each arrival from compiled parts."""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from burstline.core.load.plan import Auth, AuthKind, Expect, Request
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.authorizing import Authorizer
from burstline.workers.requests.aws_calls import batch_body
from burstline.workers.requests.reading import Reading
from burstline.workers.requests.secrets import resolve
from burstline.workers.requests.templating import Row, Text, Values, in_header, url_text

SEARCHED_BYTES = 1 << 20
"""How much of a body is searched for `expect.body_contains`."""

CLASSIFIED_BYTES = 4096
"""How much of a body is kept for classification."""

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class Builder:
    """One kind of request of the plan, compiled.

    Args:
        request: of the plan.
        url: the target's.
        headers: ours and those of the auth, in their order; the request's own win.
        files: uploaded bodies by SHA-256.
        run_id: for templates.
        signer: makes the authorization where it changes, else None.
        absolute: whether a plain proxy stands between, which wants the whole URL in the request line.
        queue_url: the queue that the body is sent to as messages; "" for other fronts.

    Attributes:
        names: what its templates need.
        fixed: the whole request if it is always the same, else None.
        head: whether it is a HEAD request.
        reading: how much of a response's body matters.
        timeout_s: seconds from due.

    Raises:
        CannotPrepare: a template or a reference cannot be resolved.
    """

    def __init__(
        self,
        request: Request,
        url: str,
        headers: Sequence[tuple[str, Text]],
        files: Mapping[str, bytes],
        run_id: str,
        signer: Authorizer | None = None,
        absolute: bool = False,
        queue_url: str = "",
    ) -> None:
        split = urlsplit(url)
        self._method, self._run_id, self._signer = request.method, run_id, signer
        self._origin = f"{split.scheme}://{split.netloc.rpartition('@')[2]}"
        self._host, self._absolute = _host_header(split), absolute
        self._path = url_text(resolve(split.path.rstrip("/") + request.path) or "/")
        self._query = [
            (quote(name, safe=""), Text(resolve(value), field=f"query.{name}")) for name, value in request.query
        ]
        self._headers = _headers(request, headers)
        self._fixed_headers: Sequence[tuple[str, str]] = _constants(self._headers)
        self._body = _body(request, files)
        if queue_url:
            self._body = _merged(batch_body(self._body, queue_url, request.message_count))
        self.head = request.method == "HEAD"
        self.timeout_s = request.timeout_s
        self._matches = _status_table(request.expect)
        self._wanted = request.expect.body_contains.encode()
        self.reading = Reading(
            SEARCHED_BYTES if self._wanted else CLASSIFIED_BYTES,
            (False,) * len(self._matches) if self._wanted or queue_url else self._matches,
        )
        texts = [self._path, *(text for _, text in self._query), *(text for _, text in self._headers), *self._body]
        self.names: frozenset[str] = frozenset().union(*(text.names for text in texts if isinstance(text, Text)))
        constant = all(not isinstance(text, Text) or text.constant is not None for text in texts)
        self.fixed = self._assemble(Values({}, run_id, 0)) if constant and signer is None else None
        self._signed_once = constant and signer is not None
        self._signed, self._signed_at = b"", object()

    def build(self, number: int, row: Row) -> bytes:
        """Return the request of arrival `number` with the values of `row`."""
        if self.fixed is not None:
            return self.fixed
        if self._signed_once and self._signer is not None:
            moment = self._signer.moment()
            if moment != self._signed_at:
                self._signed, self._signed_at = self._assemble(Values(row, self._run_id, number)), moment
            return self._signed
        return self._assemble(Values(row, self._run_id, number))

    def expected(self, status: int, body: bytes) -> bool:
        """Return whether a response meets the request's `expect`."""
        return self._matches[status] and (not self._wanted or self._wanted in body)

    def _assemble(self, values: Values) -> bytes:
        path = self._path.render(values)
        if self._query:
            pairs = "&".join(f"{name}={quote(text.render(values), safe='')}" for name, text in self._query)
            path = f"{path}{'&' if '?' in path else '?'}{pairs}"
        body = b"".join(part if isinstance(part, bytes) else part.render(values).encode() for part in self._body)
        headers = self._fixed_headers or [(name, text.render(values)) for name, text in self._headers]
        if self._signer is not None:
            headers = self._signer.sign(self._method, self._origin + path, headers, body)
        lines = [f"{self._method} {self._origin if self._absolute else ''}{path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body or self._method in _BODY_METHODS:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


def _host_header(url: SplitResult) -> str:
    """Return host and port; a default port is left out, as signatures want it."""
    host = url.netloc.rpartition("@")[2]
    if url.port == {"http": 80, "https": 443}.get(url.scheme):
        return host.rpartition(":")[0]
    return host


def our_headers(run_id: str, marks: bool, version: str) -> list[tuple[str, Text]]:
    """Return the headers that every request carries."""
    headers = [("Accept", Text("*/*"))]
    if marks:
        headers += [("User-Agent", Text(f"burstline/{version}")), ("x-burstline-run", Text(run_id))]
    if os.environ.get("BURSTLINE_MARK_N") == "1":  # for tests that follow single requests
        headers.append(("x-burstline-n", Text("{{ n }}")))
    return headers


def auth_headers(auth: Auth) -> list[tuple[str, Text]]:
    """Return the headers that an auth fixes; those that change are `burstline.workers.requests.authorizing`'s.

    Raises:
        CannotPrepare: a reference cannot be resolved.
    """
    value, username, password = (resolve(text) for text in (auth.value, auth.username, auth.password))
    if auth.kind is AuthKind.API_KEY:
        return [("x-api-key", Text.literal(in_header(value)))]
    if auth.kind is AuthKind.BEARER:
        return [("Authorization", Text.literal(f"Bearer {in_header(value)}"))]
    if auth.kind is AuthKind.BASIC:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return [("Authorization", Text.literal(f"Basic {pair}"))]
    return []


def _headers(request: Request, headers: Sequence[tuple[str, Text]]) -> list[tuple[str, Text]]:
    own = {name.lower() for name, _ in request.headers}
    texts = [(name, text) for name, text in headers if name.lower() not in own]
    for name, value in request.headers:
        if name.lower() in ("host", "content-length", "transfer-encoding", "connection"):
            raise CannotPrepare(f"request {request.name!r}: the header {name} is ours to set")
        text = resolve(value)
        if any(ord(sign) < 32 and sign != "\t" for sign in name + text):
            raise CannotPrepare(f"request {request.name!r}: the header {name} holds a control character")
        texts.append((name, Text(text, in_header, f"headers.{name}")))
    if request.json and "content-type" not in own:
        texts.append(("Content-Type", Text("application/json")))
    return texts


def _constants(headers: Sequence[tuple[str, Text]]) -> Sequence[tuple[str, str]]:
    """Return the headers if nothing in them changes, else none."""
    found = [(name, text.constant) for name, text in headers if text.constant is not None]
    return found if len(found) == len(headers) else ()


def _body(request: Request, files: Mapping[str, bytes]) -> list[bytes | Text]:
    if request.body_sha256:
        return [files[request.body_sha256]]
    if request.body:
        return [Text(resolve(request.body), field="body")]
    if request.json:
        return _merged(_json_parts(json.loads(request.json), "json"))
    return []


def _json_parts(value: Any, field: str) -> list[bytes | Text]:
    """Return a JSON document as constant bytes and templates whose values are escaped for a JSON string.

    `field` is where it stands in the request.
    """
    if isinstance(value, str):
        text = resolve(value)
        if Text(text).constant is not None:
            return [json.dumps(text).encode()]
        return [b'"', Text(_escaped_literals(text), _in_json, field), b'"']
    if isinstance(value, dict):
        parts: list[bytes | Text] = [b"{"]
        for at, (name, inner) in enumerate(value.items()):
            parts += [
                (b", " if at else b"") + json.dumps(name).encode() + b": ",
                *_json_parts(inner, f"{field}.{name}"),
            ]
        return [*parts, b"}"]
    if isinstance(value, list):
        parts = [b"["]
        for at, inner in enumerate(value):
            parts += [b", " if at else b"", *_json_parts(inner, f"{field}[{at}]")]
        return [*parts, b"]"]
    return [json.dumps(value).encode()]


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _escaped_literals(source: str) -> str:
    """Escape the text between templates for a JSON string; templates stay."""
    pieces = []
    rest = source
    while rest:
        starts = [at for at in (rest.find("{{"), rest.find("{%"), rest.find("{#")) if at >= 0]
        if not starts:
            break
        start = min(starts)
        closing = {"{{": "}}", "{%": "%}", "{#": "#}"}[rest[start : start + 2]]
        end = rest.find(closing, start)
        if end < 0:
            break
        pieces += [_in_json(rest[:start]), rest[start : end + 2]]
        rest = rest[end + 2 :]
    return "".join([*pieces, _in_json(rest)])


def _merged(parts: Sequence[bytes | Text]) -> list[bytes | Text]:
    """Join neighbouring constants."""
    merged: list[bytes | Text] = []
    for part in parts:
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _status_table(expect: Expect) -> list[bool]:
    table = [False] * 1000
    for one in expect.statuses:
        table[one.low : one.high + 1] = [True] * (one.high + 1 - one.low)
    return table
