"""The closed table of signatures: which responses each front can give that matter, and what each may mean.

Status, error type, message and `Reason` are evidence, not proof: an API's owner can rewrite all of them. Sources: API
Gateway Developer Guide ("Gateway response types", "Throttle requests"), Lambda Developer Guide ("Troubleshoot issues
with API Gateway", "Function URLs"), Elastic Load Balancing ("Troubleshoot your ALB"), Lambda's `Invoke` model; read
2026-11-23. What those do not state is marked "unconfirmed" and is provisionally unsettled, never a verdict.
"""

from dataclasses import dataclass

from burstline.core.load.plan import Front
from burstline.core.load.samples import TIMED_OUT, TRANSPORT_SIGNATURES, Outcome
from burstline.core.quota.quotas import Family, Layer


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a signature may mean.

    Attributes:
        outcome: the provisional outcome; `UNSETTLED` if it may be a throttle or a failure.
        families: laws that a throttle of this signature can follow, likeliest first; empty if it is no throttle.
        layers: where such a throttle can come from, outermost first; empty likewise.
    """

    outcome: Outcome
    families: tuple[Family, ...] = ()
    layers: tuple[Layer, ...] = ()

    @property
    def rejects(self) -> bool:
        """Whether it may be a throttle."""
        return self.outcome in (Outcome.THROTTLED, Outcome.UNSETTLED)


@dataclass(frozen=True, slots=True)
class Rule:
    """Responses of one status that carry one of the words make one signature; the first rule that fits wins.

    Attributes:
        name: the signature without its front.
        status: HTTP status.
        words: lower-case error types, messages or reasons, one of which must be seen; empty asks for none.
        meaning: what it may mean.
    """

    name: str
    status: int
    words: frozenset[str]
    meaning: Meaning


PREFIXES = {front: "url" if front is Front.FUNCTION_URL else front.value for front in Front}
"""How each front is spelled in its signatures."""

_GATEWAY_LAYERS = (Layer.USAGE_PLAN, Layer.STAGE, Layer.ACCOUNT_GATEWAY)
_LAMBDA_FAMILIES = (Family.CONCURRENCY, Family.INVOCATION_RATE, Family.SCALING_RATE)
_LAMBDA_LAYERS = (Layer.INVOCATION_RATE, Layer.RESERVED_CONCURRENCY, Layer.ACCOUNT_CONCURRENCY, Layer.SCALING_RATE)
_ANY_FAMILY = (*_LAMBDA_FAMILIES, Family.BUCKET, Family.WINDOW_COUNTER, Family.WAF, Family.UNKNOWN)
_ANY_LAYER = (*_GATEWAY_LAYERS, *_LAMBDA_LAYERS, Layer.WAF, Layer.OTHER)

_FAILED = Meaning(Outcome.FAILED)
_REJECTED = Meaning(Outcome.REJECTED)
_MAYBE_WAF = Meaning(Outcome.REJECTED, (Family.WAF,), (Layer.WAF,))
_GATEWAY_THROTTLE = Meaning(Outcome.THROTTLED, (Family.BUCKET,), _GATEWAY_LAYERS)
_PLAN_QUOTA = Meaning(Outcome.THROTTLED, (Family.PLAN_QUOTA,), (Layer.USAGE_PLAN,))
_MAYBE_LAMBDA = Meaning(Outcome.UNSETTLED, _LAMBDA_FAMILIES, _LAMBDA_LAYERS)
_OTHER_THROTTLE = Meaning(Outcome.THROTTLED, (Family.BUCKET, Family.WINDOW_COUNTER, Family.UNKNOWN), (Layer.OTHER,))
_ANY_THROTTLE = Meaning(Outcome.THROTTLED, _ANY_FAMILY, _ANY_LAYER)


def _rule(name: str, meaning: Meaning, *words: str) -> Rule:
    return Rule(name, int(name[:3]), frozenset(words), meaning)


_REST = (
    _rule("429.plan_quota", _PLAN_QUOTA, "limitexceededexception", "limit exceeded"),
    _rule("429.too_many", _GATEWAY_THROTTLE, "toomanyrequestsexception", "too many requests"),
    _rule("429.other", Meaning(Outcome.THROTTLED, _ANY_FAMILY, (*_GATEWAY_LAYERS, Layer.WAF, Layer.OTHER))),
    _rule("500.internal", _MAYBE_LAMBDA, "internalservererrorexception", "internal server error"),
    _rule("500.other", _FAILED),
    _rule("502.internal", _FAILED, "internalservererrorexception", "internal server error"),
    _rule("502.other", _FAILED),
    _rule("504.timeout", _FAILED, "endpoint request timed out"),
    # 504 is the default status of INTEGRATION_FAILURE, which a throttled Lambda can be once an owner customises it.
    _rule("504.other", _MAYBE_LAMBDA),
    _rule("403.missing_token", _REJECTED, "missingauthenticationtokenexception", "missing authentication token"),
    _rule("403.forbidden", _MAYBE_WAF, "forbiddenexception", "forbidden"),
    _rule("403.other", _MAYBE_WAF),
    _rule("413.too_large", _REJECTED),
)
_HTTP = (
    _rule("429.too_many", _GATEWAY_THROTTLE, "toomanyrequestsexception", "too many requests"),
    _rule("429.other", Meaning(Outcome.THROTTLED, _ANY_FAMILY, (*_GATEWAY_LAYERS, Layer.WAF, Layer.OTHER))),
    # Which 5xx a throttled Lambda gives here is unconfirmed (503 from memory; 500 and 502 possible).
    _rule("500.internal", _MAYBE_LAMBDA, "internalservererrorexception", "internal server error"),
    _rule("500.other", _FAILED),
    _rule("502.bad_gateway", _MAYBE_LAMBDA),
    _rule("503.unavailable", _MAYBE_LAMBDA, "service unavailable", "serviceunavailableexception"),
    _rule("503.other", _FAILED),
    _rule("403.forbidden", _MAYBE_WAF),
    _rule("413.too_large", _REJECTED),
)
_INVOKE_429 = (
    _rule(
        "429.reserved",
        Meaning(Outcome.THROTTLED, (Family.CONCURRENCY,), (Layer.RESERVED_CONCURRENCY,)),
        "reservedfunctionconcurrentinvocationlimitexceeded",
    ),
    _rule(  # which Reason the scaling rate gives is unconfirmed; this one is expected
        "429.account",
        Meaning(
            Outcome.THROTTLED,
            (Family.CONCURRENCY, Family.SCALING_RATE),
            (Layer.ACCOUNT_CONCURRENCY, Layer.SCALING_RATE),
        ),
        "concurrentinvocationlimitexceeded",
    ),
    _rule(
        "429.reserved_rate",
        Meaning(Outcome.THROTTLED, (Family.INVOCATION_RATE,), (Layer.INVOCATION_RATE,)),
        "reservedfunctioninvocationratelimitexceeded",
    ),
    _rule(
        "429.account_rate",
        Meaning(Outcome.THROTTLED, (Family.INVOCATION_RATE,), (Layer.INVOCATION_RATE,)),
        "functioninvocationratelimitexceeded",
    ),
    _rule("429.caller", _OTHER_THROTTLE, "callerratelimitexceeded"),
    _rule("429.snapshot", _OTHER_THROTTLE, "concurrentsnapshotcreatelimitexceeded"),
    _rule("429.other", Meaning(Outcome.THROTTLED, _LAMBDA_FAMILIES, (*_LAMBDA_LAYERS, Layer.OTHER))),
)
_CAPACITY_502 = (
    "ec2throttledexception",
    "enilimitreachedexception",
    "subnetipaddresslimitreachedexception",
    "ec2unexpectedexception",
)

RULES: dict[Front, tuple[Rule, ...]] = {
    Front.REST: _REST,
    Front.HTTP: _HTTP,
    Front.FUNCTION_URL: (
        *_INVOKE_429,
        _rule("502.error", _FAILED),  # function error or timeout: unconfirmed
        _rule("403.forbidden", _REJECTED),
    ),
    Front.ALB: (
        _rule("502", _MAYBE_LAMBDA),
        _rule("503", _FAILED),
        _rule("504", _FAILED),
        _rule("429", Meaning(Outcome.THROTTLED, (Family.WINDOW_COUNTER, Family.UNKNOWN), (Layer.WAF, Layer.OTHER))),
        _rule("403.forbidden", _MAYBE_WAF),
        _rule("413.too_large", _REJECTED),
    ),
    Front.LAMBDA: (
        *_INVOKE_429,
        _rule("500.service", _FAILED),
        _rule("502.capacity", _FAILED, *_CAPACITY_502),
        _rule("502.other", _FAILED),
        _rule("403.denied", _REJECTED),
        _rule("408.start", _FAILED),
        _rule("413.too_large", _REJECTED),
    ),
    Front.SQS: (
        _rule("400.throttled", _OTHER_THROTTLE, "requestthrottled", "throttlingexception", "throttling"),
        _rule("403.throttled", _OTHER_THROTTLE, "requestthrottled", "throttlingexception", "throttling"),
        _rule("403.denied", _REJECTED),
        _rule("429", _OTHER_THROTTLE),
        _rule("503", Meaning(Outcome.UNSETTLED, (Family.UNKNOWN,), (Layer.OTHER,))),
    ),
    Front.PLAIN: (
        _rule("429", _ANY_THROTTLE),
        _rule("503", Meaning(Outcome.UNSETTLED, _ANY_FAMILY, _ANY_LAYER)),
        _rule("403", _MAYBE_WAF),
    ),
}
"""Per front, its rules in the order in which they are tried."""

FUNCTION_ERROR = "lambda.function_error"
"""The Invoke API's answer when the function's own code failed: 200 with the header `X-Amz-Function-Error`."""

BATCH_FAILED, BATCH_THROTTLED = "sqs.batch.failed", "sqs.batch.throttled"
"""SendMessageBatch's answer when some or all of its messages were not taken: 200 with `Failed` entries."""


