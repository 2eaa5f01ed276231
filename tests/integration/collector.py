"""An OTLP receiver that keeps what comes: OpenTelemetry's own service on a free port."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it came.

    Attributes:
        service: `service.name` of its process.
        parent: id of its parent; "" is none.
        took_s: seconds.
    """

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: str
    attributes: dict[str, Any]
    events: tuple[str, ...]
    failed: bool
    took_s: float


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps requests as they come."""

    def __init__(self) -> None:
        self.requests: list[otlp.ExportTraceServiceRequest] = []
        self.address = ""

    def Export(self, request: otlp.ExportTraceServiceRequest, context: object) -> otlp.ExportTraceServiceResponse:
        self.requests.append(request)
        return otlp.ExportTraceServiceResponse()

    def bytes(self) -> bytes:
        """Return all that came."""
        return b"".join(request.SerializeToString() for request in self.requests)

    def spans(self) -> list[Seen]:
        """Return all spans that came."""
        found = []
        for request in self.requests:
            for resource in request.resource_spans:
                service = _values(resource.resource.attributes)["service.name"]
                found += [_seen(service, span) for scope in resource.scope_spans for span in scope.spans]
        return found


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=MessageToDict(span).get("kind", "").removeprefix("SPAN_KIND_"),
        attributes=_values(span.attributes),
        events=tuple(event.name for event in span.events),
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        took_s=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Receive spans for the length of the block."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]  # the stub has no types
    collector.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(0.5).wait()
