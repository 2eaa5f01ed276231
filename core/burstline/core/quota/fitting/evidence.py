"""What a run's totals say about one kind of rejection: per bin, and at the instants where rejections are marked.

All times are of sending, on the run's clock. A request reaches the front half a round trip later, which is the same
for all and so shifts nothing but the origin; its jitter is noise that the laws must live with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from burstline.core.load.histogram import Histogram, bounds_of
from burstline.core.load.plan import Front
from burstline.core.load.samples import UNREACHABLE_CONNECT, UNREACHABLE_DNS, UNREACHABLE_TLS, Outcome
from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S, Mark
from burstline.core.quota.answers.classify import meaning, signatures
from burstline.core.quota.answers.series import Floats, Ints, Series, series_of
from burstline.core.quota.quotas import Family

NEVER_ARRIVED = {UNREACHABLE_DNS, UNREACHABLE_CONNECT, UNREACHABLE_TLS}
REQUESTS_PER_STEP = 8
LEAST_STEP, MOST_STEP = 3, 20
"""Single decisions at random look nearly as likely as lawful ones, and jitter and clocks blur 10 ms; over some
requests, and over 30 ms, the difference shows."""

FEWEST_QUICK = 50
"""Answers that a quicker peak must hold, and"""

VALLEY = 0.2
"""what share of it may lie, at the least, between it and a larger one."""

MOST_POINTS = 16_000
"""Points that laws are fitted to; of longer runs an even part is, with their weight. More hardly add precision."""

LEAST_IN_SECOND = 20
"""Points kept of each second even then."""

PEAK_RATIO = 1.4
"""A peak of a latency histogram is the span [x, 1.4 x] that holds most; a rejection's latency varies less."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The quick peak of a signature's latencies: median and standard deviation, seconds, and its share, 0..1."""

    median_s: float
    deviation_s: float
    share: float


@dataclass(frozen=True, slots=True)
class Points:
    """Instants at or next to rejections, ascending; all arrays have the same length.

    Attributes:
        at_s: when the rejected request was sent.
        passed: requests that got past the layer before it, from the run's start.
        in_flight: accepted requests inside the target then (see `Evidence.in_flight_at`).
        weight: rejections it stands for, > 0.
        bins: which bin it lies in.
    """

    at_s: Floats
    passed: Floats
    in_flight: Floats
    weight: Floats
    bins: Ints


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signature that may be a throttle, seen at the layer that gives it; arrays are by bin.

    Attributes:
        signature: which.
        families: laws it can follow.
        ambiguous: it may be an error, too.
        tried: requests that reached the layer.
        passed: those of them that it let through (every other answer, and what was not answered).
        rejected: those that got the signature.
        inside_sent: requests taken to enter the target. An ambiguous signature is among them: a rejection enters
            and leaves `peak.median_s` later, so that it cancels, while an error stays as long as its work takes.
        inside_done: the same by completion time.
        peak: of the rejections' latency.
        work_s: how long accepted requests take beyond that, at the median, seconds.
        mean_work_s: the same, at the mean.
        quick: rejections come faster than most accepted answers. A cap can only be seen where they do: what takes as
            long as work is work that failed.
        step: how many bins laws are compared over at once, so that some requests lie in each.
        clock_error_s: half-width of the workers' clock errors.
        segment_count: workers with rejections.
        points: the rejections' places.
    """

    signature: str
    families: tuple[Family, ...]
    ambiguous: bool
    tried: Ints
    passed: Ints
    rejected: Ints
    inside_sent: Ints
    inside_done: Ints
    peak: Peak
    work_s: float
    mean_work_s: float
    quick: bool
    step: int
    clock_error_s: float
    segment_count: int
    points: Points

    @property
    def count(self) -> int:
        """How many bins."""
        return len(self.tried)


