"""Plans: `v1.Plan` -> `core.load.plan.Plan`, with every range check."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from burstline.core.load import plan as core
from burstline.v1 import resources_pb2 as v1
from burstline.wire.auth import auth_from_proto
from burstline.wire.checks import Checks, shown_url
from burstline.wire.conditions import parse_condition
from burstline.wire.load import HIGHEST_RATE_PER_S, phases_from_proto
from burstline.wire.requests import requests_from_proto

FRONTS = {
    v1.FRONT_UNSPECIFIED: core.Front.PLAIN,
    v1.REST: core.Front.REST,
    v1.HTTP: core.Front.HTTP,
    v1.FUNCTION_URL: core.Front.FUNCTION_URL,
    v1.ALB: core.Front.ALB,
    v1.LAMBDA: core.Front.LAMBDA,
    v1.SQS: core.Front.SQS,
    v1.PLAIN: core.Front.PLAIN,
}
_WARMS = {
    v1.Connections.WARM_UNSPECIFIED: core.Warm.AUTO,
    v1.Connections.AUTO: core.Warm.AUTO,
    v1.Connections.NONE: core.Warm.NONE,
}
_IPS = {
    v1.Connections.IP_UNSPECIFIED: "any",
    v1.Connections.ANY: "any",
    v1.Connections.V4: "4",
    v1.Connections.V6: "6",
}
_FORMATS = {v1.DataFile.CSV: core.DataFormat.CSV, v1.DataFile.JSONL: core.DataFormat.JSONL}
_ORDERS = {
    v1.DataFile.ORDER_UNSPECIFIED: core.DataOrder.RANDOM,
    v1.DataFile.RANDOM: core.DataOrder.RANDOM,
    v1.DataFile.SEQUENTIAL: core.DataOrder.SEQUENTIAL,
}
_HEX = frozenset("0123456789abcdef")


def plan_from_proto(message: v1.Plan) -> core.Plan:
    """Return a plan.

    Raises:
        InvalidMessage: with every field that is out of range.
    """
    checks = Checks()
    name = message.name
    checks.require(0 < len(name) <= 200, "name", f"{len(name)} characters: allowed are 1 to 200")
    load = phases_from_proto(message.load, checks)
    data = _data(message.data, checks) if message.HasField("data") else None
    columns = data.columns if data else ()
    requests = requests_from_proto(message.requests, columns, message.writes_allowed, checks)
    plan = core.Plan(
        name=name,
        target=_target(message.target, requests, checks),
        requests=requests,
        load=load,
        auth=auth_from_proto(message.auth, message.target, checks),
        writes=message.writes_allowed,
        data=data,
        goal=_goal(message.goal, checks) if message.HasField("goal") else None,
        tolerated_throttled=checks.number(
            "tolerated_throttled_ratio", message.tolerated_throttled_ratio, low=0, high=1
        ),
        thresholds=_conditions("thresholds", message.thresholds, False, checks),
        abort=_conditions("abort", message.abort, True, checks),
        ceilings=_ceilings(message.ceilings, checks),
        connections=_connections(message.connections, checks),
        max_late_s=(
            checks.seconds("max_late_duration", message.max_late_duration, low=0, high=10, above_low=True)
            if message.HasField("max_late_duration")
            else 0.02
        ),
        seed=int(checks.number("seed", message.seed, low=0, high=2**63 - 1)),
        marks=not message.marks_disabled,
    )
    checks.finish()
    return plan


def _target(message: v1.Target, requests: tuple[core.Request, ...], checks: Checks) -> core.Target:
    _check_url(message.url, checks)
    names = {request.name for request in requests}
    for name in message.function_of:
        checks.require(name in names, f'target.function_of["{name}"]', f"no request of the plan is called {name!r}")
    return core.Target(
        url=message.url.rstrip("/"),
        front=FRONTS.get(message.front, core.Front.PLAIN),
        function=message.function,
        stage=message.stage,
        usage_plan=message.usage_plan,
        function_of=tuple(sorted(message.function_of.items())),
        qualifier=message.qualifier,
    )


def _check_url(url: str, checks: Checks) -> None:
    allowed = "allowed is an absolute URL such as https://abc123.execute-api.eu-west-1.amazonaws.com/prod"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        why = "" if "@" in url else f": {error}"  # which may be a piece of a password
        checks.refuse("target.url", f"{shown_url(url)!r} cannot be read{why}; {allowed}")
        return
    checks.require(usable, "target.url", f"{shown_url(url)!r} is not usable: {allowed}")
    checks.require(not (parts.query or parts.fragment), "target.url", "a query belongs to the requests, not to the URL")
    checks.require(
        parts.username is None, "target.url", "a password in a URL ends up in logs: use `auth` with ${env:NAME}"
    )


def _data(message: v1.DataFile, checks: Checks) -> core.DataFile:
    check_sha256("data.sha256", message.sha256, checks)
    checks.require(message.format in _FORMATS, "data.format", "it is missing: allowed are CSV and JSONL")
    checks.require(len(message.columns) > 0, "data.columns", "the file has no columns")
    return core.DataFile(
        sha256=message.sha256,
        format=_FORMATS.get(message.format, core.DataFormat.CSV),
        order=_ORDERS.get(message.order, core.DataOrder.RANDOM),
        columns=tuple(message.columns),
    )


def check_sha256(field: str, value: str, checks: Checks) -> None:
    """Check that a value is 64 lower-case hex digits."""
    checks.require(len(value) == 64 and set(value) <= _HEX, field, f"{value!r} is not a SHA-256 in lower-case hex")


def _goal(message: v1.Goal, checks: Checks) -> core.Goal:
    rate = checks.number(
        "goal.request_count_per_second",
        message.request_count_per_second,
        low=0,
        high=HIGHEST_RATE_PER_S,
        above_low=True,
        unit="requests/s",
    )
    return core.Goal(rate, message.by_date)


def _conditions(field: str, texts: Iterable[str], for_allowed: bool, checks: Checks) -> tuple[core.Condition, ...]:
    found = []
    for i, text in enumerate(texts):
        try:
            found.append(parse_condition(text, duration_allowed=for_allowed))
        except ValueError as error:
            checks.refuse(f"{field}[{i}]", str(error))
    return tuple(found)


def _ceilings(message: v1.Ceilings, checks: Checks) -> core.Ceilings:
    rate = checks.number(
        "ceilings.request_count_per_second", message.request_count_per_second, low=0, high=HIGHEST_RATE_PER_S
    )
    in_flight = int(checks.number("ceilings.in_flight_count", message.in_flight_count, low=0, high=10**6))
    count = int(checks.number("ceilings.request_count", message.request_count, low=0, high=10**12))
    duration = checks.seconds("ceilings.run_duration", message.run_duration, low=0, high=30 * 86400)
    cost = checks.number("ceilings.cost_usd", message.cost_usd, low=0, high=10**6, unit="USD")
    return core.Ceilings(rate or None, in_flight or None, count or None, duration or None, cost or None)


def _connections(message: v1.Connections, checks: Checks) -> core.Connections:
    def seconds(name: str, default: float) -> float:
        if not message.HasField(name):  # type: ignore[arg-type]  # the stub wants a literal
            return default
        return checks.seconds(f"connections.{name}", getattr(message, name), low=0, high=86400, above_low=True)

    return core.Connections(
        warm=_WARMS.get(message.warm, core.Warm.AUTO),
        warm_count=int(checks.number("connections.warm_count", message.warm_count, low=0, high=100_000)),
        keep_alive_s=seconds("keep_alive_duration", 60.0),
        ip=_IPS.get(message.ip, "any"),
        dns_every_s=seconds("dns_duration", 60.0),
    )
