"""A forecast as a JSON document, schema `burstline.forecast/v1`: what does not happen is null, never 0."""

from typing import Any

from burstline.core.quota.aws.neighbours import PoolShare
from burstline.core.quota.forecast.records import NEVER, Forecast, Interval

SCHEMA = "burstline.forecast/v1"


def document(found: Forecast, share: PoolShare | None = None) -> dict[str, Any]:
    """Return the document; each interval is `{"low", "mid", "high"}`, times in seconds of run time.

    Args:
        found: the forecast.
        share: what the run takes of the concurrency that all share; None where it takes none.
    """
    return {
        "schema": SCHEMA,
        "estimate": True,
        "confidence": 0.9,
        "solver": found.solver,
        "scaling": found.scaling.value,
        "simulated_runs": found.simulated_runs,
        "duration_s": found.duration_s,
        "requests": _interval(found.request_count),
        "throttled": _interval(found.throttled_count),
        "first_throttle_s": _interval(found.first_throttle_s),
        "layers": [
            {
                "layer": one.layer.value,
                "throttled": _interval(one.throttled_count),
                "first_throttle_s": _interval(one.first_s),
                "first_ratio": one.first_ratio,
            }
            for one in found.layers
        ],
        "functions": [
            {
                "function": one.name,
                "requests": _interval(one.request_count),
                "throttled": _interval(one.throttled_count),
                "peak_concurrency": _interval(one.peak_concurrency),
                "cold_starts": _interval(one.cold_starts),
            }
            for one in found.functions
        ],
        "peak_claimed_concurrency": _interval(found.peak_claimed),
        "cold_starts": _interval(found.cold_starts),
        "shared_pool": None if share is None else _pool(share),
        "cost_usd": {part: _interval(cost) for part, cost in found.cost_usd.items()},
        "notes": list(found.notes),
    }


def _pool(share: PoolShare) -> dict[str, Any]:
    return {
        "environments": share.pool,
        "run": share.run,
        "others": share.others,
        "ratio": share.ratio,
        "crowded": share.crowded,
    }


def _interval(one: Interval) -> dict[str, float | None]:
    return {name: None if value == NEVER else value for name, value in _values(one)}


def _values(one: Interval) -> tuple[tuple[str, float], ...]:
    return ("low", one.low), ("mid", one.mid), ("high", one.high)
