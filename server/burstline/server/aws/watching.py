"""CloudWatch during and after a run: which metrics, in whole minutes around it, waited for until they stand still."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from burstline.core.load.plan import Front
from burstline.core.quota.aws.cloudwatch import GATEWAY, LAMBDA, PERIOD_S, SQS, Metric, MetricSeries, Watch
from burstline.core.quota.aws.iam import Scope
from burstline.core.quota.quotas import Queue
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError

MOST_METRICS = 500
"""Metrics per GetMetricData call. Source: CloudWatch User Guide, "CloudWatch service quotas"; read 2026-11-23."""

POLL_S = 15.0
"""Between two looks, seconds."""

QUIET_S = 120.0
"""Numbers that stand still and are this old are taken as complete, seconds after the last period. CloudWatch promises
no lag; what an account's metrics usually take is one to three minutes (unconfirmed)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run on the wall clock.

    Attributes:
        start_s: T0, seconds since the Unix epoch.
        end_s: when its last outcome was known.
    """

    start_s: float
    end_s: float

    @property
    def from_s(self) -> float:
        """Start of the first whole minute."""
        return self.start_s // PERIOD_S * PERIOD_S

    @property
    def to_s(self) -> float:
        """End of the last whole minute."""
        return -(-self.end_s // PERIOD_S) * PERIOD_S


def metrics_of(
    scope: Scope, api: tuple[str, str] | None = None, api_name: str = "", queues: Iterable[Queue] = ()
) -> list[Metric]:
    """Return the metrics that tell about a plan: the region's, each function's, the API's if it is known, the queues'.

    A load balancer's are looked up by name: `burstline.server.aws.balancing`.
    """
    found = [
        Metric(LAMBDA, "ClaimedAccountConcurrency", "Maximum"),
        Metric(LAMBDA, "ConcurrentExecutions", "Maximum"),
        Metric(LAMBDA, "UnreservedConcurrentExecutions", "Maximum"),
        Metric(LAMBDA, "Throttles", "Sum"),
        Metric(LAMBDA, "Invocations", "Sum"),
    ]
    for name in scope.functions:
        found += _function_metrics(scope, name)
    if api is not None and scope.gateway:
        found += _api_metrics(scope, api, api_name)
    known = {queue.name: queue for queue in queues}
    for name in dict.fromkeys((*scope.queues, *known)):
        found += _queue_metrics(name, known[name].dead_letter_queue if name in known else "")
    return found


def _queue_metrics(name: str, dead_letter_queue: str) -> list[Metric]:
    own = (("QueueName", name),)
    levels = ("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible")
    found = [Metric(SQS, metric, "Maximum", own) for metric in (*levels, "ApproximateAgeOfOldestMessage")]
    found += [Metric(SQS, metric, "Sum", own) for metric in ("NumberOfMessagesSent", "NumberOfMessagesDeleted")]
    if dead_letter_queue:
        # What was sent does not rise when messages are moved there: what waits does.
        found.append(Metric(SQS, levels[0], "Maximum", (("QueueName", dead_letter_queue),)))
    return found


def _function_metrics(scope: Scope, name: str) -> list[Metric]:
    own = (("FunctionName", name),)
    found = [Metric(LAMBDA, metric, "Sum", own) for metric in ("Invocations", "Errors", "Throttles")]
    found += [Metric(LAMBDA, "Duration", statistic, own) for statistic in ("p50", "p99", "Maximum")]
    found.append(Metric(LAMBDA, "ConcurrentExecutions", "Maximum", own))
    found.append(Metric(LAMBDA, "ProvisionedConcurrencySpilloverInvocations", "Sum", own))
    if scope.front is Front.FUNCTION_URL:
        found += [Metric(LAMBDA, m, "Sum", own) for m in ("UrlRequestCount", "Url4xxCount", "Url5xxCount")]
    qualifier = dict(scope.qualifiers).get(name)
    if qualifier:
        resource = (*own, ("Resource", f"{name}:{qualifier}"))
        found.append(Metric(LAMBDA, "ProvisionedConcurrencyUtilization", "Maximum", resource))
    return found


def _api_metrics(scope: Scope, api: tuple[str, str], api_name: str) -> list[Metric]:
    # REST metrics carry the API's name, HTTP ones its id: without the name there is nothing to ask for.
    own = (("ApiName", api_name),) if api[1] == "rest" else (("ApiId", api[0]),)
    if not own[0][1]:
        return []
    dimensions = (*own, ("Stage", scope.stage or "$default"))
    errors = ("4XXError", "5XXError") if api[1] == "rest" else ("4xx", "5xx")
    found = [Metric(GATEWAY, name, "Sum", dimensions) for name in ("Count", *errors)]
    return found + [Metric(GATEWAY, name, "p99", dimensions) for name in ("Latency", "IntegrationLatency")]


async def read_metrics(aws: Aws, metrics: Sequence[Metric], span: Span) -> tuple[list[MetricSeries], list[str]]:
    """Return the points of each metric in run time, and sentences about what could not be read.

    Raises:
        AwsError: CloudWatch could not be asked.
    """
    found: list[MetricSeries] = []
    problems: list[str] = []
    for first in range(0, len(metrics), MOST_METRICS):
        part = metrics[first : first + MOST_METRICS]
        points: list[dict[float, float]] = [{} for _ in part]
        token: dict[str, str] = {}
        while True:
            answer = await aws.call("cloudwatch", "GetMetricData", **_query(part, span), **token)
            for result in answer.get("MetricDataResults", []):
                own = points[int(result["Id"][1:])]
                for at, value in zip(result.get("Timestamps", []), result.get("Values", []), strict=True):
                    own[at.timestamp() - span.start_s] = float(value)
                if result.get("StatusCode") in ("Forbidden", "InternalError"):
                    problems.append(f"CloudWatch gave no {part[int(result['Id'][1:])].name}: {result['StatusCode']}.")
            if not answer.get("NextToken"):
                break
            token = {"NextToken": answer["NextToken"]}
        found += [MetricSeries(m, tuple(sorted(own.items()))) for m, own in zip(part, points, strict=True)]
    return found, problems


def _query(metrics: Sequence[Metric], span: Span) -> dict[str, object]:
    return {
        "MetricDataQueries": [
            {
                "Id": f"m{index}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": metric.namespace,
                        "MetricName": metric.name,
                        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
                    },
                    "Period": int(PERIOD_S),
                    "Stat": metric.statistic,
                },
                "ReturnData": True,
            }
            for index, metric in enumerate(metrics)
        ],
        "StartTime": datetime.fromtimestamp(span.from_s, UTC),
        "EndTime": datetime.fromtimestamp(span.to_s, UTC),
        "ScanBy": "TimestampAscending",
    }


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait for CloudWatch.

    Attributes:
        most_s: at most, seconds, >= 0; 0 looks once.
        poll_s: between two looks, seconds, > 0.
        quiet_s: numbers that stand still are complete so long after the last period, seconds, >= 0.
    """

    most_s: float = 240.0
    poll_s: float = POLL_S
    quiet_s: float = QUIET_S


