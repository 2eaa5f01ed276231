"""Processes of ours that must not outlive us, however we end.

Each child reads its standard input from a pipe that only we hold; when we go, also by SIGKILL, the pipe closes and the
child ends itself. Children have a session of their own, so that Ctrl-C in the terminal reaches only us and a run can be
stopped in order.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from burstline.client.running.engine import Engine

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
    """Processes started by us. Use as a context manager, of either kind: leaving it ends them all.

    Nothing here needs asyncio, so that the first child is started before that is imported.
    """

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._engine: Engine | None = None

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> "Children":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stopped()

    def start(self, *arguments: str, log: Path | IO[bytes] | None = None) -> "subprocess.Popen[bytes]":
        """Start `burstline ARGUMENTS --with-parent`; its errors go to `log`, or to ours."""
        opened = log.open("ab") if isinstance(log, Path) else log
        command = [sys.executable, "-m", "burstline.client", *arguments, "--with-parent"]
        out = PIPE if "emulate" in arguments else DEVNULL
        try:
            process = subprocess.Popen(command, stdin=PIPE, stdout=out, stderr=opened, start_new_session=True)
            self._processes.append(process)
            return process
        finally:
            if isinstance(log, Path) and opened is not None:
                opened.close()

    def begin_engine(self, *, fork: bool = False) -> "Engine":
        """Return the process with a server and workers, begun unless there is one; `fork` as `Engine` has it."""
        if self._engine is None:
            from burstline.client.running.engine import Engine

            self._engine = Engine(fork=fork)
        return self._engine

    async def address(self, process: "subprocess.Popen[bytes]", what: str) -> str:
        """Return the address that a child says it listens on.

        Raises:
            ClientError: it ended, or said nothing in time.
        """
        import asyncio

        from burstline.client.errors import ClientError

        assert process.stdout is not None
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), START_WAIT_S)
        text = line.decode(errors="replace").strip()
        if not text.startswith(LISTENING):
            raise ClientError(f"{what} did not start (it said: {text or 'nothing'})")
        return text.removeprefix(LISTENING)

    def ended(self) -> int:
        """Return how many have ended."""
        return sum(process.poll() is not None for process in self._processes)

    def kill(self) -> None:
        """End all at once, without waiting."""
        for process in self._processes:
            process.kill()
        if self._engine is not None:
            self._engine.kill()

    def stop(self) -> None:
        """Ask all to end, and end those that do not in time; blocks."""
        engine = self._engine
        for one in (*self._processes, *([engine] if engine else ())):
            one.terminate()
        end_s = time.monotonic() + STOP_WAIT_S
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end_s - time.monotonic()))
        if engine is not None:
            engine.join(max(0.0, end_s - time.monotonic()))
        self.kill()
        if engine is not None:
            engine.join()
            engine.close()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        self._processes.clear()
        self._engine = None

    async def stopped(self) -> None:
        """Do `stop` in a thread."""
        import asyncio

        await asyncio.to_thread(self.stop)


def end_with_parent(pipe: int = 0) -> None:
    """Start a thread that ends this process when a pipe, standard input, closes: SIGTERM first, for good soon after."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(pipe, 4096):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_WAIT_S)
        os._exit(143)

    threading.Thread(target=wait, name="parent", daemon=True).start()
