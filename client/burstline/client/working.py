"""Workers as processes of their own."""

import asyncio
import logging
import signal
from collections.abc import Callable

from burstline.client.errors import ClientError
from burstline.workers.agent import run_agent
from burstline.workers.errors import Refused
from burstline.workers.settings import AgentSettings


def work(settings: AgentSettings, processes: int, *, quiet: bool = False) -> int:
    """Run workers until Ctrl-C or SIGTERM; returns the exit code, 0. `quiet` logs warnings only.

    Raises:
        ClientError: the server does not take these workers.
    """
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    if processes > 1:
        from burstline.workers.processes import run_worker_processes

        run_worker_processes(settings, processes)
        return 0
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_work_until_signal(settings))
    except Refused as error:
        raise ClientError(str(error)) from error
    return 0


async def _work_until_signal(settings: AgentSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # the next one ends the process
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    await run_agent(settings, stop)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
