"""CloudWatch metrics from what was recorded: whole periods of wall time, nothing where nothing happened."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from burstline.core.load.histogram import Histogram
from burstline.emulator.aws.recording import FunctionSecond, GatewaySecond, QueueSecond, Recorder

Dimensions = dict[str, str]


@dataclass(slots=True)
class Data:
    """What CloudWatch keeps of a metric over a span: enough for every statistic.

    Attributes:
        sum: of all samples.
        count: samples.
        largest: of them.
        times: for metrics of time, all samples in seconds; statistics of it are in `scale` per second.
        scale: 1000 for metrics in milliseconds.
    """

    sum: float = 0.0
    count: float = 0.0
    largest: float = 0.0
    times: Histogram | None = None
    scale: float = 1.0

    def add(self, other: "Data") -> None:
        """Add another span's samples."""
        self.sum += other.sum
        self.count += other.count
        self.largest = max(self.largest, other.largest)
        if other.times is not None:
            self.scale = other.scale
            self.times = self.times or Histogram()
            self.times.merge(other.times)

    def statistic(self, name: str) -> float | None:
        """Return a statistic by its CloudWatch name; None if it is not one, or there is nothing to take it of.

        Percentiles exist for metrics of time only, exact to 0.8 %.
        """
        if name == "Sum":
            return self.sum
        if name == "SampleCount":
            return self.count
        if name == "Maximum":
            return self.largest
        if name == "Average":
            return self.sum / self.count if self.count else None
        if name.startswith("p") and self.times is not None:
            value_s = self.times.quantile(float(name[1:]) / 100)
            return None if value_s is None else value_s * self.scale
        return None


def _of_invocations(value: Callable[[FunctionSecond], int]) -> Callable[[FunctionSecond], Data]:
    def data(second: FunctionSecond) -> Data:
        found = value(second)
        return Data(float(found), float(second.invocations or second.throttles), float(bool(found)))

    return data


def _durations(second: FunctionSecond) -> Data:
    times = second.durations
    return Data(times.sum_s * 1000, times.count, times.max_s * 1000, times, 1000.0)


FUNCTION_METRICS: dict[str, Callable[[FunctionSecond], Data]] = {
    "Invocations": _of_invocations(lambda s: s.invocations),
    "Errors": _of_invocations(lambda s: s.errors),
    "Throttles": _of_invocations(lambda s: s.throttles),
    "Duration": _durations,
    "ProvisionedConcurrencyInvocations": _of_invocations(lambda s: s.provisioned),
    "ProvisionedConcurrencySpilloverInvocations": _of_invocations(lambda s: s.spillover),
}

LEVELS = {
    "ClaimedAccountConcurrency": "claimed",
    "UnreservedConcurrentExecutions": "unreserved",
    "ConcurrentExecutions": "total",
}

GATEWAY_METRICS: dict[str, Callable[[GatewaySecond], int]] = {
    "Count": lambda s: s.count,
    "4XXError": lambda s: s.client_errors,
    "5XXError": lambda s: s.server_errors,
    "4xx": lambda s: s.client_errors,
    "5xx": lambda s: s.server_errors,
}

BALANCER_METRICS: dict[str, Callable[[GatewaySecond], int]] = {
    "RequestCount": lambda s: s.count,
    "HTTPCode_ELB_502_Count": lambda s: s.bad_gateways,
    "HTTPCode_ELB_5XX_Count": lambda s: s.server_errors,
    "LambdaUserError": lambda s: s.bad_gateways,
}
"""Of a load balancer in front of Lambda; throttles are among the user errors. Source: our facts, ELB's metrics."""

QUEUE_METRICS: dict[str, Callable[[QueueSecond], float]] = {
    "ApproximateNumberOfMessagesVisible": lambda s: s.visible,
    "ApproximateNumberOfMessagesNotVisible": lambda s: s.hidden,
    "ApproximateAgeOfOldestMessage": lambda s: s.age_s,
    "NumberOfMessagesSent": lambda s: s.sent,
    "NumberOfMessagesDeleted": lambda s: s.deleted,
}


