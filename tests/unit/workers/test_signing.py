"""Signatures: ours are botocore's, byte for byte, and a changing request costs no second look at credentials."""

import datetime
from typing import Any
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from burstline.core.load.plan import Auth, AuthKind, Front, Request
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.building import Builder
from burstline.workers.requests.signing import Credentials, Signature, signing_scope
from burstline.workers.requests.templating import Text
from hypothesis import given
from hypothesis import strategies as st

NOW_S = 1_795_435_200.7  # 2026-11-23T12:00:00.7Z
KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def theirs(
    keys: Credentials, scope: tuple[str, str], request: tuple[str, str, list[tuple[str, str]], bytes]
) -> dict[str, str]:
    """What botocore makes of a request at `NOW_S`, its clock set by hand."""
    method, url, headers, body = request
    signer = botocore.auth.SigV4Auth(
        TheirCredentials(keys.access_key, keys.secret_key, keys.token or None), scope[1], scope[0]
    )
    made = AWSRequest(method=method, url=url, data=body or None)
    for name, value in headers:
        made.headers.add_header(name, value)
    before = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *_: datetime.datetime.fromtimestamp(int(NOW_S), datetime.UTC)
    try:
        signer.add_auth(made)
    finally:
        botocore.auth.get_current_datetime = before
    return {name.lower(): value for name, value in made.headers.items()}


def ours(
    keys: Credentials, scope: tuple[str, str], request: tuple[str, str, list[tuple[str, str]], bytes]
) -> dict[str, str]:
    made = Signature(keys, *scope, now=lambda: NOW_S).sign(*request)
    return {name.lower(): value for name, value in made}


SCOPE = ("eu-west-1", "execute-api")
HOST = "https://abc.execute-api.eu-west-1.amazonaws.com"

CASES = {
    "a bare path": ("GET", f"{HOST}/prod", [], b""),
    "no path at all": ("GET", HOST, [], b""),
    "no path but a query": ("GET", f"{HOST}?a=1", [], b""),
    "a body": ("POST", f"{HOST}/orders", [("Content-Type", "application/json")], b'{"sku": 1}'),
    "query parameters out of order": ("GET", f"{HOST}/q?b=2&a=1&a=0", [], b""),
    "one parameter without a value": ("GET", f"{HOST}/q?flag", [], b""),
    "an equals sign in a value": ("GET", f"{HOST}/q?a=b=c", [], b""),
    "a percent-encoded path": ("GET", f"{HOST}/a%20b/%C3%A9", [], b""),
    "dot segments": ("GET", f"{HOST}/a/./b/../c//d/", [], b""),
    "only dots": ("GET", f"{HOST}/..", [], b""),
    "a header with runs of blanks": ("GET", f"{HOST}/", [("X-Note", "  a   b  ")], b""),
    "the same header twice": ("GET", f"{HOST}/", [("X-Note", "a"), ("x-note", "b")], b""),
    "headers that are not signed": ("GET", f"{HOST}/", [("User-Agent", "x"), ("X-Amzn-Trace-Id", "y")], b""),
    "a date of the plan": ("GET", f"{HOST}/", [("Date", "yesterday")], b""),
    "a payload hash of the plan": ("PUT", f"{HOST}/", [("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")], b"abc"),
    "an authorization of the plan": ("GET", f"{HOST}/", [("Authorization", "Basic x")], b""),
    "another port": ("GET", "http://localhost:8080/x", [], b""),
    "the default port": ("GET", "https://localhost:443/x", [], b""),
    "an IPv6 host": ("GET", "http://[::1]:8080/x", [], b""),
    "text beyond ASCII in a header": ("GET", f"{HOST}/", [("X-Name", "Zoë")], b""),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("token", ["", "a session token=="])
def test_a_signed_request_has_the_headers_that_botocore_gives_it(name: str, token: str) -> None:
    keys = Credentials(KEYS.access_key, KEYS.secret_key, token)
    expected, found = theirs(keys, SCOPE, CASES[name]), ours(keys, SCOPE, CASES[name])
    assert found["authorization"] == expected["authorization"]
    assert found.keys() == expected.keys()


segments = st.text(st.characters(codec="utf-8", exclude_characters="/?#"), max_size=12).map(lambda s: quote(s, safe=""))
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
header_names = st.sampled_from(["Accept", "X-A", "x-a", "X-B-C", "Content-Type", "User-Agent", "TE", "x-amz-meta-q"])


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.lists(st.one_of(segments, st.sampled_from([".", "..", ""])), max_size=5),
    query=st.lists(st.tuples(segments, segments), max_size=4),
    headers=st.lists(st.tuples(header_names, values), max_size=4),
    body=st.binary(max_size=40),
    token=st.sampled_from(["", "token/+="]),
    region=st.sampled_from(["eu-west-1", "us-gov-east-1"]),
)
def test_any_request_has_the_signature_that_botocore_gives_it(
    method: str,
    path: list[str],
    query: list[tuple[str, str]],
    headers: list[tuple[str, str]],
    body: bytes,
    token: str,
    region: str,
) -> None:
    url = "https://api.example.com/" + "/".join(path)
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query)
    keys = Credentials(KEYS.access_key, KEYS.secret_key, token)
    request, scope = (method, url, headers, body), (region, "lambda")
    assert ours(keys, scope, request)["authorization"] == theirs(keys, scope, request)["authorization"]


def test_the_key_is_made_anew_at_midnight_utc() -> None:
    at_s = NOW_S
    signature = Signature(KEYS, *SCOPE, now=lambda: at_s)
    first = dict(signature.sign("GET", HOST, [], b""))
    at_s += 86_400
    second = dict(signature.sign("GET", HOST, [], b""))
    assert "/20261123/" in first["Authorization"]
    assert "/20261124/" in second["Authorization"]
    assert first["X-Amz-Date"] == "20261123T120000Z"


class CountingSigner:
    """A signer that says how often it signed."""

    def __init__(self) -> None:
        self.count, self.at = 0, 0

    def sign(self, *_: Any) -> list[tuple[str, str]]:
        self.count += 1
        return [("Authorization", str(self.count))]

    def moment(self) -> object:
        return self.at


def test_a_request_that_never_changes_is_signed_once_a_second() -> None:
    signer: Any = CountingSigner()
    builder = Builder(Request("r", path="/q"), HOST, [("Accept", Text("*/*"))], {}, "run", signer)
    first = builder.build(0, {})
    assert builder.build(1, {}) is first
    assert signer.count == 1
    signer.at = 1
    assert b"Authorization: 2" in builder.build(2, {})
    assert signer.count == 2


def test_a_request_with_a_template_is_signed_each_time() -> None:
    signer: Any = CountingSigner()
    builder = Builder(Request("r", path="/q?n={{ n }}"), HOST, [], {}, "run", signer)
    builder.build(0, {})
    builder.build(1, {})
    assert signer.count == 2


def test_secrets_do_not_show() -> None:
    assert "EXAMPLEKEY" not in repr(KEYS)


def test_without_a_region_the_plan_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert signing_scope(Auth(AuthKind.SIGV4), Front.REST, "abc.execute-api.eu-west-1.amazonaws.com") == SCOPE
    with pytest.raises(CannotPrepare, match="region"):
        signing_scope(Auth(AuthKind.SIGV4), Front.REST, "api.example.com")
