"""The one admission model: is this call let in now, and if not, which quota refuses it?

Pure: time comes in as an argument, nothing sleeps. The emulator runs it on the real clock, `replay` on virtual time.

The order is AWS's where AWS states one: usage plan, stage, account (API Gateway Developer Guide, "Throttle requests
to your REST APIs"), then Lambda (Lambda Developer Guide, "Understanding Lambda function scaling", "Lambda scaling
behavior"; all read 2026-11-23). Assumptions of ours, where it states none:

- A refused request keeps the tokens that the layers before the refusing one took from their buckets, and does not
  count against a usage plan's quota.
- A usage plan's quota counts periods of 1, 7 and 30 days from time 0; AWS goes by the calendar.
- The 10x rule is a token bucket with rate 10 * C and one second's worth of burst: nobody documents its window. C is
  the reserved concurrency of a function that has one; all other functions share one bucket, where C is what is not
  reserved. (AWS speaks of the account's concurrency; the shares add up to it.)
- Inside Lambda the 10x rule comes before concurrency, and concurrency before the scaling rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from burstline.core.quota.admission.buckets import TokenBucket
from burstline.core.quota.admission.concurrency import Environment, FunctionPool, Slots
from burstline.core.quota.admission.scaling import ScalingRate
from burstline.core.quota.quotas import (
    INVOCATIONS_PER_ENVIRONMENT_PER_S,
    Account,
    Bucket,
    Family,
    Function,
    Layer,
    UsagePlan,
)

IDLE_S = (300.0, 420.0)
"""How long an idle environment stays, seconds, uniform between the two. An assumption: AWS guarantees no time."""

PERIODS_S = {"day": 86_400.0, "week": 7 * 86_400.0, "month": 30 * 86_400.0}
"""Length of a usage plan's quota period, seconds; a month is taken as 30 days."""


@dataclass(frozen=True, slots=True)
class Call:
    """What of a request matters to the quotas.

    Attributes:
        function: the Lambda function it invokes; one the account does not list has the defaults of `Function`.
        stage: the API Gateway stage; "" or one without a throttle of its own is not limited there.
        usage_plan: the usage plan of its API key; "" is none.
        gateway: it comes through API Gateway (False: through a load balancer, a function URL or the Invoke API).
    """

    function: str
    stage: str = ""
    usage_plan: str = ""
    gateway: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What the quotas said to one call.

    Attributes:
        layer: which refused it; None is "admitted".
        family: by which law it refused; None exactly when `layer` is.
        cold: a new environment was started for it.
        environment: where it runs; None exactly when it was refused. Give the decision to `Admission.finish`.
    """

    layer: Layer | None = None
    family: Family | None = None
    cold: bool = False
    environment: Environment | None = None

    @property
    def admitted(self) -> bool:
        """Whether the call was let in."""
        return self.layer is None


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """One function's use so far: calls in flight now and at most, and environments started for a call."""

    concurrency: int
    peak_concurrency: int
    cold_starts: int


@dataclass(frozen=True, slots=True)
class Use:
    """What has happened so far.

    Attributes:
        admitted_count: calls let in.
        throttled_count: calls refused, by layer; layers that refused none are missing.
        functions: by name, each function that was called.
        claimed: account concurrency claimed now, as CloudWatch's `ClaimedAccountConcurrency`: all reserved
            concurrency, provisioned concurrency of functions without it, and their on-demand calls in flight.
        peak_claimed: the most of it.
    """

    admitted_count: int
    throttled_count: Mapping[Layer, int]
    functions: Mapping[str, FunctionUse]
    claimed: int
    peak_claimed: int

    @property
    def cold_starts(self) -> int:
        """Environments started for a call, all functions together."""
        return sum(function.cold_starts for function in self.functions.values())


