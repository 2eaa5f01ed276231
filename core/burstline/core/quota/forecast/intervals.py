"""Intervals for one more run, from simulated ones."""

from collections.abc import Sequence
from math import ceil, floor, inf, sqrt
from statistics import median

from burstline.core.quota.forecast.records import NEVER, Interval

TAIL = 0.025
"""Probability left out at each end. Total and first throttle are read as a pair: each holds in 95 %, so both together
in at least 90 % (Bonferroni), which is what the forecast states."""

_T975 = (inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
         2.120, 2.110, 2.101, 2.093)  # fmt: skip
"""Student's t, 97.5th percentile, by degrees of freedom; 2.09 beyond. A constant of mathematics."""


def prediction(values: Sequence[float], *, counted: bool = False, most: float = inf) -> Interval:
    """Return where one more value of the same kind falls in about 95 %.

    With n values, the k-th lowest and highest hold it with probability `(n + 1 - 2 k) / (n + 1)` whatever its
    distribution (39 values: the extremes). With fewer than 39, Student's interval for one more normal value,
    `mean +- t s sqrt(1 + 1/n)`, joined with the extremes. `NEVER` counts as beyond everything.

    Args:
        values: at least one, each >= 0.
        counted: round outward to whole numbers.
        most: what no run can exceed.
    """
    ordered = sorted(values)
    rank = floor((len(ordered) + 1) * TAIL)
    if rank >= 1:
        low, high = ordered[rank - 1], ordered[-rank]
    else:
        low, high = _student(ordered)
    middle = median(ordered) if ordered[-1] < NEVER else ordered[(len(ordered) - 1) // 2]
    if counted:
        low, middle, high = (_whole(floor, low), _whole(round, middle), _whole(ceil, high))
    return Interval(min(low, most), min(middle, most), min(high, most))


SLACK_RATIO = 0.001
SLACK_S = 0.01
"""A run is not its model: workers send a little late, networks reorder. Counts are widened by 0.1 % and one request,
times by 10 ms; what does not happen at all in the model stays so. A judgement of ours, not a measurement."""


def widened(one: Interval, most: float = inf) -> Interval:
    """Return an interval of counts with the slack that reality needs; an exact 0 stays 0."""
    if one.high == 0:
        return one
    low = floor(max(0.0, one.low * (1 - SLACK_RATIO) - 1)) if one.low else 0.0
    return Interval(float(low), one.mid, min(float(ceil(one.high * (1 + SLACK_RATIO) + 1)), max(most, one.high)))


def widened_time(one: Interval, round_trip_s: float = 0.0) -> Interval:
    """Return an interval of times with the slack that reality needs; `NEVER` stays.

    Simulated requests arrive without the network's half of a round trip. It is known roughly: taken to be anything up
    to twice `round_trip_s`, seconds, so that its half adds up to `round_trip_s`.
    """
    return Interval(max(0.0, one.low - SLACK_S), one.mid, one.high + SLACK_S + round_trip_s)


def _student(ordered: list[float]) -> tuple[float, float]:
    finite = [value for value in ordered if value < NEVER]
    low, high = ordered[0], ordered[-1]
    count = len(finite)
    if count < 2:
        return low, high
    mean = sum(finite) / count
    deviation = sqrt(sum((value - mean) ** 2 for value in finite) / (count - 1))
    reach = (_T975[count - 1] if count <= len(_T975) else 2.09) * deviation * sqrt(1 + 1 / count)
    return min(low, max(0.0, mean - reach)), max(high, mean + reach)


def _whole(rounding: object, value: float) -> float:
    return value if value == NEVER else float(rounding(value))  # type: ignore[operator]
