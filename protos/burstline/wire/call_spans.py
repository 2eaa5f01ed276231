"""Spans of gRPC calls to our own services, at both ends, and the metadata that joins them; only while traces are on.

OpenTelemetry's own instrumentation of gRPC is a beta that replaces grpc's functions for the whole process and puts the
texts of errors into spans.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from burstline.core import tracing
from burstline.core.tracing import Kind
from burstline.wire.handlers import replaced

OURS = "/burstline."
_ending: set["asyncio.Task[None]"] = set()
"""Tasks that wait for calls to end; the event loop itself keeps only weak references."""


def _attributes(method: str) -> dict[str, Any]:
    """Return OpenTelemetry's names for a method, `/package.Service/Method`."""
    service, _, name = method.strip("/").partition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}


# -- callers ---------------------------------------------------------------------------------------------------------


def interceptors() -> list[grpc.aio.ClientInterceptor]:
    """Return what a channel's calls are traced with: nothing while traces are off. Two-way streams are not traced."""
    return [_UnaryUnary(), _UnaryStream(), _StreamUnary()] if tracing.is_on() else []


async def _call(continuation: Any, details: Any, request: Any) -> Any:
    method = details.method.decode() if isinstance(details.method, bytes) else details.method
    if not method.startswith(OURS):
        return await continuation(details, request)
    span = tracing.begin(method.strip("/"), kind=Kind.CLIENT, **_attributes(method))
    metadata = grpc.aio.Metadata(*(details.metadata or ()), ("traceparent", span.context))
    call = await continuation(details._replace(metadata=metadata), request)
    task = asyncio.create_task(_end(call, span), name=f"span of {method}")
    _ending.add(task)
    task.add_done_callback(_ending.discard)
    return call


async def _end(call: Any, span: tracing.Span) -> None:
    """End a span with its call."""
    try:
        code: grpc.StatusCode = await call.code()
        span.note({"rpc.grpc.status_code": code.value[0]})
        if code is not grpc.StatusCode.OK:
            span.fail(code.name)
    finally:
        span.end()


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await _call(continuation, client_call_details, request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await _call(continuation, client_call_details, request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await _call(continuation, client_call_details, request_iterator)


# -- the one that is called ------------------------------------------------------------------------------------------


class CallSpans(grpc.aio.ServerInterceptor):
    """Traces the calls of our services; stands outside all others, so that it sees what they answer."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(OURS):
            return handler
        metadata = dict(handler_call_details.invocation_metadata or ())
        return _traced(handler, method, str(metadata.get("traceparent", "")))


def _traced(handler: Any, method: str, parent: str) -> Any:
    """Return a handler with a span around it."""

    async def single(request: Any, context: Any) -> Any:
        behaviour = handler.unary_unary or handler.stream_unary
        with tracing.span(method.strip("/"), kind=Kind.SERVER, parent=parent, **_attributes(method)) as span:
            try:
                return await behaviour(request, context)
            finally:
                _note_code(span, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        behaviour = handler.unary_stream or handler.stream_stream
        with tracing.span(method.strip("/"), kind=Kind.SERVER, parent=parent, **_attributes(method)) as span:
            try:
                async for response in behaviour(request, context):
                    yield response
            finally:
                _note_code(span, context)

    return replaced(handler, single, stream)


def _note_code(span: tracing.Span, context: Any) -> None:
    found = context.code() or 0  # a number, or what a handler set
    number: int = found.value[0] if isinstance(found, grpc.StatusCode) else found
    span.note({"rpc.grpc.status_code": number})
    if number:
        span.fail(next((code.name for code in grpc.StatusCode if code.value[0] == number), str(number)))
