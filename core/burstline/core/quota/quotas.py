"""What an account may do: the quotas and settings that can throttle, and the functions they protect.

Every value carries where it came from through `Account.declared`: a path listed there was stated by the user
(or read from AWS); everything else is AWS's published default, good for explanation, never for assertion.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Layer(StrEnum):
    """Where a throttle can come from, outermost first (the order in which AWS evaluates them)."""

    USAGE_PLAN = "usage_plan"
    STAGE = "stage"
    ACCOUNT_GATEWAY = "account_gateway"
    INVOCATION_RATE = "invocation_rate"
    RESERVED_CONCURRENCY = "reserved_concurrency"
    ACCOUNT_CONCURRENCY = "account_concurrency"
    SCALING_RATE = "scaling_rate"
    WAF = "waf"
    OTHER = "other"


class Family(StrEnum):
    """The law a throttle follows, which is what a client can observe; a layer is an owner of such a law."""

    BUCKET = "bucket"
    CONCURRENCY = "concurrency"
    SCALING_RATE = "scaling_rate"
    INVOCATION_RATE = "invocation_rate"
    WINDOW_COUNTER = "window_counter"
    PLAN_QUOTA = "plan_quota"
    WAF = "waf"
    UNKNOWN = "unknown"


class Scaling(StrEnum):
    """How fast a function may add execution environments.

    `current` (since Nov 2023): each function +1,000 every 10 s, refilled continuously.
    `legacy`: an initial burst by region shared by the account, then +500 a minute.
    Source: AWS Lambda Developer Guide, "Lambda scaling behavior"; its 2023 text for legacy. Read 2026-11-23.
    """

    CURRENT = "current"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: `burst` tokens when full, refilled at `rate_per_s`; a request takes one token.

    Attributes:
        rate_per_s: refill in requests per second, >= 0 (0 blocks everything once the burst is used).
        burst: size in requests, >= 0.
    """

    rate_per_s: float
    burst: float


DEFAULT_GATEWAY = Bucket(10_000, 5_000)
"""API Gateway's default account throttle. Source: API Gateway Developer Guide, "Quotas"; read 2026-11-23."""


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """An API Gateway usage plan: a bucket per API key, and a count per calendar period.

    Attributes:
        name: the plan's name.
        bucket: its throttle; None is "none set".
        quota_limit: requests per `quota_period`, > 0; None is "none set".
        quota_period: `day`, `week` or `month`; None exactly when `quota_limit` is.
    """

    name: str
    bucket: Bucket | None = None
    quota_limit: int | None = None
    quota_period: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """How long a warm invocation takes: lognormal through its median and 99th percentile.

    Attributes:
        p50_s: median in seconds, > 0.
        p99_s: 99th percentile in seconds, >= p50_s; equal means constant.
    """

    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function as its quotas see it.

    Attributes:
        name: the function's name.
        reserved: reserved concurrency in environments, >= 0 (0 throttles every call); None is "none set".
        provisioned: provisioned concurrency in environments, >= 0.
        duration: warm service time.
        init_s: cold start added to the first invocation of an environment, seconds, >= 0.
        memory_mb: configured memory, MB, 128..10240.
        timeout_s: function timeout, seconds, 1..900.
        error_ratio: share of invocations whose code fails, 0..1 (used by the emulator).
        other_rate_per_s: traffic this function gets from others while we test, requests/s, >= 0.
    """

    name: str
    reserved: int | None = None
    provisioned: int = 0
    duration: ServiceTime = field(default_factory=lambda: ServiceTime(0.1, 0.1))
    init_s: float = 0.0
    memory_mb: int = 128
    timeout_s: float = 3.0
    error_ratio: float = 0.0
    other_rate_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue and the event source mapping that feeds a function from it.

    Attributes:
        name: the queue's; one that ends with ".fifo" keeps order by message group.
        function: fed by it.
        batch: most messages of one invocation, 1..10000.
        batch_window_s: how long messages are gathered for a batch, seconds, 0..300.
        maximum_concurrency: of the mapping, 2..1000; None is "none set".
        visibility_timeout_s: how long a received message stays hidden, seconds, 0..43200.
        max_receives: receives after which a message goes to the dead-letter queue, 1..1000; None: there is none.
        partial_batch: the function reports the failed messages of a batch.
        dead_letter_queue: its name; "" exactly when `max_receives` is None.
    """

    name: str
    function: str
    batch: int = 10
    batch_window_s: float = 0.0
    maximum_concurrency: int | None = None
    visibility_timeout_s: float = 30.0
    max_receives: int | None = None
    partial_batch: bool = False
    dead_letter_queue: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """One AWS account in one region: everything that can throttle a request.

    Attributes:
        region: AWS region name.
        gateway: the account's API Gateway bucket, shared by all APIs of the region
            (quota codes L-8A5B8E43 rate and L-CDF5615A burst).
        stages: stage or route buckets by stage name; a stage that is missing has no throttle of its own.
        usage_plans: usage plans by name.
        concurrency: concurrent executions quota, lambda L-B99A9384, environments, >= 0.
        scaling: the scaling regime.
        legacy_burst: initial burst of the legacy regime, environments (500, 1000 or 3000 by region).
        functions: Lambda functions by name; all share `concurrency`.
        queues: SQS queues in front of functions, by name.
        declared: dotted paths that were stated rather than defaulted, for example `lambda.concurrency`,
            `apigateway.rate`, `apigateway.stages.prod`, `lambda.functions.checkout.reserved`.
        read: those of `declared` whose value was read from AWS rather than stated by the user.
    """

    region: str = "us-east-1"
    gateway: Bucket = DEFAULT_GATEWAY
    stages: dict[str, Bucket] = field(default_factory=dict)
    usage_plans: dict[str, UsagePlan] = field(default_factory=dict)
    concurrency: int = 1000
    scaling: Scaling = Scaling.CURRENT
    legacy_burst: int = 500
    functions: dict[str, Function] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()

    def reserved_total(self) -> int:
        """Return the sum of all reserved concurrency, environments."""
        return sum(f.reserved for f in self.functions.values() if f.reserved is not None)

    def unreserved(self) -> int:
        """Return what functions without reserved concurrency share, environments, >= 0."""
        return max(0, self.concurrency - self.reserved_total())


