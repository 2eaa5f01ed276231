"""Ports for processes that must be told where to listen before they are started."""

import contextlib
import socket
import sys


def free_port(count: int = 1) -> int:
    """Return the first of `count` adjacent loopback ports that are ours until this process ends.

    Each is held by a socket that is bound, never listens, and allows its address to be used again. On Linux nobody else
    is given such a port, neither for a connection nor for a server on port 0, while a server that is told the number
    listens on it, and again after a restart: servers allow it, too. Elsewhere holding it would keep them out, so there
    the port is only likely to be free.
    """
    while True:
        with contextlib.ExitStack() as held:
            first = held.enter_context(_bound(0))
            port = int(first.getsockname()[1])
            try:
                sockets = [first, *(held.enter_context(_bound(port + more)) for more in range(1, count))]
            except (OSError, OverflowError):
                continue  # a neighbour is taken, or there is none
            if sys.platform == "linux":
                for one in sockets:
                    one.detach()  # left open
            return port


def _bound(port: int) -> socket.socket:
    one = socket.socket()
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", port))
    except BaseException:
        one.close()
        raise
    return one
