"""Seeded random accounts whose quotas the fit must find from a run's totals alone.

Each account is driven in virtual time through the one admission model: requests leave several workers (whose clocks
are up to 1 ms wrong) as the schedule says, travel half a round trip with jitter, are decided on in the order of their
arrival, run, and travel back; the workers' own `Recorder` makes the windows. What is hidden: kind, numbers, service
times, error rate, and the shape of the pressure. A seed fixes all of it (`hidden_kinds`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from burstline.core.load.plan import Front, Phase
from burstline.core.load.samples import Outcome
from burstline.core.load.schedule import Schedule
from burstline.core.load.totals import Totals
from burstline.core.load.window import Window
from burstline.core.quota.admission.admission import Decision
from burstline.core.quota.answers.classify import meaning, signatures
from burstline.core.quota.answers.signatures import PREFIXES
from burstline.core.quota.quotas import Family
from burstline.workers.recording.recording import WRITTEN, Gauges, Recorder, what
from hidden_throttles import Throttle
from numpy.typing import NDArray

Floats = NDArray[np.float64]

JITTER = 0.1
"""Of a round trip, relative."""

CLOCK_ERROR_S = 0.001
PLAIN_ERRORS = {Front.FUNCTION_URL: "502.error", Front.LAMBDA: "502.other"}


@dataclass(slots=True)
class Truth:
    """One law that binds, with its numbers.

    Attributes:
        family: its family.
        values: parameter -> value; a parameter that the pressure cannot show is missing.
        from_s: when it first can bind, seconds of run time.
        to_s: when it ends.
    """

    family: Family
    values: dict[str, float]
    from_s: float = 0.0
    to_s: float = float("inf")


@dataclass(slots=True)
class Hidden:
    """One hidden account and how it is pressed.

    Attributes:
        kind: its kind's name.
        front: what the client knows.
        truths: laws, in the order in time in which they first throttle (after the run: only those that did).
        load: the schedule's phases.
        throttle: what decides.
        service: draws service times, seconds, given arrival times.
        error_ratio: share of admitted requests that fail.
        error_signature: how they look; "" is the front's plain failure.
        errors_quick: they fail at once instead of after the service time.
        worker_count: 1..4.
        round_trip_s: mean.
        outage: span in which all requests fail, seconds.
    """

    kind: str
    front: Front
    truths: list[Truth]
    load: tuple[Phase, ...]
    throttle: Throttle
    service: Callable[[Floats], Floats]
    error_ratio: float = 0.0
    error_signature: str = ""
    errors_quick: bool = False
    worker_count: int = 1
    round_trip_s: float = 0.0
    outage: tuple[float, float] | None = None
    about: str = ""


@dataclass(slots=True)
class Pressed:
    """What a run against a hidden account left behind.

    Attributes:
        totals: what judging gets.
        throttled_count: what the account itself counted.
        throttled: by family and signature.
        first_s: when each family first refused.
    """

    totals: Totals
    throttled_count: int
    throttled: dict[tuple[Family, str], int]
    first_s: dict[Family, float]


def press(hidden: Hidden, seed: int) -> Pressed:
    """Run the schedule against the account in virtual time and record it as workers do."""
    random = np.random.default_rng([seed, 77])
    schedule = Schedule(hidden.load, 0)
    due = schedule.offsets(0, schedule.count)
    worker = np.arange(len(due)) % hidden.worker_count
    sent = due + np.abs(random.normal(0, 1e-4, len(due)))
    half = hidden.round_trip_s / 2
    there = half * np.maximum(0.2, 1 + JITTER * random.normal(size=len(due)))
    back = half * np.maximum(0.2, 1 + JITTER * random.normal(size=len(due)))
    arrive = sent + there
    service = np.maximum(hidden.service(arrive), 1e-4)
    fails = random.random(len(due)) < hidden.error_ratio
    if hidden.outage:
        fails |= (arrive >= hidden.outage[0]) & (arrive < hidden.outage[1])
    if hidden.errors_quick:
        service = np.where(fails, 5e-4, service)
    codes, families, ends, first = _decide(hidden.throttle, arrive, service)
    prefix = PREFIXES[hidden.front]
    failure = hidden.error_signature or PLAIN_ERRORS.get(hidden.front, "5xx")
    throttled: dict[tuple[Family, str], int] = {}
    names = []
    for code, family, failing in zip(codes, families, fails.tolist(), strict=True):
        if family is not None:
            throttled[family, code] = throttled.get((family, code), 0) + 1
            names.append(code)
        else:
            names.append(f"{prefix}.{failure if failing else 'ok'}")
    done = np.maximum(ends, sent) + back + 1e-4
    totals = _record(hidden, schedule, due, sent, done, names, worker, random)
    return Pressed(totals, sum(throttled.values()), throttled, first)


def _decide(
    throttle: Throttle, arrive: Floats, service: Floats
) -> tuple[list[str], list[Family | None], Floats, dict[Family, float]]:
    count = len(arrive)
    codes: list[str] = [""] * count
    families: list[Family | None] = [None] * count
    ends = arrive.copy()
    running: list[tuple[float, int, Decision | None]] = []
    first: dict[Family, float] = {}
    for index in np.argsort(arrive, kind="stable").tolist():
        now_s = float(arrive[index])
        while running and running[0][0] <= now_s:
            end_s, _, decision = heappop(running)
            throttle.finish(end_s, decision)
        family, code, decision = throttle.arrive(now_s)
        if family is not None:
            codes[index], families[index] = code, family
            first.setdefault(family, now_s)
            continue
        ends[index] = now_s + service[index]
        heappush(running, (float(ends[index]), index, decision))
    return codes, families, ends, first


def _record(
    hidden: Hidden,
    schedule: Schedule,
    due: Floats,
    sent: Floats,
    done: Floats,
    names: Sequence[str],
    worker: NDArray[np.int64],
    random: np.random.Generator,
) -> Totals:
    """Feed each worker's events to its recorder, on its own slightly wrong clock, and add the windows up."""
    totals = Totals()
    all_names = signatures(hidden.front)
    phases = schedule.phase_of(np.arange(len(due)))
    meanings = [meaning(name) for name in all_names]
    took = (Outcome.OK, Outcome.FAILED, Outcome.REJECTED)
    index_of = {name: index for index, name in enumerate(all_names)}
    code = np.array([index_of[name] for name in names])
    for segment in range(hidden.worker_count):
        windows: list[Window] = []
        recorder = Recorder(
            all_names,
            [m.rejects for m in meanings],
            [m.outcome in took for m in meanings],
            [True] * len(hidden.load),
            0,
            Gauges,
            windows.append,
        )
        error_s = random.uniform(-CLOCK_ERROR_S, CLOCK_ERROR_S)
        mine = np.flatnonzero(worker == segment)
        s, d = sent[mine] + error_s, done[mine] + error_s
        order_s, order_d = np.argsort(s, kind="stable"), np.argsort(d, kind="stable")
        s_list, due_list, phase_list = s[order_s].tolist(), due[mine][order_s].tolist(), phases[mine][order_s].tolist()
        for phase, due_s, sent_s in zip(phase_list, due_list, s_list, strict=True):
            recorder.due(WRITTEN, phase, due_s, sent_s)
        whats = [
            what(p, 0, c) for p, c in zip(phases[mine][order_d].tolist(), code[mine][order_d].tolist(), strict=True)
        ]
        for kind, due_s, sent_s, done_s in zip(
            whats, due[mine][order_d].tolist(), s[order_d].tolist(), d[order_d].tolist(), strict=True
        ):
            recorder.done(kind, due_s, sent_s, done_s)
        recorder.finish(float(max(s.max(), d.max())) + 0.02 if len(mine) else 0.0)
        for window in windows:
            totals.add(segment, window)
    totals.clock_error_s = CLOCK_ERROR_S
    return totals
