"""Putting another behaviour in the place of a gRPC handler's, whatever its kind: what interceptors of servers do."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

Single = Callable[[Any, Any], Awaitable[Any]]
"""Answers a request, or an iterator of them, with one message."""

Stream = Callable[[Any, Any], AsyncIterator[Any]]
"""Answers a request, or an iterator of them, with many."""


def replaced(handler: Any, single: Single, stream: Stream, parse: Callable[[bytes], Any] | None = None) -> Any:
    """Return a handler of the same kind that behaves otherwise.

    Args:
        handler: what an interceptor's continuation returned; not None.
        single: its behaviour if it answers with one message.
        stream: its behaviour if it answers with many.
        parse: makes a request of its bytes; the handler's own by default.
    """
    parts = {
        "request_deserializer": parse or handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(single, **parts)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(single, **parts)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(stream, **parts)
    return grpc.stream_stream_rpc_method_handler(stream, **parts)
