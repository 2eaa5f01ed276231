"""Whether a server is gone for certain, which is more than that it does not answer."""

import asyncio
import socket
from contextlib import suppress

PROBE_S = 0.3
"""How long one address may take to refuse, seconds."""


async def nobody_listens(server: str) -> bool:
    """Return whether every address of `server` (host:port) refuses connections: its process has ended.

    A server that has ended gives no segment to another, and one that is started anew waits for all leases first. One
    that merely cannot be reached may be alive and do so.
    """
    host, _, port = server.rpartition(":")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    refusals = [await _refuses(str(address[0]), int(address[1])) for *_, address in found]
    return bool(refusals) and all(refusals)


async def _refuses(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return False
