"""What a search for the highest rate may do, and what it answers."""

from dataclasses import dataclass

from burstline.core.quota.quotas import Family, Layer


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a search may do, and how it rests.

    Attributes:
        rate_per_s: most requests in any second.
        request_count: most requests of all probes together.
        in_flight: most requests in one burst.
        burst_pace_per_s: how fast a burst is sent.
        rest_s: between probes, until more is known, seconds.
    """

    rate_per_s: float = 10_000.0
    request_count: int = 1_000_000
    in_flight: int = 1_000_000
    burst_pace_per_s: float = 4_000.0
    rest_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """The answer.

    Attributes:
        rate_per_s: the highest rate that holds; where nothing throttled, the highest that was tried.
        burst: what is let in at once from idle, requests; None if it was not reached.
        family: law of the limit that stops the rate; None if nothing throttled up to the bounds.
        layer: whose limit it is, where that can be told.
        concurrency: calls in flight, where that is the law; None else.
        held_per_s: the rate that was shown to hold; None if none was.
        request_count: sent by all probes.
        probe_count: how many.
        text: what stopped it, from the report of the probe that showed it.
    """

    rate_per_s: float
    burst: float | None
    family: Family | None
    layer: Layer | None
    concurrency: float | None
    held_per_s: float | None
    request_count: int
    probe_count: int
    text: str


class Unanswerable(Exception):
    """The search cannot go on; the message says why."""
