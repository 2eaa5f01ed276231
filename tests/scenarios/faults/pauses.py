"""The machine's own pauses: a process of the highest class on each core asks for the clock each millisecond.

    python pauses.py FILE

When it is woken late nothing else on that core ran in time, either: the host gave the core to somebody else. Each line
of the file: nanoseconds of the monotonic clock when it should have been woken, and when it was.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the process itself is alone with the standard library
    from faults.processes import Child
    from faults.world import World

EVERY_S = 0.001
LATE_S = 0.001
"""What is written down. The class above all others is woken within 0.1 ms on a core that is there."""

BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


def first(priority: int) -> tuple[str, ...]:
    """Return what puts a command before all others of the machine but those of a higher priority, 1 to 99."""
    return ("chrt", "--rr", str(priority))


def put_first(child: "Child", priority: int) -> None:
    """Put a process that runs already before all others of the machine but those of a higher priority."""
    os.sched_setscheduler(child.pid, os.SCHED_RR, os.sched_param(priority))


class Unavailable(Exception):
    """This machine gives nobody precedence; the text says why."""


class Pauses:
    """Watches the cores until the world ends, and keeps them awake: the host takes a core back that is idle."""

    def __init__(self, world: "World", folder: Path) -> None:
        if shutil.which("chrt") is None or subprocess.run([*first(90), "true"], capture_output=True).returncode:
            raise Unavailable("`chrt` (util-linux) is missing, or may not give a program precedence")
        self._files = []
        for core in sorted(os.sched_getaffinity(0)):
            self._files.append(folder / f"pauses{core}.log")
            on_it = ("taskset", "--cpu-list", str(core))
            world.start((*on_it, *first(90), sys.executable, __file__, str(self._files[-1])), f"pauses{core}")
            world.start((*on_it, "chrt", "--idle", "0", sys.executable, "-c", BUSY), f"busy{core}")

    def seen(self) -> list[tuple[float, float]]:
        """Return from when to when each pause was, seconds of the monotonic clock, over all cores."""
        lines = [line.split() for file in self._files if file.exists() for line in file.read_text().splitlines()]
        return sorted((int(due) * 1e-9, int(woken) * 1e-9) for due, woken in lines)


def paused_s(pauses: Sequence[tuple[float, float]], from_s: float, until_s: float) -> float:
    """Return for how long one core or both paused within a span, or in a pause that the span begins in."""
    total_s, free_s = 0.0, 0.0
    for start_s, end_s in pauses:
        if start_s < until_s and end_s > from_s:
            total_s += max(0.0, min(end_s, until_s) - max(start_s, free_s))
            free_s = max(free_s, end_s)
    return total_s


def watch(file: Path) -> None:
    """Write down pauses until killed."""
    parent = os.getppid()
    with file.open("w", buffering=1) as log:
        while os.getppid() == parent:
            due_s = time.monotonic() + EVERY_S
            time.sleep(EVERY_S)
            now_s = time.monotonic()
            if now_s > due_s + LATE_S:
                log.write(f"{round(due_s * 1e9)} {round(now_s * 1e9)}\n")


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
