"""A run that has not ended: what the server holds of it in memory."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from burstline.core.load.ledger import Ledger
from burstline.core.load.outline import Outline
from burstline.core.load.plan import Plan
from burstline.core.load.schedule import Schedule
from burstline.core.load.troubles import Trouble, TroubleKey, sentence
from burstline.core.load.window import SegmentKey
from burstline.core.quota.quotas import Account
from burstline.server.clock import nanos, seconds
from burstline.server.control.live import LiveTotals
from burstline.server.control.segments import Epoch, Segment, run_ledgers
from burstline.server.judging.record import PreflightAnswer
from burstline.server.store.rows import RunRow, RunState, WindowRow

MOST_NOTICES = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """A run's numbers at one moment.

    Attributes:
        elapsed_s: run time; negative before T0; None while T0 is not set.
        full_second: newest second of run time that all living segments reported; None before the first.
        ledger: of the whole run, as if it ended now for whoever is not living.
        worker_count: workers that hold a segment.
    """

    elapsed_s: float | None
    full_second: int | None
    ledger: Ledger
    worker_count: int


class ActiveRun:
    """A run's row, plan and segments, with the sums of its windows.

    Attributes:
        changed: set whenever something came in; the driver clears it.
        ended: set once, when the row is final.
        notices: sentences for the user, oldest first; at most `MOST_NOTICES`.
        overdue: workers did not end in time and were told to stop.
        store_problem: why its windows cannot be kept at the moment; "" while they can.
        store_failed_nanos: since when, server clock.
        reserved: ids of workers that were chosen and are not assigned yet.
        epoch_base: highest epoch that was assigned in preparations which a restart cut short.
    """

    def __init__(self, row: RunRow, plan: Plan, account: Account) -> None:
        self.row, self.plan, self.account = row, plan, account
        self.schedule = Schedule(plan.load, plan.seed)
        self.segments: list[Segment] = []
        self.live = LiveTotals()
        self.notices: list[str] = []
        self._told: set[TroubleKey] = set()
        self.reserved: set[str] = set()
        self.epoch_base = 0
        self.preflight: tuple[PreflightAnswer, ...] | None = None
        self.preflight_sent = 0
        self.overdue = False
        self.store_problem = ""
        self.store_failed_nanos: int | None = None
        self.stop_asked = asyncio.Event()
        self.stop_sent = asyncio.Event()
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()

    @property
    def id(self) -> str:
        """Its id, without `runs/`."""
        return self.row.id

    def notice(self, text: str) -> None:
        """Tell whoever watches."""
        if len(self.notices) < MOST_NOTICES:
            self.notices.append(text)

    def epoch(self, key: SegmentKey) -> Epoch | None:
        """Return an epoch by its key."""
        if not 0 <= key.segment < len(self.segments):
            return None
        return self.segments[key.segment].epoch(key.epoch)

    def epochs(self) -> Iterable[Epoch]:
        """Return all epochs of all segments."""
        return (epoch for segment in self.segments for epoch in segment.epochs)

    def holders(self) -> set[str]:
        """Return the ids of workers whose epochs are living, and of those that were chosen."""
        return {epoch.row.worker_id for epoch in self.epochs() if epoch.living} | self.reserved

    def add_window(self, epoch: Epoch, sequence: int, window: Outline) -> None:
        """Add a committed window, unless it came before.

        That does not wake the driver, who looks every 0.1 s anyway: hundreds of workers would keep it awake for good.
        """
        if epoch.has(sequence):
            return
        epoch.add(sequence, window)
        self.live.add(window)
        for key, trouble in window.troubles.items():
            self._note_trouble(key, trouble)

    def _note_trouble(self, key: TroubleKey, trouble: Trouble) -> None:
        """Tell of something that failed on workers, once: how often it did is in the ledger and in the report."""
        if key not in self._told and len(self._told) < MOST_NOTICES:
            self._told.add(key)
            self.notice(sentence(key, trouble, [request.name for request in self.plan.requests]))

    def run_s(self, now_nanos: int) -> float | None:
        """Return the run time; None while T0 is not set."""
        return None if self.row.start_nanos is None else seconds(now_nanos - self.row.start_nanos)

    def ledgers(self, now_nanos: int) -> list[Ledger]:
        """Return the ledger by phase, as if the run ended now (or when it was stopped) for whoever is not living."""
        end_nanos = min(now_nanos, self.row.stop_nanos or now_nanos)
        if self.row.start_nanos is not None:
            end_nanos = min(end_nanos, self.row.start_nanos + nanos(self.schedule.duration_s + 1.0))
        return run_ledgers(self.segments, self.schedule, self.row.start_nanos, end_nanos)

    def full_second(self, now_nanos: int) -> int | None:
        """Return the newest second of run time that is over and that all living segments reported; None before that."""
        run_s = self.run_s(now_nanos)
        newest = [epoch.last_second for epoch in self.epochs() if epoch.living]
        if not newest:
            newest = [epoch.last_second for epoch in self.epochs() if epoch.last_second is not None]
        if run_s is None or not newest or any(second is None for second in newest):
            return None
        full = min(int(run_s) - 1, *(second for second in newest if second is not None))
        return full if full >= 0 else None

    def window_row(self, key: SegmentKey, sequence: int, body: bytes) -> WindowRow:
        """Return the row of a window of this run."""
        return WindowRow(self.id, key.segment, key.epoch, sequence, body)

    @property
    def sending(self) -> bool:
        """Whether T0 is set and the last outcome is not known yet."""
        return self.row.state is RunState.RUNNING
