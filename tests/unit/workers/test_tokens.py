"""Tokens of a user pool: both flows, renewal before the end, and nothing secret in what is said."""

import base64
import hmac
import json
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest
from burstline.core.load.plan import Cognito
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.tokens import TokenSource

PASSWORD, SECRET = "pa55-word", "cl1ent-secret"
USER = Cognito("client-1", username="load", password="${env:POOL_PASSWORD}", region="eu-west-1")
CLIENT = Cognito(
    "client-1", client_secret="${env:POOL_SECRET}", scopes=("orders/write", "orders/read"),
    token_url="https://shop.auth.eu-west-1.amazoncognito.com/oauth2/token",
)  # fmt: skip


class Pool:
    """Answers as a pool does, and keeps what it was asked."""

    def __init__(self, life_s: float = 3600.0, status: int = 200, answer: Mapping[str, object] | None = None) -> None:
        self.life_s, self.status, self.answer = life_s, status, answer
        self.asked: list[tuple[str, Mapping[str, str], bytes]] = []
        self.now_s = 1000.0

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        self.asked.append((url, headers, body))
        n = len(self.asked)
        result = {"IdToken": f"id-{n}", "AccessToken": f"access-{n}", "ExpiresIn": self.life_s, "TokenType": "Bearer"}
        token = {"access_token": f"client-{n}", "expires_in": self.life_s, "token_type": "Bearer"}
        found = token if "oauth2" in url else {"AuthenticationResult": result, "ChallengeParameters": {}}
        return self.status, json.dumps(self.answer or found).encode()

    def source(self, cognito: Cognito, allowed: tuple[str, ...] = ()) -> TokenSource:
        return TokenSource(cognito, allowed, self.post, lambda: self.now_s)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POOL_PASSWORD", PASSWORD)
    monkeypatch.setenv("POOL_SECRET", SECRET)


def authorization(source: TokenSource) -> str:
    return dict(source.sign("GET", "https://a/b", [("Accept", "*/*"), ("authorization", "mine")], b""))["Authorization"]


def test_a_user_gets_the_identity_token_by_initiate_auth() -> None:
    pool = Pool()
    assert authorization(pool.source(USER)) == "Bearer id-1"
    url, headers, body = pool.asked[0]
    assert url == "https://cognito-idp.eu-west-1.amazonaws.com"
    assert headers["X-Amz-Target"] == "AWSCognitoIdentityProviderService.InitiateAuth"
    assert json.loads(body) == {
        "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "client-1",
        "AuthParameters": {"USERNAME": "load", "PASSWORD": PASSWORD},
    }  # fmt: skip


def test_the_access_token_where_it_is_asked_for_and_the_secret_hash_where_the_client_has_a_secret() -> None:
    pool = Pool()
    cognito = Cognito(
        "client-1", client_secret="${env:POOL_SECRET}", username="load", password="${env:POOL_PASSWORD}",
        region="eu-west-1", access=True,
    )  # fmt: skip
    assert authorization(pool.source(cognito)) == "Bearer access-1"
    # Amazon Cognito Developer Guide, "Computing secret hash values": HMAC-SHA256 of user name and client id.
    expected = base64.b64encode(hmac.digest(SECRET.encode(), b"loadclient-1", "sha256")).decode()
    assert json.loads(pool.asked[0][2])["AuthParameters"]["SECRET_HASH"] == expected


def test_a_client_gets_its_token_from_the_token_endpoint() -> None:
    pool = Pool()
    assert authorization(pool.source(CLIENT)) == "Bearer client-1"
    url, headers, body = pool.asked[0]
    assert url == CLIENT.token_url
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == f"client-1:{SECRET}"
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"], "scope": ["orders/write orders/read"]}


@pytest.mark.parametrize(("life_s", "renewed_after_s"), [(3600, 2880), (300, 240), (10, 8)])
def test_a_token_is_due_for_renewal_before_it_ends(life_s: float, renewed_after_s: float) -> None:
    pool = Pool(life_s)
    source = pool.source(USER)
    before = source.moment()
    assert source.refresh_in_s() == pytest.approx(renewed_after_s)
    pool.now_s += renewed_after_s
    assert source.refresh_in_s() == 0
    source.refresh()
    assert source.moment() != before
    assert authorization(source) == "Bearer id-2"


def test_a_renewal_that_fails_leaves_the_token_and_is_tried_again_soon() -> None:
    pool = Pool()
    source = pool.source(USER)
    pool.status, pool.answer = 500, {"__type": "com.amazonaws#InternalErrorException", "message": PASSWORD}
    with pytest.raises(CannotPrepare, match="500 InternalErrorException") as caught:
        source.refresh()
    assert PASSWORD not in str(caught.value)
    assert authorization(source) == "Bearer id-1"
    assert source.refresh_in_s() == 5.0


@pytest.mark.parametrize(
    ("status", "answer", "says"),
    [
        (400, {"__type": "NotAuthorizedException", "message": "Incorrect"}, "400 NotAuthorizedException"),
        (400, {"error": "invalid_client"}, "400 invalid_client"),
        (200, {"ChallengeName": "NEW_PASSWORD_REQUIRED"}, "wants more than a password"),
        (200, {"AuthenticationResult": {"IdToken": "two\r\nlines"}}, "without a token"),
        (200, {"something": "else"}, "without a token"),
    ],
)
def test_what_a_pool_refuses_stops_the_run_before_it_starts(status: int, answer: dict[str, object], says: str) -> None:
    with pytest.raises(CannotPrepare, match=says):
        Pool(status=status, answer=answer).source(USER)


def test_secrets_go_to_aws_this_machine_or_allowed_hosts_only() -> None:
    elsewhere = Cognito("c", client_secret="${env:POOL_SECRET}", token_url="https://login.example.org/oauth2/token")
    pool = Pool()
    with pytest.raises(CannotPrepare, match=r"--allow login\.example\.org"):
        pool.source(elsewhere)
    assert pool.asked == []
    assert authorization(pool.source(elsewhere, ("login.example.org",))) == "Bearer client-1"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(CannotPrepare, match="NOT_SET is not set on the worker"):
        Pool().source(Cognito("c", username="u", password="${env:NOT_SET}", region="eu-west-1"))
