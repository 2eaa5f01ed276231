"""What two reports are compared by: each number of a report under the name that thresholds give it too."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from burstline.core.load.histogram import Histogram, index_of

WORKED = ("ok", "failed", "timed_out", "unreachable")
"""Outcomes whose latency counts, as for thresholds: a rejection or a throttle says nothing about the work."""

SHARES = ("throttled", "rejected", "failed", "timed_out", "unreachable")
QUANTILES = ("p50", "p90", "p95", "p99", "p999")
SAMPLES_ABOVE = 10
"""A quantile q is stated from `SAMPLES_ABOVE` / (1 - q) answers on, as in reports."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a report.

    Attributes:
        name: as in an expression: `latency p99`, `throttled`, `rate`, `headroom lambda:L-B99A9384`.
        unit: `s`, `ratio`, `1/s` or `usd`.
        value: None where it is not known.
        worse: +1 if more is worse, -1 if less is, 0 if neither.
    """

    name: str
    unit: str
    value: float | None
    worse: int


def quantile_of(name: str) -> float:
    """Return the share that a quantile's name states: `p99` is 0.99, `p999` 0.999, `max` 1."""
    return 1.0 if name == "max" else float(f"0.{name[1:]}")


def latencies(report: dict[str, Any]) -> Histogram:
    """Return the latencies from due of a report's answers that worked."""
    total = Histogram()
    for one in report["distributions"]:
        if one["basis"] == "due" and one["outcome"] in WORKED:
            # a bucket is stated by its upper bound, which itself belongs to the next one
            counts = {
                index_of(below_s * (1 - 1e-5)): count
                for below_s, count in zip(one["below_s"], one["counts"], strict=True)
            }
            total.merge(Histogram(counts, 0.0, one["max_s"] or 0.0))
    return total


def stated(histogram: Histogram, q: float) -> float | None:
    """Return a quantile in seconds; None where the answers are too few to say."""
    enough = q >= 1.0 or histogram.count * (1 - q) >= SAMPLES_ABOVE - 1e-6
    return histogram.quantile(q) if enough else None


def measures_of(report: dict[str, Any]) -> dict[str, Measure]:
    """Return everything that a report can be compared by, by name."""
    return {one.name: one for one in _all(report)}


def _all(report: dict[str, Any]) -> Iterator[Measure]:
    ledger, length_s = report["ledger"], report["run"]["duration_s"]
    yield Measure("rate", "1/s", ledger["sent"] / length_s if length_s else None, 0)
    yield Measure("accepted", "1/s", accepted(report) / length_s if length_s else None, -1)
    peak = max((value for value in report["series"]["columns"].get("sent", ()) if value is not None), default=None)
    yield Measure("peak", "1/s", peak, 0)
    answered = sum(ledger["outcomes"].values())
    for name in SHARES:
        yield Measure(name, "ratio", ledger["outcomes"][name] / answered if answered else None, 1)
    yield Measure("dropped", "ratio", ledger["dropped"] / ledger["due"] if ledger["due"] else None, 1)
    times = latencies(report)
    for name in (*QUANTILES, "max"):
        yield Measure(f"latency {name}", "s", stated(times, quantile_of(name)), 1)
    for name in ("p50", "p99", "max"):
        yield Measure(f"lateness {name}", "s", report["lateness"][f"{name}_s"], 1)
    ratios = {one["quota"]: one["headroom_ratio"] for one in report["findings"] if one["headroom_ratio"] is not None}
    yield Measure("headroom", "ratio", min(ratios.values(), default=None), -1)
    for quota, ratio in ratios.items():
        yield Measure(f"headroom {quota}", "ratio", ratio, -1)
    cost = report["cost"]["estimated_usd"]
    yield Measure("cost", "usd", cost, 1)


def accepted(report: dict[str, Any]) -> int:
    """Return how many requests were neither throttled nor unreachable."""
    outcomes: dict[str, int] = report["ledger"]["outcomes"]
    return sum(outcomes.values()) - outcomes["throttled"] - outcomes["unreachable"]
