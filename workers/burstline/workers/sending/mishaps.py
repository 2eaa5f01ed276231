"""What a loop says of connections that broke: nothing to the user, for each is the outcome of a request already."""

import asyncio
import logging
from typing import Any

_log = logging.getLogger(__name__)


def hush_connections(loop: asyncio.AbstractEventLoop) -> None:
    """Log a loop's complaints about single connections at level DEBUG; all others go where they went.

    Under a storm of TLS handshakes, some of them given up half-way, event loops log "Fatal error on SSL protocol" with
    a traceback for each connection that goes down in a way that they did not foresee. The sender is told of the loss by
    the protocol, and says what became of the request.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "transport" in context and "protocol" in context:
            _log.debug("a connection broke: %s: %r", context.get("message"), context.get("exception"))
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
