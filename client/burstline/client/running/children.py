"""Processes of ours that must not outlive us, however we end.

Each child reads its standard input from a pipe that only we hold; when we go, also by SIGKILL, the pipe closes and the
child, started with `--with-parent`, ends itself. Children have a session of their own, so that Ctrl-C in the terminal
reaches only us and a run can be stopped in order.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO

from burstline.client.errors import ClientError

STOP_WAIT_S = 4.0
"""From SIGTERM to SIGKILL."""

START_WAIT_S = 20.0
"""How long a child may take to say that it listens."""

ORPHAN_WAIT_S = 1.0
"""From a child's noticing that its parent is gone to its end: there is nobody left to report to."""

LISTENING = "listening on "
"""What a child's first line of output begins with; the rest is its address."""


FROM_PARENT = "-"
"""In place of a worker's server: its parent writes the address to its standard input when there is one."""


def address_from_parent() -> str:
    """Return the line that the parent writes to standard input; "" if it ended first."""
    line = b""
    while not line.endswith(b"\n") and (sign := os.read(0, 1)):
        line += sign
    return line.decode().strip()


def default_workers() -> int:
    """Return how many worker processes an embedded run has: 2, or 1 on a machine with one core."""
    return min(2, os.cpu_count() or 1)


class Children:
    """Processes started by us. Use as an async context manager: leaving it ends them all."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []
        self._workers: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "Children":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *arguments: str, log: Path | IO[bytes] | None = None) -> asyncio.subprocess.Process:
        """Start `burstline ARGUMENTS --with-parent`; its errors go to `log`, or to ours."""
        opened = log.open("ab") if isinstance(log, Path) else None
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "burstline.client",
                *arguments,
                "--with-parent",
                stdin=PIPE,
                stdout=PIPE if "emulate" in arguments else DEVNULL,
                stderr=opened,
                start_new_session=True,
            )
        finally:
            if opened is not None:
                opened.close()
        self._processes.append(process)
        return process

    async def start_workers(self, count: int) -> None:
        """Start so many workers, 0 or more, unless there are some; they get ready, and wait for `attach_workers`."""
        if count and self._workers is None:
            self._workers = await self.start("work", "--server", FROM_PARENT, "--processes", str(count))

    def attach_workers(self, address: str) -> None:
        """Tell the workers which server they belong to."""
        if self._workers is not None and self._workers.stdin is not None:
            self._workers.stdin.write(f"{address}\n".encode())

    async def address(self, process: asyncio.subprocess.Process, what: str) -> str:
        """Return the address that a child says it listens on.

        Raises:
            ClientError: it ended or said nothing in time.
        """
        assert process.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), START_WAIT_S)
        text = line.decode(errors="replace").strip()
        if not text.startswith(LISTENING):
            raise ClientError(f"{what} did not start (it said: {text or 'nothing'})")
        return text.removeprefix(LISTENING)

    def ended(self) -> int:
        """Return how many have ended."""
        return sum(process.returncode is not None for process in self._processes)

    def kill(self) -> None:
        """End all at once, without waiting."""
        for process in self._processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    async def stop(self) -> None:
        """Ask all to end, and end those that do not in time."""
        for process in self._processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        waits = [asyncio.create_task(process.wait()) for process in self._processes]
        if waits:
            await asyncio.wait(waits, timeout=STOP_WAIT_S)
            self.kill()
            await asyncio.gather(*waits)
        self._processes.clear()
        self._workers = None


@contextmanager
def workers_ahead(count: int) -> Iterator[tuple[asyncio.Runner, Children]]:
    """Start worker processes before there is a server for them, and give what runs the rest; ends them at the end."""
    children = Children()
    with asyncio.Runner() as runner:
        try:
            runner.run(children.start_workers(count))
            yield runner, children
        finally:
            runner.run(children.stop())


def end_with_parent() -> None:
    """Start a thread that ends this process when standard input closes: SIGTERM first, for good soon after."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_WAIT_S)
        os._exit(143)

    threading.Thread(target=wait, name="parent", daemon=True).start()
