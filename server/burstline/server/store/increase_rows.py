"""Increase requests in the store."""

import asyncio
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, insert, or_, select, update

from burstline.server.store import schema
from burstline.server.store.store import Store


@dataclass(frozen=True, slots=True)
class IncreaseRow:
    """A request for more of a quota; columns as in `schema.increase_requests`.

    Attributes:
        state: AWS's status, or `NOT_SENT` or `UNCERTAIN`.
        value_after: the quota as it was read after the request had ended; None until then.
    """

    id: str
    run: str
    quota: str
    display_name: str
    region: str
    current_value: float
    desired_value: float
    state: str
    create_nanos: int
    update_nanos: int
    account_last4: str = ""
    derivation: str = ""
    justification: str = ""
    aws_request_id: str = ""
    case_id: str = ""
    explanation: str = ""
    value_after: float | None = None


class IncreaseRows:
    """Increase requests of a store. Every method raises `StoreUnavailable` when the database cannot be used."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, row: IncreaseRow) -> None:
        """Keep a new request."""
        statement = insert(schema.increase_requests).values(**asdict(row))
        await self._store.writer.write(lambda connection: connection.execute(statement) and None)

    async def change(self, row: IncreaseRow) -> None:
        """Make a request what `row` says."""
        values = {name: value for name, value in asdict(row).items() if name != "id"}
        statement = update(schema.increase_requests).where(schema.increase_requests.c.id == row.id).values(**values)
        await self._store.writer.write(lambda connection: connection.execute(statement) and None)

    async def page(self, limit: int, before: tuple[int, str] | None = None) -> list[IncreaseRow]:
        """Return requests, newest first; `before` is (create_nanos, id) of the last one of the page before."""
        table = schema.increase_requests.c
        statement = select(schema.increase_requests).order_by(table.create_nanos.desc(), table.id.desc()).limit(limit)
        if before is not None:
            nanos, last = before
            statement = statement.where(
                or_(table.create_nanos < nanos, and_(table.create_nanos == nanos, table.id < last))
            )

        def work(connection: Connection) -> list[IncreaseRow]:
            return [IncreaseRow(**row) for row in connection.execute(statement).mappings()]

        return await asyncio.to_thread(self._store.read_now, work)
