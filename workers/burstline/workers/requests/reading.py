"""What is wanted of a response's body, known once for each request of a plan."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What is wanted of a response's body.

    Attributes:
        keep_bytes: how much of a long body is handed over at least.
        skipped: by status, 0..999: whether a body that came with its head need not be looked at.
        bare: by status: whether the status says it all, and neither headers nor body are looked at.
    """

    keep_bytes: int = 4096
    skipped: Sequence[bool] = (False,) * 1000
    bare: Sequence[bool] = (False,) * 1000
