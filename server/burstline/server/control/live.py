"""A run's totals while it runs: constant in size whatever the rate and length."""

from collections.abc import Iterable

from burstline.core.load.histogram import Histogram
from burstline.core.load.totals import Second
from burstline.core.load.window import BINS_PER_S, Latency, Load, Window, add_bins
from burstline.server.control.aborting import outcome_of

KEPT_S = 30
"""Seconds of run time of which details are kept."""


class LiveTotals:
    """Sums over windows, and the last seconds one by one.

    Attributes:
        load: due, sent and dropped.
        signatures: counts of answers.
        seconds: the newest `KEPT_S` by second of run time.
        peak_10ms: most requests sent in one bin.
        peak_1s: most requests sent in one second.
    """

    def __init__(self) -> None:
        self.load = Load()
        self.signatures: dict[str, int] = {}
        self.seconds: dict[int, Second] = {}
        self.peak_10ms = 0
        self.peak_1s = 0
        self._bins: dict[int, int] = {}
        self._latency, self._lateness = Histogram(), Histogram()

    def add(self, window: Window) -> None:
        """Add a window, in any order."""
        second = self.seconds.get(window.second)
        if second is None:
            second = self.seconds[window.second] = Second()
        for load in window.loads.values():
            self.load.add(load)
            second.load.add(load)
        for key, count in window.answers.items():
            self.signatures[key.signature] = self.signatures.get(key.signature, 0) + count
            second.answers[key.signature] = second.answers.get(key.signature, 0) + count
        for timed, latency in window.latencies.items():
            known = second.latencies.get(timed.signature)
            if known is None:
                known = second.latencies[timed.signature] = Latency()
            known.due.merge(latency.due)  # an outline has no other
        second.lateness.merge(window.lateness)
        bins = self._bins
        add_bins(bins, window.sent_bins)
        self.peak_10ms = max(self.peak_10ms, max((bins[index] for index in window.sent_bins), default=0))
        self.peak_1s = max(self.peak_1s, second.load.sent)
        second.in_flight += window.in_flight
        self._shrink()

    def _shrink(self) -> None:
        newest = max(self.seconds)
        if len(self.seconds) <= KEPT_S:
            return
        for number in [number for number in self.seconds if number <= newest - KEPT_S]:
            second = self.seconds.pop(number)
            self._latency.merge(second.latency)
            self._lateness.merge(second.lateness)
        if len(self._bins) > 2 * KEPT_S * BINS_PER_S:
            edge = (newest - KEPT_S) * BINS_PER_S
            self._bins = {index: sent for index, sent in self._bins.items() if index >= edge}

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


def _sum(histograms: Iterable[Histogram]) -> Histogram:
    merged = Histogram()
    for one in histograms:
        merged.merge(one)
    return merged
