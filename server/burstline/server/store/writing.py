"""The one thread that writes the store: it commits what has gathered in one transaction, then answers all of it.

While a commit is under way more work gathers, so a commit's cost (a disk sync) is shared by whatever came meanwhile:
the more windows a second, the cheaper each.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import SQLAlchemyError

from burstline.core import tracing
from burstline.server.errors import ServerError, StoreUnavailable

T = TypeVar("T")
LARGEST_GROUP = 500
"""Writes in one transaction, at most."""

GATHER_S = 0.05
"""Rows that nobody but a worker waits for are given so much time for company: a commit costs as much as ten rows."""


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
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
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
        self._jobs.put(_Job(work, loop, future))
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
        self._jobs.put(_Job(statement, asyncio.get_running_loop(), done=done, values=values, guard=guard))

    def close(self) -> None:
        """Finish the writes given so far and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            group, ended = self._gather(first)
            began_nanos = time.time_ns()
            self._commit(group)
            _trace(group, began_nanos, time.time_ns())
            _answer(group)
            if ended:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """Return what is to be committed together, and whether it is the last."""
        group, until_s = [first], time.monotonic() + GATHER_S
        while len(group) < LARGEST_GROUP:
            patient = isinstance(group[-1].work, Executable)
            try:
                job = self._jobs.get(timeout=max(0.0, until_s - time.monotonic()) if patient else 0.0)
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, group: list[_Job]) -> None:
        """Commit a group; if that fails, each alone, so that one bad write does not take others with it."""
        try:
            with self._engine.begin() as connection:
                for _, jobs in groupby(group, key=lambda job: id(job.work)):
                    _execute(connection, list(jobs))
            self.group_count += 1
            self.write_count += len(group)
        except Exception as error:  # noqa: BLE001  # the thread must live; each caller gets its error
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
