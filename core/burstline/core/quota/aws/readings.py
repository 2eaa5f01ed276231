"""What was read from an AWS account: each value with its source, and what could not be read with the action missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from burstline.core.quota.quotas import Account, Bucket, Function, Queue, UsagePlan

CONCURRENCY = "lambda:L-B99A9384"
GATEWAY_RATE = "apigateway:L-8A5B8E43"
GATEWAY_BURST = "apigateway:L-CDF5615A"
INTEGRATION_TIMEOUT = "apigateway:L-E5AE38E3"
"""Quotas by service code and quota code. Source: AWS General Reference, "Lambda endpoints and quotas" and "API Gateway
endpoints and quotas"; read 2026-11-23."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of an AWS account, or why it could not be read.

    Attributes:
        name: what it is, for a reader.
        path: where it stands in an account, as in `Account.declared` (`lambda.concurrency`,
            `apigateway.stages.prod.rate`); "" for what no account holds.
        quota: service code and quota code, `lambda:L-B99A9384`; "" for a setting.
        value: the number; None is "none set", or unknown when `problem` says so.
        unit: of the value, for a reader; "" for a bare count.
        source: service and operation that said it, `lambda GetAccountSettings`.
        read_at_s: when, seconds since the Unix epoch.
        default: it is AWS's default, not an applied value.
        adjustable: whether AWS takes a request for more; None is unknown, or no quota.
        detail: what a number cannot say, for a reader.
        missing_action: the IAM action that a policy would have to allow; "" if none is missing.
        problem: why there is no value, a sentence; "" if there is one.
        use: the highest use seen lately, in the unit of the value; None is unknown.
        use_source: metric the use comes from; "" exactly when `use` is None.
    """

    name: str
    path: str = ""
    quota: str = ""
    value: float | None = None
    unit: str = ""
    source: str = ""
    read_at_s: float = 0.0
    default: bool = False
    adjustable: bool | None = None
    detail: str = ""
    missing_action: str = ""
    problem: str = ""
    use: float | None = None
    use_source: str = ""

    @property
    def known(self) -> bool:
        """Whether it was read (a value of None then means "none set")."""
        return not self.problem

    @property
    def headroom_ratio(self) -> float | None:
        """1 - use/value; None when either is unknown or the value is 0."""
        if self.use is None or not self.value or self.problem:
            return None
        return 1.0 - self.use / self.value


@dataclass(frozen=True, slots=True)
class AccountReading:
    """Everything read from one account in one region.

    Attributes:
        region: AWS region name.
        account_last4: last four digits of the account's number; None if it is unknown.
        readings: in the order in which a reader wants them.
        notes: sentences about what the numbers mean, or could not say.
        log_groups: function -> (log group, "Text" or "JSON"), for those whose configuration was read.
        api: (id, kind) of the API behind the target, kind `rest` or `http`; None if it is not known.
        api_name: its name, which REST metrics carry in place of the id; "" if unknown.
        queues: those that feed the plan's functions, or that it sends to, by name.
    """

    region: str
    account_last4: str | None = None
    readings: tuple[Reading, ...] = ()
    notes: tuple[str, ...] = ()
    log_groups: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    api: tuple[str, str] | None = None
    api_name: str = ""
    queues: Mapping[str, Queue] = field(default_factory=dict)

    def value(self, path: str) -> float | None:
        """Return the value at an account path; None if it was not read, or is "none set"."""
        return next((r.value for r in self.readings if r.path == path and r.known), None)

    def missing_actions(self) -> tuple[str, ...]:
        """Return the IAM actions that were denied, each once, in order."""
        return tuple(dict.fromkeys(r.missing_action for r in self.readings if r.missing_action))


def apply_readings(account: Account, readings: Iterable[Reading]) -> tuple[Account, tuple[str, ...]]:
    """Return the account with what was read in place of what was declared or defaulted, and what that changed.

    A value that could not be read leaves the account's own in place. The paths that were read are in `read` of the
    result, and in `declared`, because they are no defaults any more; AWS's own default values are in neither.

    Returns:
        The account, and one sentence for each declared value that AWS contradicts.
    """
    notes: list[str] = []
    # AWS's default says less than what the user states: it takes the place of our own default only.
    known = [
        r for r in readings if r.known and r.path and not (r.default and _declared_path(r.path) in account.declared)
    ]
    paths = {_declared_path(r.path) for r in known if not r.default}
    for reading in known:
        before = value_at(account, reading.path)
        if _declared_path(reading.path) in account.declared and before is not None and before != reading.value:
            notes.append(
                f"{reading.name}: declared {before:g}, but {reading.source} says "
                f"{'none set' if reading.value is None else format(reading.value, 'g')}; AWS's value is used."
            )
        account = _with(account, reading)
    # A stage without a throttle of its own was read, but nothing is there that could be called declared.
    there = {
        path
        for path in paths
        if not path.startswith("apigateway.stages.") or path.removeprefix("apigateway.stages.") in account.stages
    }
    account = replace(account, declared=account.declared | there, read=account.read | there)
    return account, tuple(notes)


def with_queues(account: Account, queues: Mapping[str, Queue]) -> Account:
    """Return the account with queues that were read in place of those declared."""
    paths = {f"sqs.queues.{name}" for name in queues}
    return replace(
        account,
        queues={**account.queues, **queues},
        declared=account.declared | paths,
        read=account.read | paths,
    )


def value_at(account: Account, path: str) -> float | None:
    """Return an account's number at a path of a reading; None if nothing is set there, or the path is not known."""
    match path.split("."):
        case ["lambda", "concurrency"]:
            return account.concurrency
        case ["lambda", "functions", *name, attribute]:
            function = account.functions.get(".".join(name))
            found = getattr(function, {"timeout": "timeout_s"}.get(attribute, attribute), None)
            return None if found is None else float(found)
        case ["apigateway", ("rate" | "burst") as part]:
            return _part(account.gateway, part)
        case ["apigateway", "stages", *name, part]:
            return _part(account.stages.get(".".join(name)), part)
        case ["apigateway", "usage_plans", *name, part]:
            plan = account.usage_plans.get(".".join(name))
            if plan is not None:
                return plan.quota_limit if part == "quota" else _part(plan.bucket, part)
    return None


