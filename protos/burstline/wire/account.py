"""Accounts: `v1.Account` -> `core.quota.quotas.Account`; what is left out becomes AWS's default, and is marked so."""

from burstline.core.quota import quotas as core
from burstline.v1 import resources_pb2 as v1
from burstline.wire.checks import Checks

DEFAULT_REGION = "us-east-1"
_MOST = 1e9
_PERIODS = ("day", "week", "month")


def account_from_proto(message: v1.Account | None) -> core.Account:
    """Return an account; None is AWS's defaults with nothing declared.

    Raises:
        InvalidMessage: with every field that is out of range, paths starting with `account.`.
    """
    message = message or v1.Account()
    checks = Checks()
    default = core.default_account(message.region or DEFAULT_REGION)
    declared = _declared(message)
    functions = {name: _function(name, f, declared, checks) for name, f in sorted(message.functions.items())}
    concurrency = message.concurrency_count if message.HasField("concurrency_count") else default.concurrency
    account = core.Account(
        region=default.region,
        gateway=_bucket(message.gateway, "account.gateway", default.gateway, checks),
        stages={
            name: _bucket(bucket, f'account.stages["{name}"]', None, checks)
            for name, bucket in sorted(message.stages.items())
        },
        usage_plans={name: _usage_plan(name, p, checks) for name, p in sorted(message.usage_plans.items())},
        concurrency=int(checks.number("account.concurrency_count", concurrency, low=0, high=_MOST)),
        scaling=core.Scaling.LEGACY if message.scaling == v1.Account.LEGACY else core.Scaling.CURRENT,
        legacy_burst=default.legacy_burst,
        functions=functions,
        queues={name: _queue(name, queue, declared, checks) for name, queue in sorted(message.queues.items())},
        declared=frozenset(declared),
    )
    reserved = account.reserved_total()
    checks.require(
        reserved <= account.concurrency,
        "account.functions",
        f"{reserved} environments are reserved in an account of {account.concurrency}",
    )
    checks.finish()
    return account


def _declared(message: v1.Account) -> set[str]:
    declared = {f"apigateway.stages.{name}" for name in message.stages}
    declared |= {f"apigateway.usage_plans.{name}" for name in message.usage_plans}
    if message.gateway.HasField("request_count_per_second"):
        declared.add("apigateway.rate")
    if message.gateway.HasField("burst_count"):
        declared.add("apigateway.burst")
    if message.HasField("concurrency_count"):
        declared.add("lambda.concurrency")
    if message.scaling:
        declared.add("lambda.scaling")
    if message.region:
        declared.add("region")
    return declared


def _bucket(message: v1.Account.Bucket, field: str, default: core.Bucket | None, checks: Checks) -> core.Bucket:
    def part(name: str, fallback: float | None) -> float:
        if not message.HasField(name):  # type: ignore[arg-type]  # the stub wants a literal
            if fallback is None:
                checks.refuse(f"{field}.{name}", "it is missing: a throttle of a stage or plan has a rate and a burst")
            return fallback or 0.0
        return checks.number(f"{field}.{name}", getattr(message, name), low=0, high=_MOST)

    return core.Bucket(
        part("request_count_per_second", default.rate_per_s if default else None),
        part("burst_count", default.burst if default else None),
    )


def _usage_plan(name: str, message: v1.Account.UsagePlan, checks: Checks) -> core.UsagePlan:
    field = f'account.usage_plans["{name}"]'
    limit = int(checks.number(f"{field}.quota_count", message.quota_count, low=0, high=1e15)) or None
    if limit:
        allowed = f"allowed are {', '.join(_PERIODS)}"
        period = message.quota_period
        checks.require(period in _PERIODS, f"{field}.quota_period", f"{period!r}: {allowed}")
    has_bucket = message.HasField("bucket")
    return core.UsagePlan(
        name,
        _bucket(message.bucket, f"{field}.bucket", None, checks) if has_bucket else None,
        limit,
        message.quota_period if limit else None,
    )


