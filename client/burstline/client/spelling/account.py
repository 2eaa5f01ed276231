"""The sections of an account file: declared quotas and functions; whatever is missing is AWS's default."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from burstline.client.problems import allowed
from burstline.client.spelling.units import (
    Flag,
    Rate,
    Ratio,
    Seconds,
    SecondsOverZero,
    Spelled,
    Text,
    choices,
    mistake,
    numbers,
    reader,
    seconds,
    wholes,
)

Burst = Annotated[float, numbers("requests, a number 0 or more")]
Environments = Annotated[int, wholes("a whole number 0 or more", most=2**31 - 1)]


class Bucket(Spelled):
    """A token bucket."""

    rate: Rate | None = None
    burst: Burst | None = None


class Allotment(Spelled):
    """Requests per calendar period."""

    limit: Annotated[int, wholes("a whole number over 0", least=1)]
    per: Annotated[str, choices("day", "week", "month")]


class UsagePlan(Bucket):
    """A usage plan: its throttle and its allotment."""

    quota: Allotment | None = None


class Gateway(Bucket):
    """API Gateway's account throttle, stages and usage plans."""

    stages: dict[str, Bucket] = Field(default_factory=dict)
    usage_plans: dict[str, UsagePlan] = Field(default_factory=dict)


class ServiceTime(Spelled):
    """Warm service time: lognormal through its median and 99th percentile."""

    p50: SecondsOverZero
    p99: SecondsOverZero | None = None

    @model_validator(mode="after")
    def _ascends(self) -> "ServiceTime":
        if self.p99 is not None and self.p99 < self.p50:
            raise mistake(f"found {self.p99:g}s; allowed: at least p50 ({self.p50:g}s)", "p99")
        return self


def _service_time(value: object) -> object:
    return {"p50": value} if isinstance(value, str) else value


class OtherTraffic(Spelled):
    """Traffic from others while we test."""

    rate: Rate


class Function(Spelled):
    """A Lambda function."""

    reserved: Environments | None = None
    provisioned: Environments = 0
    duration: ServiceTime | None = None
    init: Seconds = 0.0
    memory_mb: Annotated[int, wholes("a whole number 128 to 10240", least=128, most=10_240)] = 128
    timeout: Annotated[float, seconds(least_s=1, most_s=900, says="1s to 15m")] = 3.0
    errors: Ratio = 0.0
    other_traffic: OtherTraffic | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_duration(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("duration"), str):
            return {**value, "duration": _service_time(value["duration"])}
        return {} if value is None else value


class Lambda(Spelled):
    """Lambda's quotas and functions."""

    concurrency: Environments | None = None
    scaling: Annotated[str, choices("current", "legacy")] = "current"
    functions: dict[str, Function] = Field(default_factory=dict)


class Queue(Spelled):
    """An SQS queue and the event source mapping that feeds a function from it."""

    function: Text
    batch: Annotated[int, wholes("a whole number 1 to 10000", least=1, most=10_000)] = 10
    batch_window: Seconds = 0.0
    maximum_concurrency: Annotated[int, wholes("a whole number 2 to 1000", least=2, most=1_000)] | None = None
    visibility_timeout: Seconds | None = None
    max_receives: Annotated[int, wholes("a whole number 1 to 1000", least=1, most=1_000)] | None = None
    partial_batch: Flag = False
    dead_letter_queue: Text = ""


class Sqs(Spelled):
    """Queues in front of functions."""

    queues: dict[str, Queue] = Field(default_factory=dict)


def _region(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= 40 and value.replace("-", "").isalnum() and "-" in value:
        return value
    raise mistake(allowed(value, "an AWS region such as eu-west-1"))


ACCOUNT_SECTIONS: dict[str, Any] = {  # annotations, for pydantic
    "region": Annotated[str, reader(_region)],
    "apigateway": Gateway,
    "lambda": Lambda,
    "sqs": Sqs,
}
"""How each section of an account is read; `emulator` belongs to `burstline emulate` and `spelling.emulator`."""

ACCOUNT_KEYS = ("region", "apigateway", "lambda", "sqs", "emulator")
"""Every key at the top of an account file."""
