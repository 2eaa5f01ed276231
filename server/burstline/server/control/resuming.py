"""A run that this server's last life, or another server, left unfinished: what the store knows of it."""

import asyncio
import os
import socket
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from burstline.core.load.window import SegmentKey
from burstline.server.clock import nanos
from burstline.server.control.active import ActiveRun
from burstline.server.control.roster import Identity
from burstline.server.control.segments import make_segments
from burstline.server.control.surroundings import Surroundings
from burstline.server.judging.codec import decode_account, decode_outline, decode_plan, decode_preflight
from burstline.server.store.rows import RunRow, RunState
from burstline.server.store.store import Store


async def restore(row: RunRow, around: Surroundings, notice: str) -> ActiveRun:
    """Return a run with its segments and live totals as the store has them.

    Args:
        row: as stored; it is ours.
        around: where its workers are noted, for they may come back.
        notice: what whoever watches is told.
    """
    run = ActiveRun(row, decode_plan(row.plan), decode_account(row.account))
    if row.preflight is not None:
        run.preflight, run.preflight_sent = decode_preflight(row.preflight)
    epochs = await around.store.epochs(run.id)
    if row.state in (RunState.RUNNING, RunState.SETTLING):
        run.segments = make_segments(run.schedule, row.segment_count, epochs)
        await asyncio.to_thread(_replay, run, around.store)
        run.notice(notice)
        if row.stopped_by:
            run.stop_asked.set()
        _expect_workers(run, around)
    elif epochs:  # prepared anew, under numbers of its own: a worker may still hold what it was given then
        run.epoch_base = max(epoch.epoch for epoch in epochs)
        await around.store.drop_epochs(run.id)
    return run


def _expect_workers(run: ActiveRun, around: Surroundings) -> None:
    now = around.clock.now_nanos()
    start = run.row.start_nanos or now
    for epoch in run.epochs():
        epoch.ready = True
        if epoch.living:
            row = epoch.row
            heard = start if epoch.last_second is None else start + nanos(epoch.last_second + 2.0)
            identity = Identity(row.worker_id, row.hostname, row.pid, row.version)
            around.roster.restore(identity, min(now, heard), now)


def _replay(run: ActiveRun, store: Store) -> None:
    rows = store.windows_now(run.id)
    for (segment, number), group in groupby(rows, key=lambda row: (row.segment, row.epoch)):
        epoch = run.epoch(SegmentKey(run.id, segment, number))
        for row in group:
            if epoch is not None:
                run.add_window(epoch, row.sequence, decode_outline(row.body))


def make_server_id(configured: str, listen: str) -> str:
    """Return the identity that runs are kept under: what was configured, or host, process and address."""
    return configured or f"{socket.gethostname()}|{os.getpid()}|{listen}"


def is_ours(owner: str, server_id: str) -> bool:
    """Whether an unfinished run is ours to go on with: our own, or one of a process of this host that has ended.

    For stores that one server uses; where several do, leases say it.
    """
    if owner == server_id:
        return True
    parts = owner.split("|")
    if len(parts) != 3 or parts[0] != socket.gethostname():
        return False
    pid = int(parts[1])
    return pid == os.getpid() or _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Whether a process of this host has ended, be it waited for or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    with suppress(OSError):  # no /proc, or it ended just now
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
