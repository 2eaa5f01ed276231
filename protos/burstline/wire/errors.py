"""What is wrong with a message, all of it at once.

ValueError
└── InvalidMessage: one or more fields are out of range; `.violations` has every one
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is out of range.

    Attributes:
        field: its path in the message, for example `load[2].bursts.every_duration`.
        description: what was found and what is allowed.
    """

    field: str
    description: str


class InvalidMessage(ValueError):
    """A message that cannot be used; `violations` has at least one entry, in the message's order."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
