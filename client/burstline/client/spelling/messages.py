"""The spelling's way into protos: each section's record to its message."""

import json
from urllib.parse import urlsplit

from google.protobuf.duration_pb2 import Duration

from burstline.client.spelling import load, plan, requests
from burstline.v1 import resources_pb2 as v1

FRONT_OF = {
    "rest": v1.REST,
    "http": v1.HTTP,
    "function_url": v1.FUNCTION_URL,
    "alb": v1.ALB,
    "lambda": v1.LAMBDA,
    "sqs": v1.SQS,
    "plain": v1.PLAIN,
}


CALLED = frozenset({v1.LAMBDA, v1.SQS})
"""Fronts that are APIs of AWS's own: what is called follows from the front, and calls are signed."""


def duration(seconds: float) -> Duration:
    """Return seconds as a message, exact to the nanosecond."""
    nanos = round(seconds * 1e9)
    return Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)


def front_of_host(host: str) -> v1.Front.ValueType:
    """Return the kind of entry point an AWS host name gives away; unspecified where it does not.

    Source: Lambda Developer Guide "Function URLs" and Elastic Load Balancing User Guide; read 2026-11-23. The host of
    a REST API looks like that of an HTTP API.
    """
    if ".lambda-url." in host:
        return v1.FUNCTION_URL
    if host.endswith(".elb.amazonaws.com"):
        return v1.ALB
    if host.startswith("sqs."):
        return v1.SQS
    return v1.FRONT_UNSPECIFIED


def target_message(target: plan.Target, kinds: list[requests.Request], names: list[str]) -> v1.Target:
    """Return the target; `names` are the requests' names in the order of `kinds`."""
    url = target.address()
    host = urlsplit(url).hostname or "" if "://" in url else ""
    return v1.Target(
        url=url,
        front=FRONT_OF[target.front] if target.front else front_of_host(host),
        function=target.function,
        stage=target.stage or "",
        usage_plan=target.usage_plan,
        qualifier=target.qualifier,
        function_of={name: kind.function for name, kind in zip(names, kinds, strict=True) if kind.function},
    )


def auth_message(auth: plan.Auth) -> v1.Auth:
    """Return the credentials, still as references."""
    if auth.api_key is not None:
        return v1.Auth(api_key=auth.api_key)
    if auth.bearer is not None:
        return v1.Auth(bearer=auth.bearer)
    if auth.basic is not None:
        return v1.Auth(basic=v1.Auth.Basic(username=auth.basic.username, password=auth.basic.password))
    if auth.cognito is not None:
        return v1.Auth(cognito=_cognito(auth.cognito))
    scope = auth.sigv4 or plan.SigV4()
    return v1.Auth(sigv4=v1.Auth.SigV4(region=scope.region, service=scope.service))


def _cognito(found: plan.Cognito) -> v1.Auth.Cognito:
    return v1.Auth.Cognito(
        client_id=found.client_id,
        client_secret=found.client_secret,
        username=found.username,
        password=found.password,
        region=found.region,
        token=v1.Auth.Cognito.ACCESS if found.token == "access" else v1.Auth.Cognito.ID,
        token_url=found.token_url,
        scopes=found.scopes,
        endpoint_url=found.endpoint_url,
    )


def request_message(kind: requests.Request, name: str, body_sha256: str) -> v1.Request:
    """Return one kind of request; `body_sha256` is of its body file, "" without one."""
    contents = kind.contents()
    message = v1.Request(
        name=name,
        weight=kind.weight,
        method=kind.verb(),
        path=kind.url_path(),
        query=[v1.Field(name=key, value=value) for key, value in kind.query],
        headers=[v1.Field(name=key, value=value) for key, value in kind.headers],
        expect=v1.Expect(
            statuses=[v1.StatusRange(low=low, high=high) for low, high in kind.expect.status],
            body_contains=kind.expect.body,
        ),
        timeout_duration=duration(kind.timeout),
        message_count=kind.messages,
    )
    if "json" in contents:
        message.json = json.dumps(kind.json_, ensure_ascii=False, separators=(",", ":"))
    elif "body" in contents:
        message.body = kind.body or ""
    elif body_sha256:
        message.body_sha256 = body_sha256
    return message


def phase_message(phase: load.AnyPhase, number: int) -> v1.Phase:
    """Return a phase; unnamed ones are called by their number, counted from 1."""
    message = v1.Phase(name=phase.name or f"phase {number}")
    message.duration.CopyFrom(duration(phase.pause if isinstance(phase, load.Pause) else phase.for_))
    if not isinstance(phase, load.Pause | load.Users):
        message.arrivals = v1.Phase.POISSON if phase.arrivals == "poisson" else v1.Phase.EVEN
    if isinstance(phase, load.Step):
        message.step.CopyFrom(
            v1.Phase.Step(
                from_request_count_per_second=phase.rate,
                to_request_count_per_second=phase.to,
                step_count=phase.steps,
            )
        )
    elif isinstance(phase, load.Ramp):
        message.ramp.CopyFrom(
            v1.Phase.Ramp(from_request_count_per_second=phase.rate, to_request_count_per_second=phase.to)
        )
    elif isinstance(phase, load.Constant):
        message.constant.CopyFrom(v1.Phase.Constant(request_count_per_second=phase.rate))
    elif isinstance(phase, load.Pause):
        message.pause.CopyFrom(v1.Phase.Pause())
    else:
        _add_shape(message, phase)
    return message


def _add_shape(message: v1.Phase, phase: load.Bursts | load.Sine | load.Users) -> None:
    if isinstance(phase, load.Bursts):
        message.bursts.CopyFrom(
            v1.Phase.Bursts(
                size_count=phase.bursts.size,
                every_duration=duration(phase.bursts.every),
                width_duration=duration(phase.bursts.width),
                base_request_count_per_second=phase.rate,
            )
        )
    elif isinstance(phase, load.Sine):
        message.sine.CopyFrom(
            v1.Phase.Sine(
                mean_request_count_per_second=phase.sine.mean,
                amplitude_request_count_per_second=phase.sine.amplitude,
                period_duration=duration(phase.sine.period),
            )
        )
    else:
        message.users.CopyFrom(v1.Phase.Users(user_count=phase.users, think_duration=duration(phase.think)))


def ceilings_message(ceilings: plan.Ceilings) -> v1.Ceilings:
    """Return our own limits; 0 is none."""
    return v1.Ceilings(
        request_count_per_second=ceilings.rate or 0.0,
        in_flight_count=ceilings.in_flight or 0,
        request_count=ceilings.requests or 0,
        run_duration=duration(ceilings.duration or 0.0),
        cost_usd=ceilings.cost_usd or 0.0,
    )


def connections_message(connections: plan.Connections) -> v1.Connections:
    """Return the connection policy."""
    counted = isinstance(connections.warm, int)
    return v1.Connections(
        warm=v1.Connections.NONE if connections.warm == "none" else v1.Connections.AUTO,
        warm_count=int(connections.warm) if counted else 0,
        keep_alive_duration=duration(connections.keep_alive),
        ip={"any": v1.Connections.ANY, "4": v1.Connections.V4, "6": v1.Connections.V6}[connections.ip],
        dns_duration=duration(connections.dns.every),
    )
