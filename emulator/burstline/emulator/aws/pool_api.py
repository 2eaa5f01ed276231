"""An Amazon Cognito user pool: tokens for a user with a password, and for a client with a secret.

The tokens are random text, not signed: they are good for practice and nowhere else.
"""

import base64
import hmac
from secrets import token_urlsafe
from urllib.parse import parse_qs

from burstline.emulator.aws.backend import Answer, ApiError, Backend, Handler


def initiate_auth(backend: Backend, given: Answer) -> Answer:
    """Answer USER_PASSWORD_AUTH with tokens."""
    if given["AuthFlow"] != "USER_PASSWORD_AUTH":
        raise ApiError(400, "InvalidParameterException", "Only USER_PASSWORD_AUTH is served by this emulator.")
    client, parameters = given["ClientId"], given.get("AuthParameters", {})
    name, password = parameters["USERNAME"], parameters["PASSWORD"]
    secret = _secret(backend, client)
    if secret:
        digest = hmac.digest(secret.encode(), f"{name}{client}".encode(), "sha256")
        if parameters.get("SECRET_HASH") != base64.b64encode(digest).decode():
            raise ApiError(400, "NotAuthorizedException", f"Unable to verify secret hash for client {client}")
    users = backend.settings.users
    if users and users.get(name) != password:
        raise ApiError(400, "NotAuthorizedException", "Incorrect username or password.")
    result = {"TokenType": "Bearer", "ExpiresIn": _life_s(backend), "RefreshToken": token_urlsafe(16)}
    return {
        "ChallengeParameters": {},
        "AuthenticationResult": result | {"IdToken": _token(backend, "id"), "AccessToken": _token(backend, "access")},
    }


def client_token(backend: Backend, authorization: str, body: bytes) -> tuple[int, Answer]:
    """Return status and answer of the token endpoint to `grant_type=client_credentials`."""
    form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return 400, {"error": "unsupported_grant_type"}
    kind, _, pair = authorization.partition(" ")
    try:
        client, _, secret = base64.b64decode(pair if kind.lower() == "basic" else "").decode().partition(":")
    except ValueError:
        return 400, {"error": "invalid_client"}
    known = backend.settings.clients
    if not secret or (known and known.get(client) != secret):
        return 400, {"error": "invalid_client"}
    life_s = _life_s(backend)
    return 200, {"access_token": _token(backend, "client"), "expires_in": life_s, "token_type": "Bearer"}


def _secret(backend: Backend, client: str) -> str:
    known = backend.settings.clients
    if known and client not in known:
        raise ApiError(400, "ResourceNotFoundException", f"User pool client {client} does not exist.")
    return known.get(client, "")


def _life_s(backend: Backend) -> int:
    return max(1, int(backend.settings.token_life_s))


def _token(backend: Backend, kind: str) -> str:
    token = f"practice-{kind}-{token_urlsafe(16)}"
    backend.tokens[token] = backend.recorder.now_s() + backend.settings.token_life_s
    return token


HANDLERS: dict[str, Handler] = {"InitiateAuth": initiate_auth}
"""By operation."""
