"""The merged runs as Prometheus series, read from live totals when they are scraped. Labels are of closed sets.

`run` is a slot 0..7 that `burstline_run_info` maps to a run; slots are used again, and a run's series go away some
minutes after its end.
"""

import json
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from burstline.core.load.histogram import Histogram
from burstline.core.quota.quotas import Account
from burstline.server.clock import Clock, seconds
from burstline.server.control.active import ActiveRun
from burstline.server.control.progress import last_full, progress_of
from burstline.server.control.roster import Roster
from burstline.server.control.uses import uses_of

SLOT_COUNT = 8
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LATENESS_BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
CONTENT_TYPE = CONTENT_TYPE_LATEST
Rows = Iterable[tuple[str, str, float]]
"""Quota, function ("" for the account's), value."""


class Slots:
    """Which run has which slot. A run without a free slot has no series until one is free."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._slots: dict[int, ActiveRun] = {}

    def update(self, runs: Iterable[ActiveRun], now_nanos: int) -> dict[int, ActiveRun]:
        """Return the runs by slot, after freeing those whose time is over and seating new ones."""
        for slot, run in list(self._slots.items()):
            if self._is_over(run, now_nanos):
                del self._slots[slot]
        for run in runs:
            free = next((slot for slot in range(SLOT_COUNT) if slot not in self._slots), None)
            if free is None:
                break
            if run not in self._slots.values() and not self._is_over(run, now_nanos):
                self._slots[free] = run
        return dict(sorted(self._slots.items()))

    def _is_over(self, run: ActiveRun, now_nanos: int) -> bool:
        end = run.row.end_nanos
        return run.row.state.final and end is not None and seconds(now_nanos - end) > self._kept_s


class RunCollector(Collector):
    """Yields the series of all runs that have a slot."""

    def __init__(self, runs: Callable[[], Iterable[ActiveRun]], roster: Roster, clock: Clock, kept_s: float) -> None:
        self._runs, self._roster, self._clock = runs, roster, clock
        self._slots = Slots(kept_s)
        self.reports: dict[str, dict[str, dict[tuple[str, str], float]]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        now = self._clock.now_nanos()
        slots = self._slots.update(self._runs(), now)
        workers = GaugeMetricFamily("burstline_workers", "Workers attached to this server.")
        workers.add_metric([], len(self._roster.attached()))
        yield workers
        yield from self._counts(slots)
        yield from self._rates(slots, now)
        yield from self._times(slots)
        yield from self._quotas(slots, now)

    def _counts(self, slots: dict[int, ActiveRun]) -> Iterator[Metric]:
        info = GaugeMetricFamily("burstline_run_info", "Which run has which slot.", labels=["run", "name", "id"])
        requests = CounterMetricFamily(
            "burstline_requests", "Answers of requests, by signature.", labels=["run", "signature"]
        )
        for slot, run in slots.items():
            info.add_metric([str(slot), run.row.name, run.id], 1)
            for signature, count in sorted(run.live.signatures.items()):
                requests.add_metric([str(slot), signature], count)
        yield info
        yield requests

    def _rates(self, slots: dict[int, ActiveRun], now: int) -> Iterator[Metric]:
        due = GaugeMetricFamily("burstline_due_rate", "Due in the last full second, requests/s.", labels=["run"])
        sent = GaugeMetricFamily("burstline_sent_rate", "Sent in the last full second, requests/s.", labels=["run"])
        peak = GaugeMetricFamily(
            "burstline_sent_rate_peak", "Highest rate sent so far, requests/s.", labels=["run", "window"]
        )
        flight = GaugeMetricFamily("burstline_in_flight", "Requests in flight.", labels=["run"])
        for slot, run in slots.items():
            label, seen = str(slot), progress_of(run, now)
            second = last_full(run, None if run.row.state.final else seen.full_second)
            due.add_metric([label], second.load.due)
            sent.add_metric([label], second.load.sent)
            peak.add_metric([label, "10ms"], run.live.peak_10ms * 100)
            peak.add_metric([label, "1s"], run.live.peak_1s)
            flight.add_metric([label], seen.ledger.in_flight)
        yield from (due, sent, peak, flight)

    def _times(self, slots: dict[int, ActiveRun]) -> Iterator[Metric]:
        latency = HistogramMetricFamily(
            "burstline_request_duration_seconds", "From due to the last byte.", labels=["run"]
        )
        lateness = HistogramMetricFamily(
            "burstline_lateness_seconds", "How far after due requests left.", labels=["run"]
        )
        for slot, run in slots.items():
            latency.add_metric([str(slot)], *_buckets(run.live.latency, BOUNDS_S))
            lateness.add_metric([str(slot)], *_buckets(run.live.lateness, LATENESS_BOUNDS_S))
        yield latency
        yield lateness

    def _quotas(self, slots: dict[int, ActiveRun], now: int) -> Iterator[Metric]:
        """The newest run that knows a quota speaks for it: quotas are the account's, not the run's."""
        merged: dict[str, dict[tuple[str, str], float]] = {
            name: {} for name in ("limit", "usage", "headroom", "recommended")
        }
        for run in sorted(slots.values(), key=lambda run: run.row.create_nanos):
            merged["limit"].update(declared_limits(run.account))
            known = self.reports.get(run.id, {}) if run.row.state.final else quotas_now(run, now)
            for name, rows in known.items():
                merged[name].update(rows)
        for name, metric, text in (
            ("limit", "burstline_quota_limit", "A quota's value."),
            (
                "usage",
                "burstline_quota_usage",
                "Use in the last full second; after the end the highest.",
            ),
            ("headroom", "burstline_quota_headroom_ratio", "1 - use / quota."),
            ("recommended", "burstline_quota_recommended", "What the advice is to ask for."),
        ):
            family = GaugeMetricFamily(metric, text, labels=["quota", "function"])
            for (quota, function), value in sorted(merged[name].items()):
                family.add_metric([quota, function], value)
            yield family

    def keep_report(self, run_id: str, document: bytes) -> None:
        """Note the quotas that a run's report names."""
        self.reports[run_id] = quotas_of(json.loads(document))


