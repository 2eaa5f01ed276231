"""Worker processes: begun before gRPC is used, ended with their parent, shut down in two stages.

Forked children of a process that used grpc.aio never answer (tried). So they are spawned and import everything
themselves, unless this process is there for them alone (`run_worker_processes`): then it imports for all of them, uses
nothing of it, and forks, which saves half a second of a core for each. Each runs one event loop, on uvloop where it is
installed.
"""

import asyncio
import contextlib
import ctypes
import dataclasses
import gc
import logging
import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from burstline.core.log_lines import set_up
from burstline.workers.settings import AgentSettings

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl(2)
_KILL_AFTER_S = 12.0
"""The agent drains for at most 8 s; what has not ended by then is killed."""


Context = multiprocessing.context.SpawnContext | multiprocessing.context.ForkContext

REFUSED = 1
"""Exit code of a worker that the server does not take."""


class Lifeline(Protocol):
    """The parent's end of a pipe to a worker: what it is to do comes that way, and its closing is the parent's end."""

    def send(self, obj: Any) -> None:
        """Send an object."""

    def close(self) -> None:
        """Give it back."""


class WorkerProcesses:
    """Some worker processes of this one.

    Args:
        count: how many, >= 1.
        fork: fork them, where the system can; only a process without threads that never uses gRPC may.
    """

    def __init__(self, count: int, *, fork: bool = False) -> None:
        self._count = count
        self._fork = fork and sys.platform == "linux"
        self._processes: list[BaseProcess] = []
        self._lifelines: list[Lifeline] = []

    @property
    def processes(self) -> tuple[BaseProcess, ...]:
        """Those that were started."""
        return tuple(self._processes)

    def start(self) -> None:
        """Start them; they wait to be told whose they are."""
        context: Context = multiprocessing.get_context("spawn")
        if self._fork:
            context = multiprocessing.get_context("fork")
        for index in range(self._count):
            theirs, ours = context.Pipe(duplex=False)
            self._lifelines.append(ours)
            inherited = tuple(self._lifelines) if self._fork else ()
            process = context.Process(
                target=_child, args=(theirs, os.getpid(), inherited), name=f"burstline worker {index}"
            )
            process.start()
            theirs.close()
            self._processes.append(process)

    def attach(self, settings: AgentSettings) -> None:
        """Tell them their settings; from then on they attach on their own.

        Args:
            settings: of each; `metrics_port`, unless 0 or None, is counted up from the first to the last.
        """
        for index, lifeline in enumerate(self._lifelines):
            port = settings.metrics_port
            with contextlib.suppress(OSError):  # one that has ended is noticed by its end
                lifeline.send(dataclasses.replace(settings, metrics_port=port + index if port else port))

    def terminate(self) -> None:
        """Ask them to drain and end; a second call makes them end at once."""
        for process in self._processes:
            if process.is_alive():
                process.terminate()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for them; return whether all have ended."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        for process in self._processes:
            process.join(None if end_s is None else max(0.0, end_s - time.monotonic()))
        return not any(process.is_alive() for process in self._processes)

    def close(self) -> int:
        """End them, by force if they do not within a bound; return the highest exit code."""
        self.terminate()
        if not self.join(_KILL_AFTER_S):
            for process in self._processes:
                process.kill()
            self.join()
        for lifeline in self._lifelines:
            lifeline.close()
        self._lifelines.clear()
        return max((process.exitcode or 0 for process in self._processes), default=0)


def run_worker_processes(settings: AgentSettings, count: int) -> int:
    """Run `count` workers until they end or a signal comes; for `burstline work`.

    The first SIGINT or SIGTERM stops sending and drains within 8 s, the second ends at once.

    Returns:
        An exit code: 0, 1 if a worker was refused, or 130 or 143 after a signal.
    """
    if count == 1:
        return run_one(settings)
    prepare()
    return attend(WorkerProcesses(count, fork=True), settings)


def attend(workers: WorkerProcesses, settings: AgentSettings) -> int:
    """Start workers, unless that was done, let them attach, and stay until they end; see `run_worker_processes`."""
    seen: list[int] = []

    def on_signal(number: int, _: object) -> None:
        seen.append(number)
        workers.terminate()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if not workers.processes:
            workers.start()
        workers.attach(settings)
        while not workers.join(0.2):
            if any(process.exitcode == REFUSED for process in workers.processes):  # so will be the others
                break
        code = workers.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + seen[0] if seen else code


def prepare() -> None:
    """Import what a worker needs, before there is anything to do."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a worker is one core, and NumPy's threads take time to start
    from burstline.workers.sending.importing import import_sending

    import_sending()
    import burstline.workers.joining.agent  # noqa: F401

    _loop_factory()
    gc.enable()
    gc.freeze()  # forked workers then share these pages, and none of them looks through them again


def run_one(settings: AgentSettings, signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)) -> int:
    """Run one worker in this process until it ends or a signal comes; see `run_worker_processes`."""
    from burstline.wire.traces import traced
    from burstline.workers.errors import Refused
    from burstline.workers.joining.agent import run_agent
    from burstline.workers.sending.mishaps import hush_connections

    async def main() -> int:
        stop = asyncio.Event()
        seen: list[int] = []

        def on_signal(number: int) -> None:
            if seen:
                os._exit(128 + number)
            seen.append(number)
            stop.set()

        loop = asyncio.get_running_loop()
        hush_connections(loop)
        for number in signals:
            loop.add_signal_handler(number, on_signal, number)
        try:
            await run_agent(settings, stop)
        except Refused as error:
            sys.stderr.write(f"burstline work: {error}\n")
            return REFUSED
        return 128 + seen[0] if seen else 0

    with traced("burstline-worker"), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


def _child(lifeline: Connection, parent: int, inherited: Sequence[Lifeline]) -> None:
    """A worker process's main function; `inherited` are the parent's ends of lifelines that it was forked with."""
    for end in inherited:
        end.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until the loop takes it over; a forked one has its parent's
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent passes it on
    die_with_parent(parent)
    set_up(logging.WARNING, os.environ.get("BURSTLINE_LOG", ""))
    try:
        settings: AgentSettings = lifeline.recv()
    except EOFError:  # there will be no server
        os._exit(0)
    threading.Thread(target=end_with, args=(lifeline,), daemon=True, name="lifeline").start()
    code = run_one(settings, (signal.SIGTERM,))
    sys.stderr.flush()
    os._exit(0 if code > 128 else code)  # a drained child is no error; skip gRPC's slow teardown


def die_with_parent(parent: int) -> None:
    """Have SIGTERM sent to this process when process `parent`, its parent, ends; end it if that has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def end_with(lifeline: Connection) -> None:
    """Wait for the other end of the pipe to close, which its process's death does; then end within the bound."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_KILL_AFTER_S)
        os._exit(1)
