"""Ordinary runs in virtual time: the admission model answers, the workers' own recorder records, judging judges.

Nothing here knows what a test wants of it: a plan and an account go in, the record of a run comes out, as the server
would make it from its store.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import DataOrder, Front, Plan
from burstline.core.load.samples import Outcome
from burstline.core.load.schedule import Schedule
from burstline.core.load.selection import Selection
from burstline.core.load.totals import Totals
from burstline.core.load.window import Window
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import LAYER_CODES, ReplayResult, replay
from burstline.core.quota.admission.service_times import sample
from burstline.core.quota.answers.classify import meaning, signatures
from burstline.core.quota.answers.limits import GATEWAY_FRONTS, functions_of
from burstline.core.quota.answers.signatures import PREFIXES
from burstline.core.quota.quotas import Account, Layer
from burstline.server.judging.record import RunRecord
from burstline.workers.recording.recording import WRITTEN, Gauges, Recorder, what
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BEHIND = {Front.REST: "rest.500.internal", Front.HTTP: "http.503.unavailable", Front.ALB: "alb.502"}
REASONS = {
    Layer.RESERVED_CONCURRENCY: "429.reserved",
    Layer.ACCOUNT_CONCURRENCY: "429.account",
    Layer.SCALING_RATE: "429.account",
    Layer.INVOCATION_RATE: "429.account_rate",
}
CONNECTIONS = 20
BUCKETS = (Layer.USAGE_PLAN, Layer.STAGE, Layer.ACCOUNT_GATEWAY)


def signature_of(front: Front, layer: Layer) -> str:
    """Return what a client sees when `layer` refuses a call."""
    if front is Front.PLAIN:
        return "plain.429"
    if layer in BUCKETS:
        return f"{front.value}.429.too_many"
    return BEHIND.get(front) or f"{PREFIXES[front]}.{REASONS[layer]}"


@dataclass(frozen=True, slots=True)
class Played:
    """A run in virtual time: the record that judging gets, and what the account itself decided."""

    record: RunRecord
    result: ReplayResult
    requests: int = field(default=0)


def play_run(
    plan: Plan,
    truth: Account,
    known: Account,
    *,
    service_seed: int,
    round_trip_s: float = 0.02,
    worker_count: int = 1,
    front_of_target: Front | None = None,
) -> Played:
    """Run a plan against an account in virtual time.

    Args:
        truth: what decides; service times are its functions'.
        known: what the user declared.
        service_seed: of service times and of jitter; arrival and request seeds are the plan's own.
        round_trip_s: mean; its jitter is 5 %.
        front_of_target: what the target really is, where the plan says `plain`.
    """
    schedule = Schedule(plan.load, plan.seed)
    random = np.random.default_rng([service_seed, 5])
    due = schedule.offsets(0, schedule.count)
    count = len(due)
    sent = due + np.abs(random.normal(0, 1e-4, count))
    half = round_trip_s / 2
    there = half * np.maximum(0.2, 1 + 0.05 * random.normal(size=count))
    back = half * np.maximum(0.2, 1 + 0.05 * random.normal(size=count)) + 1e-4
    front = front_of_target or plan.target.front
    selection = Selection(plan.seed, [request.weight for request in plan.requests], 0, DataOrder.RANDOM)
    request = selection.requests(np.arange(count, dtype=np.int64))
    names = functions_of(plan)
    service = service_times(truth, names, request, service_seed)
    arrive = sent + there
    order = np.argsort(arrive, kind="stable")
    calls = tuple(Call(n, plan.target.stage, plan.target.usage_plan, gateway=front in GATEWAY_FRONTS) for n in names)
    result = replay(truth, arrive[order], service[order], calls=calls, call_index=request[order], seed=service_seed)
    layers, cold = np.zeros(count, np.int8), np.zeros(count, np.bool_)
    layers[order], cold[order] = result.layers, result.cold
    init = np.array([truth.functions[n].init_s if n in truth.functions else 0.0 for n in names])[request]
    done = arrive + np.where(layers == 0, service + cold * init, 1e-4) + back
    seen = np.full(count, f"{PREFIXES[plan.target.front]}.ok", dtype="U40")
    for layer, code in LAYER_CODES.items():
        if np.any(layers == code):
            seen[layers == code] = signature_of(plan.target.front, layer)
    totals = record_of(plan, schedule, sent, done, seen, request, worker_count, round_trip_s)
    by_phase = _ledgers(schedule, seen, len(plan.load))
    return Played(
        RunRecord(
            id="v1",
            plan=plan,
            account=known,
            schedule=schedule,
            totals=totals,
            ledger=_ledger(count, seen, preflight=len(plan.requests)),
            ledgers_by_phase=by_phase,
            duration_s=schedule.duration_s,
            started_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
            start_skew_s=0.0,
            version="0.1.0",
        ),
        result,
        count + len(plan.requests),
    )


def service_times(account: Account, names: tuple[str, ...], request: NDArray[np.int64], seed: int) -> Floats:
    """Return the warm service time of each call, by its own function's law."""
    found = np.zeros(len(request))
    for index, name in enumerate(names):
        mine = np.flatnonzero(request == index)
        random = np.random.default_rng([seed, 9, index])
        function = account.functions.get(name)
        if function is not None:
            found[mine] = sample(function.duration, len(mine), random)
    return found


