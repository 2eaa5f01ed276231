"""Who holds which segment of a run: assignments, takeovers, stops. Every assignment is committed before it is sent."""

import logging
from collections.abc import Collection, Sequence

from burstline.core import tracing
from burstline.core.load.window import SegmentKey
from burstline.server.clock import Clock, nanos
from burstline.server.control.active import ActiveRun
from burstline.server.control.roster import Roster, Worker
from burstline.server.control.segments import Epoch, Segment
from burstline.server.settings import ServerSettings
from burstline.server.store.rows import EpochRow
from burstline.server.store.store import Store

log = logging.getLogger(__name__)
PAUSE_S = 0.5
"""The driver looks every 0.1 s; after a longer gap nobody is given up in that round."""

MOST_FAILURES = 3
"""So often a segment is handed on after its worker could not prepare it."""


class Dispatch:
    """The segments of one run."""

    def __init__(self, run: ActiveRun, roster: Roster, store: Store, clock: Clock, settings: ServerSettings) -> None:
        self._run, self._roster, self._store = run, roster, store
        self._clock, self._settings = clock, settings
        self._tended_nanos: int | None = None

    async def assign(self, pairs: Sequence[tuple[Segment, Worker]]) -> None:
        """Give segments to workers: commit, then send."""
        run, now = self._run, self._clock.now_nanos()
        start = run.row.start_nanos
        fresh: list[tuple[Segment, Worker, Epoch]] = []
        for segment, worker in pairs:
            last = segment.last
            position = 0 if start is None else segment.position_at_nanos(now, start)
            who = worker.identity
            row = EpochRow(
                run=run.id,
                segment=segment.index,
                epoch=(last.row.epoch if last else run.epoch_base) + 1,
                worker_id=who.worker_id,
                worker_name=who.name,
                hostname=who.hostname,
                pid=who.pid,
                version=who.version,
                from_position=max(position, last.watermark if last else 0),
            )
            fresh.append((segment, worker, Epoch(row)))
        await self._store.put_epochs([epoch.row for _, _, epoch in fresh])
        for segment, worker, epoch in fresh:
            segment.epochs.append(epoch)
            log.info("assigned run=%s segment=%d epoch=%d worker=%s from=%d", run.id, segment.index,
                     epoch.row.epoch, epoch.row.worker_name, epoch.row.from_position)  # fmt: skip
            tracing.event("assigned", segment=segment.index, epoch=epoch.row.epoch, worker=epoch.row.worker_name)
            self._send_assign(epoch, worker)

    def _send_assign(self, epoch: Epoch, worker: Worker) -> None:
        run = self._run
        worker.claimed.add(epoch.key)
        if worker.link is not None:
            worker.link.assign(
                epoch.key,
                len(run.segments),
                run.row.plan,
                epoch.row.from_position,
                self._settings.allow,
                run.row.start_nanos or 0,
            )

    def start_ready(self) -> None:
        """Tell T0 to every prepared segment that has not been told."""
        start = self._run.row.start_nanos
        if start is None:
            return
        for segment in self._run.segments:
            epoch = segment.last
            if epoch is None or not (epoch.living and epoch.ready) or epoch.started:
                continue
            worker = self._roster.get(epoch.row.worker_id)
            if worker is not None and worker.link is not None:
                worker.link.start(epoch.key, start)
                epoch.started = True

    def stop_all(self) -> None:
        """Send `Stop` for every living epoch whose worker can be reached and was not told on this stream."""
        for epoch in self._run.epochs():
            worker = self._roster.get(epoch.row.worker_id)
            if epoch.living and not epoch.stop_told and worker is not None and worker.link is not None:
                worker.link.stop(epoch.key)
                epoch.stop_told = True

    def give_up_all(self, now_nanos: int) -> None:
        """Count what the workers that have not ended may have sent as lost: nobody waits for their word any longer."""
        for epoch in self._run.epochs():
            if epoch.living:
                worker = self._roster.get(epoch.row.worker_id)
                told = worker is not None and worker.link is not None and epoch.stop_told
                heard_nanos = worker.heard_nanos if worker is not None else now_nanos
                lease = nanos(self._settings.lease_s)
                epoch.row.living_until_nanos = now_nanos + nanos(1.0) if told else heard_nanos + lease

    def keep(self, worker: Worker, claimed: Collection[SegmentKey]) -> list[SegmentKey]:
        """Return which of the segments a returning worker claims it may keep, and send it what it may have missed."""
        kept = []
        for epoch in self._run.epochs():
            if not epoch.living or epoch.row.worker_id != worker.identity.worker_id:
                continue
            newest = self._run.segments[epoch.row.segment].last is epoch
            if newest and epoch.key in claimed:
                kept.append(epoch.key)
                epoch.missed_nanos = None
                # Told again: the first telling may have been lost with the stream.
                epoch.started = epoch.stop_told = False
            else:
                epoch.missed_nanos = self._clock.now_nanos()
        self._run.changed.set()
        return kept

    async def tend(self) -> None:
        """Give up epochs whose worker is gone, and hand their segments on."""
        now = self._clock.now_nanos()
        # After a pause of our own a returning worker's word may be here unread: it is read before the next round.
        paused = self._tended_nanos is not None and now - self._tended_nanos > nanos(PAUSE_S)
        self._tended_nanos = now
        waiting: list[Segment] = []
        for segment in self._run.segments:  # ten times a second over hundreds: most end at the first line
            epoch = segment.last
            if epoch is not None and epoch.living:
                if epoch.missed_nanos is None and self._roster.is_heard(epoch.row.worker_id, now):
                    continue
                living_until = None if paused else self._gone_since(epoch, now)
                if living_until is None:
                    continue
                await self._give_up(epoch, living_until)
            if not segment.finished and self._is_finished(segment, now):
                segment.finished = True
            if not segment.finished:
                waiting.append(segment)
        if waiting and not self._run.stop_asked.is_set():
            await self._hand_on(waiting)

    def _gone_since(self, epoch: Epoch, now: int) -> int | None:
        """Return until when a worker that is gone for certain may have sent; None while it may live."""
        fate = self._roster.fate(epoch.row.worker_id, now)
        living_until = fate.living_until_nanos if fate is not None else None
        grace = nanos(self._settings.takeover_grace_s)
        if living_until is None and epoch.missed_nanos is not None and now - epoch.missed_nanos >= grace:
            living_until = epoch.missed_nanos
        return living_until

    async def _give_up(self, epoch: Epoch, living_until: int) -> None:
        epoch.row.living_until_nanos = living_until
        await self._store.update_epoch(epoch.row)
        run, row = self._run, epoch.row
        tracing.event("given up", segment=row.segment, epoch=row.epoch, worker=row.worker_name)
        log.warning("given up run=%s segment=%d epoch=%d worker=%s", run.id, row.segment, row.epoch, row.worker_name)
        run.notice(
            f"{row.worker_name} ({row.hostname}, pid {row.pid}) is gone; its segment {row.segment} goes to another"
        )
        worker = self._roster.get(row.worker_id)
        if worker is not None and worker.link is not None:
            # Read when it wakes up; until then its own lease has stopped it.
            worker.link.stop(epoch.key)
        self._roster.forget(row.worker_id)

    def _is_finished(self, segment: Segment, now: int) -> bool:
        """Whether nothing more is to be sent or known of a segment."""
        last = segment.last
        if last is not None and last.living:
            return False
        if last is not None and last.row.end_reason and not last.complete:
            return False
        if last is not None and last.row.end_reason in ("done", "stopped"):
            return True
        if self._run.stop_asked.is_set() or segment.failed_count >= MOST_FAILURES:
            return True
        run_s = self._run.run_s(now)
        return run_s is not None and run_s >= self._run.schedule.duration_s

    async def _hand_on(self, waiting: list[Segment]) -> None:
        """Give free segments to the attached workers that hold the fewest."""
        load = {worker.identity.worker_id: 0 for worker in self._roster.responsive(self._clock.now_nanos())}
        if not load:
            return
        for epoch in self._run.epochs():
            if epoch.living and epoch.row.worker_id in load:
                load[epoch.row.worker_id] += 1
        pairs = []
        for segment in waiting:
            least = min(load, key=lambda worker_id: load[worker_id])
            load[least] += 1
            worker = self._roster.get(least)
            if worker is not None:
                pairs.append((segment, worker))
        await self.assign(pairs)
