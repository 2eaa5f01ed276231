"""How much the number of calls in flight fluctuates: its variance over its mean, if nothing were refused.

For Poisson arrivals it is 1. Evenly spaced ones at rate l, of which a hash gives function f the share p_f, leave
`Var N = m - l * integral of (sum over f of p_f P(S_f > x))**2 dx`, m the mean: what is left is due to service times and
to the hash.
"""

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.forecast.events import Pools
from burstline.core.quota.forecast.holding import survival
from burstline.core.quota.forecast.streams import Streams
from burstline.core.quota.quotas import Function

Floats = NDArray[np.float64]

_AGES = 400


def pool_peakedness(streams: Streams, passed: Floats, calm: NDArray[np.float32], pools: Pools) -> Floats:
    """Return it for each pool, at the step in which the pool is offered most.

    Args:
        streams: what arrives.
        passed: what of it the buckets let through, per step (rows) and call.
        calm: 0 where a bucket refuses: what comes out is its refill, evenly spaced; same shape.
        pools: which function draws from which pool.
    """
    slot_of_call = np.array(pools.slot_of, np.int64)[streams.function_of]
    return _peakedness(streams, passed, calm, slot_of_call, len(pools.limits))


def function_peakedness(streams: Streams, passed: Floats, calm: NDArray[np.float32]) -> Floats:
    """Return it for each function, at the step in which it is offered most; arguments as in `pool_peakedness`."""
    return _peakedness(streams, passed, calm, streams.function_of, len(streams.functions))


def _peakedness(
    streams: Streams, passed: Floats, calm: NDArray[np.float32], group_of_call: NDArray[np.int64], groups: int
) -> Floats:
    ages = _ages(streams.functions)
    widths = np.diff(ages)
    middles = (ages[1:] + ages[:-1]) / 2
    known: dict[object, Floats] = {}
    alive = np.array([known.setdefault((f.duration, f.timeout_s), survival(f, middles)) for f in streams.functions])
    means = alive @ widths
    steps = np.diff(streams.edges_s)
    found = np.ones(groups)
    for group in range(groups):
        members = np.flatnonzero(group_of_call == group)
        if not len(members):
            continue
        held = (passed[:, members] @ means[streams.function_of[members]]) / steps
        top = int(np.argmax(held))
        if held[top] <= 0:
            continue
        rates = passed[top, members] / steps[top]
        regular = 0.0
        for index in np.unique(streams.load_of[members]).tolist():
            mine = streams.load_of[members] == index
            even = _even_ratio(streams, top, index, float(calm[top, members[mine]].min()))
            whole = float(passed[top, streams.load_of == index].sum()) / steps[top]
            if even > 0 and whole > 0:
                sharing = rates[mine] @ alive[streams.function_of[members[mine]]]
                regular += even * float(np.square(sharing) @ widths) / whole
        found[group] = max(0.0, 1.0 - regular / float(held[top]))
    return found


def _even_ratio(streams: Streams, step: int, load: int, calm: float) -> float:
    even, loose = float(streams.even[step, load]), float(streams.loose[step, load])
    return 1.0 - calm * loose / max(even + loose, 1e-12)


def _ages(functions: tuple[Function, ...]) -> Floats:
    shortest = min(min(f.duration.p50_s, f.timeout_s) for f in functions)
    longest = max(min(f.duration.p99_s * 4, f.timeout_s * 1.01) for f in functions)
    return np.concatenate(([0.0], np.geomspace(shortest * 1e-2, longest, _AGES)))
