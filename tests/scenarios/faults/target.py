"""A tiny HTTP target as a process of its own: it writes down every request it reads, before it answers.

    python target.py --listen 127.0.0.1:0 --log FILE [--close-every N] [--delay SECONDS]

Each line of the log: nanoseconds of the machine's monotonic clock, the request's `x-burstline-n` (-1 without), 1 for a
preflight request. Lines are written one by one with O_APPEND, so that they survive a kill. With `--close-every N` each
N-th request is read and then its connection is closed in place of an answer.
"""

import argparse
import asyncio
import os
import sys
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


class Target:
    """Counts and answers."""

    def __init__(self, log: int, close_every: int, delay_s: float) -> None:
        self._log, self._close_every, self._delay_s = log, close_every, delay_s
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(header(head, b"content-length") or 0))
                preflight = header(head, b"x-burstline-preflight") == b"1"
                number = int(header(head, b"x-burstline-n") or -1)
                os.write(self._log, b"%d %d %d\n" % (time.monotonic_ns(), number, preflight))
                self._count += not preflight
                if self._close_every and not preflight and self._count % self._close_every == 0:
                    return
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def header(head: bytes, name: bytes) -> bytes:
    """Return a header's value; `head` and `name` in lower case."""
    found = head.find(b"\r\n" + name + b":")
    if found < 0:
        return b""
    start = found + len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--log", required=True)
    parser.add_argument("--close-every", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    log = os.open(options.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    target = Target(log, options.close_every, options.delay)
    server = await asyncio.start_server(target.serve, host, int(port), backlog=2048)
    sys.stdout.write(f"listening on {host}:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
