"""Runs made in virtual time by the admission model, as the records that real ones leave: for tests of judging."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Constant, Front, Phase, Plan, Request, Target
from burstline.core.load.schedule import Schedule
from burstline.core.load.totals import Totals
from burstline.core.load.window import BIN_S, AnswerKey, Bins, Latency, LatencyKey, Load, Window
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import LAYER_CODES, replay
from burstline.core.quota.admission.service_times import sample
from burstline.core.quota.answers.limits import GATEWAY_FRONTS
from burstline.core.quota.quotas import Account, Layer, ServiceTime
from burstline.server.judging.judging import RunRecord
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BEHIND = {Front.REST: "rest.500.internal", Front.HTTP: "http.503.unavailable", Front.ALB: "alb.502"}
REASONS = {
    Layer.RESERVED_CONCURRENCY: "429.reserved",
    Layer.ACCOUNT_CONCURRENCY: "429.account",
    Layer.SCALING_RATE: "429.account",
    Layer.INVOCATION_RATE: "429.account_rate",
}
OK_OF = {Front.FUNCTION_URL: "url.ok"}


def signature_of(front: Front, layer: Layer) -> str:
    """Return what a client sees when `layer` refuses a call."""
    if layer in (Layer.USAGE_PLAN, Layer.STAGE, Layer.ACCOUNT_GATEWAY):
        return f"{front.value}.429.too_many"
    if front in BEHIND:
        return BEHIND[front]
    return ("url." if front is Front.FUNCTION_URL else "lambda.") + REASONS[layer]


def fold(schedule: Schedule, sent_s: Floats, done_s: Floats, late_s: Floats, signatures: NDArray[np.str_]) -> Totals:
    """Return the totals of requests with one name, one window a second as workers make them."""
    totals = Totals()
    due_s = schedule.offsets(0, schedule.count)
    phases = schedule.phase_of(np.arange(schedule.count))
    known_in = np.maximum(done_s, sent_s).astype(np.int64)
    for second in range(int(max(known_in.max(), due_s.max())) + 1):
        window = Window(second)
        for index in np.flatnonzero(due_s.astype(np.int64) == second).tolist():
            load = window.loads.setdefault(int(phases[index]), Load())
            load.due += 1
            load.sent += 1
            load.sent_on_wire += 1
        mine = np.flatnonzero(known_in == second)
        for name in np.unique(signatures[mine]).tolist():
            chosen = mine[signatures[mine] == name]
            latency = window.latencies.setdefault(LatencyKey(0, name), Latency())
            latency.sent.add_all(done_s[chosen] - sent_s[chosen])
            latency.due.add_all(done_s[chosen] - sent_s[chosen] + late_s[chosen])
            for phase in np.unique(phases[chosen]).tolist():
                count = int(np.count_nonzero(phases[chosen] == phase))
                window.answers[AnswerKey(phase, 0, name)] = count
        window.lateness.add_all(late_s[due_s.astype(np.int64) == second])
        totals.add(0, window)
    last = Window(0)
    last.due_bins, last.sent_bins = _bins(due_s), _bins(sent_s)
    for name in np.unique(signatures).tolist():
        chosen = signatures == name
        last.answer_bins[name] = _bins(sent_s[chosen])
        last.completion_bins[name] = _bins(done_s[chosen])
    totals.add(0, last)
    return totals


def _bins(times_s: NDArray[np.float64]) -> Bins:
    bins, counts = np.unique((times_s / BIN_S).astype(np.int64), return_counts=True)
    return dict(zip(bins.tolist(), counts.tolist(), strict=True))


def make(
    load: Sequence[Phase] = (Phase("steady", 5.0, Constant(100.0)),),
    account: Account | None = None,
    *,
    front: Front = Front.REST,
    service: ServiceTime | None = None,
    round_trip_s: float = 0.02,
    error_ratio: float = 0.0,
    error_latency_s: float = 0.0,
    late_s: float = 0.0005,
    seed: int = 1,
    changes: dict[str, Any] | None = None,
    **plan_fields: Any,
) -> RunRecord:
    """Return the record of a run against an account, through stage `prod` and function `f`.

    Args:
        service: warm service time; None is a constant 100 ms.
        error_ratio: share of admitted calls that fail with the signature a throttled Lambda has.
        error_latency_s: how long those take inside; 0 is their service time.
        late_s: how late each request leaves.
        changes: fields of the record to replace.
    """
    account = account or Account()
    url = "https://abc.execute-api.eu-west-1.amazonaws.com/prod"
    target = plan_fields.pop("target", Target(url, front, "f", "prod"))
    plan = Plan("test", target, (Request("quote"),), tuple(load), seed=seed, **plan_fields)
    schedule = Schedule(plan.load, seed)
    random = np.random.default_rng(seed)
    sent_s = schedule.offsets(0, schedule.count) + late_s
    service_s = sample(service or ServiceTime(0.1, 0.1), schedule.count, random)
    call = Call("f", target.stage, target.usage_plan, gateway=front in GATEWAY_FRONTS)
    result = replay(account, sent_s + round_trip_s / 2, service_s, calls=(call,), seed=seed)
    init_s = account.functions["f"].init_s if "f" in account.functions else 0.0
    work_s = np.where(result.admitted, service_s + result.cold * init_s, 0.0)
    signatures = np.full(schedule.count, OK_OF.get(front, f"{front.value}.ok"), dtype="U40")
    for layer, code in LAYER_CODES.items():
        if np.any(result.layers == code):
            signatures[result.layers == code] = signature_of(front, layer)
    failing = result.admitted & (random.random(schedule.count) < error_ratio)
    if failing.any():
        signatures[failing] = BEHIND[front]
        work_s[failing] = error_latency_s or work_s[failing]
    done_s = sent_s + round_trip_s + work_s
    totals = fold(schedule, sent_s, done_s, np.full(schedule.count, late_s), signatures)
    names, counts = np.unique(signatures, return_counts=True)
    whole = Ledger(
        scheduled=schedule.count,
        due=schedule.count,
        sent=schedule.count,
        sent_on_wire=schedule.count,
        preflight=1,
        signatures=dict(zip(names.tolist(), counts.tolist(), strict=True)),
    )
    fields: dict[str, Any] = {
        "id": "r1",
        "plan": plan,
        "account": account,
        "schedule": schedule,
        "totals": totals,
        "ledger": whole,
        "ledgers_by_phase": _by_phase(schedule, signatures, len(plan.load)),
        "duration_s": schedule.duration_s,
        "started_at": datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
        "start_skew_s": 0.0,
        "version": "0.1.0",
    }
    return RunRecord(**fields | (changes or {}))


def _by_phase(schedule: Schedule, signatures: NDArray[np.str_], phase_count: int) -> list[Ledger]:
    phases = schedule.phase_of(np.arange(schedule.count))
    ledgers = []
    for phase in range(phase_count):
        names, counts = np.unique(signatures[phases == phase], return_counts=True)
        count = int(counts.sum())
        known = dict(zip(names.tolist(), counts.tolist(), strict=True))
        ledgers.append(Ledger(scheduled=count, due=count, sent=count, sent_on_wire=count, signatures=known))
    return ledgers


@pytest.fixture
def make_run() -> Callable[..., RunRecord]:
    """Return `make`: a maker of run records."""
    return make
