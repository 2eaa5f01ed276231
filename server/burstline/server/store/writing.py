"""The one thread that writes the store: it commits what has gathered in one transaction, then answers all of it.

While a commit is under way more work gathers, so a commit's cost (a disk sync) is shared by whatever came meanwhile:
the more windows a second, the cheaper each.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from burstline.core import tracing
from burstline.server.errors import ServerError, StoreUnavailable

T = TypeVar("T")
LARGEST_GROUP = 500
"""Writes in one transaction, at most."""

GATHER_S = 0.05
"""Rows that nobody but a worker waits for are given so much time for company: a commit costs as much as ten rows."""


MANY = 20
"""After a group of so many, the next one is given twice the time."""

SLOW_S = 0.1
"""Commits that take longer are traced."""


Guard = Callable[[Connection, Sequence[dict[str, Any]]], None]
"""Looks at rows before they are inserted, in the same transaction; raises what their callers are to be told."""


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any] | Executable
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any] | None" = None
    done: Callable[[BaseException | None], None] | None = None
    values: dict[str, Any] | None = None
    guard: "Guard | None" = None
    result: Any = None
    error: BaseException | None = None
    span: tracing.Span = field(default_factory=tracing.current)


class Writer:
    """Runs writes one after the other in groups. `close` finishes what was given before."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: deque[_Job] = deque()
        self._given, self._urgent = threading.Event(), threading.Event()
        self._closed, self._gathered = False, 0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()
        self.group_count = 0
        self.write_count = 0

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and return its result once it is committed.

        Args:
            work: called in the writer's thread; may be called again after a rollback.

        Raises:
            StoreUnavailable: with a sentence; nothing was written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.append(_Job(work, loop, future))
        self._hurry()
        return await future

    def insert(
        self,
        statement: Executable,
        values: dict[str, Any],
        done: Callable[[BaseException | None], None],
        guard: Guard | None = None,
    ) -> None:
        """Insert a row; rows of the same statement that wait together go to the database in one call.

        Args:
            statement: the insert.
            values: of the row, by column.
            done: called in this event loop once it is committed, with None, or with the error (see `write`).
            guard: may refuse it; the same for all rows of a statement.
        """
        self._jobs.append(_Job(statement, asyncio.get_running_loop(), done=done, values=values, guard=guard))
        if not self._given.is_set():
            self._given.set()

    def close(self) -> None:
        """Finish the writes given so far and end the thread."""
        self._closed = True
        self._hurry()
        self._thread.join()

    def _hurry(self) -> None:
        self._urgent.set()
        self._given.set()

    def _run(self) -> None:
        while self._jobs or not self._closed:
            group = self._gather()
            if group:
                began_nanos = time.time_ns()
                self._commit(group)
                _trace(group, began_nanos, time.time_ns())
                _answer(group)

    def _gather(self) -> list[_Job]:
        """Wait for something to do, and return what is to be committed together.

        Rows do not wake this thread: to do so for each would cost the event loop as much as all else about them.
        """
        self._given.wait()
        self._urgent.wait(GATHER_S if self._gathered < MANY else 2 * GATHER_S)
        self._urgent.clear()
        self._given.clear()
        group = [self._jobs.popleft() for _ in range(min(len(self._jobs), LARGEST_GROUP))]
        if self._jobs:
            self._hurry()
        self._gathered = len(group)
        return group

    def _commit(self, group: list[_Job], again: bool = True) -> None:
        """Commit a group; if that fails, each alone, so that one bad write does not take others with it.

        A connection that is found lost before the commit is no failure yet: the database may have ended it because this
        process was stopped for long, and on a new one the write sees who drives its run by now.
        """
        committing = False
        try:
            with self._engine.begin() as connection:
                for _, jobs in groupby(group, key=lambda job: id(job.work)):
                    _execute(connection, list(jobs))
                committing = True
            self.group_count += 1
            self.write_count += len(group)
        except Exception as error:  # noqa: BLE001  # the thread must live; each caller gets its error
            lost = isinstance(error, DBAPIError) and error.connection_invalidated
            if len(group) == 1 and again and lost and not committing:
                self._commit(group, again=False)
                return
            if len(group) == 1:
                group[0].error = store_error(error)
                return
            for job in group:
                self._commit([job])


def _execute(connection: Connection, jobs: list[_Job]) -> None:
    """Do some jobs that share their work."""
    for job in jobs:
        if not isinstance(job.work, Executable):
            job.result = job.work(connection)
    if isinstance(jobs[0].work, Executable):
        rows = [job.values for job in jobs if job.values is not None]
        if jobs[0].guard is not None:
            jobs[0].guard(connection, rows)
        connection.execute(jobs[0].work, rows)


def _trace(group: list[_Job], began_nanos: int, ended_nanos: int) -> None:
    if ended_nanos - began_nanos > SLOW_S * 1e9:
        failed = sum(job.error is not None for job in group)
        tracing.record("slow commit", group[0].span, began_nanos, ended_nanos, writes=len(group), failed=failed)


def _answer(group: list[_Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.done is not None:
            job.done(job.error)
        if job.future is None or job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def store_error(error: BaseException) -> BaseException:
    """Return what a caller is told about a failed read or write; errors not of the database stay as they are."""
    if isinstance(error, ServerError) or not isinstance(error, SQLAlchemyError | OSError):
        return error
    cause = str(getattr(error, "orig", None) or error).strip()
    advice = "check that the database can be reached and written"
    if "full" in cause.lower() or "no space" in cause.lower():
        advice = "free space on the store's disk; nothing that was acknowledged is lost"
    elif "readonly" in cause.lower() or "read-only" in cause.lower():
        advice = "the store's file or disk is read-only: make it writable"
    wrapped = StoreUnavailable(f"the store cannot be used: {cause}; {advice}", cause=cause)
    wrapped.__cause__ = error
    return wrapped
