"""How requests are authenticated: `v1.Auth` -> `core.load.plan.Auth`. Secrets are references, never text."""

from itertools import pairwise
from urllib.parse import urlsplit

from burstline.core.load import plan as core
from burstline.core.load.hosts import HostKind, host_kind
from burstline.v1 import resources_pb2 as v1
from burstline.wire.checks import Checks, shown_url

_SERVICES = {v1.LAMBDA: "lambda", v1.FUNCTION_URL: "lambda", v1.SQS: "sqs"}
"""Signing names of the fronts that are not API Gateway's."""


def auth_from_proto(message: v1.Auth, target: v1.Target, checks: Checks) -> core.Auth:
    """Return how requests are authenticated; what is wrong goes into `checks`."""
    match message.WhichOneof("way"):
        case "api_key":
            _check_reference("auth.api_key", message.api_key, checks)
            return core.Auth(core.AuthKind.API_KEY, value=message.api_key)
        case "bearer":
            _check_reference("auth.bearer", message.bearer, checks)
            return core.Auth(core.AuthKind.BEARER, value=message.bearer)
        case "basic":
            checks.require(bool(message.basic.username), "auth.basic.username", "it is missing")
            _check_reference("auth.basic.password", message.basic.password, checks)
            return core.Auth(core.AuthKind.BASIC, username=message.basic.username, password=message.basic.password)
        case "sigv4":
            region = message.sigv4.region or region_of(target.url)
            checks.require(bool(region), "auth.sigv4.region", "the target's host names no region: state it")
            service = message.sigv4.service or _SERVICES.get(target.front, "execute-api")
            return core.Auth(core.AuthKind.SIGV4, region=region, service=service)
        case "cognito":
            return core.Auth(core.AuthKind.COGNITO, cognito=_cognito(message.cognito, target, checks))
        case _:
            return core.Auth()


def _cognito(message: v1.Auth.Cognito, target: v1.Target, checks: Checks) -> core.Cognito:
    field = "auth.cognito"
    checks.require(bool(message.client_id), f"{field}.client_id", "it is missing: the app client's id")
    if message.client_secret or message.token_url:
        _check_reference(f"{field}.client_secret", message.client_secret, checks)
    region = message.region or region_of(target.url)
    if message.token_url:
        _check_endpoint(f"{field}.token_url", message.token_url, checks)
        checks.require(not message.username, f"{field}.username", "it belongs to the flow without token_url")
    else:
        checks.require(bool(message.username), f"{field}.username", "it is missing: the user, or token_url")
        _check_reference(f"{field}.password", message.password, checks)
        checks.require(
            bool(region or message.endpoint_url), f"{field}.region", "the target's host names none: state it"
        )
    if message.endpoint_url:
        _check_endpoint(f"{field}.endpoint_url", message.endpoint_url, checks)
    return core.Cognito(
        client_id=message.client_id,
        client_secret=message.client_secret,
        username=message.username,
        password=message.password,
        region=region,
        access=message.token == v1.Auth.Cognito.ACCESS,
        token_url=message.token_url,
        scopes=tuple(message.scopes),
        endpoint_url=message.endpoint_url,
    )


def _check_endpoint(field: str, url: str, checks: Checks) -> None:
    """Secrets go there: over TLS, or to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        safe = parts.scheme == "https" or (parts.scheme == "http" and host_kind(host) is HostKind.LOOPBACK)
        usable = safe and bool(host) and parts.username is None
    except ValueError:
        usable = False
    checks.require(usable, field, f"{shown_url(url)!r}: allowed is an https URL, or http on this machine")


def _check_reference(field: str, value: str, checks: Checks) -> None:
    checks.require(
        "${env:" in value, field, "secrets are given as a reference, ${env:NAME}, never as text: plans are stored"
    )


def region_of(url: str) -> str:
    """Return the region in an AWS host name such as abc.execute-api.eu-west-1.amazonaws.com, or ""."""
    labels = (urlsplit(url).hostname or "").split(".")
    for service, region in pairwise(labels):
        if service in ("execute-api", "lambda-url", "lambda", "sqs") and region.count("-") >= 2:
            return region
    return ""
