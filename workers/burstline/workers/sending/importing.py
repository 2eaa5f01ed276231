"""Imports what a worker process needs and would otherwise wait for at its first connection."""

import ssl
from typing import Any


def import_sending() -> None:
    """Import aiohttp without the system's certificates, which it reads when it is imported: 35 ms of a start.

    For processes that are workers alone: no connection of ours uses aiohttp's own TLS settings (`dialing` gives it
    those of `tls`), and one that did would trust nobody.
    """
    make = ssl.create_default_context
    ssl.create_default_context = _trusting_nobody
    try:
        import aiohttp.connector  # noqa: F401
    finally:
        ssl.create_default_context = make
    import encodings.idna  # noqa: F401 - every host's name is encoded with it


def _trusting_nobody(*_: Any, **__: Any) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificates and host names, and knows no authority
