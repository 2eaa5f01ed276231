"""What a forecast says, and what one simulated run of it says: plain records."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from burstline.core.quota.quotas import Layer, Queue, Scaling

NEVER = inf
"""The time of something that does not happen."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate: a run's value is expected in `low`..`high` (inclusive), `mid` is the median. `NEVER` is allowed.

    Its nominal coverage is at least 90 %; `intervals.prediction` says how it comes about.
    """

    low: float
    mid: float
    high: float

    @property
    def never(self) -> bool:
        """Whether all of it says "does not happen" (for times)."""
        return self.low == NEVER

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside, ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class FunctionOutcome:
    """What one simulated run did to one function, the traffic of others included where it says so.

    Attributes:
        request_count: our requests that name it.
        throttled_count: our requests that were refused, at any layer.
        invocation_count: our requests that ran.
        billed_s: their durations and cold starts, seconds.
        peak_concurrency: most calls in flight at once, others included.
        cold_starts: environments started for a call, others included.
    """

    request_count: float
    throttled_count: float
    invocation_count: float
    billed_s: float
    peak_concurrency: float
    cold_starts: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One simulated run.

    Attributes:
        request_count: our requests.
        gateway_count: those that pass API Gateway, throttled ones included.
        throttled_count: our refused requests by layer; layers that refused none are missing.
        first_s: when each of those layers first refused one of ours, seconds of run time.
        functions: by name.
        peak_claimed: most account concurrency claimed (CloudWatch's `ClaimedAccountConcurrency`).
    """

    request_count: float
    gateway_count: float
    throttled_count: Mapping[Layer, float]
    first_s: Mapping[Layer, float]
    functions: Mapping[str, FunctionOutcome]
    peak_claimed: float

    @property
    def throttled_total(self) -> float:
        """Our refused requests, all layers together."""
        return sum(self.throttled_count.values())

    @property
    def first_throttle_s(self) -> float:
        """When the first request of ours was refused, seconds of run time, or `NEVER`."""
        return min(self.first_s.values(), default=NEVER)


@dataclass(frozen=True, slots=True)
class LayerForecast:
    """What one layer would refuse.

    Attributes:
        layer: whose quota it is.
        throttled_count: requests refused.
        first_s: when it begins, seconds of run time.
        first_ratio: share of simulated runs in which it was the first to refuse anything, 0..1.
    """

    layer: Layer
    throttled_count: Interval
    first_s: Interval
    first_ratio: float


@dataclass(frozen=True, slots=True)
class FunctionForecast:
    """What one function would see; fields as in `FunctionOutcome`."""

    name: str
    request_count: Interval
    throttled_count: Interval
    peak_concurrency: Interval
    cold_starts: Interval


@dataclass(frozen=True, slots=True)
class QueueForecast:
    """What a queue makes of a plan; estimates all.

    Attributes:
        queue: as declared or read; AWS's defaults where neither.
        send_count: calls to SQS by which the plan sends them.
        message_count: messages the plan sends.
        peak_waiting: most messages waiting at a time.
        longest_wait_s: of a message, from being sent to being worked on, seconds.
        drained_s: when the last message is done, seconds of run time; `NEVER` if that is not in sight.
        peak_concurrency: most invocations at a time, environments.
        bound_by: what holds messages back: "event source" (it is still growing), "maximum concurrency", "reserved
            concurrency", "account concurrency"; "" where none waits for longer than a second.
    """

    queue: Queue
    send_count: int
    message_count: int
    peak_waiting: float
    longest_wait_s: float
    drained_s: float
    peak_concurrency: int
    bound_by: str

    @property
    def text(self) -> str:
        """What it comes to, a sentence."""
        start = f"Queue {self.queue.name}: {self.message_count:,} messages"
        if not self.bound_by:
            return f"{start} are worked on as they come, by up to {self.peak_concurrency:,} invocations at a time."
        end = "never" if self.drained_s == NEVER else f"after {self.drained_s:,.0f} s"
        held = {"event source": "growth of its event source"}.get(self.bound_by, self.bound_by)
        return (
            f"{start}; up to {self.peak_waiting:,.0f} wait, the longest {self.longest_wait_s:,.0f} s, held back by the "
            f"{held}; it is empty {end}, with up to {self.peak_concurrency:,} invocations at a time."
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would happen; every interval is an estimate, and `notes` says what it rests on.

    Attributes:
        solver: `exact` (replay of every request) or `fluid` (an approximation for large plans).
        scaling: the scaling regime that was assumed.
        duration_s: of the plan, seconds.
        request_count: our requests.
        throttled_count: those refused, at any layer.
        first_throttle_s: when throttling begins, seconds of run time; `NEVER` if it does not.
        layers: those that refused anything in any simulated run, in the order in which they begin.
        functions: by name, in the order of the input.
        peak_claimed: most account concurrency claimed at once.
        cold_starts: of all functions.
        cost_usd: parts by name (`api`, `lambda_requests`, `lambda_duration`, `provisioned`, `total`), USD.
        simulated_runs: how many the intervals rest on.
        notes: assumptions and limits of this forecast, a sentence each.
        queue: for front `sqs`: what becomes of the messages; requests are then the event source's calls.
    """

    solver: str
    scaling: Scaling
    duration_s: float
    request_count: Interval
    throttled_count: Interval
    first_throttle_s: Interval
    layers: tuple[LayerForecast, ...]
    functions: tuple[FunctionForecast, ...]
    peak_claimed: Interval
    cold_starts: Interval
    cost_usd: Mapping[str, Interval]
    simulated_runs: int
    notes: tuple[str, ...]
    queue: QueueForecast | None = None
