"""Several servers on one database: this one's part in it, all the time."""

import asyncio
import logging

from burstline.server.control.owning import EVERY_S
from burstline.server.control.runs import Runs
from burstline.server.control.surroundings import Surroundings
from burstline.server.errors import StoreUnavailable

log = logging.getLogger(__name__)


async def share(runs: Runs, around: Surroundings) -> None:
    """Renew leases, let go what another has taken, and take over runs whose server is gone; until cancelled."""
    away = False
    while around.owning.shared:
        try:
            await look_once(runs, around)
        except StoreUnavailable as error:
            if not away:
                log.warning("leases cannot be renewed for now: %s", error)
            away = True
        else:
            away = False
        await asyncio.sleep(EVERY_S)


async def look_once(runs: Runs, around: Surroundings) -> None:
    """Do that once; raises StoreUnavailable."""
    for run_id in await around.owning.renew():
        runs.lose(run_id)
    for row in await around.owning.claim(runs.server_id):
        runs.take_over(row)
    await _tell_waiting(runs, around)


async def _tell_waiting(runs: Runs, around: Surroundings) -> None:
    """Welcome workers again whose runs are ours by now, or have ended: they repeat what nobody took from them."""
    waiting = [worker for worker in around.roster.attached() if worker.waiting]
    others = await runs.driven_elsewhere({run for worker in waiting for run in worker.waiting})
    for worker in waiting:
        still = worker.waiting & others
        if still != worker.waiting:
            worker.waiting = still
            runs.welcome(worker)