def _part(bucket: Bucket | None, part: str) -> float | None:
    if bucket is None:
        return None
    return bucket.rate_per_s if part == "rate" else bucket.burst


def _declared_path(path: str) -> str:
    """Return the path under which `Account.declared` knows a reading's value: stages and plans as a whole."""
    if path.startswith(("apigateway.stages.", "apigateway.usage_plans.")):
        return path.rpartition(".")[0]
    return path


def _with(account: Account, reading: Reading) -> Account:
    value = reading.value
    match reading.path.split("."):
        case ["lambda", "concurrency"] if value is not None:
            return replace(account, concurrency=int(value))
        case ["lambda", "functions", *name, attribute]:
            return _with_function(account, ".".join(name), attribute, value)
        case ["apigateway", ("rate" | "burst") as part] if value is not None:
            return replace(account, gateway=_with_part(account.gateway, part, value))
        case ["apigateway", "stages", *name, part]:
            return _with_stage(account, ".".join(name), part, value)
        case ["apigateway", "usage_plans", *name, part]:
            return _with_usage_plan(account, ".".join(name), part, reading)
    return account


def _with_function(account: Account, name: str, attribute: str, value: float | None) -> Account:
    function = account.functions.get(name) or Function(name)
    if attribute == "reserved":
        function = replace(function, reserved=None if value is None else int(value))
    elif attribute == "provisioned":
        function = replace(function, provisioned=int(value or 0))
    elif attribute == "memory_mb" and value is not None:
        function = replace(function, memory_mb=int(value))
    elif attribute == "timeout" and value is not None:
        function = replace(function, timeout_s=float(value))
    return replace(account, functions={**account.functions, name: function})


def _with_part(bucket: Bucket, part: str, value: float) -> Bucket:
    return replace(bucket, rate_per_s=value) if part == "rate" else replace(bucket, burst=value)


def _with_stage(account: Account, name: str, part: str, value: float | None) -> Account:
    stages = dict(account.stages)
    if value is None:
        stages.pop(name, None)
    else:
        stages[name] = _with_part(stages.get(name, account.gateway), part, value)
    return replace(account, stages=stages)


def _with_usage_plan(account: Account, name: str, part: str, reading: Reading) -> Account:
    plan = account.usage_plans.get(name) or UsagePlan(name)
    if part == "quota":
        limit = None if reading.value is None else int(reading.value)
        plan = replace(plan, quota_limit=limit, quota_period=reading.detail or None if limit else None)
    elif reading.value is None:
        plan = replace(plan, bucket=None)
    else:
        plan = replace(plan, bucket=_with_part(plan.bucket or account.gateway, part, reading.value))
    return replace(account, usage_plans={**account.usage_plans, name: plan})
