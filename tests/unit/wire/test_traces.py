"""Traces are off unless OpenTelemetry's variables ask for them, and cost a run nothing then."""

import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest
from burstline.core import tracing
from burstline.wire import traces
from burstline.wire.otlp import OtlpTracer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class Kept(SpanExporter):
    """Keeps spans; waits for `answering` first, as for a collector that does not answer."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.answering = threading.Event()
        self.answering.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.answering.wait(10.0)
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to give back."""


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, ""),
    ],
    ids=["nothing", "endpoint", "endpoint of traces", "switched off", "no exporter"],
)
def test_an_endpoint_asks_for_traces_and_opentelemetrys_own_switches_turn_them_off(
    environment: dict[str, str], asked: str
) -> None:
    assert traces.asked_by(environment) == asked


def test_nothing_of_opentelemetry_is_imported_while_traces_are_off() -> None:
    code = (
        "import sys, burstline.client.cli, burstline.client.commands.run, burstline.client.running.running, "
        "burstline.client.connection, burstline.server.app, burstline.workers.joining.agent, burstline.client.traces\n"
        "with burstline.client.traces.traced_command('run'): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.stdout == "[]\n", ended.stderr


def test_traces_that_are_asked_for_and_cannot_be_had_are_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from burstline.client.traces import traced_command

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with traced_command("run"):
        assert not tracing.is_on()
    said = capsys.readouterr().err
    assert said == (
        "note: OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and OpenTelemetry is not installed: "
        "pip install 'burstline[traces]'; going on\n"
    )


def test_an_error_leaves_its_kind_in_a_span_and_never_its_text() -> None:
    kept = Kept()
    tracer = OtlpTracer("test", kept)
    tracing.use(tracer)
    try:
        with pytest.raises(ValueError, match="s3cret"), tracing.span("work", run="r1"):
            raise ValueError("s3cret")
    finally:
        tracing.use(None)
        tracer.close()
    (span,) = kept.spans
    assert "s3cret" not in span.to_json()
    assert dict(span.attributes or {}) == {"burstline.run": "r1", "error.type": "ValueError"}


def test_the_context_of_another_process_is_gone_on_with_and_a_malformed_one_begins_a_trace() -> None:
    kept = Kept()
    tracer = OtlpTracer("test", kept)
    tracing.use(tracer)
    try:
        with tracing.span("first") as first, tracing.span("theirs", parent=""):
            pass
        for parent in (first.context, "not a context", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"):
            with tracing.span("next", parent=parent):
                pass
    finally:
        tracing.use(None)
        tracer.close()
    found = {span.name: span for span in kept.spans if span.name != "next"}
    following = [span.parent.span_id if span.parent else None for span in kept.spans if span.name == "next"]
    assert found["theirs"].parent is None
    assert [f"{span_id:016x}" if span_id else "" for span_id in following] == [first.context.split("-")[2], "", ""]


def test_a_process_ends_though_its_collector_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("burstline.wire.otlp.CLOSE_S", 0.05)
    kept = Kept()
    kept.answering.clear()
    tracer = OtlpTracer("test", kept)
    tracing.use(tracer)
    with tracing.span("work"):
        pass
    tracing.use(None)
    tracer.close()
    assert not kept.spans
    kept.answering.set()


def test_the_environment_names_the_service_and_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine,team=a")
    for protocol, kind in (("", OverGrpc), ("grpc", OverGrpc), ("http/protobuf", OverHttp)):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        tracer = OtlpTracer("test")
        assert isinstance(tracer.exporter, kind)
        assert tracer.resource["service.name"] == "mine"
        tracer.close()
