"""A run second by second, as the columns of a report's series."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from burstline.core.load.histogram import Histogram
from burstline.core.load.samples import Outcome
from burstline.core.load.totals import Second, Totals
from burstline.core.load.window import BINS_PER_S
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.inflight import merged
from burstline.core.quota.answers.series import Ints, per_second
from burstline.core.quota.quotas import Family
from burstline.server.judging.weighing import Judgement

FEWEST = 10
"""Samples of a second from which its latencies are stated: a p99 of fewer than 100 is the longest."""

TIMED = (Outcome.OK, Outcome.THROTTLED)
"""Outcomes whose latencies have columns, each its own: throttles are quick, and would hide how slow work is."""


def columns_of(totals: Totals, judgement: Judgement) -> dict[str, list[Any]]:
    """Return columns of equal length, one value per second from run time 0; null where nothing is known.

    `due`, `sent` and outcomes are by send time, `throttled_by_...` too: who throttled, a layer where one is named, else
    the law; together they are `throttled`. Latencies, of an outcome and from due or from actual send, are of what
    became known in the second.
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
        **{f"throttled_by_{owner}": _whole(bins, length) for owner, bins in _owners(judgement).items()},
        **dict(_latencies(seconds, judgement)),
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


def _owners(judgement: Judgement) -> dict[str, Ints]:
    """Throttles by bin of the send time and by who throttled; each counts once, for the surest of those it may be."""
    left = {signature: bins.copy() for signature, bins in judgement.settlement.throttled.items()}
    found: dict[str, Ints] = {}
    for binding in sorted(judgement.bindings, key=lambda one: -one.confidence):
        span = slice(round(binding.from_s * BINS_PER_S), round(binding.to_s * BINS_PER_S))
        own = found.setdefault((binding.layer or binding.family).value, np.zeros(judgement.series.count, np.int64))
        for signature in binding.signatures:
            if signature in left:
                own[span] += left[signature][span]
                left[signature][span] = 0
    rest: Ints = np.sum([*left.values(), np.zeros(judgement.series.count, np.int64)], axis=0)
    if rest.any():
        unknown = Family.UNKNOWN.value
        found[unknown] = found.get(unknown, np.zeros_like(rest)) + rest
    return found


def _whole(bins: Ints, length: int) -> list[int]:
    values: list[int] = per_second(bins).tolist()
    return values + [0] * (length - len(values))


def _latencies(seconds: list[Second], judgement: Judgement) -> Iterator[tuple[str, list[float | None]]]:
    """Yield `latency_ok_due_p50_s` and the like; a signature counts under what most of its answers were."""
    seen = {signature for second in seconds for signature in second.latencies}
    outcome_of = {signature: judgement.settlement.outcome_of(None, signature) for signature in seen}
    for outcome in TIMED:
        for basis in ("due", "sent"):
            times = [
                merged(getattr(one, basis) for name, one in second.latencies.items() if outcome_of[name] is outcome)
                for second in seconds
            ]
            for q in (50, 95, 99):
                yield f"latency_{outcome.value}_{basis}_p{q}_s", [_quantile(one, q / 100) for one in times]


def _quantile(times: Histogram, q: float) -> float | None:
    return times.quantile(q) if times.count >= FEWEST else None
