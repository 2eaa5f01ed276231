"""Ctrl-C and SIGTERM: the first asks to stop, the second ends the process at once."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from burstline.client import exits

SHOW_CURSOR = "\x1b[?25h"


class StopAsked:
    """Whether a signal came.

    Attributes:
        event: set by the first signal.
        exit_code: 130 or 143 once it came; 0 before.
    """

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.exit_code = 0


@contextmanager
def stop_signals(at_once: Callable[[], None]) -> Iterator[StopAsked]:
    """Take over SIGINT and SIGTERM in the running loop for the length of the block.

    Args:
        at_once: called on the second signal before the process exits; must not block.
    """
    asked = StopAsked()
    loop = asyncio.get_running_loop()

    def handle(code: int) -> None:
        if asked.exit_code:
            at_once()
            cursor = SHOW_CURSOR if os.isatty(2) else ""
            with contextlib.suppress(OSError):  # straight to the terminal: sys.stderr may belong to the live picture
                os.write(2, f"{cursor}\nburstline: stopped at once; nothing was settled\n".encode())
            os._exit(code)
        asked.exit_code = code
        asked.event.set()

    loop.add_signal_handler(signal.SIGINT, handle, exits.INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, handle, exits.TERMINATED)
    try:
        yield asked
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
