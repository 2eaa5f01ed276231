"""From the store to the report: sums the windows of a run, closes its ledger, and has it judged."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from burstline.core.load.histogram import Histogram
from burstline.core.load.ledger import Ledger, add
from burstline.core.load.totals import Totals
from burstline.server.clock import nanos, seconds
from burstline.server.control.active import ActiveRun
from burstline.server.control.segments import Epoch, Segment, make_segments, run_ledgers, start_late_s, start_skew_s
from burstline.server.judging.codec import decode_window
from burstline.server.judging.record import RunRecord, WorkerInfo
from burstline.server.store.store import Store
from burstline.wire.errors import InvalidMessage

FEWEST_FOR_P99 = 1_000
"""As in the report: a quantile q is stated from 10 / (1 - q) samples on."""

Judge = Callable[[RunRecord], dict[str, Any]]


def make_record(
    run: ActiveRun, store: Store, end_nanos: int, clock_errors_s: dict[str, float], version: str, problem: str = ""
) -> RunRecord:
    """Return what judging needs; reads every window from the store, so call it in a thread.

    Totals and ledger come from the same windows: one that arrives meanwhile is in both or in neither.

    Args:
        run: the run, whose windows are all committed.
        store: where they are.
        end_nanos: when the run ended for segments that nobody holds, server clock.
        clock_errors_s: worker id -> half-width of its clock's error.
        version: burstline's.
        problem: why the run could not take place; "" if it did.
    """
    row = run.row
    segments = make_segments(run.schedule, len(run.segments), [epoch.row for epoch in run.epochs()])
    totals = Totals()
    lateness: dict[str, Histogram] = {}
    unreadable = 0
    for stored in store.windows_now(run.id):
        epoch = segments[stored.segment].epoch(stored.epoch) if 0 <= stored.segment < len(segments) else None
        if epoch is None:
            continue
        try:
            window = decode_window(stored.body)
        except InvalidMessage:  # what live totals do not need is looked at only now; the ledger counts it as lost
            unreadable += 1
            continue
        epoch.add(stored.sequence, window)
        totals.add(stored.segment, window)
        lateness.setdefault(epoch.row.worker_id, Histogram()).merge(window.lateness)
    if unreadable:
        run.notice(f"{unreadable} windows could not be read and were left out: their workers are of another make")
    by_phase = run_ledgers(segments, run.schedule, row.start_nanos, end_nanos)
    return RunRecord(
        id=row.id,
        name=row.name,
        plan=run.plan,
        account=run.account,
        schedule=run.schedule,
        totals=totals,
        ledger=_sum(by_phase, run.preflight_sent),
        ledgers_by_phase=by_phase,
        duration_s=_duration_s(run, end_nanos),
        started_at=None if row.start_nanos is None else datetime.fromtimestamp(seconds(row.start_nanos), UTC),
        workers=_workers(segments, clock_errors_s, lateness),
        region=run.account.region if "region" in run.account.declared else None,
        preflight=run.preflight or (),
        stopped_by=row.stopped_by,
        abort_rule=row.abort_rule,
        problem=problem,
        start_skew_s=start_skew_s(segments),
        notes=tuple(run.notices),
        version=version,
    )


def judged(record: RunRecord, judge: Judge) -> tuple[str, bytes]:
    """Return the verdict and the report as UTF-8 JSON; for a thread."""
    report = judge(record)
    return str(report["verdict"]), json.dumps(report, allow_nan=False, separators=(",", ":")).encode()


def _sum(by_phase: list[Ledger], preflight: int) -> Ledger:
    total = Ledger(preflight=preflight)
    for ledger in by_phase:
        total = add(total, ledger)
    return total


def _duration_s(run: ActiveRun, end_nanos: int) -> float:
    if run.row.start_nanos is None:
        return 0.0
    if run.row.stop_nanos is None:
        return run.schedule.duration_s
    stopped_nanos = min(run.row.stop_nanos, end_nanos + nanos(1.0))
    return min(run.schedule.duration_s, max(0.0, seconds(stopped_nanos - run.row.start_nanos)))


def _workers(
    segments: list[Segment], clock_errors_s: dict[str, float], lateness: dict[str, Histogram]
) -> tuple[WorkerInfo, ...]:
    found: dict[str, WorkerInfo] = {}
    for segment in segments:
        for epoch in segment.epochs:
            row = epoch.row
            before = found.get(row.worker_id)
            held = set(before.segments) if before else set()
            late = lateness.get(row.worker_id, Histogram())
            lost = row.living_until_nanos is not None and not epoch.complete
            found[row.worker_id] = WorkerInfo(
                name=row.worker_name,
                hostname=row.hostname,
                pid=row.pid,
                version=row.version,
                segments=tuple(sorted(held | {segment.index})),
                lost=lost or (before is not None and before.lost),
                clock_error_s=clock_errors_s.get(row.worker_id),
                sent=(before.sent if before else 0) + sum(load.sent for load in epoch.loads.values()),
                lateness_p99_s=late.quantile(0.99) if late.count >= FEWEST_FOR_P99 else None,
                lateness_max_s=late.quantile(1.0),
                start_late_s=_start_late_s(before, segment, epoch),
            )
    return tuple(found.values())


def _start_late_s(before: WorkerInfo | None, segment: Segment, epoch: Epoch) -> float | None:
    """Of a worker's segments that it started with: a taken-over one says nothing of the start."""
    own = start_late_s(segment) if epoch is segment.epochs[0] else None
    return own if before is None or before.start_late_s is None else before.start_late_s