def _buckets(histogram: Histogram, bounds_s: tuple[float, ...]) -> tuple[list[tuple[str, float]], float]:
    rows = [(str(bound), float(count)) for bound, count in histogram.cumulative(bounds_s)]
    return [*rows, ("+Inf", float(histogram.count))], histogram.sum_s


def declared_limits(account: Account) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield (quota, function) and value of what an account declares, named as in a report's findings."""
    yield ("lambda:L-B99A9384", ""), account.concurrency
    yield ("apigateway:L-8A5B8E43", ""), account.gateway.rate_per_s
    yield ("apigateway:L-CDF5615A", ""), account.gateway.burst
    for name, bucket in account.stages.items():
        yield (f"apigateway:stage:{name}:rate", ""), bucket.rate_per_s
        yield (f"apigateway:stage:{name}:burst", ""), bucket.burst
    for name, function in account.functions.items():
        if function.reserved is not None:
            yield ("lambda:reserved", name), function.reserved


def quotas_now(run: ActiveRun, now_nanos: int) -> dict[str, dict[tuple[str, str], float]]:
    """Return use and headroom of a run's quotas in the last full second; empty before the first."""
    full_second = run.full_second(now_nanos)
    uses = {split_quota(use.quota): use for use in uses_of(run, full_second)} if full_second is not None else {}
    return {
        "usage": {key: use.use for key, use in uses.items()},
        "headroom": {key: 1 - use.use / use.limit for key, use in uses.items()},
    }


def split_quota(quota: str) -> tuple[str, str]:
    """Return a finding's quota without the function's name in it, and that name ("" if there is none)."""
    head, _, tail = quota.partition("lambda:reserved:")
    if head or not tail:
        return quota, ""
    function, _, measure = tail.partition(":")
    return f"lambda:reserved:{measure}" if measure else "lambda:reserved", function


def quotas_of(report: dict[str, object]) -> dict[str, dict[tuple[str, str], float]]:
    """Return limits, use, headroom and recommendations of a report's findings and advice."""
    found: dict[str, dict[tuple[str, str], float]] = {"limit": {}, "usage": {}, "headroom": {}, "recommended": {}}
    for section, fields in (
        ("findings", (("limit", "limit"), ("usage", "peak_use"), ("headroom", "headroom_ratio"))),
        ("advice", (("recommended", "recommended"),)),
    ):
        entries = report.get(section)
        for entry in entries if isinstance(entries, list) else ():
            key = split_quota(str(entry.get("quota", "")))
            for name, field in fields:
                if isinstance(entry.get(field), int | float):
                    found[name][key] = float(entry[field])
    return {name: rows for name, rows in found.items() if rows}


def exposition(collector: RunCollector) -> bytes:
    """Return everything in Prometheus's text format, from a registry of our own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
