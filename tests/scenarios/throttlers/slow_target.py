"""A target behind a proxy, as a process of its own: every request takes its time, in milliseconds.

python slow_target.py PORT LOW_MS HIGH_MS
"""

import asyncio
import random
import sys


async def serve(port: int, low_s: float, high_s: float) -> None:
    """Answer each request 200 after a uniformly random time; any number of them at once."""
    draw = random.Random(5)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(draw.uniform(low_s, high_s))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000, float(sys.argv[3]) / 1000))
