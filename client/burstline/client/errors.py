"""What can go wrong on the client's side, and in which words.

ClientError: the command cannot do its work; exit code 1
├── UsageError: the command line or a file it names is wrong; exit code 2
│   ├── InvalidPlan: mistakes in a plan or account file; `.problems` has every one
│   └── RefusedByServer: the server found mistakes; `.problems` has every one
├── ServerUnreachable: nothing answers, or the connection broke for good
├── NotFound: no such run
└── ServerFailed: the server answered with an error of another kind

Errors of gRPC are mapped here and nowhere else, by `from_rpc`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from burstline.client import exits
from burstline.client.problems import Problem

if TYPE_CHECKING:  # gRPC takes its time to import, and a command has errors of its own before it needs it
    import grpc.aio
    from google.rpc import error_details_pb2

DEFAULT_SERVER = "127.0.0.1:7460"
"""Where a server listens, and commands look for it, unless told otherwise."""


class ClientError(Exception):
    """The command cannot do its work; the text says what happened and what to do."""

    exit_code = exits.COULD_NOT_RUN


class UsageError(ClientError):
    """The command line or a file it names is wrong; nothing was sent."""

    exit_code = exits.USAGE


class InvalidPlan(UsageError):
    """Mistakes in a plan or account file; `problems` has every one, at least one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RefusedByServer(UsageError):
    """The server found mistakes in what it was given; `problems` are its words, a line each."""

    def __init__(self, message: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join((message, *(f"  {problem}" for problem in self.problems))))


class ServerUnreachable(ClientError):
    """Nothing answers at the server's address."""


class NotFound(ClientError):
    """There is no such run."""


class ServerFailed(ClientError):
    """The server answered with an error."""


def from_rpc(
    error: "grpc.aio.AioRpcError", server: str, asked: str = "the request", *, secure: bool = False
) -> ClientError:
    """Return the error of ours for one of gRPC's.

    Args:
        error: what a call raised.
        server: the address that was called, for the message.
        asked: what the server was given, for a refusal: "the plan".
        secure: whether it was called over TLS.
    """
    import grpc

    from burstline.wire.unreachable import why_unreachable

    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE:
        info = _info(error)
        if info is not None:  # the server itself answered
            return ServerFailed(details)
        if likely := why_unreachable(details, server, secure=secure):
            return ServerUnreachable(likely)
        listen = "" if server == DEFAULT_SERVER or "," in server else f" --listen {server}"
        return ServerUnreachable(f"nothing answers at {server}: start it with `burstline serve{listen}`")
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return RefusedByServer(f"the server at {server} refused {asked}:", _violations(error) or [details])
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _info(error) is None:  # gRPC itself, before the server looks
        return UsageError(f"{asked} is too large for one message: put large bodies and data into files ({details})")
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFound(details)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServerFailed(
            f"the server at {server} does not know this call: it is of another version than this client, or it is "
            f"not a burstline server"
        )
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return ServerFailed(f"the server at {server} refused: {details}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServerUnreachable(f"the server at {server} did not answer in time")
    return ServerFailed(details or f"the server at {server} answered {code.name}")


def _info(error: "grpc.aio.AioRpcError") -> "error_details_pb2.ErrorInfo | None":
    from google.rpc import error_details_pb2

    for message in _details(error):
        if isinstance(message, error_details_pb2.ErrorInfo):
            return message
    return None


def _violations(error: "grpc.aio.AioRpcError") -> list[str]:
    from google.rpc import error_details_pb2

    return [
        f"{violation.field}: {violation.description}"
        for message in _details(error)
        if isinstance(message, error_details_pb2.BadRequest)
        for violation in message.field_violations
    ]


def _details(error: "grpc.aio.AioRpcError") -> list[object]:
    from google.rpc import error_details_pb2
    from grpc_status import rpc_status

    try:
        status = rpc_status.from_call(cast("grpc.Call", error))  # it only asks for metadata, code and details
    except ValueError:
        return []
    messages: list[object] = []
    for packed in status.details if status is not None else ():
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
            if packed.Is(kind.DESCRIPTOR):
                message = kind()
                packed.Unpack(message)
                messages.append(message)
    return messages
