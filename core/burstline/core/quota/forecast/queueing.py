"""A queue in front of a function: how messages wait while its event source grows, and the calls that it makes.

Messages come as planned; the calls that take them are as many at a time as the event source has grown to, up to its own
ceiling, the function's reserved concurrency, or the account's. All take the mean time of the function.
"""

from math import ceil

import numpy as np

from burstline.core.load.plan import Constant, Front, Pause, Phase, Plan, Request, Target
from burstline.core.load.schedule import Schedule
from burstline.core.quota.admission.event_source import most_of
from burstline.core.quota.admission.queueing import WorkedOff, work_off
from burstline.core.quota.advice.concurrency_advice import mean_service_s
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.forecast.records import NEVER, QueueForecast
from burstline.core.quota.quotas import Account, Function, Queue

STEPS, MOST_STEPS, FINE = 4_000, 100_000, 4.0
"""Steps over the plan: a quarter of a call, where these are neither too few nor too many."""

DRAIN_RATIO = 20
"""The queue is followed until it is empty, or for so many times the plan."""

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
    took_s = mean_service_s(function.duration)
    step_s = schedule.duration_s / int(np.clip(schedule.duration_s / took_s * FINE, STEPS, MOST_STEPS))
    came = np.concatenate(([0.0], np.cumsum(_arrivals(plan, schedule, step_s))))
    cap = account.unreserved() if function.reserved is None else function.reserved
    worked = work_off(came, step_s, queue, took_s, cap=cap, most_steps=DRAIN_RATIO * len(came))
    peak = ceil(worked.busy.max(initial=0.0))
    found = QueueForecast(
        queue=queue,
        send_count=schedule.count,
        message_count=round(came[-1]),
        peak_waiting=float(worked.waiting.max(initial=0.0)),
        longest_wait_s=worked.longest_wait_s,
        drained_s=(len(worked.begun) - 1) * step_s + took_s if worked.is_empty else NEVER,
        peak_concurrency=peak,
        bound_by=_bound_by(queue, function, cap, peak) if worked.longest_wait_s > 1.0 else "",
    )
    return found, _calls(plan, queue, worked)


def _arrivals(plan: Plan, schedule: Schedule, step_s: float) -> Floats:
    """Messages that come in each step."""
    weights = sum(request.weight for request in plan.requests)
    messages = sum(request.weight * request.message_count for request in plan.requests) / weights
    offsets = schedule.offsets(0, schedule.count)
    count = round(schedule.duration_s / step_s)
    steps = np.minimum((offsets / step_s).astype(np.int64), count - 1)
    counts: Floats = np.bincount(steps, minlength=count).astype(np.float64) * messages
    return counts


def _bound_by(queue: Queue, function: Function, cap: int, used: float) -> str:
    if used >= cap:
        return "account concurrency" if function.reserved is None else "reserved concurrency"
    if used >= most_of(queue):
        return "maximum concurrency"
    return "event source"


def _calls(plan: Plan, queue: Queue, worked: WorkedOff) -> Plan:
    """Return the event source's calls as a plan: direct invocations, at what the queue lets through."""
    last = len(worked.calls) - 1
    edges = np.linspace(0, last, min(PHASES, last) + 1).astype(np.int64)
    phases = []
    for number, (low, high) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        duration_s = (high - low) * worked.step_s
        rate_per_s = float(worked.calls[high] - worked.calls[low]) / duration_s
        shape = Constant(rate_per_s) if rate_per_s * duration_s >= 0.5 else Pause()
        phases.append(Phase(f"part {number + 1}", duration_s, shape))
    target = Target(plan.target.url, Front.LAMBDA, queue.function)
    return Plan(plan.name, target, (Request("batch"),), tuple(phases), seed=plan.seed)
