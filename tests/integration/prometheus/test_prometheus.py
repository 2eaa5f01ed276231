"""The metrics of design 8, as a real Prometheus reads them from a server and two workers during a run."""

import subprocess
from typing import Any
from urllib.request import urlopen

import pytest
from watched import NAME, Watched

pytestmark = pytest.mark.timeout(300)  # the first test waits for the run that all of them look at

STAGE_RATE, STAGE_BURST = "apigateway:stage:prod:rate", "apigateway:stage:prod:burst"


def by_label(found: list[dict[str, Any]], label: str) -> dict[str, float]:
    return {one["metric"][label]: float(one["value"][1]) for one in found}


def highest(watched: Watched, expression: str) -> float:
    """Return the highest value of one series during the run."""
    found = watched.prometheus.query_range(expression, watched.from_s, watched.to_s)
    assert len(found) == 1, f"{expression}: {found}"
    return max(float(value) for _, value in found[0]["values"])


def test_requests_by_signature_sum_to_the_report(watched: Watched) -> None:
    found = watched.prometheus.query(f'burstline_requests_total{{run="{watched.slot}"}}')
    assert by_label(found, "signature") == {
        name: count for name, count in watched.report["ledger"]["signatures"].items() if count
    }
    assert all(set(one["metric"]) == {"__name__", "instance", "job", "run", "signature"} for one in found)


def test_a_slot_is_shown_by_its_runs_name_and_id(watched: Watched) -> None:
    (info,) = watched.prometheus.query(f'burstline_run_info{{run="{watched.slot}"}}')
    assert (info["metric"]["name"], info["metric"]["id"]) == (NAME, watched.report["run"]["id"])
    assert info["value"][1] == "1"


def test_rates_follow_the_plan(watched: Watched) -> None:
    due, sent = (f'burstline_{which}_rate{{run="{watched.slot}"}}' for which in ("due", "sent"))
    assert highest(watched, due) == 80
    assert 60 <= highest(watched, sent) <= 100
    peaks = by_label(watched.prometheus.query(f'burstline_sent_rate_peak{{run="{watched.slot}"}}'), "window")
    assert set(peaks) == {"10ms", "1s"}
    assert peaks["10ms"] >= peaks["1s"] >= 60


def test_latency_counts_every_answer_and_lateness_every_request_sent(watched: Watched) -> None:
    sent = watched.report["ledger"]["sent"]
    for name in ("burstline_request_duration_seconds", "burstline_lateness_seconds"):
        assert watched.prometheus.value(f'{name}_count{{run="{watched.slot}"}}') == sent
        assert watched.prometheus.value(f'{name}_bucket{{run="{watched.slot}",le="+Inf"}}') == sent
    mean_s = watched.prometheus.value(f'burstline_request_duration_seconds_sum{{run="{watched.slot}"}} / {sent}')
    assert 0.001 < mean_s < 1.0
    p50 = f'histogram_quantile(0.5, burstline_request_duration_seconds_bucket{{run="{watched.slot}"}})'
    assert 0.001 < watched.prometheus.value(p50) < 0.5


def test_nothing_is_in_flight_at_the_end_and_both_workers_are_attached(watched: Watched) -> None:
    assert watched.prometheus.value(f'burstline_in_flight{{run="{watched.slot}"}}') == 0
    assert watched.prometheus.value("burstline_workers") == 2


@pytest.mark.parametrize(
    ("quota", "function", "limit"),
    [
        ("lambda:L-B99A9384", "", 100),
        ("apigateway:L-8A5B8E43", "", 1000),
        ("apigateway:L-CDF5615A", "", 500),
        (STAGE_RATE, "", 40),
        (STAGE_BURST, "", 20),
        ("lambda:reserved", "catalog", 30),
    ],
)
def test_quota_limits_are_the_declared_ones(watched: Watched, quota: str, function: str, limit: float) -> None:
    assert watched.prometheus.value(f'burstline_quota_limit{{quota="{quota}",function="{function}"}}') == limit


def test_use_and_headroom_are_the_reports(watched: Watched) -> None:
    findings = {one["quota"]: one for one in watched.report["findings"]}
    rate = findings[STAGE_RATE]
    assert watched.prometheus.value(f'burstline_quota_usage{{quota="{STAGE_RATE}"}}') == rate["peak_use"] >= 60
    ratio = watched.prometheus.value(f'burstline_quota_headroom_ratio{{quota="{STAGE_RATE}"}}')
    assert ratio == pytest.approx(1 - rate["peak_use"] / 40) == pytest.approx(rate["headroom_ratio"])
    used = by_label(watched.prometheus.query('burstline_quota_usage{function=""}'), "quota")
    assert {quota: one["peak_use"] for quota, one in findings.items() if "reserved" not in quota} == used


def test_the_recommendation_for_what_bound_is_the_reports(watched: Watched) -> None:
    if watched.report["verdict"] == "generator_limited":
        pytest.skip("this machine was too busy for a verdict about quotas, so there is no advice")
    assert watched.report["verdict"] == "quota_bound"
    advised = {one["quota"]: one["recommended"] for one in watched.report["advice"] if one["recommended"] is not None}
    assert advised
    found = by_label(watched.prometheus.query('burstline_quota_recommended{function=""}'), "quota")
    assert found == {quota: value for quota, value in advised.items() if "reserved" not in quota}


def test_workers_count_what_came_due_and_what_they_sent(watched: Watched) -> None:
    prometheus, ledger = watched.prometheus, watched.report["ledger"]
    assert prometheus.value("count(burstline_worker_requests_due_total)") == 2
    # earlier runs of this machine's three tries count too: workers know no run
    for name, least in (("due", ledger["due"]), ("sent", ledger["sent"])):
        assert prometheus.value(f"sum(burstline_worker_requests_{name}_total)") >= least
    balance = (
        "sum(burstline_worker_requests_due_total) - sum(burstline_worker_requests_sent_total)"
        " - sum(burstline_worker_requests_dropped_total)"
    )
    assert prometheus.value(balance) == 0
    events = by_label(prometheus.query("sum by (event) (burstline_worker_connections_total)"), "event")
    assert events["opened"] >= 1
    assert events["opened"] + events["reused"] >= ledger["sent"]
    assert events["failed"] == 0
    reasons = by_label(prometheus.query("sum by (reason) (burstline_worker_requests_dropped_total)"), "reason")
    assert set(reasons) == {"late", "ceiling", "slots", "template"}


def test_workers_show_their_own_health(watched: Watched) -> None:
    prometheus = watched.prometheus
    assert 0 < highest(watched, "max(burstline_worker_cpu_ratio)") <= 1.5
    assert highest(watched, "max(burstline_worker_open_sockets)") >= 1
    assert prometheus.value("sum(burstline_worker_in_flight)") == 0
    sent = prometheus.value("sum(burstline_worker_requests_sent_total)")
    assert prometheus.value("sum(burstline_worker_lateness_seconds_count)") == sent
    assert prometheus.value("sum(burstline_worker_loop_lag_seconds_count)") > 0


def test_no_label_of_a_worker_names_a_server_a_run_or_a_target(watched: Watched) -> None:
    found = watched.prometheus.query('{__name__=~"burstline_worker_.+"}')
    labels = {label for one in found for label in one["metric"]}
    assert labels == {"__name__", "instance", "job", "event", "reason", "le"}


def test_promtool_finds_nothing_to_say_about_the_metrics(watched: Watched) -> None:
    for address in (watched.server, *watched.workers):
        with urlopen(f"http://{address}/metrics", timeout=5) as answer:
            body = answer.read()
        checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=20)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b""), address
