"""The emulator's numbers for Prometheus: base units, closed label sets."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from burstline.core.quota.quotas import Layer
from burstline.emulator.front import FrontDesk
from burstline.emulator.lateness import Lateness

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text format of Prometheus."""


class _Collector(Collector):
    """Reads the desk's numbers when it is asked, so that requests pay nothing for being counted."""

    def __init__(self, desk: FrontDesk) -> None:
        self._desk = desk

    def collect(self) -> Iterable[Metric]:
        """Yield every metric."""
        counts, use = self._desk.counts, self._desk.admission.use()
        yield _counter("requests", "Requests received, without preflight ones.", counts.received)
        yield _counter("preflight_requests", "Preflight requests received.", counts.preflight)
        yield _counter("admitted", "Calls let in.", counts.admitted)
        throttled = CounterMetricFamily("burstline_emulator_throttled", "Calls refused.", labels=["layer"])
        for layer in Layer:
            throttled.add_metric([layer.value], counts.throttled[layer])
        yield throttled
        answers = CounterMetricFamily("burstline_emulator_answers", "Answers given.", labels=["status"])
        for status, number in sorted(counts.statuses.items()):
            answers.add_metric([str(status)], number)
        yield answers
        yield _counter("function_errors", "Invocations that failed or timed out.", counts.function_errors)
        yield _counter("cold_starts", "Environments started for a call.", use.cold_starts)
        yield _gauge("claimed_concurrency", "Account concurrency claimed now.", use.claimed)
        yield _gauge("claimed_concurrency_peak", "Most account concurrency claimed.", use.peak_claimed)
        peaks = GaugeMetricFamily("burstline_emulator_concurrency_peak", "Most calls in flight.", labels=["function"])
        for name, function in use.functions.items():
            peaks.add_metric([name], function.peak_concurrency)
        yield peaks
        yield from _lateness(
            "lateness", "Answers written after the instant they were meant for.", counts.lateness.summary()
        )
        yield from _lateness("loop_lag", "Timers noticed after they were due.", counts.loop_lag.summary())
        yield _counter(
            "late_seconds",
            "Whole seconds in which more than 1 % was late by over 2 ms.",
            len(counts.late_seconds.found),
        )
        yield _gauge("target_limited", "1 when the emulator is too late to blame a quota.", int(counts.target_limited))


def expose(desk: FrontDesk) -> tuple[bytes, str]:
    """Return the numbers in Prometheus's text format, and its content type."""
    registry = CollectorRegistry()
    registry.register(_Collector(desk))
    return generate_latest(registry), CONTENT_TYPE


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"burstline_emulator_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"burstline_emulator_{name}", text, value=value)


def _lateness(name: str, text: str, lateness: Lateness) -> Iterator[Metric]:
    """Yield a gauge with the known quantiles; `1` is the largest."""
    gauge = GaugeMetricFamily(f"burstline_emulator_{name}_seconds", text, labels=["quantile"])
    for quantile, value_s in (("0.5", lateness.p50_s), ("0.99", lateness.p99_s), ("1", lateness.max_s)):
        if value_s is not None:
            gauge.add_metric([quantile], value_s)
    yield gauge
