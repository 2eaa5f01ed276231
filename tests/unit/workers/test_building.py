"""Requests are built to the byte: encoding, escaping, auth, secrets."""

import base64
import json
import uuid
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from burstline.core.load.plan import Auth, AuthKind, Expect, Front, Request, StatusRange
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.building import Builder, auth_headers, our_headers
from burstline.workers.requests.secrets import resolve
from burstline.workers.requests.signing import Signer, signing_scope
from burstline.workers.requests.templating import Text, Values
from hypothesis import given
from hypothesis import strategies as st

URL = "https://api.example.com/prod"


def build(
    request: Request, row: dict[str, Any] | None = None, number: int = 5, **more: Any
) -> tuple[str, dict[str, str], bytes]:
    """Return the request line, headers by lower-case name, and body."""
    builder = Builder(request, more.pop("url", URL), more.pop("headers", []), more.pop("files", {}), "run-1", **more)
    head, _, body = builder.build(number, row or {}).partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    assert len(headers) == len(fields)
    return line, {name.lower(): value for name, value in headers.items()}, body


def test_a_request_without_templates_is_built_once_to_the_byte() -> None:
    builder = Builder(Request("a", path="/quote"), URL, our_headers("run-1", True, "9.9"), {}, "run-1")
    assert builder.fixed == (
        b"GET /prod/quote HTTP/1.1\r\nHost: api.example.com\r\nAccept: */*\r\n"
        b"User-Agent: burstline/9.9\r\nx-burstline-run: run-1\r\n\r\n"
    )
    assert builder.build(1, {}) is builder.build(2, {})


def test_without_marks_nothing_names_us() -> None:
    _, headers, _ = build(Request("a"), headers=our_headers("run-1", False, "9.9"))
    assert set(headers) == {"host", "accept"}


@pytest.mark.parametrize(
    ("url", "path", "expected"),
    [
        pytest.param("http://h:81", "", "/", id="nothing at all is /"),
        pytest.param("http://h:81/", "/a", "/a", id="no double slash"),
        pytest.param("http://h:81/stage/", "/a/b", "/stage/a/b", id="the target's path is a prefix"),
        pytest.param("http://h:81", "/a b/\u00e9?x=1", "/a%20b/%C3%A9?x=1", id="what a URL cannot hold is encoded"),
        pytest.param("http://h:81", "/a%20b", "/a%20b", id="what is encoded stays"),
    ],
)
def test_paths(url: str, path: str, expected: str) -> None:
    line, headers, _ = build(Request("a", path=path), url=url)
    assert line == f"GET {expected} HTTP/1.1"
    assert headers["host"] == "h:81"


def test_values_in_a_url_cannot_leave_their_place() -> None:
    request = Request("a", path="/q/{{ a }}?x={{ b }}", query=(("c d", "{{ a }}!"), ("n", "{{ n }}")))
    line, _, _ = build(request, {"a": "../x?y=1&z", "b": "1&admin=1 #"})
    target = line.split(" ")[1]
    split = urlsplit(target)
    assert split.path == "/prod/q/..%2Fx%3Fy%3D1%26z"
    assert parse_qsl(split.query) == [("x", "1&admin=1 #"), ("c d", "../x?y=1&z!"), ("n", "5")]


@given(st.text(max_size=40))
def test_any_text_in_a_json_body_arrives_as_it_was(value: str) -> None:
    document = {"a": 'say "{{ x }}" \\ \u00e9', "list": ["{{ x }}", 1, None, True], "{{ x }}": 2.5}
    _, headers, body = build(Request("a", method="POST", json=json.dumps(document)), {"x": value})
    assert json.loads(body) == {"a": f'say "{value}" \\ \u00e9', "list": [value, 1, None, True], "{{ x }}": 2.5}
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))


@given(st.text(max_size=30))
def test_no_value_can_add_a_header_line(value: str) -> None:
    _, headers, _ = build(Request("a", headers=(("X-Sku", "{{ x }}"),)), {"x": value.replace("\x00", "")})
    assert set(headers) == {"host", "x-sku"}


def test_jinja_s_filters_and_conditions_work_and_values_stay_encoded() -> None:
    request = Request("a", path="/{{ x | upper }}/{% if n > 3 %}big{% else %}small{% endif %}/{{ x }}")
    line, _, _ = build(request, {"x": "a/b"})
    assert line == "GET /prod/A%2FB/big/a%2Fb HTTP/1.1"


def test_one_uuid_per_request_is_the_same_in_all_its_places() -> None:
    request = Request("a", method="POST", path="/{{ uuid }}", body="{{ uuid }} {{ run.id }}")
    line, _, body = build(request)
    again, _, _ = build(request)
    found, run_id = body.decode().split(" ")
    assert str(uuid.UUID(found)) in line
    assert run_id == "run-1"
    assert again != line


