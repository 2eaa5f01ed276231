"""Processes that a scenario starts, and ends by their own ids."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class Child:
    """A process whose output is kept in a file.

    Args:
        arguments: program and arguments.
        output: where what it says is appended.
        environment: added to ours.
    """

    def __init__(self, arguments: Sequence[str], output: Path, environment: Mapping[str, str]) -> None:
        self.output = output
        self._from = output.stat().st_size if output.exists() else 0
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def said(self) -> str:
        """Return what it said so far."""
        with self.output.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace")

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.alive:
            self._process.kill()
        self.wait(10.0)

    def end(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self.alive:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            self.wait(12.0)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait(self, timeout_s: float) -> int:
        """Return its exit code."""
        code = self._process.wait(timeout_s)
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except BrokenPipeError:  # it died with something unread
                return code
        return code


def until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait until something holds; fails with `what` when it does not in time."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)


def end_all(children: Sequence[Child]) -> None:
    """End all of them at the same time."""
    threads = [threading.Thread(target=child.end) for child in children]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
