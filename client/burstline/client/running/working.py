"""Workers as processes of their own."""

import logging
import os

from burstline.core.log_lines import set_up
from burstline.workers.processes import run_worker_processes
from burstline.workers.settings import AgentSettings


def default_processes() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(settings: AgentSettings, processes: int, *, quiet: bool = False) -> int:
    """Run workers until Ctrl-C or SIGTERM; `quiet` logs warnings only.

    Returns:
        The exit code: 0, 1 if the server does not take these workers, 130 or 143 after a signal.
    """
    level = logging.WARNING if quiet else logging.INFO
    set_up(level, os.environ.get("BURSTLINE_LOG", ""))
    return run_worker_processes(settings, processes)
