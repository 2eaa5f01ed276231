"""What an emulator is told: which front it plays, where it listens, and how it may misbehave on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account, ServiceTime

DEFAULT_STAGE = "$default"
"""The stage of an HTTP API that has no path prefix. Source: API Gateway Developer Guide, "Stages for HTTP APIs"."""

INTEGRATION_TIMEOUT_S = {Front.REST: 29.0, Front.HTTP: 30.0}
"""How long a front waits for Lambda, seconds; the others wait for ever. Source: API Gateway Developer Guide, "Quotas",
read 2026-11-23."""

GATEWAY_FRONTS = frozenset({Front.REST, Front.HTTP, Front.PLAIN})
"""Fronts whose requests pass the gateway buckets. `plain` is no AWS front: there they stand for any such limiter."""


@dataclass(frozen=True, slots=True)
class SlowMode:
    """A second mode of a function's service time: this share of its invocations takes `duration` instead.

    Attributes:
        share: 0..1.
        duration: the service time of those.
    """

    share: float
    duration: ServiceTime


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """Everything about an emulator but its account.

    Attributes:
        front: which entry point it plays; `sqs` is not served.
        stage: the API Gateway stage. `rest` and `http` serve it under the path prefix `/{stage}`, unless it is empty
            or `$default`; `plain` only takes its bucket.
        routes: path prefix (starts with "/", whole segments, the longest wins) -> function of the account. Empty:
            every path goes to the account's first function. Ignored by `lambda`, whose paths name the function.
        api_keys: value of `x-api-key` -> usage plan of the account.
        api_key_required: without a known key a request is forbidden (403).
        round_trip_s: network time, half before and half after the answer is made, seconds, >= 0.
        round_trip_jitter: each half is multiplied by a uniform number in 1 +/- this, 0..1.
        seed: of every random choice, >= 0.
        noise_ratio: share of gateway bucket decisions that come out the other way, 0..1 (best effort, as AWS's).
        close_ratio: share of requests, 0..1, whose connection is closed in place of the answer.
        hang_ratio: share of requests, 0..1, that are never answered.
        slow_modes: function -> second mode of its service time.
        integration_timeout_s: how long the front waits for Lambda, seconds, > 0; None is the front's own limit.
        success_status: status of a successful invocation (`lambda` always says 200), 200..599.
        body: body of a successful answer, a JSON text.
        keep_alive_s: an idle connection is closed after this, seconds, > 0. API Gateway: 310.
        host: where it listens.
        port: 0..65535; 0 takes any free one.
        tls_certificate: PEM file with the certificate chain; "" is plain HTTP.
        tls_key: PEM file with its key.
        log: keep one entry per request for `/_burstline/log`.
        log_count: most entries kept, > 0; the oldest go first.
    """

    front: Front = Front.REST
    stage: str = ""
    routes: Mapping[str, str] = field(default_factory=dict)
    api_keys: Mapping[str, str] = field(default_factory=dict)
    api_key_required: bool = False
    round_trip_s: float = 0.0
    round_trip_jitter: float = 0.0
    seed: int = 0
    noise_ratio: float = 0.0
    close_ratio: float = 0.0
    hang_ratio: float = 0.0
    slow_modes: Mapping[str, SlowMode] = field(default_factory=dict)
    integration_timeout_s: float | None = None
    success_status: int = 200
    body: str = '{"ok":true}'
    keep_alive_s: float = 310.0
    host: str = "127.0.0.1"
    port: int = 0
    tls_certificate: str = ""
    tls_key: str = ""
    log: bool = False
    log_count: int = 500_000

    @property
    def path_prefix(self) -> str:
        """What every path starts with: the stage, for fronts that serve it as a prefix; else empty."""
        staged = self.front in (Front.REST, Front.HTTP) and self.stage not in ("", DEFAULT_STAGE)
        return f"/{self.stage}" if staged else ""

    @property
    def waits_s(self) -> float:
        """How long the front waits for Lambda, seconds; infinite if for ever."""
        if self.integration_timeout_s is not None:
            return self.integration_timeout_s
        return INTEGRATION_TIMEOUT_S.get(self.front, float("inf"))


def check(account: Account, settings: EmulatorSettings) -> None:
    """Raise `ValueError`, naming every mistake at once, if `settings` do not fit together or not to `account`."""
    mistakes = [
        f"{name} is 0..1, not {value}"
        for name, value in (
            ("round_trip_jitter", settings.round_trip_jitter),
            ("noise_ratio", settings.noise_ratio),
            ("close_ratio", settings.close_ratio),
            ("hang_ratio", settings.hang_ratio),
        )
        if not 0 <= value <= 1
    ]
    if settings.front is Front.SQS:
        mistakes.append("front sqs is not served")
    if not settings.round_trip_s >= 0:
        mistakes.append(f"round_trip_s is >= 0, not {settings.round_trip_s}")
    if not settings.keep_alive_s > 0:
        mistakes.append(f"keep_alive_s is > 0, not {settings.keep_alive_s}")
    if not 200 <= settings.success_status <= 599:
        mistakes.append(f"success_status is 200..599, not {settings.success_status}")
    if settings.integration_timeout_s is not None and not settings.integration_timeout_s > 0:
        mistakes.append(f"integration_timeout_s is > 0, not {settings.integration_timeout_s}")
    if settings.log_count <= 0:
        mistakes.append(f"log_count is > 0, not {settings.log_count}")
    mistakes += _timing_mistakes(account, settings)
    mistakes += [f"route {path!r} starts with /" for path in settings.routes if not path.startswith("/")]
    mistakes += [
        f"route {path} goes to {function}, which is no function of the account"
        for path, function in settings.routes.items()
        if function not in account.functions
    ]
    mistakes += [
        f"an API key belongs to {plan}, which is no usage plan of the account"
        for plan in settings.api_keys.values()
        if plan not in account.usage_plans
    ]
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        mistakes.append("tls_certificate and tls_key go together")
    if mistakes:
        raise ValueError("; ".join(mistakes))


def _timing_mistakes(account: Account, settings: EmulatorSettings) -> list[str]:
    """Say which service times are impossible: found here, not in the middle of a run."""
    durations = [(function.name, function.duration) for function in account.functions.values()]
    durations += [(f"slow mode of {name}", mode.duration) for name, mode in settings.slow_modes.items()]
    mistakes = [
        f"{name}: 0 < p50_s <= p99_s, not {duration.p50_s} and {duration.p99_s}"
        for name, duration in durations
        if not 0 < duration.p50_s <= duration.p99_s
    ]
    return mistakes + [
        f"slow mode of {name}: share is 0..1, not {mode.share}"
        for name, mode in settings.slow_modes.items()
        if not 0 <= mode.share <= 1
    ]
