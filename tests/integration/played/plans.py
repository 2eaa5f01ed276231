"""Plans of tests, and their messages as far as these tests use plans."""

from collections.abc import Callable
from typing import Any

from burstline.core.load.plan import (
    AuthKind,
    Constant,
    Pause,
    Phase,
    Plan,
    Request,
    Target,
    Users,
)
from burstline.v1 import resources_pb2
from google.protobuf.json_format import ParseDict


def plan_for(target: Any, *load: Phase, **more: Any) -> Plan:
    requests = more.pop("requests", (Request("a", path="/a"),))
    return Plan("p", Target(more.pop("url", target.url)), requests, load or (Phase("c", 2.0, Constant(200)),), **more)


def plan_to_proto(plan: Plan) -> resources_pb2.Plan:
    """Return the message of a plan, as far as these tests use plans."""
    shapes = {Constant: "constant", Pause: "pause", Users: "users"}
    fields: dict[type, Callable[[Any], dict[str, Any]]] = {
        Constant: lambda shape: {"requestCountPerSecond": shape.rate_per_s},
        Pause: lambda _: {},
        Users: lambda shape: {"userCount": shape.users, "thinkDuration": f"{shape.think_s}s"},
    }
    document: dict[str, Any] = {
        "name": plan.name,
        "target": {"url": plan.target.url},
        "requests": [
            {"name": one.name, "method": one.method, "path": one.path, **({"json": one.json} if one.json else {})}
            for one in plan.requests
        ],
        "writesAllowed": plan.writes,
        "maxLateDuration": f"{plan.max_late_s}s",
        "load": [
            {
                "name": phase.name,
                "duration": f"{phase.duration_s}s",
                shapes[type(phase.shape)]: fields[type(phase.shape)](phase.shape),
            }
            for phase in plan.load
        ],
    }
    if plan.auth.kind is not AuthKind.NONE:
        document["auth"] = {{AuthKind.API_KEY: "apiKey", AuthKind.BEARER: "bearer"}[plan.auth.kind]: plan.auth.value}
    if plan.data:
        document["data"] = {"sha256": plan.data.sha256, "format": "CSV", "columns": list(plan.data.columns)}
    if plan.ceilings.rate_per_s:
        document["ceilings"] = {"requestCountPerSecond": plan.ceilings.rate_per_s}
    if plan.ceilings.in_flight:
        document["ceilings"] = {"inFlightCount": plan.ceilings.in_flight}
    return ParseDict(document, resources_pb2.Plan())
