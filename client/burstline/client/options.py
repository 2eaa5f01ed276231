"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


def access_options(default: str | None) -> Callable[[F], F]:
    """Add `--server` with its token and certificates."""

    def add(command: F) -> F:
        shown = default or "none: an embedded one"
        for option in (
            click.option("--key", type=EXISTING, help="Key of --cert, PEM."),
            click.option("--cert", type=EXISTING, help="Our certificate for mutual TLS, PEM."),
            click.option("--ca", type=EXISTING, help="Authority of the server's certificate, PEM; turns TLS on."),
            click.option("--token", envvar="BURSTLINE_TOKEN", default="", help="Bearer token [env: BURSTLINE_TOKEN]."),
            click.option(
                "--server",
                envvar="BURSTLINE_SERVER",
                default=default,
                metavar="HOST:PORT",
                help=f"The server, or several on one database: A:P,B:P [env: BURSTLINE_SERVER; default: {shown}].",
            ),
        ):
            command = option(command)
        return command

    return add


def with_parent(command: F) -> F:
    """Add the hidden flag that ends a child when its parent's end of standard input closes."""
    return click.option("--with-parent", is_flag=True, hidden=True)(command)


def listen_address(option: str, text: str) -> tuple[str, int]:
    """Return the host and port that an option states.

    Raises:
        UsageError: it is no HOST:PORT; names the option.
    """
    from burstline.client.errors import UsageError

    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f'{option}: found "{text}"; allowed: HOST:PORT, such as 127.0.0.1:7462')
    return host.strip("[]"), int(port)