async def watch_run(
    aws: Aws,
    metrics: Sequence[Metric],
    span: Span,
    functions: Sequence[str] = (),
    expected_count: int | None = None,
    wait: Wait | None = None,
    *,
    now_s: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Watch:
    """Read a run's metrics, again and again until they are complete or the wait is over. Never raises AwsError.

    They are complete when the functions' `Invocations` and `Throttles` account for all calls that are known to have
    reached Lambda, or when they stand still and the last period is old enough.

    Args:
        aws: whom to ask.
        metrics: of `metrics_of`.
        span: of the run.
        functions: those the requests invoke.
        expected_count: calls that reached Lambda, as the client counted; None is unknown.
        wait: how long; None is the default.
        now_s: seconds since the Unix epoch.
        sleep: waits so many seconds.
    """
    wait = wait or Wait()
    started_s, before = now_s(), None
    while True:
        try:
            series, problems = await read_metrics(aws, metrics, span)
        except AwsError as error:
            problem = f"CloudWatch could not be read: {error.message}. Ambiguous answers stay as the client sees them."
            return _watch(span, (), (problem,), False, now_s() - started_s)
        seen = _watch(span, tuple(series), tuple(problems), False, now_s() - started_s)
        still = series == before
        if _is_complete(seen, functions, expected_count) or (still and now_s() - span.to_s >= wait.quiet_s):
            return _watch(span, seen.series, seen.problems, True, seen.waited_s)
        if now_s() - started_s + wait.poll_s > wait.most_s:
            late = (
                f"CloudWatch's numbers were still changing, or too young, after {now_s() - started_s:.0f} s of waiting."
            )
            return _watch(span, seen.series, (*seen.problems, late), False, seen.waited_s)
        before = series
        await sleep(wait.poll_s)


def _watch(
    span: Span, series: tuple[MetricSeries, ...], problems: tuple[str, ...], complete: bool, waited_s: float
) -> Watch:
    return Watch(span.from_s - span.start_s, span.to_s - span.start_s, complete, series, problems, waited_s)


def _is_complete(watch: Watch, functions: Sequence[str], expected_count: int | None) -> bool:
    if not expected_count or not functions:
        return False
    counts = [watch.total(name, function) or 0.0 for function in functions for name in ("Invocations", "Throttles")]
    return sum(counts) >= expected_count