def evidence_of(totals: Totals, front: Front) -> list[Evidence]:
    """Return one piece of evidence per signature of the front that was seen and may be a throttle."""
    series = series_of(totals)
    names = [name for name in signatures(front) if meaning(name).rejects and series.sum_of({name}).any()]
    reached = series.sent - series.sum_of(NEVER_ARRIVED)
    pure = {name for name in names if meaning(name).outcome is Outcome.THROTTLED}
    work = _work(totals)
    work_s = work.quantile(0.5) or 0.0
    found = []
    for name in names:
        outer = {other for other in names if _rank(other) < _rank(name)}
        rejected = series.sum_of({name})
        tried = reached - series.sum_of(outer)
        passed = np.maximum(tried - rejected, 0)
        inside_sent, inside_done = _inside(series, pure, reached)
        peak = _peak(totals, name)
        points = _points(totals, series, rejected, passed, inside_sent, inside_done, peak.median_s)
        found.append(
            Evidence(
                name,
                meaning(name).families,
                name not in pure,
                tried,
                passed,
                rejected,
                inside_sent,
                inside_done,
                peak,
                max(0.0, work_s - peak.median_s),
                max(0.0, work.sum_s / max(1, work.count) - peak.median_s),
                work.share_above(peak.median_s + 3 * peak.deviation_s + 0.0002) > 0.5,
                _step(tried, rejected),
                totals.clock_error_s,
                max(1, sum(1 for marks in totals.marks.values() if marks)),
                points,
            )
        )
    return found


def _step(tried: Ints, rejected: Ints) -> int:
    """Bins in which `REQUESTS_PER_STEP` requests lie where rejections are: bursts are dense, however long they rest."""
    around = np.ones(min(MOST_STEP, len(tried)))
    near = np.convolve(tried, around, "same") / len(around)
    per_bin = float(near @ rejected) / max(1, int(rejected.sum()))
    return int(np.clip(round(REQUESTS_PER_STEP / max(per_bin, 1e-9)), LEAST_STEP, MOST_STEP))


def _rank(signature: str) -> int:
    """Layers from outside in, as far as a signature names its layer: gateway buckets, the 10x rule, all others."""
    families = set(meaning(signature).families)
    if families <= {Family.BUCKET, Family.PLAN_QUOTA}:
        return 0
    return 1 if families == {Family.INVOCATION_RATE} else 2


def _inside(series: Series, pure: set[str], reached: Ints) -> tuple[Ints, Ints]:
    left = {name for name in series.completions if name not in pure and name not in NEVER_ARRIVED}
    return reached - series.sum_of(pure), series.completed(left)


def _work(totals: Totals) -> Histogram:
    merged = Histogram()
    for key, latency in totals.latencies.items():
        if meaning(key.signature).outcome in (Outcome.OK, Outcome.FAILED):
            merged.merge(latency.sent)
    return merged


def _peak(totals: Totals, signature: str) -> Peak:
    merged = Histogram()
    for key, latency in totals.latencies.items():
        if key.signature == signature:
            merged.merge(latency.sent)
    items = sorted(merged.counts.items())
    if not items:
        return Peak(0.0, 0.0, 1.0)
    values = np.array([sum(bounds_of(index)) / 2 for index, _ in items])
    counts = np.array([count for _, count in items], np.float64)
    below = np.concatenate(([0.0], np.cumsum(counts)))
    stops = np.searchsorted(values, values * PEAK_RATIO + 0.0005, side="right")
    starts = np.arange(len(values))
    best = _quickest(values, below[stops] - below[starts])
    low, high = best, int(stops[best])
    inside, share = counts[low:high], (below[high] - below[low]) / below[-1]
    middle = int(np.searchsorted(np.cumsum(inside), inside.sum() / 2))
    mean = float(np.average(values[low:high], weights=inside))
    deviation = float(np.sqrt(np.average((values[low:high] - mean) ** 2, weights=inside)))
    return Peak(float(values[low + middle]), deviation, float(share))


