"""A queue in front of a function: how messages wait while its event source grows, and the calls that it makes.

A fluid model: messages come as planned, and leave at `invocations at a time x batch / duration`, where the first factor
follows the event source's growth and ends at its own ceiling, the function's reserved concurrency, or the account's.
Batches are full while messages wait.
"""

from math import ceil

import numpy as np

from burstline.core.load.plan import Constant, Front, Pause, Phase, Plan, Request, Target
from burstline.core.load.schedule import Schedule
from burstline.core.quota.admission.event_source import SourceScaling, most_of
from burstline.core.quota.advice.concurrency_advice import mean_service_s
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.forecast.records import NEVER, QueueForecast
from burstline.core.quota.quotas import Account, Function, Queue

STEPS = 4_000
"""Steps over the plan; the queue is followed until it is empty, at most `DRAIN_RATIO` times as long again."""

DRAIN_RATIO = 20
PHASES = 120
"""Phases of the plan that stands for the event source's calls."""


def queue_of(plan: Plan, account: Account) -> Queue:
    """Return the queue that a plan of front `sqs` sends to; AWS's defaults where nothing is known of it."""
    name = plan.target.queue
    return account.queues.get(name) or Queue(name, plan.target.function)


def forecast_queue(plan: Plan, account: Account) -> tuple[QueueForecast, Plan]:
    """Return what becomes of the messages, and the plan of the event source's own calls.

    Args:
        plan: of front `sqs`.
        account: the queue, its function, and what that may use.
    """
    queue = queue_of(plan, account)
    function = account.functions.get(queue.function) or Function(queue.function)
    schedule = Schedule(plan.load, plan.seed)
    step_s = schedule.duration_s / STEPS
    came = np.concatenate(([0.0], np.cumsum(_arrivals(plan, schedule, step_s))))
    cap = account.unreserved() if function.reserved is None else function.reserved
    took_s = mean_service_s(function.duration)
    done, concurrency = _work_off(came, step_s, queue, cap, took_s)
    waiting = np.concatenate((came, np.full(len(done) - len(came), came[-1]))) - done
    longest_s = _longest_wait_s(came, done, step_s)
    found = QueueForecast(
        queue=queue,
        send_count=schedule.count,
        message_count=round(came[-1]),
        peak_waiting=float(waiting.max(initial=0.0)),
        longest_wait_s=longest_s,
        drained_s=len(done) * step_s + took_s if waiting[-1] < 0.5 else NEVER,
        peak_concurrency=ceil(min(float(concurrency.max(initial=0.0)), cap)),
        bound_by=_bound_by(queue, function, cap, float(concurrency.max(initial=0.0))) if longest_s > 1.0 else "",
    )
    return found, _calls(plan, queue, done, step_s)


def _arrivals(plan: Plan, schedule: Schedule, step_s: float) -> Floats:
    """Messages that come in each step."""
    weights = sum(request.weight for request in plan.requests)
    messages = sum(request.weight * request.message_count for request in plan.requests) / weights
    offsets = schedule.offsets(0, schedule.count)
    steps = np.minimum((offsets / step_s).astype(np.int64), STEPS - 1)
    counts: Floats = np.bincount(steps, minlength=STEPS).astype(np.float64) * messages
    return counts


def _work_off(came: Floats, step_s: float, queue: Queue, cap: int, took_s: float) -> tuple[Floats, Floats]:
    """Return messages begun up to the end of each step, and invocations at a time, until the queue is empty."""
    source = SourceScaling(queue)
    done, concurrency = [0.0], [0.0]
    for step in range(1, STEPS * (1 + DRAIN_RATIO)):
        there = came[min(step, len(came) - 1)] - done[-1]
        limit = min(source.limit(step * step_s, there >= 1.0), cap)
        most = limit * queue.batch / took_s * step_s
        begun = min(there, most)
        done.append(done[-1] + begun)
        concurrency.append(float(limit) if there > most else min(float(limit), ceil(begun / step_s * took_s)))
        if step >= len(came) - 1 and came[-1] - done[-1] < 0.5:
            break
        if step >= len(came) - 1 and begun <= 0:
            break
    return np.array(done), np.array(concurrency)


def _longest_wait_s(came: Floats, done: Floats, step_s: float) -> float:
    """Return the longest way from the curve of what came to the curve of what was begun, in time."""
    times_s = np.arange(len(done)) * step_s
    reached_s = np.interp(came, done, times_s)
    late = came > done[-1] + 0.5
    waits_s = np.where(late, times_s[-1], reached_s) - np.arange(len(came)) * step_s
    return max(0.0, float(waits_s[came > 0].max(initial=0.0)) - step_s)


def _bound_by(queue: Queue, function: Function, cap: int, used: float) -> str:
    if used >= cap:
        return "account concurrency" if function.reserved is None else "reserved concurrency"
    if used >= most_of(queue):
        return "maximum concurrency"
    return "event source"


def _calls(plan: Plan, queue: Queue, done: Floats, step_s: float) -> Plan:
    """Return the event source's calls as a plan: direct invocations, at what the queue lets through."""
    edges = np.linspace(0, len(done) - 1, min(PHASES, len(done) - 1) + 1).astype(np.int64)
    phases = []
    for number, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        duration_s = (high - low) * step_s
        rate_per_s = float(done[high] - done[low]) / queue.batch / duration_s
        shape = Constant(rate_per_s) if rate_per_s * duration_s >= 0.5 else Pause()
        phases.append(Phase(f"part {number + 1}", duration_s, shape))
    target = Target(plan.target.url, Front.LAMBDA, queue.function)
    return Plan(plan.name, target, (Request("batch"),), tuple(phases), seed=plan.seed)
