"""What a client can know of the requests in flight inside Lambda.

Raw client in-flight counts the network too (it said 89 for a cap of 50 at 40 ms of round trip). A rejection does no
work, so its latency is network and front alone; with r its median, a request accepted at AWS's time u was sent by
`u - r/2` and its end is seen by `u + r/2`, so (t = u - r/2)

    in_flight(t) = accepted sent up to t - accepted completed up to t + r.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from burstline.core.load.histogram import Histogram, bounds_of
from burstline.core.load.samples import UNREACHABLE_NO_RESPONSE, Outcome
from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.series import Floats, Ints, Series

ENOUGH_REJECTIONS = 10
"""Rejections from which their median latency is taken for the network's share."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What a request costs without any work behind the front, seconds, and how we know."""

    value_s: float
    how: str


def floor_of(totals: Totals, settled: Collection[str] = ()) -> Floor:
    """Return the part of a latency that is network and front: rejections' median, else one round trip, else 0.

    Args:
        settled: unsettled signatures that turned out to be throttles.
    """
    rejections = merged(
        latency.sent
        for key, latency in totals.latencies.items()
        if meaning(key.signature).outcome is Outcome.THROTTLED or key.signature in settled
    )
    median = rejections.quantile(0.5)
    if median is not None and rejections.count >= ENOUGH_REJECTIONS:
        return Floor(median, f"median latency of {rejections.count:,} rejections")
    connect, tls = totals.connect.quantile(0.5), totals.tls.quantile(0.5) or 0.0
    if connect is not None and connect > tls:
        return Floor(connect - tls, "median time to open a TCP connection")
    return Floor(0.0, "unknown, taken as 0")


def is_admitted(signature: str) -> bool:
    """Whether a request that got `signature` probably ran in Lambda (unsettled ones count as refused)."""
    outcome = meaning(signature).outcome
    if outcome is Outcome.REJECTED:
        return signature.endswith(".4xx")
    return outcome in (Outcome.OK, Outcome.FAILED, Outcome.TIMED_OUT) or signature == UNREACHABLE_NO_RESPONSE


def admitted_signatures(series: Series) -> set[str]:
    """Return those signatures of a run for which `is_admitted` holds."""
    return {name for name in {*series.answers, *series.completions} if is_admitted(name)}


def in_flight(series: Series, floor_s: float) -> Floats:
    """Estimate the requests inside Lambda at the end of each bin, >= 0, by the module's formula.

    Args:
        floor_s: r, seconds, >= 0.
    """
    names = admitted_signatures(series)
    sent: Floats = np.cumsum(series.sum_of(names)).astype(np.float64)
    estimate: Floats = np.maximum(sent - _completed_by(series.completed(names), floor_s), 0.0)
    return estimate


def _completed_by(completed: Ints, floor_s: float) -> Floats:
    """Completions up to each bin's end plus `floor_s`, interpolated within bins."""
    edges = np.arange(len(completed) + 1) * BIN_S
    known: Floats = np.interp(edges[1:] + floor_s, edges, np.concatenate(([0], np.cumsum(completed))))
    return known


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Return the sum of histograms."""
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram)
    return total


def midpoints(histogram: Histogram) -> tuple[Floats, Ints]:
    """Return a histogram's values, as midpoints of its buckets in ascending seconds, and their counts."""
    items = sorted(histogram.counts.items())
    values = [sum(bounds_of(index)) / 2 for index, _ in items]
    return np.array(values), np.array([count for _, count in items], np.int64)


def admitted_latency(totals: Totals, shares: Mapping[int, bool] | None = None) -> Histogram:
    """Return latencies from actual send of what probably ran in Lambda and was answered.

    Args:
        shares: which requests (by index) to take; None takes all.
    """
    return merged(
        latency.sent
        for key, latency in totals.latencies.items()
        if meaning(key.signature).outcome in (Outcome.OK, Outcome.FAILED)
        and (shares is None or shares.get(key.request, False))
    )
