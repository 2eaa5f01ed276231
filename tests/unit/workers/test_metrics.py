"""The worker's metrics sum its windows, with closed label sets."""

from urllib.request import urlopen

from burstline.core.load.histogram import Histogram
from burstline.core.load.window import Drop, Load, Window
from burstline.workers.metrics import WorkerMetrics
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families


def test_windows_sum_and_every_name_is_a_worker_s() -> None:
    metrics = WorkerMetrics()
    for second in range(2):
        window = Window(second, in_flight=3, open_sockets=4, opened=5, reused=6, failed_connections=1, cpu_ratio=0.5)
        window.loads[0] = Load(due=10, sent=8, sent_on_wire=8, dropped={Drop.LATE: 2})
        window.lateness = Histogram()
        window.lateness.add(0.0003)
        metrics.observe(window)
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
    }
    assert all(str(key[0]).startswith("burstline_worker_") for key in samples)
    assert samples[("burstline_worker_requests_due_total",)] == 20
    assert samples[("burstline_worker_requests_sent_total",)] == 16
    assert samples[("burstline_worker_requests_dropped_total", ("reason", "late"))] == 4
    assert samples[("burstline_worker_requests_dropped_total", ("reason", "slots"))] == 0
    assert samples[("burstline_worker_connections_total", ("event", "opened"))] == 10
    assert samples[("burstline_worker_in_flight",)] == 3
    assert samples[("burstline_worker_lateness_seconds_bucket", ("le", "0.0005"))] == 2
    assert samples[("burstline_worker_lateness_seconds_bucket", ("le", "0.0002"))] == 0
    assert samples[("burstline_worker_lateness_seconds_count",)] == 2


def test_they_are_served_over_http_when_asked_for() -> None:
    metrics = WorkerMetrics()
    assert metrics.serve("127.0.0.1", None) is None
    server = metrics.serve("127.0.0.1", 0)
    assert server is not None
    with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as answer:
        assert b"burstline_worker_in_flight" in answer.read()
    server.close()
