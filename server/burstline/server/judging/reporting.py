"""The report document, schema `burstline.report/v1`: unknown numbers are null, never 0.

`report.schema.json` beside this file validates every report in the tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from burstline.core.load.histogram import Histogram, bounds_of
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Phase, Plan
from burstline.core.load.samples import TRANSPORT_SIGNATURES, Outcome
from burstline.core.load.troubles import request_name
from burstline.core.load.window import Drop
from burstline.core.quota.advice.proposals import Advice
from burstline.core.quota.answers.inflight import merged
from burstline.core.quota.findings.bindings import Binding
from burstline.core.quota.fitting.fitting import Fit
from burstline.server.judging.aws_reporting import aws_document
from burstline.server.judging.columns import columns_of
from burstline.server.judging.record import RunRecord
from burstline.server.judging.sentences import summary
from burstline.server.judging.weighing import Judgement

SCHEMA = "burstline.report/v1"
OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.UNSETTLED)
SAMPLES_ABOVE = 10
"""A quantile q is stated from `SAMPLES_ABOVE` / (1 - q) samples on."""


def document(record: RunRecord, judgement: Judgement) -> dict[str, Any]:
    """Return the report of a judged run, as JSON types only."""
    return {
        "schema": SCHEMA,
        "verdict": judgement.verdicts[0].value,
        "verdicts": [verdict.value for verdict in judgement.verdicts],
        "summary": summary(record, judgement),
        "notes": list(judgement.notes),
        "run": _run(record),
        "ledger": _ledger(record.ledger, judgement, None),
        "phases": _phases(record, judgement),
        "latency": list(_latency(record, judgement)),
        "distributions": list(_distributions(record, judgement)),
        "lateness": quantiles(record.totals.lateness, ("p50_s", "p99_s", "max_s")),
        "start_skew_s": record.start_skew_s,
        "connections": _connections(record),
        "generator": {
            "limited_s": sum(span.to_s - span.from_s for span in judgement.limited),
            "limited_spans": [plain(span) for span in judgement.limited],
            "clock_error_s": record.totals.clock_error_s,
        },
        "troubles": list(_troubles(record)),
        "bindings": [_binding(binding) for binding in judgement.bindings],
        "fits": [_fit(one) for one in judgement.fits],
        "findings": [plain(one) | {"headroom_ratio": one.headroom_ratio} for one in judgement.findings],
        "advice": [_advice(advice) for advice in judgement.advice],
        "thresholds": [plain(result) for result in judgement.thresholds],
        "cost": plain(judgement.cost),
        "series": {"step_s": 1, "columns": columns_of(record.totals, judgement)},
        "preflight": [plain(answer) for answer in record.preflight],
        "workers": [plain(worker) for worker in record.workers],
        "aws": aws_document(record.aws),
        "plan": plan_document(record.plan),
    }


def quantiles(histogram: Histogram, names: Iterable[str]) -> dict[str, float | None]:
    """Return the named quantiles (`p50_s` ... `p999_s`, `max_s`), in seconds; null where samples are too few."""
    found = {}
    for name in names:
        q = 1.0 if name == "max_s" else float("0." + name[1:-2])
        enough = name == "max_s" or histogram.count * (1 - q) >= SAMPLES_ABOVE - 1e-6
        found[name] = histogram.quantile(q) if enough else None
    return found


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON, without what authenticates."""
    found: dict[str, Any] = plain(plan)
    found["auth"] = {"kind": plan.auth.kind.value}
    found["load"] = [_phase(phase, written) for phase, written in zip(plan.load, found["load"], strict=True)]
    return found


def _phase(phase: Phase, written: dict[str, Any]) -> dict[str, Any]:
    return written | {"shape": {"kind": type(phase.shape).__name__.lower()} | written["shape"]}


