"""Leases of runs on a database that several servers share: who drives which run, by the database's own clock."""

import asyncio

from sqlalchemy import Connection, literal_column, select, update

from burstline.server.store import schema
from burstline.server.store.fencing import NOW, UNTIL
from burstline.server.store.rows import RunRow
from burstline.server.store.store import ENDED, Store, run_of

SAME_CLOCK_NANOS = 250_000_000
"""Clocks of two servers that differ by less are taken for the same: reading one over a database is no better."""


class Leases:
    """This process's leases. Every method raises `StoreUnavailable` when the database cannot be used."""

    def __init__(self, store: Store) -> None:
        self._store, self._owner = store, store.fence.owner
        self._swept = False

    async def now_nanos(self) -> int:
        """Return the database's clock, nanoseconds since the Unix epoch."""
        return await asyncio.to_thread(self._store.read_now, lambda c: int(c.execute(select(NOW)).scalar_one()))

    async def renew(self, runs: set[str], lead_nanos: int) -> set[str]:
        """Renew the leases of some runs and return those that are still ours.

        Args:
            runs: those that are driven; others of ours lapse.
            lead_nanos: how far our clock is ahead of the database's.
        """
        table = schema.leases.c
        statement = update(schema.leases).where(table.owner == self._owner, table.run.in_(runs))
        renewing = statement.values(until_nanos=UNTIL, lead_nanos=lead_nanos).returning(table.run)
        return await self._store.writer.write(lambda connection: set(connection.execute(renewing).scalars()))

    async def claim(self, server: str, lead_nanos: int) -> list[RunRow]:
        """Take over the unfinished runs whose lease is over, and return them, their times by our clock.

        Args:
            server: what the runs are shown as driven by from now on.
            lead_nanos: how far our clock is ahead of the database's.
        """
        return await self._store.writer.write(lambda connection: self._claim(connection, server, lead_nanos))

    def _claim(self, connection: Connection, server: str, lead_nanos: int) -> list[RunRow]:
        runs, table = schema.runs.c, schema.leases.c
        unfinished = runs.state.not_in(ENDED)
        if not self._swept:
            self._sweep(connection, lead_nanos)
        over = select(table.run).join(schema.runs, runs.id == table.run).where(table.until_nanos < NOW, unfinished)
        free = over.with_for_update(of=schema.leases, skip_locked=True)
        taking = update(schema.leases).where(table.run.in_(free)).values(owner=self._owner, until_nanos=UNTIL)
        taken = connection.execute(taking.returning(table.run, table.lead_nanos)).all()
        for run, old_lead_nanos in taken:
            self._move(connection, run, server, lead_nanos - old_lead_nanos)
        mine = [run for run, _ in taken]
        if mine:
            connection.execute(update(schema.leases).where(table.run.in_(mine)).values(lead_nanos=lead_nanos))
        rows = connection.execute(select(schema.runs).where(runs.id.in_(mine)).order_by(runs.create_nanos)).mappings()
        return [run_of(row) for row in rows]

    def _sweep(self, connection: Connection, lead_nanos: int) -> None:
        """Give leases that are over to runs that an older version left behind; once, for newer ones begin with one."""
        from sqlalchemy.dialects.postgresql import insert  # much, and a store in a file never gets here

        runs, table = schema.runs.c, schema.leases.c
        fresh = select(runs.id, literal_column("''"), literal_column("0"), literal_column(str(lead_nanos)))
        bare = fresh.where(runs.state.not_in(ENDED), runs.id.not_in(select(table.run)))
        names = ["run", "owner", "until_nanos", "lead_nanos"]
        connection.execute(insert(schema.leases).from_select(names, bare).on_conflict_do_nothing())
        self._swept = True

    def _move(self, connection: Connection, run: str, server: str, by_nanos: int) -> None:
        """Make a run this server's: its times are the former owner's clock's, and move by what ours is ahead of it."""
        runs, epochs = schema.runs.c, schema.epochs.c
        by = by_nanos if abs(by_nanos) > SAME_CLOCK_NANOS else 0
        moved = {"start_nanos": runs.start_nanos + by, "stop_nanos": runs.stop_nanos + by}
        connection.execute(update(schema.runs).where(runs.id == run).values(server=server, **moved))
        if by:
            ended = {"living_until_nanos": epochs.living_until_nanos + by}
            connection.execute(update(schema.epochs).where(epochs.run == run).values(**ended))

    async def release(self) -> None:
        """End all our leases, so that another server need not wait for their end."""
        statement = update(schema.leases).where(schema.leases.c.owner == self._owner).values(until_nanos=0)
        await self._store.writer.write(lambda connection: connection.execute(statement) and None)

    async def unfinished(self, runs: set[str]) -> set[str]:
        """Return those of some runs that have not ended."""
        table = schema.runs.c
        statement = select(table.id).where(table.id.in_(runs), table.state.not_in(ENDED))
        return await asyncio.to_thread(self._store.read_now, lambda c: set(c.execute(statement).scalars()))