class MetricStore:
    """Answers for metrics.

    Args:
        recorder: what happened.
        api: dimension name -> value of the one API, for example `ApiName`, or of the one load balancer; empty if the
            front is none.
        dead_letters: dead-letter queue -> the queues that it stands behind.
        lag_s: nothing younger is shown.
    """

    def __init__(self, recorder: Recorder, api: Dimensions, lag_s: float, dead_letters: dict[str, list[str]]) -> None:
        self._recorder = recorder
        self._dead_letters = dead_letters
        self._api = api
        self._lag_s = lag_s

    def points(
        self,
        namespace: str,
        name: str,
        dimensions: Dimensions,
        statistic: str,
        period_s: int,
        span: tuple[float, float],
    ) -> list[tuple[float, float]]:
        """Return (start of the period, value), ascending, for periods that start in the span.

        Args:
            namespace: `AWS/Lambda` or `AWS/ApiGateway`; another one has no points, as in CloudWatch.
            name: the metric's.
            dimensions: an exact set, as in CloudWatch.
            statistic: `Sum`, `Maximum`, `Average`, `SampleCount` or a percentile.
            period_s: seconds, a multiple of 60.
            span: from (inclusive, aligned down to a period) and to (exclusive), seconds since the epoch.
        """
        periods: dict[int, Data] = {}
        shown_s = self._recorder.now_s() - self._lag_s
        for second, data in self._seconds(namespace, name, dimensions):
            start = second // period_s * period_s
            if second <= shown_s and span[0] // period_s * period_s <= start < span[1]:
                periods.setdefault(start, Data()).add(data)
        found = ((float(start), data.statistic(statistic)) for start, data in sorted(periods.items()))
        return [(start, value) for start, value in found if value is not None]

    def names(self, namespace: str, name: str) -> Iterator[tuple[str, str, Dimensions]]:
        """Yield (namespace, name, dimensions) of every metric there is; "" asks for all."""
        functions = sorted({function for _, function in self._recorder.functions})
        if namespace in ("", "AWS/Lambda"):
            for metric in [*FUNCTION_METRICS, "ConcurrentExecutions"]:
                if name in ("", metric):
                    yield from (("AWS/Lambda", metric, {"FunctionName": function}) for function in functions)
            for metric in [*LEVELS, *FUNCTION_METRICS]:
                if name in ("", metric) and functions:
                    yield "AWS/Lambda", metric, {}
        if namespace in ("", "AWS/ApiGateway") and self._api and not self._balancer:
            for metric in self._gateway_names():
                if name in ("", metric):
                    yield "AWS/ApiGateway", metric, self._api
        if namespace in ("", "AWS/ApplicationELB") and self._balancer:
            yield from (
                ("AWS/ApplicationELB", metric, self._api) for metric in BALANCER_METRICS if name in ("", metric)
            )

    @property
    def _balancer(self) -> bool:
        return "LoadBalancer" in self._api

    def _seconds(self, namespace: str, name: str, dimensions: Dimensions) -> Iterator[tuple[int, Data]]:
        if namespace == "AWS/Lambda" and set(dimensions) <= {"FunctionName"}:
            function = dimensions.get("FunctionName")
            if name in FUNCTION_METRICS:
                yield from self._invocations(name, function)
            elif name in LEVELS:
                yield from self._levels(f"function:{function}" if function else LEVELS[name])
        elif namespace == "AWS/ApiGateway" and self._api and name in self._gateway_names():
            stage = dimensions.get("Stage")
            if {k: v for k, v in dimensions.items() if k != "Stage"} == self._api:
                yield from self._answers(GATEWAY_METRICS[name], stage)
        elif namespace == "AWS/ApplicationELB" and dimensions == self._api and name in BALANCER_METRICS:
            yield from self._answers(BALANCER_METRICS[name], None)
        elif namespace == "AWS/SQS" and set(dimensions) == {"QueueName"} and name in QUEUE_METRICS:
            yield from self._of_queue(name, dimensions["QueueName"])

    def _gateway_names(self) -> list[str]:
        other = ("4xx", "5xx") if "ApiName" in self._api else ("4XXError", "5XXError")
        return [name for name in GATEWAY_METRICS if name not in other]

    def _invocations(self, name: str, function: str | None) -> Iterator[tuple[int, Data]]:
        make = FUNCTION_METRICS[name]
        for (second, own), value in self._recorder.functions.items():
            data = make(value) if function in (None, own) else None
            if data is not None and data.count:
                yield second, data

    def _levels(self, name: str) -> Iterator[tuple[int, Data]]:
        """Yield a level's peaks, also of seconds in which nothing changed while calls were running."""
        before: tuple[int, float] | None = None
        idle = self._idle(name)
        for second, level in self._recorder.levels.get(name, {}).items():
            if before is not None and before[1] > idle:
                for between in range(before[0] + 1, second):
                    yield between, Data(before[1], 1.0, before[1])
            yield second, Data(level.peak, 1.0, level.peak)
            before = second, level.last
        if before is not None and before[1] > idle:
            for after in range(before[0] + 1, int(self._recorder.now_s()) + 1):
                yield after, Data(before[1], 1.0, before[1])

    def _idle(self, name: str) -> float:
        """Return the level of an account at rest: reserved and provisioned concurrency is claimed all the time."""
        return float(self._recorder.set_aside) if name == "claimed" else 0.0

    def _of_queue(self, name: str, queue: str) -> Iterator[tuple[int, Data]]:
        """Yield a queue's numbers; a dead-letter queue has messages that wait, and nothing else."""
        sources = self._dead_letters.get(queue, [])
        for (second, own), seen in self._recorder.queues.items():
            if own == queue:
                value = QUEUE_METRICS[name](seen)
                yield second, Data(value, 1.0, value)
            elif own in sources and name == "ApproximateNumberOfMessagesVisible":
                yield second, Data(float(seen.dead), 1.0, float(seen.dead))

    def _answers(self, value: Callable[[GatewaySecond], int], stage: str | None) -> Iterator[tuple[int, Data]]:
        for (second, own), answers in self._recorder.gateway.items():
            if stage in (None, own):
                found = value(answers)
                yield second, Data(float(found), float(answers.count), float(bool(found)))
