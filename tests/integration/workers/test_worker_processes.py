"""Worker processes attach on their own, drain on the first signal, and never outlive their parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from burstline.v1 import worker_service_pb2 as v1
from burstline.v1 import worker_service_pb2_grpc
from lineage import is_alive

SCRIPT = """
import sys
from burstline.workers.processes import run_worker_processes
from burstline.workers.settings import AgentSettings
if __name__ == "__main__":
    sys.exit(run_worker_processes(AgentSettings(sys.argv[1]), int(sys.argv[2])))
"""


class Roster(worker_service_pb2_grpc.WorkerServiceServicer):
    """Welcomes workers and answers their heartbeats; remembers who is attached."""

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self.attached = 0
        self.refuses = False

    async def Attach(self, request_iterator: AsyncIterator[v1.AttachRequest], context: Any) -> AsyncIterator[Any]:
        if self.refuses:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
        self.attached += 1
        try:
            async for message in request_iterator:
                if message.HasField("hello"):
                    self.pids.add(message.hello.pid)
                    yield v1.AttachResponse(welcome=v1.Welcome(name="workers/w"))
                elif message.HasField("heartbeat"):
                    now = time.monotonic_ns()
                    yield v1.AttachResponse(
                        heartbeat=v1.HeartbeatReply(
                            sent_nanos=message.heartbeat.sent_nanos, server_received_nanos=now, server_sent_nanos=now
                        )
                    )
        finally:
            self.attached -= 1

    async def ListWorkers(self, request: v1.ListWorkersRequest, context: Any) -> v1.ListWorkersResponse:
        raise NotImplementedError


class House:
    """A server, and workers as a command of their own."""

    def __init__(self, roster: Roster, address: str, script: str) -> None:
        self.roster, self.address, self._script = roster, address, script
        self.commands: list[subprocess.Popen[bytes]] = []

    def work(self, count: int) -> "subprocess.Popen[bytes]":
        command = subprocess.Popen(
            [sys.executable, self._script, self.address, str(count)], stderr=subprocess.PIPE, start_new_session=True
        )
        self.commands.append(command)
        return command

    async def until(self, condition: Callable[[], object], timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(0.02)

    async def exit_code(self, command: "subprocess.Popen[bytes]") -> int:
        await self.until(lambda: command.poll() is not None)
        return int(command.returncode)


@pytest.fixture
async def house(tmp_path: Any) -> AsyncIterator[House]:
    roster = Roster()
    server = grpc.aio.server()
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(roster, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    script = tmp_path / "work.py"
    script.write_text(SCRIPT)
    made = House(roster, f"127.0.0.1:{port}", str(script))
    yield made
    for command in made.commands:
        if command.poll() is None:
            os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        if command.stderr is not None:
            command.stderr.close()
    await server.stop(0)


@pytest.mark.parametrize(("count", "number", "code"), [(2, signal.SIGINT, 130), (1, signal.SIGTERM, 143)])
async def test_workers_attach_and_the_first_signal_ends_them_orderly(
    house: House, count: int, number: signal.Signals, code: int
) -> None:
    command = house.work(count)
    await house.until(lambda: house.roster.attached == count)
    assert len(house.roster.pids) == count
    os.killpg(command.pid, number)  # as Ctrl-C does: the whole group gets it
    assert await house.exit_code(command) == code
    await house.until(lambda: not any(is_alive(pid) for pid in house.roster.pids), 3.0)
    assert house.roster.attached == 0


async def test_workers_end_when_their_parent_is_killed(house: House) -> None:
    command = house.work(2)
    await house.until(lambda: house.roster.attached == 2)
    command.kill()
    await house.until(lambda: not any(is_alive(pid) for pid in house.roster.pids), 5.0)


@pytest.mark.parametrize("count", [1, 2])
async def test_a_refused_worker_says_why_and_exits_with_1(house: House, count: int) -> None:
    house.roster.refuses = True
    command = house.work(count)
    assert await house.exit_code(command) == 1
    assert command.stderr is not None
    assert "refused this worker: not you" in command.stderr.read().decode()