def plain(value: Any) -> Any:
    """Return a record as JSON types: dataclasses become objects, enumerations their values, tuples lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def _run(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name or record.plan.name,
        "target": record.plan.target.url,
        "started_at": record.started_at.isoformat() if record.started_at else None,
        "duration_s": record.duration_s,
        "seed": record.plan.seed,
        "versions": {"burstline": record.version},
        "region": record.region,
        "account_last4": record.account_last4,
        "stopped_by": record.stopped_by or None,
        "abort_rule": record.abort_rule or None,
        "problem": record.problem or None,
    }


def _ledger(ledger: Ledger, judgement: Judgement, phase: int | None) -> dict[str, Any]:
    """A ledger with settled outcomes: of one phase, or of the whole run."""
    outcomes = {outcome.value: 0 for outcome in OUTCOMES}
    for key, split in judgement.settlement.counts.items():
        if phase is None or key.phase == phase:
            for outcome, count in split.items():
                outcomes[outcome.value] += count
    stages = {name.removeprefix("unreachable."): name for name in TRANSPORT_SIGNATURES if name.startswith("unreach")}
    return {
        "scheduled": ledger.scheduled,
        "not_due": ledger.not_due,
        "due": ledger.due,
        "sent": ledger.sent,
        "sent_on_wire": ledger.sent_on_wire,
        "preflight": ledger.preflight,
        "dropped": sum(ledger.dropped.values()),
        "dropped_by_reason": {drop.value: ledger.dropped.get(drop, 0) for drop in Drop},
        "unsent": ledger.unsent,
        "lost": ledger.lost,
        "in_flight": ledger.in_flight,
        "orphaned": ledger.orphaned,
        "outcomes": outcomes,
        "unreachable_by_stage": {stage: ledger.signatures.get(name, 0) for stage, name in stages.items()},
        "signatures": dict(sorted(ledger.signatures.items())),
    }


def _phases(record: RunRecord, judgement: Judgement) -> list[dict[str, Any]]:
    starts_s = record.schedule.phase_starts_s
    return [
        {
            "name": phase.name,
            "from_s": starts_s[index],
            "to_s": starts_s[index + 1],
            "ledger": _ledger(ledger, judgement, index),
        }
        for index, (phase, ledger) in enumerate(zip(record.plan.load, record.ledgers_by_phase, strict=True))
    ]


def _latency(record: RunRecord, judgement: Judgement) -> Iterable[dict[str, Any]]:
    """One row per request, outcome and basis; a signature counts under what most of its answers were."""
    groups: dict[tuple[int, Outcome], list[Any]] = {}
    for key, latency in record.totals.latencies.items():
        outcome = judgement.settlement.outcome_of(key.request, key.signature)
        groups.setdefault((key.request, outcome), []).append(latency)
    for (request, outcome), latencies in sorted(groups.items()):
        for basis in ("due", "sent"):
            histogram = merged(getattr(latency, basis) for latency in latencies)
            yield {
                "request": record.plan.requests[request].name,
                "outcome": outcome.value,
                "basis": basis,
                "count": histogram.count,
                **quantiles(histogram, ("p50_s", "p90_s", "p95_s", "p99_s", "p999_s", "max_s")),
            }


def _distributions(record: RunRecord, judgement: Judgement) -> Iterable[dict[str, Any]]:
    """Latencies bucket by bucket, by outcome and basis, over all requests."""
    groups: dict[Outcome, list[Any]] = {}
    for key, latency in record.totals.latencies.items():
        groups.setdefault(judgement.settlement.outcome_of(key.request, key.signature), []).append(latency)
    for outcome, latencies in sorted(groups.items()):
        for basis in ("due", "sent"):
            histogram = merged(getattr(latency, basis) for latency in latencies)
            buckets = sorted(histogram.counts.items())
            yield {
                "outcome": outcome.value,
                "basis": basis,
                "count": histogram.count,
                "max_s": histogram.quantile(1.0),
                "below_s": [float(f"{bounds_of(index)[1]:.7g}") for index, _ in buckets],
                "counts": [count for _, count in buckets],
            }


def _connections(record: RunRecord) -> dict[str, Any]:
    totals = record.totals
    return {
        "opened": totals.opened,
        "reused": totals.reused,
        "failed": totals.failed_connections,
        "connect_p99_s": quantiles(totals.connect, ("p99_s",))["p99_s"],
        "tls_p99_s": quantiles(totals.tls, ("p99_s",))["p99_s"],
    }


def _troubles(record: RunRecord) -> Iterable[dict[str, Any]]:
    """What of the plan failed on workers, by kind, place and reason."""
    names = [request.name for request in record.plan.requests]
    for key, trouble in sorted(record.totals.troubles.items()):
        yield {**plain(key), "request": request_name(key, names), **plain(trouble)}


def _binding(binding: Binding) -> dict[str, Any]:
    return {
        "from_s": binding.from_s,
        "to_s": binding.to_s,
        "family": binding.family.value,
        "part": binding.part or None,
        "candidates": [{"layer": one.layer.value, "evidence": one.evidence} for one in binding.candidates],
        "layer": binding.layer.value if binding.layer else None,
        "throttled_count": binding.throttled_count,
        "confidence": round(binding.confidence, 3),
    }


def _fit(fit: Fit) -> dict[str, Any]:
    names = ("family", "parameter", "value", "low", "high", "unit", "from_s", "to_s")
    return {name: plain(getattr(fit, name)) for name in names}


def _advice(advice: Advice) -> dict[str, Any]:
    found: dict[str, Any] = plain(advice)
    found.pop("slowness")
    if advice.load is not None:
        found["load"] = [_phase(phase, written) for phase, written in zip(advice.load, found["load"], strict=True)]
    found["command"] = advice.command or None
    return found
