"""Which runs this server may act on, where several servers share a database. On SQLite there is one: all of them."""

from collections import deque

from burstline.server.clock import Clock, nanos
from burstline.server.store.fencing import LENGTH_S
from burstline.server.store.leases import Leases
from burstline.server.store.rows import RunRow
from burstline.server.store.store import Store

EVERY_S = 0.5
"""So often leases are renewed, and runs looked for whose server is gone."""

KEPT_READINGS = 10


class Owning:
    """The leases of this server's runs, as far as they are certain.

    Args:
        store: where they are.
        clock: ours; leases are counted on the database's.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._leases, self._clock, self.shared = Leases(store), clock, store.fence.shared
        self._until: dict[str, int] = {}
        self._readings: deque[tuple[int, int]] = deque(maxlen=KEPT_READINGS)

    @property
    def lead_nanos(self) -> int:
        """How far our clock is ahead of the database's: the reading that took least time."""
        return min(self._readings)[1] if self._readings else 0

    def holds(self, run: str) -> bool:
        """Whether a run is certainly ours at this moment: after a pause of this process, or of the database, it is not
        before the next renewal has come back."""
        return not self.shared or self._clock.now_nanos() < self._until.get(run, 0)

    def begin(self, run: str, asked_nanos: int) -> None:
        """Note that a run became ours by a write that was asked for at `asked_nanos`, our clock."""
        self._until[run] = asked_nanos + nanos(LENGTH_S)

    def has(self, run: str) -> bool:
        """Whether a run is ours, as far as we know."""
        return run in self._until

    def drop(self, run: str) -> None:
        """Forget a run that has ended, or is another's."""
        self._until.pop(run, None)

    async def renew(self) -> set[str]:
        """Renew all leases and return the runs that are no longer ours; raises StoreUnavailable."""
        await self._read_clock()
        known, asked = set(self._until), self._clock.now_nanos()
        ours = await self._leases.renew(known, self.lead_nanos)
        for run in ours & set(self._until):
            self.begin(run, asked)
        return (known - ours) & set(self._until)

    async def claim(self, server: str) -> list[RunRow]:
        """Take over runs whose server is gone, and return them; raises StoreUnavailable."""
        asked = self._clock.now_nanos()
        rows = await self._leases.claim(server, self.lead_nanos)
        for row in rows:
            self.begin(row.id, asked)
        return rows

    async def unfinished(self, runs: set[str]) -> set[str]:
        """Return those of some runs that have not ended, whoever drives them; raises StoreUnavailable."""
        return await self._leases.unfinished(runs) if self.shared and runs else set()

    async def release(self) -> None:
        """Leave all runs to whoever comes first; raises StoreUnavailable."""
        if self.shared:
            await self._leases.release()

    async def _read_clock(self) -> None:
        before = self._clock.now_nanos()
        database = await self._leases.now_nanos()
        after = self._clock.now_nanos()
        self._readings.append((after - before, (before + after) // 2 - database))
