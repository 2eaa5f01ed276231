"""What of a plan failed on the workers while it ran, and is told once with a count, not once per request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST = 8
"""Different troubles that one window names; more are counted in the ledger only."""

LONGEST = 300
"""Characters of each of its texts."""


class TroubleKind(StrEnum):
    """What failed: a request's template, or renewing what authorizes requests."""

    TEMPLATE = "template"
    AUTHORIZATION = "authorization"


@dataclass(frozen=True, slots=True, order=True)
class TroubleKey:
    """Troubles of the same key are one.

    Attributes:
        kind: what failed.
        request: index of the request in the plan; -1 where it is of all.
        place: the plan's field, such as `json.price` or `auth.cognito`.
        reason: the kind of error, the same for every arrival.
    """

    kind: TroubleKind
    request: int
    place: str
    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Trouble:
    """How often it was met, and the first time as an example.

    Attributes:
        first_s: run time, seconds.
        example: what the reason leaves open; no secret is in it.
        count: arrivals that were dropped, or tries that failed.
    """

    first_s: float
    example: str
    count: int


Troubles = dict[TroubleKey, Trouble]


def add_troubles(into: Troubles, troubles: Mapping[TroubleKey, Trouble]) -> None:
    """Add troubles key by key: counts sum, the earliest example stays."""
    for key, trouble in troubles.items():
        known = into.get(key, trouble)
        first = min(known, trouble)
        into[key] = Trouble(first.first_s, first.example, trouble.count + (known.count if key in into else 0))


def request_name(key: TroubleKey, names: Sequence[str]) -> str | None:
    """Return which of the plan's requests a trouble is of, given their names; None if it is of all."""
    return names[key.request] if 0 <= key.request < len(names) else None


def sentence(key: TroubleKey, trouble: Trouble, names: Sequence[str]) -> str:
    """Return what a user is told the first time; `names` are those of the plan's requests.

    What it says of later arrivals holds for them all, so it needs no count: the ledger has that.
    """
    at = f"{trouble.first_s:,.1f} s"
    if key.kind is TroubleKind.TEMPLATE:
        why = f"{key.reason}: {trouble.example}; from {at}"
        return (
            f"request {request_name(key, names)}, {key.place}: a template has no result ({why}). "
            "Such arrivals are not sent: they are dropped, reason template"
        )
    return (
        f"{key.place}: the authorization could not be renewed ({key.reason}; from {at}). Requests go on with "
        f"{trouble.example}; what the target refuses then counts as rejected. It is tried again"
    )
