"""A run second by second, as the columns of a report's series."""

from typing import Any

import numpy as np

from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Second, Totals
from burstline.core.load.window import BINS_PER_S
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.series import Ints, per_second
from burstline.server.weighing import Judgement

FEWEST = 10
"""Samples of a second from which its latencies are stated."""


def columns_of(totals: Totals, judgement: Judgement) -> dict[str, list[Any]]:
    """Return columns of equal length, one value per second from run time 0; null where nothing is known.

    `due`, `sent` and outcomes are by send time; latencies (from due) are of what became known in the second.
    """
    series = judgement.series
    length = max(series.count // BINS_PER_S, max(totals.seconds, default=-1) + 1)
    seconds = [totals.seconds.get(second, Second()) for second in range(length)]
    flight = judgement.in_flight
    columns: dict[str, list[Any]] = {
        "due": _whole(series.due, length),
        "sent": _whole(series.sent, length),
        "dropped": [sum(second.load.dropped.values()) for second in seconds],
        **{outcome: _whole(bins, length) for outcome, bins in _outcomes(judgement).items()},
        "latency_p50_s": [_quantile(second, 0.5) for second in seconds],
        "latency_p95_s": [_quantile(second, 0.95) for second in seconds],
        "latency_p99_s": [_quantile(second, 0.99) for second in seconds],
        "lateness_p99_s": [second.lateness.quantile(0.99) for second in seconds],
        "cpu_ratio": [second.cpu_ratio for second in seconds],
        "concurrency": [
            float(np.rint(flight[at : at + BINS_PER_S].max())) if at < len(flight) else None
            for at in range(0, length * BINS_PER_S, BINS_PER_S)
        ],
    }
    return columns


def _outcomes(judgement: Judgement) -> dict[str, Ints]:
    """Settled outcomes by bin of the send time."""
    series, settlement = judgement.series, judgement.settlement
    found = {outcome.value: np.zeros(series.count, np.int64) for outcome in Outcome if outcome is not Outcome.UNSETTLED}
    for signature, seen in series.answers.items():
        throttled = settlement.throttled.get(signature)
        if throttled is None:
            outcome = meaning(signature).outcome
            found[(Outcome.FAILED if outcome is Outcome.UNSETTLED else outcome).value] += seen
        else:
            found["throttled"] += throttled
            found["failed"] += seen - throttled
    return found


def _whole(bins: Ints, length: int) -> list[int]:
    values: list[int] = per_second(bins).tolist()
    return values + [0] * (length - len(values))


def _quantile(second: Second, q: float) -> float | None:
    return second.latency.quantile(q) if second.latency.count >= FEWEST else None
