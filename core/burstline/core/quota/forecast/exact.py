"""The exact solver: every request through the one admission model, in virtual time, several times over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Users
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.admission.replay import LAYERS
from burstline.core.quota.admission.service_times import sample
from burstline.core.quota.forecast.events import Ran, run
from burstline.core.quota.forecast.gates import pass_gates
from burstline.core.quota.forecast.loads import Arrived, ForecastInput, arrivals_of, others, with_others
from burstline.core.quota.forecast.records import FunctionOutcome, Outcome
from burstline.core.quota.forecast.solving import Assumptions
from burstline.core.quota.quotas import Account, Function, Layer

RUNS = 39
"""Simulated runs: the fewest whose extremes hold one more with 95 %."""

FEWEST_RUNS = 5

WORK = 12_000_000
"""Requests replayed in all; beyond it fewer runs are simulated, but not below `FEWEST_RUNS`."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What reaches the account in one run.

    Attributes:
        arrived: times and kinds, others' traffic included.
        calls: the kinds: ours, then those of others.
        functions: what they invoke, each once.
        function_of: index into `functions`, per kind.
        service_s: warm service time per arrival, seconds.
    """

    arrived: Arrived
    calls: tuple[Call, ...]
    functions: tuple[Function, ...]
    function_of: NDArray[np.int64]
    service_s: NDArray[np.float64]


class ExactSolver:
    """Replays every request.

    Args:
        runs: simulated runs; None: as many as `WORK` allows, `FEWEST_RUNS` to `RUNS`.
    """

    name = "exact"

    def __init__(self, runs: int | None = None) -> None:
        self._runs = runs

    def solve(self, asked: ForecastInput, account: Account, assumed: Assumptions, seed: int) -> Sequence[Outcome]:
        """See `Solver`."""
        random = np.random.default_rng([seed, 0])
        due = arrivals_of(asked, account, random, assumed.round_trip_s)
        wanted = self._runs or min(RUNS, max(FEWEST_RUNS, WORK // max(1, len(due.times_s))))
        anew = not asked.fixed or any(isinstance(p.shape, Users) for load in asked.loads for p in load.phases)
        jitters_s = _jitters_s(assumed.jitter_s, wanted, seed)
        outcomes = []
        for number, jitter_s in enumerate(jitters_s):
            if number:
                random = np.random.default_rng([seed, number])
                due = arrivals_of(asked, account, random, assumed.round_trip_s) if anew else due
            met = traffic(asked, account, due, replace(assumed, jitter_s=jitter_s), random)
            outcomes.append(replayed(account, met, number))
        return outcomes


def _jitters_s(mean_s: float, count: int, seed: int) -> list[float]:
    """Return how uneven the arrivals of each run are, seconds: from almost none to 3 times the mean, `3 m u**2`.

    Where arrivals and refill or service times are in step, none, a little and much give different totals, each
    sharp: the runs of one jitter would all agree, and be wrong about any other. Squares of u, as small ones matter
    most; u is spread evenly, in random order, so that few runs have both ends, too.
    """
    order = np.random.default_rng([seed, count, 77]).permutation(count)
    spread: list[float] = (3.0 * mean_s * np.square((order + 0.5) / count)).tolist()
    return spread


def traffic(
    asked: ForecastInput, account: Account, due: Arrived, assumed: Assumptions, random: np.random.Generator
) -> Traffic:
    """Return one run's arrivals at AWS: `due`, each a little late, with the traffic of others, and service times."""
    arrived = due
    if assumed.jitter_s > 0 and len(due.times_s):
        late = due.times_s + random.exponential(assumed.jitter_s, len(due.times_s))
        order = np.argsort(late, kind="stable")
        arrived = Arrived(late[order], due.which[order], due.ours_count)
    if not others(account):
        calls = asked.calls
    else:
        arrived = with_others(
            Arrived(arrived.times_s, arrived.which, len(asked.calls)), account, asked.duration_s, random
        )
        calls = asked.calls + tuple(Call(function.name, gateway=False) for function in others(account))
    names = tuple(dict.fromkeys(call.function for call in calls))
    functions = tuple(account.functions.get(name, Function(name)) for name in names)
    function_of = np.array([names.index(call.function) for call in calls], np.int64)
    invoked = function_of[arrived.which]
    service_s = np.empty(len(invoked))
    for index, function in enumerate(functions):
        chosen = invoked == index
        service_s[chosen] = sample(function.duration, int(np.count_nonzero(chosen)), random)
    return Traffic(arrived, calls, functions, function_of, service_s)


def replayed(account: Account, met: Traffic, seed: int) -> Outcome:
    """Return what one run meets: the buckets over the whole array, then the environments call by call."""
    arrived = met.arrived
    codes = pass_gates(account, met.calls, arrived.times_s, arrived.which)
    inside = np.flatnonzero(codes == 0)
    invoked = met.function_of[arrived.which]
    ran = run(account, met.functions, arrived.times_s[inside], invoked[inside], met.service_s[inside], seed)
    codes[inside] = ran.codes
    cold = np.zeros(len(codes), np.bool_)
    cold[inside] = ran.cold
    return _summed(met, codes, cold, ran)


def _summed(met: Traffic, codes: NDArray[np.int8], cold: NDArray[np.bool_], ran: Ran) -> Outcome:
    arrived, size = met.arrived, len(met.functions)
    ours = arrived.which < arrived.ours_count
    gateway = np.array([call.gateway for call in met.calls], np.bool_)[arrived.which]
    invoked = met.function_of[arrived.which]
    throttled: dict[Layer, float] = {}
    first: dict[Layer, float] = {}
    for code in np.unique(codes[ours]).tolist():
        if code:
            where = np.flatnonzero((codes == code) & ours)
            throttled[LAYERS[code - 1]] = float(len(where))
            first[LAYERS[code - 1]] = float(arrived.times_s[where[0]])
    admitted = (codes == 0) & ours
    limits = np.array([f.timeout_s for f in met.functions])[invoked]
    longer = np.array([f.init_s for f in met.functions])[invoked]
    billed = np.minimum(met.service_s, limits) + np.where(cold, longer, 0.0)
    asked_count, refused_count, ran_count, cold_count = (
        np.bincount(invoked[mask], minlength=size).tolist() for mask in (ours, ours & (codes > 0), admitted, cold)
    )
    billed_s = np.bincount(invoked[admitted], weights=billed[admitted], minlength=size).tolist()
    functions = {
        f.name: FunctionOutcome(asked_count[i], refused_count[i], ran_count[i], billed_s[i], ran.peak[i], cold_count[i])
        for i, f in enumerate(met.functions)
    }
    gateway_count = float(np.count_nonzero(gateway & ours))
    return Outcome(float(np.count_nonzero(ours)), gateway_count, throttled, first, functions, float(ran.peak_claimed))
