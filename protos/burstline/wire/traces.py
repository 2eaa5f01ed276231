"""Whether this process's spans go out over OTLP: OpenTelemetry's own environment variables say so.

Nothing of OpenTelemetry is imported unless they do.
"""

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Mapping

from burstline.core import tracing

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def asked_by(environment: Mapping[str, str]) -> str:
    """Return the variable that asks for traces; "" if none does, or they are turned off by OpenTelemetry's switches."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return ""
    return next((name for name in ENDPOINTS if environment.get(name)), "")


def missing() -> str:
    """Return a sentence if traces are asked for and what sends them is not installed; else ""."""
    asked = asked_by(os.environ)
    if not asked or importlib.util.find_spec("opentelemetry") is not None:
        return ""
    return f"{asked} asks for traces, and OpenTelemetry is not installed: pip install 'burstline[traces]'; going on"


@contextlib.contextmanager
def traced(service: str) -> Iterator[None]:
    """Trace this process for the length of the block, if that is asked for and can be; sends what is left at its end.

    Args:
        service: `service.name` of the process, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES give another.
    """
    if not asked_by(os.environ) or missing():
        yield
        return
    from burstline.wire.otlp import OtlpTracer  # imports OpenTelemetry

    tracer = OtlpTracer(service)
    tracing.use(tracer)
    try:
        yield
    finally:
        tracing.use(None)
        tracer.close()
