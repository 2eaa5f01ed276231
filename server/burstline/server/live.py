"""A run's totals while it runs: constant in size whatever the rate and length."""

from burstline.core.load.histogram import Histogram
from burstline.core.load.totals import Second
from burstline.core.load.window import BINS_PER_S, Load, Window

KEPT_S = 30
"""Seconds of run time of which details are kept."""


class LiveTotals:
    """Sums over windows, and the last seconds one by one.

    Attributes:
        load: due, sent and dropped.
        signatures: counts of answers.
        latency: from due, all answers.
        lateness: of everything sent.
        seconds: the newest `KEPT_S` by second of run time.
        peak_10ms: most requests sent in one bin.
        peak_1s: most requests sent in one second.
    """

    def __init__(self) -> None:
        self.load = Load()
        self.signatures: dict[str, int] = {}
        self.latency = Histogram()
        self.lateness = Histogram()
        self.seconds: dict[int, Second] = {}
        self.peak_10ms = 0
        self.peak_1s = 0
        self._bins: dict[int, int] = {}

    def add(self, window: Window) -> None:
        """Add a window, in any order."""
        second = self.seconds.setdefault(window.second, Second())
        for load in window.loads.values():
            self.load.add(load)
            second.load.add(load)
        for key, count in window.answers.items():
            self.signatures[key.signature] = self.signatures.get(key.signature, 0) + count
            second.answers[key.signature] = second.answers.get(key.signature, 0) + count
        for latency in window.latencies.values():
            self.latency.merge(latency.due)
            second.latency.merge(latency.due)
        self.lateness.merge(window.lateness)
        second.lateness.merge(window.lateness)
        for index, ten_ms in window.bins.items():
            if ten_ms.sent:
                self._bins[index] = self._bins.get(index, 0) + ten_ms.sent
                self.peak_10ms = max(self.peak_10ms, self._bins[index])
        self.peak_1s = max(self.peak_1s, second.load.sent)
        second.in_flight += window.in_flight
        self._shrink()

    def _shrink(self) -> None:
        newest = max(self.seconds)
        for second in [second for second in self.seconds if second <= newest - KEPT_S]:
            del self.seconds[second]
        if len(self._bins) > 2 * KEPT_S * BINS_PER_S:
            edge = (newest - KEPT_S) * BINS_PER_S
            self._bins = {index: sent for index, sent in self._bins.items() if index >= edge}

    def recent_latency(self, until_second: int, count: int) -> Histogram:
        """Return the latencies that became known in the `count` seconds up to and with `until_second`."""
        merged = Histogram()
        for second in range(until_second - count + 1, until_second + 1):
            if second in self.seconds:
                merged.merge(self.seconds[second].latency)
        return merged
