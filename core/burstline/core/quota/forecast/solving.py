"""The seam between the two solvers: loads and an account in, simulated runs out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from burstline.core.quota.forecast.loads import ForecastInput
from burstline.core.quota.forecast.records import Outcome
from burstline.core.quota.quotas import Account

EXACT_LIMIT = 3_000_000
"""Arrivals up to which every request is replayed."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a forecast takes for granted beyond plan and account.

    Attributes:
        jitter_s: mean delay between due and arrival at AWS, exponential, seconds, >= 0; 0 is exactly at due.
        round_trip_s: what a closed-model user waits beyond the service time, seconds, >= 0.
    """

    jitter_s: float = 0.001
    round_trip_s: float = 0.02


class Solver(Protocol):
    """One way to simulate runs."""

    @property
    def name(self) -> str:
        """`exact` or `fluid`."""
        ...

    def solve(self, asked: ForecastInput, account: Account, assumed: Assumptions, seed: int) -> Sequence[Outcome]:
        """Return simulated runs that differ in everything random; the same seed gives the same runs."""
        ...
