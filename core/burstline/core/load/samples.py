"""One request's record, flat, also when it failed; and what became of requests."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a request. `UNSETTLED` is provisional only: a signature that may be a throttle or a failure."""

    OK = "ok"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    UNSETTLED = "unsettled"


TIMED_OUT = "timed_out"
UNREACHABLE_DNS = "unreachable.dns"
UNREACHABLE_CONNECT = "unreachable.connect"
UNREACHABLE_TLS = "unreachable.tls"
UNREACHABLE_NO_RESPONSE = "unreachable.no_response"
TRANSPORT_SIGNATURES = (
    TIMED_OUT,
    UNREACHABLE_DNS,
    UNREACHABLE_CONNECT,
    UNREACHABLE_TLS,
    UNREACHABLE_NO_RESPONSE,
)
"""Signatures of requests without a response, the same for every front."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One request.

    Attributes:
        number: n of the schedule's arrival n, >= 0.
        phase: index of the phase in which it was due.
        request: index of the request in the plan.
        due_s: run time at which it should have left, seconds.
        sent_s: run time at which it was handed to the network, seconds.
        done_s: run time at which its outcome was known, seconds.
        on_wire: whether bytes were written.
        signature: what the response looked like.
    """

    number: int
    phase: int
    request: int
    due_s: float
    sent_s: float
    done_s: float
    on_wire: bool
    signature: str