@pytest.mark.parametrize(
    ("request_", "length"),
    [
        pytest.param(Request("a", method="POST"), "0", id="a POST without body says so"),
        pytest.param(Request("a", method="GET"), None, id="a GET without body says nothing"),
        pytest.param(Request("a", method="PUT", body="h\u00e9"), "3", id="length is in bytes"),
        pytest.param(Request("a", method="POST", body_sha256="f" * 64), "4", id="an uploaded body goes as it is"),
    ],
)
def test_content_length(request_: Request, length: str | None) -> None:
    _, headers, body = build(request_, files={"f" * 64: b"\x00\xff{{"})
    assert headers.get("content-length") == length
    assert len(body) == int(length or 0)


def test_the_request_s_own_headers_win_over_ours() -> None:
    _, headers, _ = build(Request("a", headers=(("user-agent", "me"),)), headers=our_headers("r", True, "1"))
    assert headers["user-agent"] == "me"


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection"])
def test_headers_that_frame_the_request_are_refused(name: str) -> None:
    with pytest.raises(CannotPrepare, match="ours to set"):
        build(Request("a", headers=((name, "x"),)))


def test_behind_a_plain_proxy_the_request_line_holds_the_whole_url() -> None:
    line, _, _ = build(Request("a", path="/x"), url="http://h:81/s", absolute=True)
    assert line == "GET http://h:81/s/x HTTP/1.1"


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (Auth(AuthKind.API_KEY, "${env:KEY}"), "x-api-key", "k{{ n }}ey"),
        (Auth(AuthKind.BEARER, "${env:KEY}"), "authorization", "Bearer k{{ n }}ey"),
        (
            Auth(AuthKind.BASIC, username="me", password="p:${env:KEY}"),
            "authorization",
            "Basic " + base64.b64encode(b"me:p:k{{ n }}ey").decode(),
        ),
    ],
)
def test_auth_resolves_secrets_and_takes_braces_in_them_for_what_they_are(
    auth: Auth, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "k{{ n }}ey")
    _, headers, _ = build(Request("a"), headers=auth_headers(auth))
    assert headers[name] == value


def test_a_missing_secret_is_named_without_any_value() -> None:
    with pytest.raises(CannotPrepare, match="NOT_THERE is not set on the worker"):
        resolve("a${env:NOT_THERE}b", {"OTHER": "secret"})


def test_a_secret_inside_a_template_goes_in_as_a_literal() -> None:
    text = Text(resolve("${env:K}-{{ n }}", {"K": 'a"{{ x }}\\'}))
    assert text.render(Values({}, "r", 7)) == 'a"{{ x }}\\-7'


@pytest.mark.parametrize("source", ["{{ x", "{{ x }} {% for a in b %}", "{{ 'a'.__class__.__mro__ }}{{"])
def test_what_is_no_template_is_a_sentence(source: str) -> None:
    with pytest.raises(CannotPrepare, match="template"):
        Text(source)


def test_expectations() -> None:
    builder = Builder(
        Request("a", expect=Expect((StatusRange(201, 201), StatusRange(300, 303)), "done")), URL, [], {}, "r"
    )
    assert builder.expected(201, b"all done")
    assert builder.expected(303, b"done")
    assert not builder.expected(201, b"not yet")
    assert not builder.expected(200, b"done")
    assert not any(builder.reading.skipped), "the body is looked at"
    plain = Builder(Request("a"), URL, [], {}, "r")
    assert plain.expected(204, b"")
    assert plain.reading.skipped[200]
    assert not plain.reading.skipped[429]


@pytest.mark.parametrize(
    ("auth", "front", "host", "expected"),
    [
        (Auth(), Front.REST, "abc.execute-api.eu-west-1.amazonaws.com", ("eu-west-1", "execute-api")),
        (Auth(), Front.FUNCTION_URL, "abc.lambda-url.us-east-2.on.aws", ("us-east-2", "lambda")),
        (Auth(), Front.LAMBDA, "lambda.ap-south-1.amazonaws.com", ("ap-south-1", "lambda")),
        (Auth(region="r-1", service="es"), Front.REST, "localhost", ("r-1", "es")),
    ],
)
def test_signing_scope(auth: Auth, front: Front, host: str, expected: tuple[str, str]) -> None:
    assert signing_scope(auth, front, host) == expected


def test_without_a_region_signing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(CannotPrepare, match=r"auth\.sigv4\.region"):
        signing_scope(Auth(), Front.REST, "localhost")


def test_a_signed_request_carries_the_scope_token_and_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    signer = Signer("eu-west-1", "execute-api")
    request = Request("a", method="POST", path="/x", query=(("q", "{{ n }}"),), body="hello")
    line, headers, body = build(request, signer=signer)
    assert line == "POST /prod/x?q=5 HTTP/1.1"
    assert body == b"hello"
    scope = f"AKIDEXAMPLE/{headers['x-amz-date'][:8]}/eu-west-1/execute-api/aws4_request"
    assert f"Credential={scope}" in headers["authorization"]
    assert headers["x-amz-security-token"] == "token"
    assert len(headers["authorization"].rpartition("Signature=")[2]) == 64
