"""The worker's own Prometheus metrics: `burstline_worker_*`, closed label sets, no server, run or target names."""

import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from burstline.core.load.histogram import Histogram
from burstline.core.load.window import Drop, Window

LATENESS_BOUNDS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Upper bounds of the lateness and loop lag histograms, seconds, ascending; infinity follows."""


class MetricsServer:
    """Serves `/metrics` from a thread.

    Attributes:
        port: where it listens.
    """

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self._server, self._thread = server, thread
        self.port = int(server.server_port)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class WorkerMetrics(Collector):
    """Sums over every window of this process, in a registry of its own.

    Attributes:
        registry: holds these metrics only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due = self._sent = self._opened = self._reused = self._failed = 0
        self._dropped = dict.fromkeys(Drop, 0)
        self._in_flight = self._open_sockets = 0
        self._cpu_ratio = 0.0
        self._lateness, self._lag = Histogram(), Histogram()
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def serve(self, host: str, port: int | None) -> MetricsServer | None:
        """Serve them over HTTP on `port` (0: a free one); None serves nothing."""
        if port is None:
            return None
        return MetricsServer(*start_http_server(port, host, registry=self.registry))

    def observe(self, window: Window) -> None:
        """Add one window."""
        with self._lock:
            for load in window.loads.values():
                self._due += load.due
                self._sent += load.sent
                for reason, count in load.dropped.items():
                    self._dropped[reason] += count
            self._opened += window.opened
            self._reused += window.reused
            self._failed += window.failed_connections
            self._in_flight, self._open_sockets = window.in_flight, window.open_sockets
            self._cpu_ratio = window.cpu_ratio
            self._lateness.merge(window.lateness)
            self._lag.merge(window.loop_lag)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, for Prometheus."""
        with self._lock:
            yield _counter("due", "Requests that came due.", self._due)
            yield _counter("sent", "Requests handed to the network.", self._sent)
            dropped = CounterMetricFamily(
                "burstline_worker_requests_dropped", "Due requests that were not sent, by reason.", labels=["reason"]
            )
            for reason, count in self._dropped.items():
                dropped.add_metric([reason.value], count)
            yield dropped
            connections = CounterMetricFamily(
                "burstline_worker_connections", "Connections by what happened to them.", labels=["event"]
            )
            for event, count in (("opened", self._opened), ("reused", self._reused), ("failed", self._failed)):
                connections.add_metric([event], count)
            yield connections
            yield _gauge("in_flight", "Requests in flight.", self._in_flight)
            yield _gauge("open_sockets", "Sockets open to targets.", self._open_sockets)
            yield _gauge("cpu_ratio", "CPU time over wall time in the last second.", self._cpu_ratio)
            yield _histogram("lateness_seconds", "How far after due requests left.", self._lateness)
            yield _histogram("loop_lag_seconds", "How late the event loop woke.", self._lag)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"burstline_worker_requests_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"burstline_worker_{name}", text, value=value)


def _histogram(name: str, text: str, values: Histogram) -> Metric:
    buckets = [(f"{bound:g}", float(count)) for bound, count in values.cumulative(LATENESS_BOUNDS_S)]
    return HistogramMetricFamily(
        f"burstline_worker_{name}", text, buckets=[*buckets, ("+Inf", float(values.count))], sum_value=values.sum_s
    )