def record_of(
    plan: Plan,
    schedule: Schedule,
    sent: Floats,
    done: Floats,
    seen: NDArray[np.str_],
    request: NDArray[np.int64],
    worker_count: int,
    round_trip_s: float,
) -> Totals:
    """Feed every worker's events to its recorder and add the windows up."""
    totals = Totals()
    names = signatures(plan.target.front)
    meanings = [meaning(name) for name in names]
    took = (Outcome.OK, Outcome.FAILED, Outcome.REJECTED)
    code_of: Mapping[str, int] = {name: index for index, name in enumerate(names)}
    code = np.array([code_of[name] for name in seen.tolist()], np.int64)
    due = schedule.offsets(0, schedule.count)
    phases = schedule.phase_of(np.arange(schedule.count))
    for segment in range(worker_count):
        mine = np.flatnonzero(np.arange(len(due)) % worker_count == segment)
        windows: list[Window] = []
        recorder = Recorder(
            names,
            [m.rejects for m in meanings],
            [m.outcome in took for m in meanings],
            [True] * len(plan.load),
            0,
            _connecting(round_trip_s),
            windows.append,
        )
        by_sent, by_done = mine[np.argsort(sent[mine], kind="stable")], mine[np.argsort(done[mine], kind="stable")]
        for at in by_sent.tolist():
            recorder.due(WRITTEN, int(phases[at]), float(due[at]), float(sent[at]))
        for at in by_done.tolist():
            kind = what(int(phases[at]), int(request[at]), int(code[at]))
            recorder.done(kind, float(due[at]), float(sent[at]), float(done[at]))
        recorder.finish(float(max(sent[mine].max(), done[mine].max())) + 0.02 if len(mine) else 0.0)
        for window in windows:
            totals.add(segment, window)
    return totals


def _connecting(round_trip_s: float) -> Callable[[], Gauges]:
    """Gauges of a worker that opens its connections, each in one round trip, before anything else."""
    first = [Gauges(opened=CONNECTIONS, connect_s=[round_trip_s] * CONNECTIONS)]
    return lambda: first.pop() if first else Gauges()


def _ledger(count: int, seen: NDArray[np.str_], preflight: int = 0) -> Ledger:
    names, counts = np.unique(seen, return_counts=True)
    known = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return Ledger(
        scheduled=count, due=count, sent=count, sent_on_wire=count, preflight=preflight, signatures=known
    )  # fmt: skip


def _ledgers(schedule: Schedule, seen: NDArray[np.str_], phase_count: int) -> list[Ledger]:
    phases = schedule.phase_of(np.arange(schedule.count))
    return [_ledger(int(np.count_nonzero(phases == p)), seen[phases == p]) for p in range(phase_count)]
