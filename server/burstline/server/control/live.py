"""A run's totals while it runs: constant in size whatever the rate and length."""

from collections.abc import Iterable, Sequence

from burstline.core.load.histogram import Histogram
from burstline.core.load.outline import Outline, Times, summed
from burstline.core.load.totals import Second
from burstline.core.load.window import BINS_PER_S, Latency, Load, add_bins
from burstline.server.control.aborting import outcome_of

KEPT_S = 30
"""Seconds of run time of which details are kept."""

MOST_PENDING = 256
"""Windows whose columns wait to be summed."""


class LiveTotals:
    """Sums over windows, and the last seconds one by one. Columns are summed many windows at a time, when they are
    asked for.

    Attributes:
        load: due, sent and dropped.
        signatures: counts of answers.
        peak_1s: most requests sent in one second.
    """

    def __init__(self) -> None:
        self.load = Load()
        self.signatures: dict[str, int] = {}
        self.peak_1s = 0
        self._peak_10ms = 0
        self._seconds: dict[int, Second] = {}
        self._bins: dict[int, int] = {}
        self._latency, self._lateness = Histogram(), Histogram()
        self._pending: list[Outline] = []

    def add(self, window: Outline) -> None:
        """Add a window, in any order."""
        second = self._seconds.get(window.second)
        if second is None:
            second = self._seconds[window.second] = Second()
        for load in window.loads.values():
            self.load.add(load)
            second.load.add(load)
        for key, count in window.answers.items():
            self.signatures[key.signature] = self.signatures.get(key.signature, 0) + count
            second.answers[key.signature] = second.answers.get(key.signature, 0) + count
        self.peak_1s = max(self.peak_1s, second.load.sent)
        second.in_flight += window.in_flight
        self._pending.append(window)
        if len(self._pending) >= MOST_PENDING or len(self._seconds) > KEPT_S:
            self._sum_up()
            self._shrink()

    def _sum_up(self) -> None:
        """Add the columns of the windows that came since the last time."""
        pending, self._pending = self._pending, []
        lateness: dict[int, list[Times]] = {}
        latencies: dict[tuple[int, str], list[Times]] = {}
        for window in pending:
            lateness.setdefault(window.second, []).append(window.lateness)
            for signature, times in window.latencies:
                latencies.setdefault((window.second, signature), []).append(times)
        for number, found in lateness.items():
            self._seconds[number].lateness.merge(_histogram(found))
        for (number, signature), found in latencies.items():
            known = self._seconds[number].latencies.setdefault(signature, Latency())
            known.due.merge(_histogram(found))
        sent = summed([window.sent_bins for window in pending])
        add_bins(self._bins, sent)
        self._peak_10ms = max(self._peak_10ms, max((self._bins[index] for index in sent), default=0))

    def _shrink(self) -> None:
        newest = max(self._seconds)
        if len(self._seconds) <= KEPT_S:
            return
        for number in [number for number in self._seconds if number <= newest - KEPT_S]:
            second = self._seconds.pop(number)
            self._latency.merge(second.latency)
            self._lateness.merge(second.lateness)
        if len(self._bins) > 2 * KEPT_S * BINS_PER_S:
            edge = (newest - KEPT_S) * BINS_PER_S
            self._bins = {index: sent for index, sent in self._bins.items() if index >= edge}

    @property
    def seconds(self) -> dict[int, Second]:
        """The newest `KEPT_S` by second of run time."""
        if self._pending:
            self._sum_up()
        return self._seconds

    @property
    def peak_10ms(self) -> int:
        """Most requests sent in one bin."""
        if self._pending:
            self._sum_up()
        return self._peak_10ms

    @property
    def latency(self) -> Histogram:
        """From due, all answers; summed when asked for, because windows come hundreds of times more often."""
        return _sum([self._latency, *(second.latency for second in self.seconds.values())])

    @property
    def lateness(self) -> Histogram:
        """Of everything sent; as `latency`."""
        return _sum([self._lateness, *(second.lateness for second in self.seconds.values())])

    def recent_latency(self, until_second: int, count: int) -> Histogram:
        """Return the latencies from due of the ok answers of the `count` seconds up to and with `until_second`.

        Throttles are quick: with them inside, a target that slows down would seem to become faster.
        """
        recent = [
            self.seconds[second]
            for second in range(until_second - count + 1, until_second + 1)
            if second in self.seconds
        ]
        answers = [pair for second in recent for pair in second.latencies.items()]
        return _sum([latency.due for signature, latency in answers if outcome_of(signature) == "ok"])


def _histogram(found: Sequence[Times]) -> Histogram:
    counts = summed([times.column for times in found])
    return Histogram(counts, sum(times.sum_s for times in found), max(times.max_s for times in found))


def _sum(histograms: Iterable[Histogram]) -> Histogram:
    merged = Histogram()
    for one in histograms:
        merged.merge(one)
    return merged
