"""One request on its way through the emulator: what was asked, and what will be answered when."""

from typing import Protocol

from burstline.core.quota.admission.admission import Call, Decision
from burstline.emulator.answers import Answer


class Exchange:
    """One request and its answer; plain fields, for speed.

    Attributes:
        reply_to: the connection it came on.
        method: as sent, for example `GET`.
        target: path and query as sent.
        headers: those the emulator looks at, by lower-case name; None if there were none.
        body_bytes: length of its body.
        keep_alive: the client wants to go on on this connection.
        call: what it means to the quotas; set when it is routed.
        decision: what they said; set when it is admitted or refused.
        answered: the answer is fixed (a later event, as the function's end after a timeout, changes nothing).
        answer: what to say; set when it is on its way back.
    """

    __slots__ = (
        "answer", "answered", "body_bytes", "call", "decision", "headers", "keep_alive", "method", "reply_to", "target",
    )  # fmt: skip

    def __init__(self, reply_to: "ReplyTo") -> None:
        self.reply_to = reply_to
        self.method = b""
        self.target = b""
        self.headers: dict[bytes, bytes] | None = None
        self.body_bytes = 0
        self.keep_alive = True
        self.call: Call | None = None
        self.decision: Decision | None = None
        self.answered = False
        self.answer: Answer | None = None

    def header(self, name: bytes) -> bytes:
        """Return the value of a header the emulator looks at, by lower-case name; empty if it was not sent."""
        return self.headers.get(name, b"") if self.headers else b""


class ReplyTo(Protocol):
    """Where answers go: a connection, or a recorder in tests."""

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Write the answer, if the connection is still there."""

    def abandon(self, exchange: Exchange) -> None:
        """Close the connection without an answer."""
