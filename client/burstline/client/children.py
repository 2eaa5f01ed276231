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


def default_workers() -> int:
    """Return how many worker processes an embedded run has: 2, or 1 on a machine with one core."""
    return min(2, os.cpu_count() or 1)


class Children:
    """Processes started by us. Use as an async context manager: leaving it ends them all."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []

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
