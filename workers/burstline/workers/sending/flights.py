"""A request under way, and what is counted of connections meanwhile."""

from burstline.workers.requests.reading import Reading
from burstline.workers.sending.connections import Link

PLAIN_READING = Reading()
"""Enough of every body to classify it."""


class Flight:
    """A request under way.

    Attributes:
        number, phase, request: which one it is.
        due_s, sent_s, deadline_s: run time, seconds.
        timeout_s: of its kind; deadline_s - due_s.
        user: the closed-model user it belongs to, or -1.
        on_wire: whether its bytes were written.
    """

    __slots__ = (
        "data",
        "deadline_s",
        "due_s",
        "head",
        "link",
        "number",
        "on_wire",
        "phase",
        "reading",
        "request",
        "sent_s",
        "timeout_s",
        "user",
    )

    def __init__(self, number: int, phase: int, request: int, due_s: float, sent_s: float, timeout_s: float) -> None:
        self.number, self.phase, self.request = number, phase, request
        self.due_s, self.sent_s, self.timeout_s, self.deadline_s = due_s, sent_s, timeout_s, due_s + timeout_s
        self.user = -1
        self.data = b""
        self.head = self.on_wire = False
        self.reading = PLAIN_READING
        self.link: Link | None = None


class Counters:
    """What happened to connections since the last look."""

    __slots__ = ("connect_s", "failed", "opened", "reused", "tls_s")

    def __init__(self) -> None:
        self.opened = self.reused = self.failed = 0
        self.connect_s: list[float] = []
        self.tls_s: list[float] = []
