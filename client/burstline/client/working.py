"""Workers as processes of their own."""

import logging

from burstline.workers.processes import run_worker_processes
from burstline.workers.settings import AgentSettings


def work(settings: AgentSettings, processes: int, *, quiet: bool = False) -> int:
    """Run workers until Ctrl-C or SIGTERM; `quiet` logs warnings only.

    Returns:
        The exit code: 0, 1 if the server does not take these workers, 130 or 143 after a signal.
    """
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return run_worker_processes(settings, processes)
