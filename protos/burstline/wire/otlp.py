"""Spans out over OTLP by OpenTelemetry's SDK, configured by its own environment variables: endpoint, protocol, headers,
certificates, sampler, limits. Only this file imports OpenTelemetry, and only `burstline.wire.traces` imports it.
"""

import logging
import os
import threading
from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from burstline.core import tracing
from burstline.core.tracing import Kind, Value

CLOSE_S = 2.0
"""How long the end of a process may wait for a collector, seconds."""

_KINDS = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}
_INHERITED = frozenset(tracing.PREFIX + name for name in ("run", "segment", "epoch", "worker"))
_W3C = TraceContextTextMapPropagator()


class _OtlpSpan:
    """A span of the SDK's as one of ours; `ids` are what its children carry, too, so that each is found by them."""

    def __init__(self, span: Span, ids: Mapping[str, Value]) -> None:
        self.span = span
        self.ids = dict(ids)
        self._failed = False

    @property
    def context(self) -> str:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, set_span_in_context(self.span))
        return carrier.get("traceparent", "")

    def note(self, attributes: Mapping[str, Value]) -> None:
        self.span.set_attributes(attributes)
        self.ids |= _ids(attributes)

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        self.span.add_event(name, attributes)

    def fail(self, what: str) -> None:
        if not self._failed:
            self._failed = True
            self.span.set_attribute("error.type", what)
            self.span.set_status(Status(StatusCode.ERROR))

    def end(self, end_nanos: int | None = None) -> None:
        self.span.end(end_nanos)


class OtlpTracer:
    """Begins spans and sends the ended ones from a thread of its own; `close` sends the rest.

    Args:
        service: `service.name`, unless the environment gives another.
        exporter: where they go; None is what the environment says.

    Attributes:
        exporter: the same.
        resource: what all spans say of this process.
    """

    def __init__(self, service: str, exporter: SpanExporter | None = None) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # no line for every attempt at a collector
        ours = version("burstline")
        named = {"service.version": ours} | ({} if _is_named() else {"service.name": service})
        resource = Resource.create(named)
        self.resource: Mapping[str, object] = resource.attributes
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.exporter = exporter or _exporter()
        self._provider.add_span_processor(BatchSpanProcessor(self.exporter))
        self._tracer = self._provider.get_tracer("burstline", ours)

    def begin(
        self,
        name: str,
        parent: tracing.Span | str,
        kind: Kind,
        attributes: Mapping[str, Value],
        start_nanos: int | None,
    ) -> tracing.Span:
        """Begin a span."""
        if isinstance(parent, _OtlpSpan):
            context = set_span_in_context(parent.span, Context())
            attributes = {**parent.ids, **attributes}
        else:
            context = _W3C.extract({"traceparent": parent} if isinstance(parent, str) else {}, Context())
        span = self._tracer.start_span(
            name, context, kind=_KINDS[kind], attributes=attributes, start_time=start_nanos, record_exception=False
        )
        return _OtlpSpan(span, _ids(attributes))

    def close(self) -> None:
        """Send what is left; after `CLOSE_S` without a collector give it up."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces closing", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            self.exporter.shutdown()


def _ids(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if name in _INHERITED}


def _is_named() -> bool:
    """Whether the environment names the service."""
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )


def _exporter() -> SpanExporter:
    """Return an exporter of the protocol that the environment names; gRPC if it names none."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if (protocol or "grpc").startswith("http"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return HttpExporter()
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

    return GrpcExporter()
