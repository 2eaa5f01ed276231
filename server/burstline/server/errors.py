"""What can go wrong in the control plane, and the only place that turns it into a gRPC status.

ServerError
├── InvalidRequest        INVALID_ARGUMENT     INVALID_REQUEST        all violations at once
├── NotFound              NOT_FOUND            *_NOT_FOUND
├── WrongState            FAILED_PRECONDITION  VERSION_MISMATCH, RUN_NOT_ENDED, NO_REPORT,
│                                                HOST_NOT_ALLOWED
├── NotOwner              FAILED_PRECONDITION  OTHER_SERVER           nothing was written
├── Refused               PERMISSION_DENIED    ROLE_TOO_LOW
├── Unauthenticated       UNAUTHENTICATED      TOKEN_MISSING, TOKEN_UNKNOWN
├── TooMuch               RESOURCE_EXHAUSTED   FILE_TOO_LARGE         our own limits
├── StoreUnavailable      UNAVAILABLE          STORE_UNAVAILABLE
└── CannotStart           (never on the wire)                         the process ends with its sentence
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from burstline.wire.errors import InvalidMessage, Violation
from burstline.wire.handlers import replaced

log = logging.getLogger(__name__)
DOMAIN = "burstline"
INTERNAL_TEXT = "internal error; the server's log has the details"


class ServerError(Exception):
    """An error with a sentence for the caller.

    Args:
        message: a sentence that says what happened and what to do.
        metadata: the variable parts of the message.
        reason: UPPER_SNAKE; the class's own unless given.
    """

    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str = "", **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.reason
        self.metadata = metadata


class InvalidRequest(ServerError):
    """The request breaks its contract; `violations` lists every breach."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"

    def __init__(self, violations: Sequence[Violation]) -> None:
        count = len(violations)
        first = f"{violations[0].field}: {violations[0].description}" if violations else ""
        super().__init__(first if count == 1 else f"{first} (and {count - 1} more)", violation_count=str(count))
        self.violations = tuple(violations)


class NotFound(ServerError):
    """What was named does not exist."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class WrongState(ServerError):
    """The request is right but not now, or not here."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WRONG_STATE"


class NotOwner(ServerError):
    """Another server drives this run: what was to be written of it was not."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "OTHER_SERVER"


class Refused(ServerError):
    """The caller is known and may not."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "ROLE_TOO_LOW"


class Unauthenticated(ServerError):
    """The caller is not known."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "TOKEN_MISSING"


class TooMuch(ServerError):
    """One of our own limits is reached."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "FILE_TOO_LARGE"


class StoreUnavailable(ServerError):
    """The store cannot be read or written; nothing was changed."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "STORE_UNAVAILABLE"


class CannotStart(ServerError):
    """The server cannot start; its sentence says why and what to do."""

    reason = "CANNOT_START"


def status_of(error: BaseException) -> status_pb2.Status:
    """Return the status of an error; what is not ours is INTERNAL with a fixed text, and logged with its traceback."""
    if isinstance(error, InvalidMessage):
        error = InvalidRequest(error.violations)
    if not isinstance(error, ServerError):
        log.error("unexpected error", exc_info=error)
        error = ServerError(INTERNAL_TEXT)
    number: int = error.code.value[0]
    status = status_pb2.Status(code=number, message=error.message)
    _pack(status, error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    if isinstance(error, InvalidRequest):
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=violation.field, description=violation.description)
        _pack(status, bad)
    return status


def _pack(status: status_pb2.Status, detail: Any) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


async def _abort(context: Any, error: BaseException) -> NoReturn:
    status = status_of(error)
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    details = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, status.message, trailing_metadata=details)
    raise AssertionError("abort does not return")


class _Malformed:
    """Stands for a request that is no message of its kind. Left to itself grpcio answers INTERNAL."""

    def refuse(self) -> NoReturn:
        raise InvalidRequest([Violation("", "these bytes are no message of this method")])


def _tolerant(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parsed(data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError:
            return _Malformed()

    return parsed


async def _checked(request: Any) -> AsyncIterator[Any]:
    async for message in request:
        if isinstance(message, _Malformed):
            message.refuse()
        yield message


def _single(behaviour: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def guarded(request: Any, context: Any) -> Any:
        try:
            if isinstance(request, _Malformed):
                request.refuse()
            return await behaviour(request if isinstance(request, Message) else _checked(request), context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001  # the one place where everything is mapped
            return await _abort(context, error)

    return guarded


def _stream(behaviour: Callable[[Any, Any], AsyncIterator[Any]]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            if isinstance(request, _Malformed):
                request.refuse()
            async for response in behaviour(request if isinstance(request, Message) else _checked(request), context):
                yield response
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001  # the one place where everything is mapped
            await _abort(context, error)

    return guarded


class RichErrors(grpc.aio.ServerInterceptor):
    """Answers every error of a burstline service with its rich status."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Wrap the handler of one call."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith("/burstline."):
            return handler
        single = _single(handler.unary_unary or handler.stream_unary)
        stream = _stream(handler.unary_stream or handler.stream_stream)
        return replaced(handler, single, stream, _tolerant(handler.request_deserializer))
