"""The exact account of every scheduled request (design: the ledger).

`scheduled = due + not_due`, `due = sent + dropped + unsent + lost`, `sent = sum of outcomes + in_flight + orphaned`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from burstline.core.load.window import Drop

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of requests.

    Attributes:
        scheduled: arrivals of the plan; for closed-model phases, what their users started.
        not_due: not reached because the run stopped early.
        due: scheduled less not_due.
        sent: handed to the network.
        sent_on_wire: of those, with bytes written.
        preflight: requests before T0; in none of the other counts.
        dropped: due, not sent by our own decision, by reason.
        unsent: due while no living lease held it.
        lost: due on a worker that died, after its last committed window and before takeover: fate unknown.
        in_flight: sent, outcome not known yet.
        orphaned: reported sent, then its worker died before the outcome.
        signatures: what became of the others, by signature.
    """

    scheduled: int = 0
    not_due: int = 0
    due: int = 0
    sent: int = 0
    sent_on_wire: int = 0
    preflight: int = 0
    dropped: Mapping[Drop, int] = field(default_factory=dict)
    unsent: int = 0
    lost: int = 0
    in_flight: int = 0
    orphaned: int = 0
    signatures: Mapping[str, int] = field(default_factory=dict)

    def imbalances(self) -> list[str]:
        """Return each law that does not hold, as a sentence with its numbers; empty when the ledger closes."""
        dropped = sum(self.dropped.values())
        known = sum(self.signatures.values())
        laws = [
            ("scheduled = due + not_due", self.scheduled, self.due + self.not_due),
            ("due = sent + dropped + unsent + lost", self.due, self.sent + dropped + self.unsent + self.lost),
            ("sent = outcomes + in_flight + orphaned", self.sent, known + self.in_flight + self.orphaned),
        ]
        found = [f"{law}: {left} is not {right}" for law, left, right in laws if left != right]
        if not 0 <= self.sent_on_wire <= self.sent:
            found.append(f"0 <= sent_on_wire <= sent: {self.sent_on_wire} of {self.sent}")
        return found


def add(left: Ledger, right: Ledger) -> Ledger:
    """Return the sum of two ledgers, count by count."""
    return Ledger(
        scheduled=left.scheduled + right.scheduled,
        not_due=left.not_due + right.not_due,
        due=left.due + right.due,
        sent=left.sent + right.sent,
        sent_on_wire=left.sent_on_wire + right.sent_on_wire,
        preflight=left.preflight + right.preflight,
        dropped=_sum(left.dropped, right.dropped),
        unsent=left.unsent + right.unsent,
        lost=left.lost + right.lost,
        in_flight=left.in_flight + right.in_flight,
        orphaned=left.orphaned + right.orphaned,
        signatures=_sum(left.signatures, right.signatures),
    )


def _sum(left: Mapping[K, int], right: Mapping[K, int]) -> dict[K, int]:
    total = dict(left)
    for key, count in right.items():
        total[key] = total.get(key, 0) + count
    return total
