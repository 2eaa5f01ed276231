"""The other functions of the account, before and during a run. Their names come from metrics, not from ListFunctions:
that would bring every function's environment variables here."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from burstline.core.quota.aws.cloudwatch import LAMBDA, PERIOD_S, Metric, Watch
from burstline.core.quota.aws.neighbours import Neighbours, NeighbourThrottles, new_throttles
from burstline.core.quota.quotas import Account
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError
from burstline.server.aws.watching import Span, read_metrics

LOOK_BACK_S = 3 * 3600.0
"""How far back neighbours are looked at, seconds. ListMetrics can be asked for the metrics of the last three hours."""

MOST_FUNCTIONS = 200
"""Neighbours told apart; those beyond them are counted in the region's total alone."""


async def other_functions(aws: Aws, ours: Sequence[str]) -> list[str]:
    """Return the names of other functions that were called in the last three hours, at most `MOST_FUNCTIONS`.

    Raises:
        AwsError: CloudWatch could not be asked.
    """
    given = {"Namespace": LAMBDA, "MetricName": "ConcurrentExecutions", "RecentlyActive": "PT3H"}
    pages = await aws.pages("cloudwatch", "ListMetrics", **given)
    names = {
        dimensions["FunctionName"]
        for page in pages
        for metric in page.get("Metrics", [])
        if set(dimensions := {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}) == {"FunctionName"}
    }
    return sorted(names - set(ours))[:MOST_FUNCTIONS]


async def read_neighbours(
    aws: Aws, account: Account, ours: Sequence[str], now_s: Callable[[], float] = time.time
) -> Neighbours:
    """Return what others took of the account's concurrency in the last three hours. Never raises AwsError.

    Args:
        aws: whom to ask.
        account: as it was read; its functions are the run's.
        ours: the run's functions.
        now_s: seconds since the Unix epoch.
    """
    span = Span(now_s() - LOOK_BACK_S, now_s())
    try:
        others = await other_functions(aws, ours)
        metrics = [Metric(LAMBDA, "ClaimedAccountConcurrency", "Maximum")]
        for name in others:
            own = (("FunctionName", name),)
            metrics += [Metric(LAMBDA, "ConcurrentExecutions", "Maximum", own), Metric(LAMBDA, "Throttles", "Sum", own)]
        series, problems = await read_metrics(aws, metrics, span)
    except AwsError as error:
        return Neighbours(LOOK_BACK_S, problems=(f"Other functions could not be looked at: {error.message}.",))
    watch = Watch(0.0, LOOK_BACK_S, series=tuple(series))
    peaks = {name: watch.peak("ConcurrentExecutions", name) or 0.0 for name in others}
    throttles = {name: total for name in others if (total := watch.total("Throttles", name))}
    return Neighbours(
        window_s=LOOK_BACK_S,
        peaks=peaks,
        throttles=throttles,
        claimed=watch.peak("ClaimedAccountConcurrency"),
        reserved_by_others=await _reserved_by_others(aws, account),
        problems=tuple(problems),
    )


async def read_durations(
    aws: Aws, functions: Sequence[str], now_s: Callable[[], float] = time.time
) -> dict[str, float]:
    """Return how long calls of functions took lately, the median of the slowest minute, seconds; none if unknown."""
    metrics = [Metric(LAMBDA, "Duration", "p50", (("FunctionName", name),)) for name in functions]
    try:
        series, _ = await read_metrics(aws, metrics, Span(now_s() - LOOK_BACK_S, now_s()))
    except AwsError:
        return {}
    slowest_ms = {one.metric.function: max((v for _, v in one.points), default=0.0) for one in series}
    return {name: value / 1000 for name, value in slowest_ms.items() if value > 0}


async def _reserved_by_others(aws: Aws, account: Account) -> int | None:
    """Return what is reserved for functions outside the account record: the limit less what is not reserved."""
    try:
        limit = (await aws.read("lambda", "GetAccountSettings")).get("AccountLimit", {})
    except AwsError:
        return None
    unreserved = limit.get("UnreservedConcurrentExecutions")
    if unreserved is None or "ConcurrentExecutions" not in limit:
        return None
    return max(0, int(limit["ConcurrentExecutions"]) - int(unreserved) - account.reserved_total())


async def neighbour_throttles(
    aws: Aws,
    before: Neighbours,
    ours: Sequence[str],
    *,
    poll_s: float = 20.0,
    now_s: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncGenerator[NeighbourThrottles, None]:
    """Yield each minute in which functions that were not throttled before the run are throttled, until cancelled.

    What an abort rule looks at. CloudWatch is one to three minutes behind, so it is a brake, not a guard. A look that
    fails is left out; the next one tries again.

    Args:
        aws: whom to ask.
        before: what `read_neighbours` saw.
        ours: the run's functions.
        poll_s: between two looks, seconds, > 0.
        now_s: seconds since the Unix epoch.
        sleep: waits so many seconds.
    """
    started_s = now_s()
    counted: dict[float, float] = {}
    while True:
        await sleep(poll_s)
        span = Span(started_s, now_s())
        try:
            found = await _throttles(aws, sorted(before.peaks), ours, span)
        except AwsError:
            continue
        for throttles in found:
            new = new_throttles(before, throttles)
            # A minute comes again while it grows: it is told again only when it has.
            if new is not None and new.count > counted.get(new.period_start_s, 0.0):
                counted[new.period_start_s] = new.count
                yield new


async def _throttles(aws: Aws, others: Sequence[str], ours: Sequence[str], span: Span) -> list[NeighbourThrottles]:
    """Return throttles by minute: of the functions known by name, and under "" of all that are not."""
    metrics = [Metric(LAMBDA, "Throttles", "Sum", (("FunctionName", name),)) for name in (*others, *ours)]
    series, _ = await read_metrics(aws, [Metric(LAMBDA, "Throttles", "Sum"), *metrics], span)
    minutes: dict[float, dict[str, float]] = {}
    for one in series:
        for start_s, value in one.points:
            if start_s + PERIOD_S > 0:
                minutes.setdefault(start_s + span.start_s, {})[one.metric.function] = value
    found = []
    for start_s, counts in sorted(minutes.items()):
        region = counts.pop("", 0.0)
        rest = region - sum(counts.values())
        others_only = {name: count for name, count in counts.items() if name not in ours and count > 0}
        if rest > 0:
            others_only[""] = rest
        if others_only:
            found.append(NeighbourThrottles(start_s, others_only))
    return found
