"""Where things run: the target on one core, the generator on another, and what this machine is."""

import contextlib
import multiprocessing
import os
import platform
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 1 << 16


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used.

    Attributes:
        cpu_s: user and system time, seconds.
        memory_bytes: the most it had resident.
        wall_s: seconds.
        output: what it wrote to its standard output.
        code: its exit code.
    """

    cpu_s: float
    memory_bytes: int
    wall_s: float = 0.0
    output: str = ""
    code: int = 0


def cores() -> tuple[int, int]:
    """Return the generator's core and the target's; the same one if there is only one."""
    if not hasattr(os, "sched_getaffinity"):
        return 0, 0
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def settle(core: int, realtime: bool = False) -> None:
    """Pin this process to a core; `realtime` puts it before whatever else runs there, if the system lets us.

    A machine with neighbours measures the neighbours, not the engine: what waits 10 ms for the core is 10 ms late.
    Linux still leaves 5 % of each core to the others.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    if realtime:
        go_first()


def go_first() -> None:
    """Put this process, and those it starts, before whatever else runs, if the system lets us."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Keep the two cores from going to sleep while inside, with a process of the lowest class (SCHED_IDLE) on each.

    A virtual core that has nothing to do is given back to its host, which wakes it up to some milliseconds late: what
    is measured then is the host. The processes give way to everything else at once, whoever is measured.
    """
    if not hasattr(os, "SCHED_IDLE"):
        yield
        return
    context = multiprocessing.get_context("spawn")
    spinners = [context.Process(target=_spin, args=(core,), daemon=True) for core in sorted(set(cores()))]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.join()


def _spin(core: int) -> None:
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    parent = os.getppid()
    while os.getppid() == parent:
        for _ in range(1_000_000):
            pass


def run_pinned(
    command: Sequence[str], core: int, realtime: bool = False, timeout_s: float = 120.0, cwd: str = "/"
) -> Usage:
    """Run a command on one core and return what it used; its own time limit should end it.

    Go and Node programs are told of the one core by GOMAXPROCS and UV_THREADPOOL_SIZE.
    """
    environment = {**os.environ, "GOMAXPROCS": "1", "UV_THREADPOOL_SIZE": "1", "PYTHONWARNINGS": "ignore"}
    started_s = time.monotonic()
    with open(os.devnull) as nothing:
        process = subprocess.Popen(
            command,
            stdin=nothing,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=cwd,
            preexec_fn=lambda: settle(core, realtime),
        )
    peak, ended = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended))
    watcher.start()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    wall_s = time.monotonic() - started_s
    ended.set()
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(cpu_s, peak[0], wall_s, output, process.returncode)


def _watch(pid: int, peak: list[int], ended: threading.Event) -> None:
    """Look at a process's memory until it ends: what `getrusage` says of children is their parent's, before exec."""
    while not ended.wait(0.1):
        peak[0] = max(peak[0], peak_memory_bytes(str(pid)))


def peak_memory_bytes(pid: str = "self") -> int:
    """Return the most that a process had resident so far, bytes; 0 where that cannot be read."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def usage() -> Usage:
    """Return what this process used so far."""
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(mine.ru_utime + mine.ru_stime, peak_memory_bytes())


def description() -> str:
    """Return processor, cores, kernel and Python in a line."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        name = platform.machine()
    release = platform.release().split("-")[0]
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {release}, Python {platform.python_version()}"


def raise_file_limit() -> None:
    """Let this process and those it starts open as many files as the memory rows need, where the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MOST_FILES), max(hard, MOST_FILES)))


def find(name: str, given: str = "") -> str:
    """Return the path of a program: the given one, else the one on PATH, else ""."""
    if given:
        return given if os.access(given, os.X_OK) else ""
    return shutil.which(name) or ""
