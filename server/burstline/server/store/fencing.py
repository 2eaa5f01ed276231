"""Keeps a server from writing what another server drives: every write of a run looks at its lease in its transaction.

A lease's row is locked for as long as the transaction lasts, so a write is committed before another server takes the
run over, or not at all. A process that is stopped inside a transaction loses its connection, and with it the lock.
"""

import secrets
from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, Connection, delete, insert, literal_column, select

from burstline.server.errors import NotOwner
from burstline.server.store.schema import leases

LENGTH_S = 4.0
"""A server that has not renewed its leases for so long loses its runs: well under a worker's lease, so that another
server has them before the workers stop."""

IDLE_LIMIT_MS = 2_000
"""How long PostgreSQL lets a transaction wait for its client; under a lease's length."""

NOW: Any = literal_column("(extract(epoch from clock_timestamp()) * 1000000000)::bigint", BigInteger)
"""The database's clock, nanoseconds since the Unix epoch."""

UNTIL: Any = NOW + round(LENGTH_S * 1e9)


class Fence:
    """What a process may write. A SQLite file has one server: everything.

    Attributes:
        shared: whether several servers may use the database.
        owner: this process's own name.
    """

    def __init__(self, dialect: str) -> None:
        self.shared = dialect == "postgresql"
        self.owner = secrets.token_hex(8)

    def check_owned(self, connection: Connection, run: str) -> None:
        """Let a write of a run's state pass.

        Raises:
            NotOwner: another server drives it, or it has ended.
        """
        if self.shared and run not in self._owned(connection, [run]):
            raise NotOwner(f"runs/{run} is driven by another server", run=f"runs/{run}")

    def check_windows(self, connection: Connection, runs: Collection[str]) -> None:
        """Let windows pass: of our own runs, and of those that have ended.

        Raises:
            NotOwner: one belongs to a run that another server drives.
        """
        if not self.shared:
            return
        others = set(runs) - self._owned(connection, runs)
        found = connection.execute(select(leases.c.run).where(leases.c.run.in_(others))).scalar() if others else None
        if found is not None:
            raise NotOwner(f"runs/{found} is driven by another server", run=f"runs/{found}")

    def _owned(self, connection: Connection, runs: Collection[str]) -> set[str]:
        mine = select(leases.c.run).where(leases.c.run.in_(runs), leases.c.owner == self.owner)
        return set(connection.execute(mine.with_for_update(read=True)).scalars())

    def begin(self, connection: Connection, run: str, lead_nanos: int) -> None:
        """Give a new run its lease, in the transaction that makes it."""
        if self.shared:
            values = {"run": run, "owner": self.owner, "until_nanos": UNTIL, "lead_nanos": lead_nanos}
            connection.execute(insert(leases).values(**values))

    def end(self, connection: Connection, run: str) -> None:
        """Take away the lease of a run that has ended, in the transaction that ends it."""
        if self.shared:
            connection.execute(delete(leases).where(leases.c.run == run))
