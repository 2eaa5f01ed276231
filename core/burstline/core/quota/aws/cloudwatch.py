"""What CloudWatch saw of a run: metrics in run time, and what they say about answers that a client cannot tell apart.

CloudWatch counts in whole minutes of wall time, so a run's first and last period hold time before and after it.
Lambda stamps a metric with the time of the invocation (Lambda Developer Guide, "Types of metrics for Lambda functions";
read 2026-11-23): a long call appears late and back-dated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from burstline.core.quota.quotas import INVOCATIONS_PER_ENVIRONMENT_PER_S, Account, Layer

PERIOD_S = 60.0
"""Length of a period of `AWS/Lambda`, `AWS/ApiGateway` and `AWS/SQS`, seconds."""

LAMBDA = "AWS/Lambda"
GATEWAY = "AWS/ApiGateway"
BALANCER = "AWS/ApplicationELB"
SQS = "AWS/SQS"

NEAR_RATIO = 0.05
"""How far below a limit a period's maximum may lie and still count as "at" it: a minute's maximum misses peaks."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its statistic.

    Attributes:
        namespace: `AWS/Lambda` and its like.
        name: AWS's own name.
        statistic: `Sum`, `Maximum`, `Average`, `SampleCount` or a percentile as `p99`.
        dimensions: name and value, in order; none is "the region".
    """

    namespace: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @property
    def function(self) -> str:
        """The function it is about; "" for the region's."""
        return dict(self.dimensions).get("FunctionName", "")


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """A metric's points.

    Attributes:
        metric: which.
        points: (start of the period in run time, seconds, may be negative; value), ascending. A period without a point
            is one in which nothing was reported, which is not the same as 0.
    """

    metric: Metric
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything that CloudWatch said about a run.

    Attributes:
        from_s: start of the first period, run time in seconds, <= 0.
        to_s: end of the last period.
        complete: the numbers had stopped changing (else CloudWatch's lag was not over when we stopped waiting).
        series: what came back; a metric that could not be read is missing.
        problems: sentences about what could not be read, or not be confirmed.
        waited_s: how long we waited after the run, seconds.
    """

    from_s: float
    to_s: float
    complete: bool = False
    series: tuple[MetricSeries, ...] = ()
    problems: tuple[str, ...] = ()
    waited_s: float = 0.0

    def queue_peak(self, name: str, queue: str) -> float | None:
        """Return the largest point of a queue's metric; None if it was not read or has no point."""
        for series in self.series:
            metric = series.metric
            if metric.namespace == SQS and metric.name == name and dict(metric.dimensions).get("QueueName") == queue:
                return max((value for _, value in series.points), default=None)
        return None

    def find(self, name: str, function: str | None = None, statistic: str = "") -> MetricSeries | None:
        """Return the series of a metric.

        Args:
            name: AWS's name.
            function: the function it is about; None or "" is the region's, or an API's.
            statistic: which; "" is the first there is.
        """
        for series in self.series:
            metric = series.metric
            if metric.name == name and metric.function == (function or "") and statistic in ("", metric.statistic):
                return series
        return None

    def total(self, name: str, function: str | None = None) -> float | None:
        """Return the sum over a metric's `Sum` points; None if it was not read."""
        found = self.find(name, function, "Sum")
        return None if found is None else sum(value for _, value in found.points)

    def peak(self, name: str, function: str | None = None) -> float | None:
        """Return the largest `Maximum` point; None if it was not read or has no point."""
        found = self.find(name, function, "Maximum")
        return max((value for _, value in found.points), default=None) if found else None


def sums_over(watch: Watch, name: str, functions: Iterable[str]) -> dict[float, float] | None:
    """Return, by start of the period in run time, a metric's sum over functions.

    A period in which a function reported nothing counts as 0: Lambda reports `Throttles` whenever it was called.

    Returns:
        None if it was read for none of them.
    """
    found = [series for function in functions if (series := watch.find(name, function, "Sum")) is not None]
    if not found:
        return None
    sums: dict[float, float] = {}
    for series in found:
        for start_s, value in series.points:
            sums[start_s] = sums.get(start_s, 0.0) + value
    return sums


@dataclass(frozen=True, slots=True)
class Headroom:
    """How much of a concurrency limit was used, as CloudWatch saw it.

    Attributes:
        layer: account or reserved concurrency.
        function: whose, for reserved concurrency; "" else.
        limit: environments.
        peak: highest minute maximum, environments.
        metric: where the peak comes from.
    """

    layer: Layer
    function: str
    limit: int
    peak: float
    metric: str

    @property
    def ratio(self) -> float | None:
        """1 - peak/limit; None for a limit of 0."""
        return 1.0 - self.peak / self.limit if self.limit else None

    @property
    def at_limit(self) -> bool:
        """Whether the peak was at the limit, as far as a minute's maximum can tell."""
        return self.peak >= self.limit * (1.0 - NEAR_RATIO)


def headrooms(watch: Watch, account: Account, functions: Iterable[str]) -> tuple[Headroom, ...]:
    """Return the use of each concurrency limit the functions run under, those that could be read.

    The account's is `ClaimedAccountConcurrency` against L-B99A9384, as the Lambda Developer Guide, "Monitoring
    concurrency", advises; a function's is `ConcurrentExecutions` against its reserved concurrency.
    """
    found = []
    claimed = watch.peak("ClaimedAccountConcurrency")
    if claimed is not None:
        found.append(Headroom(Layer.ACCOUNT_CONCURRENCY, "", account.concurrency, claimed, "ClaimedAccountConcurrency"))
    for name in dict.fromkeys(functions):
        function = account.functions.get(name)
        peak = watch.peak("ConcurrentExecutions", name)
        if function is not None and function.reserved is not None and peak is not None:
            found.append(Headroom(Layer.RESERVED_CONCURRENCY, name, function.reserved, peak, "ConcurrentExecutions"))
    return tuple(found)


def layer_of_throttles(watch: Watch, account: Account, function: str) -> tuple[Layer, str] | None:
    """Name the layer that a function's `Throttles` came from, and why; None if there were none, or nothing tells.

    In the order of our facts: reserved concurrency reached, else the account's, else ten times the limit in
    invocations a second, else a limit above 1,000 while concurrency still rose.
    """
    if not watch.total("Throttles", function):
        return None
    for use in headrooms(watch, account, (function,)):
        reserved = use.layer is Layer.RESERVED_CONCURRENCY
        if use.at_limit and (reserved or not _is_reserved(account, function)):
            return use.layer, f"{use.metric} reached {use.peak:,.0f} of {use.limit:,}"
    limit = _limit_of(account, function)
    rate_per_s = _peak_rate_per_s(watch, function)
    if rate_per_s is not None and rate_per_s >= INVOCATIONS_PER_ENVIRONMENT_PER_S * limit * (1 - NEAR_RATIO):
        text = f"invocations and throttles came to {rate_per_s:,.0f}/s over a minute, ten times {limit:,}"
        return Layer.INVOCATION_RATE, text
    if limit > 1_000 and watch.peak("ConcurrentExecutions", function) is not None:
        peak = watch.peak("ConcurrentExecutions", function)
        text = f"throttled at {peak:,.0f} concurrent executions, below the limit of {limit:,}"
        return Layer.SCALING_RATE, text
    return None


def neighbour_throttles(watch: Watch, functions: Iterable[str]) -> Mapping[float, float]:
    """Return throttles of all other functions of the region by period start: the region's less ours, >= 0.

    Empty if the region's were not read.
    """
    region = watch.find("Throttles", None, "Sum")
    if region is None:
        return {}
    ours = sums_over(watch, "Throttles", functions) or {}
    others = {start_s: max(0.0, value - ours.get(start_s, 0.0)) for start_s, value in region.points}
    return {start_s: value for start_s, value in others.items() if value > 0}


def _is_reserved(account: Account, function: str) -> bool:
    found = account.functions.get(function)
    return found is not None and found.reserved is not None


def _limit_of(account: Account, function: str) -> int:
    found = account.functions.get(function)
    return found.reserved if found is not None and found.reserved is not None else account.unreserved()


def _peak_rate_per_s(watch: Watch, function: str) -> float | None:
    """Return the highest demand of a period, calls a second; None if it was not read."""
    invocations, throttles = sums_over(watch, "Invocations", (function,)), sums_over(watch, "Throttles", (function,))
    if invocations is None or throttles is None:
        return None
    starts = set(invocations) | set(throttles)
    return max((invocations.get(s, 0.0) + throttles.get(s, 0.0) for s in starts), default=0.0) / PERIOD_S
