"""How the AWS side behaves: identity, lag, what it denies, how it decides on increase requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

STATUSES = ("APPROVED", "DENIED", "CASE_CLOSED", "NOT_APPROVED", "INVALID_REQUEST")
"""How an increase request may end. Source: botocore's model of Service Quotas, `RequestStatus`."""


@dataclass(frozen=True, slots=True)
class AwsSideSettings:
    """Everything about the AWS side but the emulator it speaks for.

    Attributes:
        account_id: 12 digits.
        host: where it listens.
        port: 0..65535; 0 takes any free one.
        lag_s: CloudWatch and the logs show what happened this long ago and longer, seconds, >= 0.
        denied: IAM actions the caller lacks, for example `lambda:GetAccountSettings`.
        throttled_calls: the first so many calls of each operation are answered 429, >= 0.
        page_count: items per page of a listing, >= 1.
        json_logs: functions whose log format is JSON.
        environment: environment variables of all functions, to see that nobody keeps them.
        users: user name -> password of the user pool; empty: any user with any password is let in.
        clients: app client id -> its secret, "" for one without; empty: any client is.
        token_life_s: how long the pool's tokens hold, seconds, > 0.
        decide_after_s: an increase request is PENDING so long, seconds, >= 0.
        decision: its status from then on, one of `STATUSES`.
        grant_limit: most that is granted by APPROVED and CASE_CLOSED; None grants what was asked.
        rewritten: gateway response type -> status, as an API's owner may rewrite them.
    """

    account_id: str = "123456789012"
    host: str = "127.0.0.1"
    port: int = 0
    lag_s: float = 60.0
    denied: frozenset[str] = frozenset()
    throttled_calls: int = 0
    page_count: int = 50
    json_logs: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    clients: Mapping[str, str] = field(default_factory=dict)
    token_life_s: float = 3600.0
    decide_after_s: float = 0.0
    decision: str = "APPROVED"
    grant_limit: float | None = None
    rewritten: Mapping[str, int] = field(default_factory=dict)


def check(settings: AwsSideSettings) -> None:
    """Raise `ValueError`, naming every mistake at once, if a value is out of range."""
    mistakes = []
    if not (len(settings.account_id) == 12 and settings.account_id.isdigit()):
        mistakes.append(f"account_id has 12 digits, not {settings.account_id!r}")
    if settings.decision not in STATUSES:
        mistakes.append(f"decision is one of {', '.join(STATUSES)}, not {settings.decision!r}")
    mistakes += [
        f"{name} is >= {least}, not {value}"
        for name, value, least in (
            ("lag_s", settings.lag_s, 0),
            ("decide_after_s", settings.decide_after_s, 0),
            ("throttled_calls", settings.throttled_calls, 0),
            ("page_count", settings.page_count, 1),
        )
        if not value >= least
    ]
    if not settings.token_life_s > 0:
        mistakes.append(f"token_life_s is > 0, not {settings.token_life_s}")
    if mistakes:
        raise ValueError("; ".join(mistakes))
