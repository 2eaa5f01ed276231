"""The sections of a plan file, each a type of its own, so that one bad section hides no mistake in another."""

import os
from typing import Annotated, Any

from pydantic import Field, model_validator

from burstline.client.problems import allowed
from burstline.client.spelling.load import PhaseSpelling
from burstline.client.spelling.requests import Request
from burstline.client.spelling.units import (
    Flag,
    RateOverZero,
    Ratio,
    SecondsOverZero,
    Spelled,
    Text,
    choices,
    mistake,
    numbers,
    reader,
    seconds,
    wholes,
)

FRONTS = ("rest", "http", "function_url", "alb", "lambda", "sqs", "plain")
"""How the kinds of entry point are spelled."""


class Target(Spelled):
    """Where requests go; front lambda needs no URL where a region is known."""

    url: Text = ""
    front: Annotated[str, choices(*FRONTS)] | None = None
    function: Text = ""
    qualifier: Text = ""
    region: Text = ""
    stage: Text | None = None
    usage_plan: Text = ""

    @model_validator(mode="after")
    def _somewhere(self) -> "Target":
        if not self.address():
            raise mistake("is missing; allowed: the target's URL, or front: lambda with function and region", "url")
        if self.front == "lambda" and not (self.function or self.url):
            raise mistake("is missing; allowed: the name or ARN of the function to invoke", "function")
        return self

    def address(self) -> str:
        """Return the URL; for the Invoke API, if none is stated, that of the region; "" if there is none."""
        if self.url or self.front != "lambda":
            return self.url
        arn = self.function.split(":")
        region = self.region or (arn[3] if len(arn) > 6 else "")
        region = region or os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
        suffix = ".cn" if region.startswith("cn-") else ""
        return f"https://lambda.{region}.amazonaws.com{suffix}" if region else ""


class Basic(Spelled):
    """User name and password."""

    username: Text
    password: Text = ""


class SigV4(Spelled):
    """Signing scope; both are taken from the target's host unless stated."""

    region: Text = ""
    service: Text = ""


class Cognito(Spelled):
    """Tokens of a user pool: with user name and password, or, with `token_url`, with the client's own credentials."""

    client_id: Text
    client_secret: Text = ""
    username: Text = ""
    password: Text = ""
    region: Text = ""
    token: Annotated[str, choices("id", "access")] = "id"
    token_url: Text = ""
    scopes: list[Text] = Field(default_factory=list)
    endpoint_url: Text = ""


WAYS = ("api_key", "bearer", "basic", "sigv4", "cognito")
"""Ways to authenticate."""


class Auth(Spelled):
    """One way to authenticate; secrets as `${env:NAME}`."""

    api_key: Text | None = None
    bearer: Text | None = None
    basic: Basic | None = None
    sigv4: SigV4 | None = None
    cognito: Cognito | None = None

    @model_validator(mode="before")
    @classmethod
    def _signed_by_default(cls, value: Any) -> Any:
        return {**value, "sigv4": {}} if isinstance(value, dict) and value.get("sigv4", 0) is None else value

    @model_validator(mode="after")
    def _one_way(self) -> "Auth":
        ways = [name for name in WAYS if getattr(self, name) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise mistake(f"found {found}; allowed: exactly one of {', '.join(WAYS)}", *ways[1:2])
        for name, secret in self._secrets():
            if "${" not in secret:
                raise mistake("found a secret in the plan; allowed: a reference such as ${env:API_KEY}", name)
        return self

    def _secrets(self) -> list[tuple[str, str]]:
        pairs = [("api_key", self.api_key), ("bearer", self.bearer)]
        pairs.append(("basic", self.basic.password or None if self.basic else None))
        if self.cognito is not None:
            pairs += [("cognito", self.cognito.password or None), ("cognito", self.cognito.client_secret or None)]
        return [(name, secret) for name, secret in pairs if secret is not None]


class Data(Spelled):
    """Rows for templates: a CSV file with a header, or one JSON object per line."""

    csv: Text | None = None
    jsonl: Text | None = None
    order: Annotated[str, choices("random", "sequential")] = "random"

    @model_validator(mode="after")
    def _one_file(self) -> "Data":
        if (self.csv is None) == (self.jsonl is None):
            raise mistake("needs one file; allowed: csv: FILE or jsonl: FILE", "jsonl" if self.csv else "")
        return self


class Goal(Spelled):
    """What the launch needs."""

    rate: RateOverZero
    by: Annotated[Text, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] = ""


class Tolerance(Spelled):
    """Share of throttled requests that still passes."""

    throttled: Ratio = 0.0


class Ceilings(Spelled):
    """Our own limits; a missing one is no limit."""

    rate: RateOverZero | None = None
    in_flight: Annotated[int, wholes("a whole number over 0", least=1, most=2**31 - 1)] | None = None
    requests: Annotated[int, wholes("a whole number over 0", least=1)] | None = None
    duration: SecondsOverZero | None = None
    cost_usd: Annotated[float, numbers("US dollars, a number over 0", over=0)] | None = None


class Dns(Spelled):
    """How often addresses are resolved again; connections spread over all of them."""

    every: SecondsOverZero = 60.0
    spread: Annotated[str, choices("all")] = "all"


_WARM_SPELLED = {"anyOf": [{"enum": ["auto", "none"]}, {"type": "integer", "minimum": 1, "maximum": 100_000}]}


def _warm(value: object) -> str | int:
    if value in ("auto", "none"):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100_000:
        return value
    raise mistake(allowed(value, "auto, none, or a number of connections 1 to 100000"))


class Connections(Spelled):
    """Connection policy."""

    warm: Annotated[str | int, reader(_warm, _WARM_SPELLED)] = "auto"
    keep_alive: SecondsOverZero = 60.0
    ip: Annotated[str, choices("any", "4", "6")] = "any"
    dns: Dns = Dns()
    per: Annotated[str, choices("shared")] = "shared"


_CONDITION = 'a condition in quotes, such as "throttled < 0.1%"'


_CONDITIONS_SPELLED = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _conditions(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    conditions: list[str] = []
    for index, item in enumerate(items):
        if not isinstance(item, str):
            raise mistake(f"item {index + 1}: {allowed(item, _CONDITION)}")
        conditions.append(item)
    return tuple(conditions)


Conditions = Annotated[tuple[str, ...], reader(_conditions, _CONDITIONS_SPELLED)]
Writes = Annotated[str, choices("allowed", "refused")]

SECTIONS: dict[str, Any] = {  # annotations, for pydantic
    "name": Text,
    "target": Target,
    "auth": Auth,
    "requests": Request,
    "writes": Writes,
    "data": Data,
    "load": PhaseSpelling,
    "goal": Goal,
    "tolerance": Tolerance,
    "thresholds": Conditions,
    "abort": Conditions,
    "ceilings": Ceilings,
    "connections": Connections,
    "max_late": Annotated[float, seconds(over_s=0, most_s=10, says="over 0, at most 10s")],
    "seed": Annotated[int, wholes("a whole number 0 to 9223372036854775807")],
    "marks": Flag,
}
"""How each section of a plan is read; `requests` and `load` item by item. `account` is read by `spelling.account`."""

PLAN_KEYS = (
    "name target auth requests writes data load goal tolerance thresholds abort ceilings connections account "
    "max_late seed marks"
).split()
"""Every key at the top of a plan."""
