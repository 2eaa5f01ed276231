"""Workers that are begun before there is a server for them, and then wait to be told its address."""

import dataclasses
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from burstline.core.log_lines import set_up
from burstline.workers.processes import (
    Context,
    WorkerProcesses,
    attend,
    die_with_parent,
    end_with,
    prepare,
    run_one,
)
from burstline.workers.settings import AgentSettings

STOP_WAIT_S = 3.0
"""From asking the workers to end to ending them."""


class WaitingWorkers:
    """Some workers and the process that starts them, which imports for all of them while it waits.

    On Linux it is forked, with what this process has imported until then: make it before any thread, and before gRPC
    is used (imported is no harm).
    """

    def __init__(self) -> None:
        context: Context = multiprocessing.get_context("spawn")
        forked = sys.platform == "linux"
        if forked:
            context = multiprocessing.get_context("fork")
        theirs, self._ours = context.Pipe(duplex=False)
        inherited = self._ours if forked else None
        self._process: BaseProcess = context.Process(
            target=_wait_and_work, args=(theirs, inherited, os.getpid()), name="burstline workers"
        )
        self._process.start()
        theirs.close()

    def begin(self, count: int) -> None:
        """Start so many workers, >= 1, as soon as all is imported."""
        self._ours.send(count)

    def attach(self, address: str) -> None:
        """Tell those that were begun which server, host:port, they belong to."""
        self._ours.send(address)

    def stop(self) -> None:
        """Ask them to end, and end them if they do not in time; blocks."""
        self._process.terminate()
        self._process.join(STOP_WAIT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._ours.close()


def _wait_and_work(told: Connection, inherited: Connection | None, parent: int) -> None:
    """The process's main function; `inherited` is the parent's end of the pipe, if it was forked with it."""
    if inherited is not None:
        inherited.close()
    die_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    prepare()
    settings = AgentSettings(server="")  # looks our version up, before there is anything to do
    workers: WorkerProcesses | None = None
    try:
        count: int = told.recv()
        if count > 1:
            workers = WorkerProcesses(count, fork=True)
            workers.start()
        settings = dataclasses.replace(settings, server=told.recv())
    except EOFError:  # there will be no server
        os._exit(workers.close() if workers is not None else 0)
    threading.Thread(target=end_with, args=(told,), daemon=True, name="lifeline").start()
    import logging

    set_up(logging.WARNING, os.environ.get("BURSTLINE_LOG", ""))
    code = attend(workers, settings) if workers is not None else run_one(settings)
    sys.stderr.flush()
    os._exit(code)
