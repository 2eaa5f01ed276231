"""Embedded runs whose process was killed: settled before the store is used again.

A server takes up the unfinished runs of ended processes, which is right for a server that was restarted. An embedded
run must not go on in the process of a later command: nobody asked that one to send. So a server without workers,
which waits for none, takes them up first and settles what was sent until then.
"""

import asyncio
import os
import time

from burstline.server.store.store import Store

SETTLE_WAIT_S = 10.0
"""How long settling may take; what is not settled by then is left to the next command."""

CHECK_EVERY_S = 0.1


async def settle_abandoned(store: Store, url: str) -> None:
    """Settle the runs of ended processes in a store, open at `url`; quick when there are none."""
    if not await _left(store, everyone=True):
        return
    from burstline.server.app import running  # late: a quarter of a second, and there are hardly ever any
    from burstline.server.settings import ServerSettings

    settings = ServerSettings(
        listen="127.0.0.1:0",
        http="",
        store=url,
        lease_s=0.1,
        silence_margin_s=0.0,
        takeover_grace_s=0.0,
        worker_wait_s=0.0,
        more_workers_wait_s=0.0,
        return_wait_s=0.0,
    )
    async with running(settings):
        end_s = time.monotonic() + SETTLE_WAIT_S
        # the store is the only place that says when another part of this process is done
        while await _left(store, everyone=False) and time.monotonic() < end_s:  # noqa: ASYNC110
            await asyncio.sleep(CHECK_EVERY_S)


async def _left(store: Store, *, everyone: bool) -> bool:
    """Return whether runs are unfinished: anyone's, or those that this process took up."""
    ours = f"|{os.getpid()}|"
    return any(everyone or ours in row.server for row in await store.unfinished_runs())
