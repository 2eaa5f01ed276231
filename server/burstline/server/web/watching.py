"""A run's numbers for the web page that shows it live: one JSON object per moment."""

from typing import Any

from burstline.server.control.active import ActiveRun
from burstline.server.control.progress import RECENT_S, last_full, outcomes_of, phase_name, progress_of
from burstline.server.control.uses import uses_of

SHOWN_S = 30
"""Seconds of run time in the small chart."""

SHOWN_NOTICES = 5


def moment_of(run: ActiveRun, now_nanos: int) -> dict[str, Any]:
    """Return where a run stands; unknown numbers are None. Outcomes are provisional."""
    seen = progress_of(run, now_nanos)
    ledger = seen.ledger
    second = last_full(run, seen.full_second)
    elapsed_s = None if seen.elapsed_s is None else min(max(0.0, seen.elapsed_s), run.schedule.duration_s)
    found: dict[str, Any] = {
        "state": run.row.state.value,
        "final": run.ended.is_set(),
        "phase": phase_name(run, seen.elapsed_s),
        "elapsed_s": elapsed_s,
        "planned_s": run.schedule.duration_s,
        "workers": seen.worker_count,
        "scheduled": 0 if run.schedule.users_phases else ledger.scheduled,
        "due": ledger.due,
        "sent": ledger.sent,
        "dropped": sum(ledger.dropped.values()),
        "in_flight": ledger.in_flight,
        "outcomes": outcomes_of(dict(ledger.signatures)),
        "due_per_s": second.load.due,
        "sent_per_s": second.load.sent,
        "notices": run.notices[-SHOWN_NOTICES:],
        "seconds": _seconds(run, seen.full_second),
        "quotas": _quotas(run, seen.full_second),
    }
    recent = None if seen.full_second is None else run.live.recent_latency(seen.full_second, RECENT_S)
    for name, q in (("p50_s", 0.5), ("p95_s", 0.95), ("p99_s", 0.99)):
        found[name] = None if recent is None else recent.quantile(q)
    return found


def _seconds(run: ActiveRun, full_second: int | None) -> list[dict[str, int]]:
    """The newest full seconds: due, sent, throttled (provisional)."""
    if full_second is None:
        return []
    found = []
    for second in range(max(0, full_second - SHOWN_S + 1), full_second + 1):
        seen = run.live.seconds.get(second)
        throttled = outcomes_of(seen.answers).get("throttled", 0) if seen is not None else 0
        load = seen.load if seen is not None else None
        found.append(
            {"at": second, "due": load.due if load else 0, "sent": load.sent if load else 0, "throttled": throttled}
        )
    return found


def _quotas(run: ActiveRun, full_second: int | None) -> list[dict[str, Any]]:
    """The quotas in the run's way: their use, limit and whether they bind."""
    uses = uses_of(run, full_second) if full_second is not None else []
    return [{"title": one.title, "use": one.use, "limit": one.limit, "binding": one.binding} for one in uses]