def _common(prefix: str) -> dict[str, Meaning]:
    return {
        f"{prefix}.ok": Meaning(Outcome.OK),
        f"{prefix}.unexpected": _FAILED,
        f"{prefix}.4xx": _REJECTED,
        f"{prefix}.5xx": _FAILED,
    }


def _meanings_of(front: Front) -> dict[str, Meaning]:
    prefix = PREFIXES[front]
    found = _common(prefix) | {f"{prefix}.{rule.name}": rule.meaning for rule in RULES[front]}
    if front is Front.LAMBDA:
        found[FUNCTION_ERROR] = _FAILED
    if front is Front.SQS:
        found |= {BATCH_FAILED: _FAILED, BATCH_THROTTLED: _OTHER_THROTTLE}
    return found


TRANSPORT_MEANINGS = {
    name: Meaning(Outcome.TIMED_OUT if name == TIMED_OUT else Outcome.UNREACHABLE) for name in TRANSPORT_SIGNATURES
}
"""Meanings of the signatures of requests without a response."""

MEANINGS_OF = {front: _meanings_of(front) for front in Front}
"""Per front, the meaning of each signature that a response can have."""

MEANINGS: dict[str, Meaning] = TRANSPORT_MEANINGS | {
    name: found for meanings in MEANINGS_OF.values() for name, found in meanings.items()
}
"""The meaning of every signature there is."""
