"""The forecast itself: choose a solver, simulate runs, and say what the next one would be like."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from burstline.core.load.plan import Front, Plan, Users
from burstline.core.quota.forecast.exact import ExactSolver
from burstline.core.quota.forecast.fluid import FluidSolver
from burstline.core.quota.forecast.intervals import prediction, widened, widened_time
from burstline.core.quota.forecast.loads import Floats, ForecastInput, input_of, others, totals_at
from burstline.core.quota.forecast.pricing import cost_of
from burstline.core.quota.forecast.queueing import forecast_queue
from burstline.core.quota.forecast.records import (
    NEVER,
    Forecast,
    FunctionForecast,
    FunctionOutcome,
    Interval,
    LayerForecast,
    Outcome,
    QueueForecast,
)
from burstline.core.quota.forecast.solving import EXACT_LIMIT, Assumptions, Solver
from burstline.core.quota.queue_checks import queue_notes
from burstline.core.quota.quotas import Account, Scaling


def forecast(
    plan: Plan | ForecastInput,
    account: Account,
    *,
    seed: int,
    scaling: Scaling | None = None,
    solver: Solver | None = None,
    assumed: Assumptions | None = None,
) -> Forecast:
    """Return what would happen if `plan` ran against `account`; nothing is sent.

    Args:
        plan: a plan, or the streams of a whole fleet.
        account: its quotas, and the service times of its functions.
        seed: of everything random here, >= 0; the same seed gives the same forecast.
        scaling: assume this regime instead of the account's.
        solver: None: exact replay up to `EXACT_LIMIT` arrivals, the fluid model above.
        assumed: what is taken for granted beyond plan and account.

    Raises:
        ValueError: a plan without requests, or an account that `Admission` refuses.
    """
    queue = None
    if isinstance(plan, Plan) and plan.target.front is Front.SQS:
        queue, plan = forecast_queue(plan, account)
    asked = input_of(plan) if isinstance(plan, Plan) else plan
    if not asked.calls:
        raise ValueError("a forecast needs at least one kind of request")
    account = account if scaling is None else replace(account, scaling=scaling)
    assumed = assumed or Assumptions()
    solver = solver or (ExactSolver() if expected_count(asked, account) <= EXACT_LIMIT else FluidSolver())
    outcomes = solver.solve(asked, account, assumed, seed)
    found = summed_up(solver.name, asked, account, assumed, outcomes)
    return found if queue is None else _with_queue(found, queue, account)


def _with_queue(found: Forecast, queue: QueueForecast, account: Account) -> Forecast:
    more = (
        queue.text,
        f"Requests are the calls of its event source, in batches of up to {queue.queue.batch:,} messages.",
        f"The cost leaves out SQS itself, whose price is not known here: {queue.send_count:,} calls that send, and "
        f"about {2 * found.request_count.mid:,.0f} that receive and delete.",
        *queue_notes(queue.queue, account),
    )
    return replace(found, queue=queue, notes=(*more, *found.notes))


def expected_count(asked: ForecastInput, account: Account) -> float:
    """Return how many arrivals there will be, others' traffic included, users' not (an estimate)."""
    ours = sum(float(totals_at(load.phases, _end(asked))[0]) for load in asked.loads)
    return ours + sum(f.other_rate_per_s for f in others(account)) * asked.duration_s


def summed_up(
    solver: str, asked: ForecastInput, account: Account, assumed: Assumptions, outcomes: Sequence[Outcome]
) -> Forecast:
    """Return the forecast that simulated runs amount to."""
    duration_s = asked.duration_s
    costs = [cost_of(outcome, account, asked.front, duration_s) for outcome in outcomes]
    names = outcomes[0].functions
    asked_most = max(outcome.request_count for outcome in outcomes)
    return Forecast(
        solver,
        account.scaling,
        duration_s,
        prediction([o.request_count for o in outcomes], counted=True),
        widened(prediction([o.throttled_total for o in outcomes], counted=True, most=asked_most), asked_most),
        widened_time(prediction([o.first_throttle_s for o in outcomes]), assumed.round_trip_s),
        _layers(outcomes, assumed.round_trip_s),
        tuple(_function(name, [o.functions[name] for o in outcomes], account) for name in names),
        prediction([o.peak_claimed for o in outcomes], counted=True),
        prediction([sum(f.cold_starts for f in o.functions.values()) for o in outcomes], counted=True),
        {part: prediction([cost[part] for cost in costs]) for part in costs[0]},
        len(outcomes),
        _notes(solver, asked, account, assumed),
    )


def _end(asked: ForecastInput) -> Floats:
    return np.array([asked.duration_s])


def _layers(outcomes: Sequence[Outcome], round_trip_s: float) -> tuple[LayerForecast, ...]:
    found = dict.fromkeys(layer for outcome in outcomes for layer in outcome.throttled_count)
    begun = [min(o.first_s, key=lambda layer: o.first_s[layer]) for o in outcomes if o.first_s]
    layers = [
        LayerForecast(
            layer,
            widened(prediction([o.throttled_count.get(layer, 0.0) for o in outcomes], counted=True)),
            widened_time(prediction([o.first_s.get(layer, NEVER) for o in outcomes]), round_trip_s),
            begun.count(layer) / len(outcomes),
        )
        for layer in found
    ]
    return tuple(sorted(layers, key=lambda one: (one.first_s.mid, one.first_s.low)))


def _function(name: str, seen: Sequence[FunctionOutcome], account: Account) -> FunctionForecast:
    declared = account.functions.get(name)
    cap = account.concurrency if declared is None or declared.reserved is None else declared.reserved
    cap = max(cap, *(int(one.peak_concurrency) for one in seen))  # an account may declare more than it has

    def of(value: Callable[[FunctionOutcome], float], most: float = NEVER) -> Interval:
        return prediction([value(one) for one in seen], counted=True, most=most)

    return FunctionForecast(
        name,
        of(lambda one: one.request_count),
        of(lambda one: one.throttled_count, max(one.request_count for one in seen)),
        of(lambda one: one.peak_concurrency, cap),
        of(lambda one: one.cold_starts),
    )


def _notes(solver: str, asked: ForecastInput, account: Account, assumed: Assumptions) -> tuple[str, ...]:
    notes = [
        "Every number is an estimate: it follows the published laws of the quotas, which AWS applies as best effort.",
        f"Requests are taken to arrive unevenly, by {assumed.jitter_s * 1000:g} ms on average, "
        f"and the network to take up to {assumed.round_trip_s * 1000:g} ms on the way in.",
        "Costs are list prices of us-east-1 without free tier and volume discounts.",
    ]
    unknown = sorted({call.function for call in asked.calls if call.function not in account.functions})
    if unknown:
        shown = [name or "the target's function" for name in unknown[:5]]
        named = ", ".join(shown) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        notes.append(f"No service time is declared for {named}: 100 ms is assumed, which decides the concurrency.")
    if not account.declared:
        notes.append("No quota is declared: AWS's published defaults are assumed; your account may have less.")
    if asked.front is Front.PLAIN and not any(call.gateway for call in asked.calls):
        notes.append("The front is not stated: only Lambda's limits are applied. Say target.front, or name a stage.")
    if any(isinstance(phase.shape, Users) for load in asked.loads for phase in load.phases):
        notes.append("Phases with users are taken as if no request of theirs were throttled or cold.")
    if solver == "fluid":
        notes.append("A fluid model with a correction for fluctuations stands for the requests: too many to replay.")
    return tuple(notes)