_USAGE_PLAN = Decision(Layer.USAGE_PLAN, Family.BUCKET)
_PLAN_QUOTA = Decision(Layer.USAGE_PLAN, Family.PLAN_QUOTA)
_STAGE = Decision(Layer.STAGE, Family.BUCKET)
_ACCOUNT_GATEWAY = Decision(Layer.ACCOUNT_GATEWAY, Family.BUCKET)
_INVOCATION_RATE = Decision(Layer.INVOCATION_RATE, Family.INVOCATION_RATE)
_SCALING_RATE = Decision(Layer.SCALING_RATE, Family.SCALING_RATE)
_CONCURRENCY = {
    layer: Decision(layer, Family.CONCURRENCY) for layer in (Layer.RESERVED_CONCURRENCY, Layer.ACCOUNT_CONCURRENCY)
}


class _Plan:
    """A usage plan's bucket and the count of its quota's current period."""

    __slots__ = ("bucket", "limit", "period", "period_s", "used")

    def __init__(self, plan: UsagePlan) -> None:
        self.bucket = _bucket(plan.bucket) if plan.bucket else None
        self.limit = plan.quota_limit
        self.period_s = PERIODS_S[plan.quota_period or "month"]
        self.period = 0
        self.used = 0

    def has_quota_left(self, now_s: float) -> bool:
        """Whether one more request fits into the period `now_s` is in."""
        period = int(now_s // self.period_s)
        if period > self.period:
            self.period, self.used = period, 0
        return self.limit is None or self.used < self.limit


class _Lambda:
    """One function's part of the model: its environments, and the two buckets that guard them."""

    __slots__ = ("invocations", "pool", "scaling")

    def __init__(self, pool: FunctionPool, invocations: TokenBucket, scaling: TokenBucket) -> None:
        self.pool = pool
        self.invocations = invocations
        self.scaling = scaling


class Admission:
    """The state machine of one account in one region; see the module for the order and what is assumed.

    Every time is in seconds on one clock of the caller's and never goes back; an earlier one counts as "now".

    Args:
        account: its quotas and functions; buckets start full and no environment exists but provisioned ones.
        seed: of how long idle environments stay, and of `noise_ratio`.
        idle_s: shortest and longest time an idle environment stays, seconds, 0 <= shortest <= longest.
        noise_ratio: share of gateway bucket decisions that come out the other way round, 0..1. AWS calls these
            limits best effort; how far they stray is not documented, so the default is 0.

    Raises:
        ValueError: a negative rate or burst, or an unknown quota period.
    """

    def __init__(
        self,
        account: Account,
        seed: int = 0,
        *,
        idle_s: tuple[float, float] = IDLE_S,
        noise_ratio: float = 0.0,
    ) -> None:
        for plan in account.usage_plans.values():
            if plan.quota_limit is not None and plan.quota_period not in PERIODS_S:
                raise ValueError(f"usage plan {plan.name}: the quota period is day, week or month")
        self.account = account
        self._random = Random(seed)
        self._idle_s = idle_s
        self._noise_ratio = noise_ratio
        self._plans = {name: _Plan(plan) for name, plan in account.usage_plans.items()}
        self._stages = {name: _bucket(bucket) for name, bucket in account.stages.items()}
        self._gateway = _bucket(account.gateway)
        self._scaling = ScalingRate(account)
        self._set_aside = account.reserved_total() + _provisioned_unreserved(account)
        self._shared = Slots(account.unreserved() - _provisioned_unreserved(account), Layer.ACCOUNT_CONCURRENCY)
        self._shared_invocations = _invocation_bucket(account.unreserved())
        self._functions = {name: self._function(function) for name, function in account.functions.items()}
        self._admitted_count = 0
        self._throttled_count: dict[Layer, int] = {}

    def arrive(self, now_s: float, call: Call) -> Decision:
        """Decide on one call. An admitted one occupies its environment until `finish`."""
        decision = self._pass_gateway(now_s, call) if call.gateway else None
        if decision is None:
            decision = self._invoke(now_s, call.function)
        if decision.layer is None:
            self._admitted_count += 1
        else:
            self._throttled_count[decision.layer] = self._throttled_count.get(decision.layer, 0) + 1
        return decision

    def finish(self, now_s: float, decision: Decision) -> None:
        """End an admitted call at `now_s`: its environment is idle from now on. Nothing happens for a refused one.

        Raises:
            ValueError: it was finished before. (Not noticed if its environment runs another call by now.)
        """
        if decision.environment is not None:
            decision.environment.pool.give_back(now_s, decision.environment)

    def use(self) -> Use:
        """Return what has happened so far."""
        functions = {
            name: FunctionUse(entry.pool.in_use, entry.pool.peak, entry.pool.cold_starts)
            for name, entry in self._functions.items()
        }
        claimed, peak = self._set_aside + self._shared.in_use, self._set_aside + self._shared.peak
        return Use(self._admitted_count, dict(self._throttled_count), functions, claimed, peak)

    def _pass_gateway(self, now_s: float, call: Call) -> Decision | None:
        plan = self._plans.get(call.usage_plan)
        if plan is not None:
            if plan.bucket is not None and not self._takes(plan.bucket, now_s):
                return _USAGE_PLAN
            if not plan.has_quota_left(now_s):
                return _PLAN_QUOTA
        stage = self._stages.get(call.stage)
        if stage is not None and not self._takes(stage, now_s):
            return _STAGE
        if not self._takes(self._gateway, now_s):
            return _ACCOUNT_GATEWAY
        if plan is not None:
            plan.used += 1
        return None

    def _takes(self, bucket: TokenBucket, now_s: float) -> bool:
        taken = bucket.take(now_s)
        if self._noise_ratio and self._random.random() < self._noise_ratio:
            return not taken
        return taken

    def _invoke(self, now_s: float, name: str) -> Decision:
        entry = self._functions.get(name)
        if entry is None:
            entry = self._functions[name] = self._function(Function(name))
        pool = entry.pool
        if not entry.invocations.take(now_s):
            # A switched-off function (reserved 0) has a rate of 0, too; its owner knows it by its concurrency.
            return _INVOCATION_RATE if entry.invocations.burst else _CONCURRENCY[pool.slots.layer]
        environment = pool.take_provisioned(now_s)
        if environment is not None:
            return Decision(environment=environment)
        slots = pool.slots
        if slots.in_use >= slots.limit:
            return _CONCURRENCY[slots.layer]
        environment = pool.take_idle(now_s)
        if environment is not None:
            return Decision(environment=environment)
        if not entry.scaling.take(now_s):
            return _SCALING_RATE
        return Decision(cold=True, environment=pool.start(self._random.uniform(*self._idle_s)))

    def _function(self, function: Function) -> _Lambda:
        scaling = self._scaling.bucket_for_function()
        if function.reserved is None:
            return _Lambda(
                FunctionPool(function, self._shared, function.provisioned), self._shared_invocations, scaling
            )
        provisioned = min(function.provisioned, function.reserved)
        slots = Slots(function.reserved - provisioned, Layer.RESERVED_CONCURRENCY)
        return _Lambda(FunctionPool(function, slots, provisioned), _invocation_bucket(function.reserved), scaling)


def _bucket(bucket: Bucket) -> TokenBucket:
    return TokenBucket(bucket.rate_per_s, bucket.burst)


def _invocation_bucket(concurrency: int) -> TokenBucket:
    rate_per_s = float(INVOCATIONS_PER_ENVIRONMENT_PER_S * concurrency)
    return TokenBucket(rate_per_s, rate_per_s)


def _provisioned_unreserved(account: Account) -> int:
    """Provisioned environments of functions without reserved concurrency: claimed from the shared pool."""
    return sum(f.provisioned for f in account.functions.values() if f.reserved is None)