def _function(name: str, message: v1.Account.Function, declared: set[str], checks: Checks) -> core.Function:
    field = f'account.functions["{name}"]'
    path = f"lambda.functions.{name}"
    reserved = None
    if message.HasField("reserved_count"):
        reserved = int(checks.number(f"{field}.reserved_count", message.reserved_count, low=0, high=_MOST))
        declared.add(f"{path}.reserved")
    if message.provisioned_count:
        declared.add(f"{path}.provisioned")
    duration = core.ServiceTime(0.1, 0.1)
    if message.HasField("p50_duration"):
        declared.add(f"{path}.duration")
        p50 = checks.seconds(f"{field}.p50_duration", message.p50_duration, low=0, high=900, above_low=True)
        p99 = p50
        if message.HasField("p99_duration"):
            p99 = checks.seconds(f"{field}.p99_duration", message.p99_duration, low=0, high=900)
        checks.require(p99 >= p50, f"{field}.p99_duration", f"{p99:g} s is below the median of {p50:g} s")
        duration = core.ServiceTime(p50, max(p50, p99))
    else:
        checks.require(
            not message.HasField("p99_duration"), f"{field}.p99_duration", "it needs the median, p50, beside it"
        )
    timeout = 3.0
    if message.HasField("timeout_duration"):
        timeout = checks.seconds(f"{field}.timeout_duration", message.timeout_duration, low=1, high=900)
    provisioned = int(checks.number(f"{field}.provisioned_count", message.provisioned_count, low=0, high=_MOST))
    checks.require(
        reserved is None or provisioned <= reserved,
        f"{field}.provisioned_count",
        f"{provisioned} provisioned of {reserved} reserved: AWS allows no more than is reserved",
    )
    return core.Function(
        name=name,
        reserved=reserved,
        provisioned=provisioned,
        duration=duration,
        init_s=checks.seconds(f"{field}.init_duration", message.init_duration, low=0, high=900),
        memory_mb=int(checks.number(f"{field}.memory_mb", message.memory_mb or 128, low=128, high=10_240, unit="MB")),
        timeout_s=timeout,
        error_ratio=checks.number(f"{field}.error_ratio", message.error_ratio, low=0, high=1),
        other_rate_per_s=checks.number(
            f"{field}.other_request_count_per_second", message.other_request_count_per_second, low=0, high=1e7
        ),
    )


def _queue(name: str, message: v1.Account.Queue, declared: set[str], checks: Checks) -> core.Queue:
    field = f'account.queues["{name}"]'
    declared.add(f"sqs.queues.{name}")
    checks.require(bool(message.function), f"{field}.function", "it is missing: the function that the queue feeds")

    def seconds(part: str, default: float, high: float) -> float:
        if not message.HasField(part):  # type: ignore[arg-type]  # the stub wants a literal
            return default
        return checks.seconds(f"{field}.{part}", getattr(message, part), low=0, high=high)

    def whole(part: str, low: float, high: float) -> int | None:
        if not message.HasField(part):  # type: ignore[arg-type]  # the stub wants a literal
            return None
        return int(checks.number(f"{field}.{part}", getattr(message, part), low=low, high=high))

    receives = whole("max_receive_count", 1, 1_000)
    return core.Queue(
        name=name,
        function=message.function,
        batch=int(checks.number(f"{field}.batch_count", message.batch_count or 10, low=1, high=10_000)),
        batch_window_s=seconds("batch_window_duration", 0.0, 300),
        maximum_concurrency=whole("maximum_concurrency_count", 2, 1_000),
        visibility_timeout_s=seconds("visibility_timeout_duration", 30.0, 43_200),
        max_receives=receives,
        partial_batch=message.partial_batch,
        dead_letter_queue=(message.dead_letter_queue or f"{name}-dlq") if receives else "",
    )