def _quickest(values: Floats, held: Floats) -> int:
    """Return the start of the largest peak, or of a distinct one at less than half of its latency.

    In a long run there may be more errors that take as long as work than rejections, which come at once.
    """
    best = int(np.argmax(held))
    quick = held[: int(np.searchsorted(values, values[best] / 2 / PEAK_RATIO))]
    if not len(quick):
        return best
    first = int(np.argmax(quick))
    distinct = float(held[first:best].min()) < VALLEY * held[first]
    return first if distinct and held[first] >= FEWEST_QUICK else best


def _points(
    totals: Totals, series: Series, rejected: Ints, passed: Ints, inside_sent: Ints, inside_done: Ints, floor_s: float
) -> Points:
    marks = _marks(totals, rejected)
    before = np.concatenate(([0], np.cumsum(passed))).astype(np.float64)
    taken = np.maximum(sum_of_taken(series), 1)
    share = 1 - 1 / max(1, sum(1 for own in totals.marks.values() if own))
    at_s, level, weights, bins = [], [], [], []
    for index, instants in marks.items():
        count = passed[index]
        scale = count / taken[index]
        for instant_s, own in instants:
            inner = min(1.0, max(0.0, instant_s / BIN_S - index))
            at_s.append(instant_s)
            level.append(before[index] + min(count, own * scale + count * share * inner))
            weights.append(rejected[index] / len(instants))
            bins.append(index)
    order = np.argsort(at_s, kind="stable")
    kept, stands_for = _thinned(np.array(at_s)[order])
    order = order[kept]
    times = np.array(at_s)[order]
    flight = in_flight_at(times, inside_sent, inside_done, floor_s)
    weight = np.array(weights)[order] * stands_for
    return Points(times, np.array(level)[order], flight, weight, np.array(bins, np.int64)[order])


def _thinned(at_s: Floats) -> tuple[Ints, Floats]:
    """Return which of many points to keep, evenly within each second, and how many each stands for."""
    if len(at_s) <= MOST_POINTS:
        return np.arange(len(at_s)), np.ones(len(at_s))
    second, where, count = np.unique(np.floor(at_s), return_index=True, return_counts=True)
    each = max(LEAST_IN_SECOND, MOST_POINTS // len(second))
    stride = np.repeat(-(-count // each), count)
    rank = np.arange(len(at_s)) - np.repeat(where, count)
    kept: Ints = np.flatnonzero(rank % stride == 0)
    return kept, stride[kept].astype(np.float64)


def _marks(totals: Totals, rejected: Ints) -> Mapping[int, list[tuple[float, int]]]:
    """Per bin with rejections of the kind, its marks as (when, accepted before in that bin and segment)."""
    found: dict[int, list[tuple[float, int]]] = {int(index): [] for index in np.flatnonzero(rejected)}
    for marks in totals.marks.values():
        for index, mark in marks.items():
            if index in found:
                found[index].extend(_instants(mark))
    return {index: instants for index, instants in found.items() if instants}


def _instants(mark: Mark) -> list[tuple[float, int]]:
    first = (mark.first_s, mark.accepted_before_first)
    return [first] if mark.last_s == mark.first_s else [first, (mark.last_s, mark.accepted_before_last)]


def sum_of_taken(series: Series) -> Ints:
    """Return, per bin, the answers that marks count as accepted."""
    names = {name for name in series.answers if not meaning(name).rejects and name not in NEVER_ARRIVED}
    return series.sum_of(names)


def in_flight_at(at_s: Floats, inside_sent: Ints, inside_done: Ints, floor_s: float) -> Floats:
    """Return accepted requests sent up to each time less those completed up to `floor_s` after it.

    Both are straight lines within bins.

    Args:
        at_s: run time, seconds.
        inside_sent: by bin of sending.
        inside_done: by bin of completion.
        floor_s: median latency of a rejection, seconds, >= 0: it does no work, so that is network and front alone.
    """
    edges = np.arange(len(inside_sent) + 1) * BIN_S
    sent = np.interp(at_s, edges, np.concatenate(([0], np.cumsum(inside_sent))))
    done = np.interp(at_s + floor_s, edges, np.concatenate(([0], np.cumsum(inside_done))))
    flight: Floats = sent - done
    return flight
