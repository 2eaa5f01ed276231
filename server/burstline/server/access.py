"""Who may call what: bearer tokens with roles. Off when no tokens are configured."""

import hmac
from collections.abc import AsyncIterator
from typing import Any

import grpc

from burstline.server.errors import Refused, ServerError, Unauthenticated
from burstline.server.settings import Role, Token
from burstline.wire.handlers import replaced

NEEDED = {
    "/burstline.v1.RunService/CreateRun": Role.RUNNER,
    "/burstline.v1.RunService/StopRun": Role.RUNNER,
    "/burstline.v1.DataService/Upload": Role.RUNNER,
    "/burstline.v1.DataService/Download": Role.RUNNER,
    "/burstline.v1.WorkerService/Attach": Role.RUNNER,
    "/burstline.v1.QuotaService/RequestIncrease": Role.ADMIN,
}
"""Methods that need more than a viewer. Every other burstline method needs a viewer; health and reflection nothing."""


def check(method: str, authorization: str, tokens: tuple[Token, ...]) -> ServerError | None:
    """Return why a call is refused, or None when it may pass.

    Args:
        method: the full gRPC method, `/package.Service/Method`.
        authorization: the value of the `authorization` header; "" if there is none.
        tokens: those configured; none means that all may do everything.
    """
    if not tokens or not method.startswith("/burstline."):
        return None
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return Unauthenticated("this server asks for a token: give --token or BURSTLINE_TOKEN", reason="TOKEN_MISSING")
    roles = [token.role for token in tokens if hmac.compare_digest(token.secret.encode(), secret.encode())]
    if not roles:
        return Unauthenticated("this server does not know the token", reason="TOKEN_UNKNOWN")
    needed = NEEDED.get(method, Role.VIEWER)
    if max(roles) < needed:
        have, need = max(roles).name.lower(), needed.name.lower()
        return Refused(f"the token's role is {have}; this needs {need}", role=have, needed=need)
    return None


class TokenAuth(grpc.aio.ServerInterceptor):
    """Refuses calls without a token of the role they need. Stands inside `RichErrors`, which answers for it."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Let one call pass, or replace its handler by one that refuses."""
        handler = await continuation(handler_call_details)
        metadata = dict(handler_call_details.invocation_metadata or ())
        refusal = check(handler_call_details.method, str(metadata.get("authorization", "")), self._tokens)
        return handler if refusal is None or handler is None else _refusing(handler, refusal)


def _refusing(handler: Any, refusal: ServerError) -> Any:
    async def single(request: Any, context: Any) -> Any:
        raise refusal

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        answers: tuple[Any, ...] = ()
        for answer in answers:
            yield answer
        raise refusal

    return replaced(handler, single, stream)
