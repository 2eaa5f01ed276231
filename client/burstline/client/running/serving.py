"""A server as a process of its own."""

import asyncio
import logging
import os
import signal

import click

from burstline.client.errors import ClientError, UsageError
from burstline.core.log_lines import set_up
from burstline.server.app import RunningServer, serve
from burstline.server.errors import CannotStart
from burstline.server.settings import Role, ServerSettings, Token


def tokens_from(text: str) -> tuple[Token, ...]:
    """Return the tokens of `role=secret,role=secret`; an empty text is none.

    Raises:
        UsageError: one has no known role or no secret; the secret is not shown.
    """
    tokens: list[Token] = []
    for index, part in enumerate(filter(None, (item.strip() for item in text.split(","))), 1):
        role, _, secret = part.partition("=")
        if role.upper() not in Role.__members__ or not secret:
            raise UsageError(f"BURSTLINE_TOKENS: item {index} is not viewer=SECRET, runner=SECRET or admin=SECRET")
        tokens.append(Token(Role[role.upper()], secret))
    return tuple(tokens)


async def serve_until_signal(settings: ServerSettings) -> int:
    """Serve until Ctrl-C or SIGTERM, and return 0; the second one exits at once.

    Raises:
        ClientError: the server cannot start.
    """
    set_up(logging.INFO, os.environ.get("BURSTLINE_LOG", ""))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # the next one ends the process
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    try:
        await serve(settings, ready=lambda server: _say(server, settings), stop=stop)
    except CannotStart as error:
        raise ClientError(error.message) from error
    return 0


def _say(server: RunningServer, settings: ServerSettings) -> None:
    scheme = "http" if settings.tls is None else "https"
    pages = f"; pages and metrics: {scheme}://{server.http_address}" if server.http_address else ""
    click.echo(f"serving on {server.grpc_address}{pages}; workers: burstline work --server {server.grpc_address}")