SMALL_REGION_GATEWAY = Bucket(2_500, 1_250)
"""The default in the regions of `SMALL_REGIONS`; same source."""

SMALL_REGIONS = frozenset(
    "af-south-1 ap-east-2 ap-south-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 "
    "ca-west-1 eu-central-2 eu-south-1 eu-south-2 il-central-1 mx-central-1".split()
)
"""Regions with the smaller default. Same source, whose two pages disagree on me-central-1: read it there."""

DEFAULT_CONCURRENCY = 1_000
"""Lambda's default concurrent executions. Source: Lambda Developer Guide, "Lambda quotas"; read 2026-11-23.
New accounts get less (10 and 50 were seen)."""

SCALING_STEP = 1_000
SCALING_PERIOD_S = 10.0
"""The current regime: 1,000 environments at once, refilled at 100/s, per function. Same source."""

LEGACY_REFILL_PER_S = 500 / 60
"""The legacy regime's growth after the initial burst, environments/s, account-wide. Source: the 2023 text."""

INVOCATIONS_PER_ENVIRONMENT_PER_S = 10
"""Requests/s allowed per unit of concurrency (the 10x rule), at account and at reserved-function level.
Source: Lambda Developer Guide, "Understanding Lambda function scaling"; read 2026-11-23."""

UNRESERVED_MINIMUM = 100
"""What must stay unreserved in an account, environments. Source: LDG, "Configuring reserved concurrency".
Small accounts have a smaller one (10 and 50 were seen)."""

LEGACY_BURSTS = {
    "us-east-1": 3000, "us-west-2": 3000, "eu-west-1": 3000,
    "ap-northeast-1": 1000, "eu-central-1": 1000, "us-east-2": 1000,
}  # fmt: skip
"""Initial burst of the legacy regime by region, environments; 500 elsewhere. Source: the 2023 text."""


def default_account(region: str) -> Account:
    """Return AWS's published defaults for `region`, with nothing declared."""
    gateway = SMALL_REGION_GATEWAY if region in SMALL_REGIONS else DEFAULT_GATEWAY
    return replace(Account(), region=region, gateway=gateway, legacy_burst=LEGACY_BURSTS.get(region, 500))
