"""A tiny HTTP target on loopback that counts what reaches it, and does as it is told."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from burstline.v1 import run_service_pb2_grpc, worker_service_pb2_grpc
from certificates import certify
from played.server import House, Server
from played.trial import Trial

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Target:
    """Answers each request by `behaviour`, which gets the request's first line and the writer.

    Attributes:
        requests: the head of every request that arrived, in order.
        bodies: their bodies.
        connections: how many were accepted.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.behaviour: Callable[[str, asyncio.StreamWriter], Awaitable[None]] = self.answer
        self._server: asyncio.Server | None = None
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._server = await asyncio.start_server(self._serve, host, 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> Counter[str]:
        """How often each request line arrived."""
        return Counter(request.split("\r\n", 1)[0] for request in self.requests)

    async def answer(self, _: str, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.split("\r\n")
                        if line.lower().startswith("content-length")
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                self.requests.append(head)
                self.bodies.append(body)
                await self.behaviour(head.split("\r\n", 1)[0], writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open -= 1
            writer.close()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._server.wait_closed()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem of 127.0.0.1, its own authority."""
    return certify(tmp_path_factory.mktemp("tls"), "IP:127.0.0.1")


@pytest.fixture
def new_target() -> Target:
    """A target that is not started."""
    return Target()


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    made = Target()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    servicer = Server(lease_s=10.0)
    server = grpc.aio.server()
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(servicer, server)
    run_service_pb2_grpc.add_DataServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made = House(servicer, f"127.0.0.1:{port}", server)
    yield made
    if made.agent is not None:
        made.agent.cancel()
        await asyncio.gather(made.agent, return_exceptions=True)
    await server.stop(0)


@pytest.fixture
async def trial(target: Any) -> AsyncIterator[Trial]:
    made = Trial(target.url)
    yield made
    await made.sender.close()
