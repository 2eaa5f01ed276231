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
        jitter_s: how unevenly requests arrive at AWS: each later than due by an exponential delay of this mean,
            seconds, >= 0; 0 is exactly at due. As nobody knows it, runs of the exact solver have 0 to 3 times as much,
            this on average.
        round_trip_s: of the network, about, seconds, >= 0. Half of it is on the way in: throttling may begin later by
            that much, or twice that. A closed-model user waits it beyond the service time.
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
