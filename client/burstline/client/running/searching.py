"""`find` from the plan to the answer: each probe is an ordinary run of the plan with another load."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console

from burstline.client.connection import Connection, connect
from burstline.client.errors import ClientError
from burstline.client.running.children import Children
from burstline.client.running.following import QuietView, follow
from burstline.client.running.outcome import fetch_report
from burstline.client.running.running import RunOptions, server_for, submit
from burstline.client.running.signals import StopAsked, stop_signals
from burstline.client.spelling.plans import LoadedPlan
from burstline.client.wording import plural
from burstline.core import tracing
from burstline.core.load.plan import Plan
from burstline.core.quota.ahead import Ahead, ahead_of
from burstline.core.quota.search.answer import Bounds, Found, Unanswerable
from burstline.core.quota.search.finding import search
from burstline.core.quota.search.probing import Probe, outcome_of_report
from burstline.v1 import resources_pb2 as v1
from burstline.wire.account import account_from_proto
from burstline.wire.load import phases_to_proto

DEFAULT_RATE_PER_S = 10_000.0
DEFAULT_REQUESTS = 1_000_000
BURST_PACE_PER_S = 2_000.0
"""How fast a burst leaves: what one worker sends without being late on one core (measured, with room)."""

SCHEMA = "burstline.find/v1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search came to.

    Attributes:
        found: the answer; None if a signal ended it.
        report: of the last probe that was throttled, for the quota and the advice; None if there is none.
        exit_code: of the signal, or 0.
    """

    found: Found | None
    report: Mapping[str, Any] | None
    exit_code: int


def bounds_of(
    plan: Plan, loaded: LoadedPlan, max_rate: float | None, max_requests: int | None, rest_s: float
) -> Bounds:
    """Return what a search of a plan may do: the plan's ceilings, and the options where they are lower."""
    ceilings = plan.ceilings
    rate = min(max_rate or DEFAULT_RATE_PER_S, ceilings.rate_per_s or float("inf"))
    count = min(max_requests or DEFAULT_REQUESTS, ceilings.request_count or DEFAULT_REQUESTS)
    ahead = ahead_of(plan, account_from_proto(loaded.account))
    if ceilings.cost_usd is not None and ahead.cost_usd and ahead.request_count:
        count = min(count, int(ceilings.cost_usd / (ahead.cost_usd / ahead.request_count)))
    pace = min(BURST_PACE_PER_S, rate)
    return Bounds(rate, count, ceilings.in_flight or DEFAULT_REQUESTS, pace, rest_s)


def preview_of(plan: Plan, loaded: LoadedPlan, bounds: Bounds) -> Ahead:
    """Return the most that a search will do, for the question before it starts."""
    ahead = ahead_of(plan, account_from_proto(loaded.account))
    each = ahead.cost_usd / ahead.request_count if ahead.cost_usd is not None and ahead.request_count else None
    cost = None if each is None else each * bounds.request_count
    return replace(
        ahead,
        request_count=bounds.request_count,
        closed=False,
        duration_s=600.0,
        peak_per_s=bounds.rate_per_s,
        cost_usd=cost,
    )


def probe_message(plan: v1.Plan, probe: Probe, number: int) -> v1.Plan:
    """Return the plan of one probe: the same requests and target, another load, and no verdict to be had."""
    message = v1.Plan()
    message.CopyFrom(plan)
    message.name = f"{plan.name} find {number}"[:200]
    for name in ("load", "goal", "thresholds", "abort"):
        message.ClearField(name)
    message.load.extend(phases_to_proto(probe.load))
    return message


async def find(loaded: LoadedPlan, options: RunOptions, bounds: Bounds, children: Children, err: Console) -> Answer:
    """Search, probe after probe, on a given server or an embedded one.

    Raises:
        ClientError: a probe could not be run, or the search cannot be answered; says why.
    """
    with stop_signals(children.kill) as asked:
        async with server_for(loaded, options, children) as access, connect(access) as connection:
            return await _probe_all(connection, loaded, options, bounds, asked, err)


async def _probe_all(
    connection: Connection, loaded: LoadedPlan, options: RunOptions, bounds: Bounds, asked: StopAsked, err: Console
) -> Answer:
    probing = search(bounds)
    last: Mapping[str, Any] | None = None
    try:
        probe = next(probing)
        number = 0
        while True:
            number += 1
            report = await _run_one(connection, loaded, options, probe, number, asked, err)
            if report is None:
                return Answer(None, last, asked.exit_code)
            outcome = outcome_of_report(report)
            if outcome.throttled and not outcome.limited:
                last = report
            if not options.quiet:
                busy = "; this machine was too busy, it does not count" if outcome.limited else ""
                err.print(f"  {plural(outcome.throttled, 'request')} throttled{busy}", highlight=False)
            probe = probing.send(outcome)
    except StopIteration as end:
        return Answer(end.value, last, 0)
    except Unanswerable as reason:
        raise ClientError(f"no answer: {reason}") from reason


async def _run_one(
    connection: Connection,
    loaded: LoadedPlan,
    options: RunOptions,
    probe: Probe,
    number: int,
    asked: StopAsked,
    err: Console,
) -> Mapping[str, Any] | None:
    """Rest, run one probe and return its report; None if the user asked to stop."""
    if probe.rest_s:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.event.wait(), probe.rest_s)
    if asked.event.is_set():
        return None
    if not options.quiet:
        err.print(f"probe {number}: {probe.about} ({plural(probe.request_count, 'request')})", highlight=False)
    mine = replace(loaded, message=probe_message(loaded.message, probe, number))
    with tracing.span("probe", probe=number, requests=probe.request_count):
        run = await submit(connection, mine, options.worker_count)
        ended = await follow(connection, run.name, QuietView(), asked, stops_run=True)
        if asked.event.is_set():
            return None
        return await fetch_report(connection, ended.run if ended is not None else await connection.get_run(run.name))


def answer_document(plan: Plan, found: Found) -> dict[str, Any]:
    """Return the answer as JSON types."""
    return {
        "schema": SCHEMA,
        "plan": plan.name,
        "target": plan.target.url,
        "rate_per_s": found.rate_per_s,
        "held_per_s": found.held_per_s,
        "burst": found.burst,
        "concurrency": found.concurrency,
        "family": found.family.value if found.family else None,
        "layer": found.layer.value if found.layer else None,
        "request_count": found.request_count,
        "probe_count": found.probe_count,
        "stopped_by": found.text,
    }
