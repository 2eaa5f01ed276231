"""The two ends of a search: a probe, which is a small load, and its outcome, which is read from a run's report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from burstline.core.load.plan import Bursts, Constant, Pause, Phase
from burstline.core.load.schedule import Schedule
from burstline.core.quota.answers.classify import meaning
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.quotas import Family, Layer

DRAIN, MAIN = "drain", "main"
"""Phases of a probe: what empties a bucket first, and what is measured."""

UNLIMITED_SHARE = 0.01
"""A probe is limited by the generator if more than this of what was due was not sent."""


LATE_S = 0.05
"""A generator-limited probe whose requests left no later than this still counts: numbers accepted in a second or more
move by little, where single instants, which a report rests on, would be wrong."""

FEWEST, ERRORS = 2, 0.02
"""Answers that may be throttles count from this number and share of a phase on, where they could not be settled."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A small load.

    Attributes:
        load: its phases.
        rest_s: how long to wait before it, so that buckets refill, seconds.
        about: what it asks, for a reader.
    """

    load: tuple[Phase, ...]
    rest_s: float
    about: str

    @property
    def request_count(self) -> int:
        """Requests it sends."""
        return Schedule(self.load, 0).count

    @property
    def peak_per_s(self) -> float:
        """Most requests in any second."""
        times_s = Schedule(self.load, 0).offsets(0, self.request_count)
        ends = np.searchsorted(times_s, times_s + 1.0)
        return float((ends - np.arange(len(times_s))).max(initial=0))


@dataclass(frozen=True, slots=True)
class Part:
    """Requests of one phase: sent, throttled, and accepted by the target (whatever became of them then)."""

    sent: int = 0
    throttled: int = 0

    @property
    def accepted(self) -> int:
        """What was not throttled."""
        return self.sent - self.throttled


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """What a probe came to.

    Attributes:
        parts: by phase name.
        limited: the generator could not send as asked: the outcome says nothing.
        family: law of what throttled, as settled; None without throttles, `UNKNOWN` where it cannot be told.
        layer: whose limit it was, if that could be told.
        fits: (family, parameter) -> value, low and high.
        latencies_s: latencies from actual send of what succeeded, ascending equally likely values.
        floor_s: what of them is network and front: the median latency of what was throttled; None without any.
        text: the report's summary; "" where it says less than the counts do (see `LATE_S`).
        can_be_cap: whether what throttled may be a cap on calls in flight, by its answers.
        can_be_ten_times: whether it may be the 10x rule, and no bucket, by its answers.
    """

    parts: Mapping[str, Part]
    limited: bool = False
    family: Family | None = None
    layer: Layer | None = None
    fits: Mapping[tuple[Family, str], tuple[float, float, float]] = field(default_factory=dict)
    latencies_s: Floats = field(default_factory=lambda: np.empty(0))
    floor_s: float | None = None
    text: str = ""
    can_be_cap: bool = True
    can_be_ten_times: bool = False

    def part(self, name: str = MAIN) -> Part:
        """Return one phase's requests."""
        return self.parts.get(name, Part())

    @property
    def throttled(self) -> int:
        """Throttled requests of all phases."""
        return sum(part.throttled for part in self.parts.values())


def outcome_of_report(report: Mapping[str, Any]) -> ProbeOutcome:
    """Return a probe's outcome from its run's report, `burstline.report/v1`."""
    parts: dict[str, Part] = {}
    for phase in report["phases"]:
        kind = phase["name"].split(" ")[0]
        before, ledger = parts.get(kind, Part()), phase["ledger"]
        throttled = _throttled(ledger)
        parts[kind] = Part(before.sent + ledger["sent"], before.throttled + throttled)
    bindings = sorted(report["bindings"], key=lambda one: -one["throttled_count"])
    most = bindings[0] if bindings else None
    ledger = report["ledger"]
    families = {family for name in ledger["signatures"] for family in meaning(name).families}
    unsent = ledger["dropped"] + ledger["unsent"] + ledger["lost"]
    late_s = report["lateness"]["p99_s"] or report["lateness"]["max_s"] or 0.0
    limited = report["verdict"] in ("incomplete", "could_not_run") or (
        "generator_limited" in report["verdicts"] and late_s > LATE_S
    )
    return ProbeOutcome(
        parts,
        limited or unsent > UNLIMITED_SHARE * max(1, ledger["due"]),
        Family(most["family"]) if most else None,
        Layer(most["layer"]) if most and most["layer"] else None,
        {(Family(one["family"]), one["parameter"]): (one["value"], one["low"], one["high"]) for one in report["fits"]},
        _latencies(report),
        _floor(report),
        "" if report["verdict"] == "generator_limited" and not limited else str(report["summary"]),
        Family.CONCURRENCY in families,
        Family.INVOCATION_RATE in families and Family.BUCKET not in families,
    )


def _throttled(ledger: Mapping[str, Any]) -> int:
    """Settled throttles; where there are none, answers that may be throttles, if they are more than a stray error.

    A probe is short: what only looks like a throttle cannot always be settled from it alone.
    """
    settled = int(ledger["outcomes"]["throttled"])
    seen: int = sum(count for name, count in ledger["signatures"].items() if meaning(name).rejects)
    if settled or seen < FEWEST or seen < ERRORS * ledger["sent"]:
        return settled
    return seen


def burst(size: int, pace_per_s: float, name: str = MAIN) -> tuple[Phase, ...]:
    """Return one burst of `size` requests, as narrow as `pace_per_s` allows, and the rest of its second."""
    width_s = width_of(size, pace_per_s)
    return (Phase(name, max(1.0, width_s), Bursts(size, max(1.0, width_s), width_s)),)


def width_of(size: int, pace_per_s: float) -> float:
    """Return how long a burst takes, seconds."""
    return max(0.02, size / pace_per_s)


def drained(size: int, pace_per_s: float, wait_s: float, then: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """Return a burst that empties a bucket, a wait, and what follows."""
    width_s = width_of(size, pace_per_s)
    first = Phase(DRAIN, width_s, Bursts(size, width_s, width_s))
    return (first, Phase("wait", wait_s, Pause()), *then) if wait_s > 0 else (first, *then)


def steady(rate_per_s: float, duration_s: float, name: str = MAIN) -> tuple[Phase, ...]:
    """Return a constant rate."""
    return (Phase(name, duration_s, Constant(rate_per_s)),)


def _latencies(report: Mapping[str, Any]) -> Floats:
    good = _row(report, "ok")
    if good is None:
        return np.empty(0)
    # the middle of a bucket of 1 %
    found: Floats = np.repeat(np.array(good["below_s"]), np.array(good["counts"], np.int64)) * 0.995
    return found


def _floor(report: Mapping[str, Any]) -> float | None:
    # what could not be settled from so short a run counts as failed there
    refused = _row(report, "throttled") or _row(report, "failed")
    return _median(refused) if refused is not None and refused["count"] >= 5 else None


def _row(report: Mapping[str, Any], outcome: str) -> Mapping[str, Any] | None:
    for row in report["distributions"]:
        if row["outcome"] == outcome and row["basis"] == "sent" and row["count"]:
            found: Mapping[str, Any] = row
            return found
    return None


def _median(row: Mapping[str, Any]) -> float:
    reached = np.cumsum(row["counts"])
    return float(row["below_s"][int(np.searchsorted(reached, reached[-1] / 2))])
