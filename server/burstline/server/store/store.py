"""What the server keeps: runs, epochs, windows, reports, files. Writes go through one thread, reads through others."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Table, and_, delete, or_, select, update

from burstline.server.store import schema
from burstline.server.store.fencing import Fence
from burstline.server.store.rows import EpochRow, RunRow, RunState, WindowRow
from burstline.server.store.upgrading import open_engine
from burstline.server.store.writing import Writer, store_error

T = TypeVar("T")
PIECE_BYTES = 512 * 1024
ENDED = tuple(state.value for state in RunState if state.final)


class Store:
    """A SQLite file or a PostgreSQL database.

    Every method that awaits raises `StoreUnavailable` when the database cannot be used, and those that write of a run
    raise `NotOwner` when another server drives it.

    Attributes:
        fence: what this process may write.
        writer: the thread that writes.
    """

    def __init__(self, url: str) -> None:
        """Open a store; raises CannotStart."""
        self._engine: Engine = open_engine(url)
        self.fence = Fence(self._engine.dialect.name)
        self.writer = Writer(self._engine)
        self._insert = _insert_of(self._engine.dialect.name)
        self._insert_window = self._ignore(schema.windows)

    def close(self) -> None:
        """Finish what is being written, and close."""
        self.writer.close()
        self._engine.dispose()

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(self.read_now, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """Run a read in this thread; for callers that have a thread of their own."""
        try:
            with self._engine.connect() as connection:
                return work(connection)
        except Exception as error:
            raise store_error(error) from error

    def _ignore(self, table: Table) -> Any:
        return self._insert(table).on_conflict_do_nothing()

    async def insert_run(self, row: RunRow, lead_nanos: int = 0) -> RunRow:
        """Keep a new run and return it, or the run that was created with the same `request_id` before.

        Args:
            row: the run.
            lead_nanos: how far our clock is ahead of a shared database's.
        """

        def work(connection: Connection) -> RunRow:
            connection.execute(self._ignore(schema.runs), asdict(row))
            mine = schema.runs.c.id == row.id
            if row.request_id is not None:
                mine = schema.runs.c.request_id == row.request_id
            kept = run_of(connection.execute(select(schema.runs).where(mine)).mappings().one())
            if kept.id == row.id:
                self.fence.begin(connection, row.id, lead_nanos)
            return kept

        return await self.writer.write(work)

    async def update_run(self, run: str, **columns: Any) -> None:
        """Change columns of a run."""
        await self._write_of(run, update(schema.runs).where(schema.runs.c.id == run).values(**columns))

    async def _write_of(self, run: str, statement: Executable, values: list[dict[str, Any]] | None = None) -> None:
        def work(connection: Connection) -> None:
            self.fence.check_owned(connection, run)
            connection.execute(statement, values)

        await self.writer.write(work)

    async def run(self, run: str) -> RunRow | None:
        """Return a run."""
        statement = select(schema.runs).where(schema.runs.c.id == run)

        def work(connection: Connection) -> RunRow | None:
            row = connection.execute(statement).mappings().first()
            return run_of(row) if row is not None else None

        return await self._read(work)

    async def run_of_request(self, request_id: str) -> RunRow | None:
        """Return the run that was created with a request id."""
        statement = select(schema.runs).where(schema.runs.c.request_id == request_id)

        def work(connection: Connection) -> RunRow | None:
            row = connection.execute(statement).mappings().first()
            return run_of(row) if row is not None else None

        return await self._read(work)

    async def runs(self, limit: int, before: tuple[int, str] | None = None) -> list[RunRow]:
        """Return runs, newest first; `before` is (create_nanos, id) of the last one of the page before."""
        table = schema.runs.c
        statement = select(schema.runs).order_by(table.create_nanos.desc(), table.id.desc()).limit(limit)
        if before is not None:
            nanos, last = before
            older = and_(table.create_nanos == nanos, table.id < last)
            statement = statement.where(or_(table.create_nanos < nanos, older))
        return await self._read(lambda connection: [run_of(r) for r in connection.execute(statement).mappings()])

    async def unfinished_runs(self) -> list[RunRow]:
        """Return runs that have not ended, oldest first."""
        table = schema.runs.c
        statement = select(schema.runs).where(table.state.not_in(ENDED)).order_by(table.create_nanos)
        return await self._read(lambda connection: [run_of(r) for r in connection.execute(statement).mappings()])

    async def put_epochs(self, rows: list[EpochRow]) -> None:
        """Keep assignments of one run, before they are sent."""
        await self._write_of(rows[0].run, self._ignore(schema.epochs), [asdict(row) for row in rows])

    async def drop_epochs(self, run: str) -> None:
        """Forget the assignments of a run that was never started."""
        await self._write_of(run, delete(schema.epochs).where(schema.epochs.c.run == run))

    async def update_epoch(self, row: EpochRow) -> None:
        """Change an assignment to what `row` says."""
        table = schema.epochs.c
        mine = and_(table.run == row.run, table.segment == row.segment, table.epoch == row.epoch)
        values = {
            "living_until_nanos": row.living_until_nanos,
            "end_reason": row.end_reason,
            "window_count": row.window_count,
        }
        await self._write_of(row.run, update(schema.epochs).where(mine).values(**values))

    async def epochs(self, run: str) -> list[EpochRow]:
        """Return a run's assignments by segment and epoch."""
        table = schema.epochs.c
        statement = select(schema.epochs).where(table.run == run).order_by(table.segment, table.epoch)
        return await self._read(lambda c: [EpochRow(**row) for row in c.execute(statement).mappings()])

    def add_window(self, row: WindowRow, done: Callable[[BaseException | None], None]) -> None:
        """Keep a window; one that is there already is left alone.

        Args:
            row: the window.
            done: called in this event loop once it is committed, with None, or with why it is not.
        """
        values = {
            "run": row.run,
            "segment": row.segment,
            "epoch": row.epoch,
            "sequence": row.sequence,
            "body": row.body,
        }
        self.writer.insert(self._insert_window, values, done, self._check_windows)

    def _check_windows(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        self.fence.check_windows(connection, {row["run"] for row in rows})

    def windows_now(self, run: str) -> Iterator[WindowRow]:
        """Yield a run's windows in order of their keys, a few at a time; blocks, so call it in a thread."""
        table = schema.windows.c
        statement = select(schema.windows).where(table.run == run)
        statement = statement.order_by(table.segment, table.epoch, table.sequence).execution_options(yield_per=200)
        try:
            with self._engine.connect() as connection:
                for row in connection.execute(statement).mappings():
                    yield WindowRow(**row)
        except Exception as error:
            raise store_error(error) from error

    async def end_run(self, run: str, document: bytes | None, **columns: Any) -> None:
        """Keep a run's last state, and its report if there is one, at once."""

        def work(connection: Connection) -> None:
            self.fence.check_owned(connection, run)
            if document is not None:
                connection.execute(self._ignore(schema.reports), {"run": run, "document": document})
            connection.execute(update(schema.runs).where(schema.runs.c.id == run).values(**columns))
            self.fence.end(connection, run)

        await self.writer.write(work)

    async def report(self, run: str) -> bytes | None:
        """Return a run's report as UTF-8 JSON."""
        statement = select(schema.reports.c.document).where(schema.reports.c.run == run)
        return await self._read(lambda connection: connection.execute(statement).scalar())

    async def file_size(self, sha256: str) -> int | None:
        """Return the size of a whole file in bytes; None if it is not here."""
        statement = select(schema.files.c.size_bytes).where(schema.files.c.sha256 == sha256)
        return await self._read(lambda connection: connection.execute(statement).scalar())

    async def put_piece(self, sha256: str, number: int, content: bytes) -> None:
        """Keep a piece of a file; the file is there only after `put_file`."""
        values = {"sha256": sha256, "number": number, "content": content}
        await self.writer.write(lambda c: c.execute(self._ignore(schema.file_pieces), values) and None)

    async def put_file(self, sha256: str, size_bytes: int, create_nanos: int) -> None:
        """Say that all pieces of a file are there."""
        values = {"sha256": sha256, "size_bytes": size_bytes, "create_nanos": create_nanos}
        await self.writer.write(lambda c: c.execute(self._ignore(schema.files), values) and None)

    async def touch_file(self, sha256: str, now_nanos: int) -> None:
        """Note that a file was uploaded again: its age counts from now."""
        statement = update(schema.files).where(schema.files.c.sha256 == sha256).values(create_nanos=now_nanos)
        await self.writer.write(lambda connection: connection.execute(statement) and None)

    async def drop_files(self, before_nanos: int) -> int:
        """Remove files that were last uploaded before a moment; return how many."""
        old = select(schema.files.c.sha256).where(schema.files.c.create_nanos < before_nanos)

        def work(connection: Connection) -> int:
            found = list(connection.execute(old).scalars())
            for table in (schema.file_pieces, schema.files):
                connection.execute(delete(table).where(table.c.sha256.in_(found)))
            return len(found)

        return await self.writer.write(work)

    async def piece(self, sha256: str, number: int) -> bytes | None:
        """Return a piece of a file; None after the last."""
        table = schema.file_pieces.c
        statement = select(table.content).where(and_(table.sha256 == sha256, table.number == number))
        return await self._read(lambda connection: connection.execute(statement).scalar())


def run_of(row: Any) -> RunRow:
    """Return a run of a row of `schema.runs`."""
    return RunRow(**{**row, "state": RunState(row["state"])})


def _insert_of(dialect: str) -> Callable[[Table], Any]:
    """Return how to build an insert that may conflict; the other database's part is not imported."""
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as into_sqlite

        return into_sqlite
    from sqlalchemy.dialects.postgresql import insert

    return insert
