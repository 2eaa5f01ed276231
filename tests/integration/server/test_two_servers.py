"""Two servers on one PostgreSQL: leases, fences, and a run that is handed on."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from burstline.server.control import resuming
from burstline.server.control import runs as runs_module
from burstline.server.control.owning import Owning
from burstline.server.errors import NotOwner
from burstline.server.store import schema
from burstline.server.store.fencing import IDLE_LIMIT_MS, LENGTH_S
from burstline.server.store.leases import Leases
from burstline.server.store.rows import EpochRow, RunRow, RunState, WindowRow
from burstline.server.store.store import Store
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from sqlalchemy import Connection, text, update

Make = Callable[..., Any]
S = 1_000_000_000


@pytest.fixture
async def both(postgresql_url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Yield the stores of two servers."""
    first, second = Store(postgresql_url), Store(postgresql_url)
    yield first, second
    await Leases(first).release()
    await Leases(second).release()
    for row in await first.unfinished_runs():
        await Leases(first).claim("tidying", 0)
        await first.end_run(row.id, None, state=RunState.STOPPED.value)
    for store in (first, second):
        store.close()


def a_run(name: str, **more: Any) -> RunRow:
    return RunRow(name, "one", "test", 5, b"", state=RunState.RUNNING, **more)


async def keep_window(store: Store, run: str, sequence: int) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: BaseException | None) -> None:
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    store.add_window(WindowRow(run, 0, 1, sequence, b"body"), done)
    await future


async def test_a_run_whose_lease_is_over_is_claimed_by_one_and_its_old_owner_writes_nothing_of_it_any_more(
    both: tuple[Store, Store],
) -> None:
    first, second = both
    await first.insert_run(a_run("a"))
    assert await Leases(second).claim("two", 0) == [], "its lease lives"
    assert await Leases(first).renew({"a"}, 0) == {"a"}
    await Leases(first).release()
    claimed = await asyncio.gather(*(Leases(store).claim("two", 0) for store in (second, second)))
    assert [row.id for rows in claimed for row in rows] == ["a"], "once"
    assert await Leases(first).renew({"a"}, 0) == set()
    epoch = EpochRow("a", 0, 1, "w", "workers/w")
    for write in (
        first.update_run("a", reason="x"),
        first.put_epochs([epoch]),
        first.update_epoch(epoch),
        first.end_run("a", b"{}", state=RunState.FAILED.value),
        keep_window(first, "a", 0),
    ):
        with pytest.raises(NotOwner):
            await write
    found = await second.run("a")
    assert found is not None
    assert (found.state, found.reason, found.server) == (RunState.RUNNING, "", "two")
    await second.put_epochs([epoch])
    await keep_window(second, "a", 0)
    await second.end_run("a", b"{}", state=RunState.SUCCEEDED.value)
    await keep_window(first, "a", 1)  # of a run that has ended, anyone may keep what comes late
    assert len(list(second.windows_now("a"))) == 2


async def test_one_foreign_window_takes_no_other_of_its_commit_with_it(both: tuple[Store, Store]) -> None:
    first, second = both
    await first.insert_run(a_run("mine"))
    await second.insert_run(a_run("theirs"))
    windows = [keep_window(first, run, sequence) for sequence in range(5) for run in ("mine", "theirs")]
    results = await asyncio.gather(*windows, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), NotOwner] * 5
    assert len(list(first.windows_now("mine"))) == 5


async def test_times_move_with_the_clock_of_the_server_that_has_the_run(both: tuple[Store, Store]) -> None:
    first, second = both
    await first.insert_run(a_run("early", start_nanos=100 * S), lead_nanos=30 * S)
    await first.put_epochs([EpochRow("early", 0, 1, "w", "workers/w", living_until_nanos=110 * S)])
    await first.insert_run(a_run("same", start_nanos=100 * S), lead_nanos=S // 100)
    await Leases(first).release()
    rows = {row.id: row for row in await Leases(second).claim("two", -5 * S // 1000)}
    assert rows["early"].start_nanos == 100 * S - 30 * S - 5 * S // 1000
    assert (await second.epochs("early"))[0].living_until_nanos == 110 * S - 30 * S - 5 * S // 1000
    assert rows["same"].start_nanos == 100 * S, "clocks that agree to what a database can tell are the same"


async def test_runs_that_an_older_version_left_are_claimed(both: tuple[Store, Store]) -> None:
    first, second = both
    await first.insert_run(a_run("old"))
    await first.writer.write(lambda connection: first.fence.end(connection, "old"))
    assert [row.id for row in await Leases(second).claim("two", 0)] == ["old"]


async def test_a_server_that_stops_inside_a_transaction_loses_its_locks_before_its_lease(
    both: tuple[Store, Store],
) -> None:
    first, _ = both
    shown = first.read_now(
        lambda connection: connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar()
    )
    assert shown == "2s"
    assert IDLE_LIMIT_MS < LENGTH_S * 1000


async def test_a_lease_whose_row_a_silent_server_keeps_locked_is_taken_over_once_the_database_ends_its_session(
    both: tuple[Store, Store],
) -> None:
    first, second = both
    await first.insert_run(a_run("locked"))
    await Leases(first).release()  # over, as when its server is long silent
    locked, wake = threading.Event(), threading.Event()

    def fall_silent(connection: Connection) -> None:
        """Check the lease, which locks its row, and then say nothing more, as a process that is frozen."""
        first.fence.check_owned(connection, "locked")
        locked.set()
        wake.wait(20.0)
        connection.execute(update(schema.runs).values(reason="written by a server that woke up"))

    writing = asyncio.create_task(first.writer.write(fall_silent))
    await asyncio.to_thread(locked.wait, 5.0)
    silent_s = time.monotonic()
    assert await Leases(second).claim("two", 0) == [], "the lock holds, and nobody waits for it"
    assert time.monotonic() - silent_s < 1.0
    while not (claimed := await Leases(second).claim("two", 0)):
        assert time.monotonic() - silent_s < 6.0
        await asyncio.sleep(0.05)
    took_s = time.monotonic() - silent_s
    wake.set()
    with pytest.raises(NotOwner):  # on a new connection the write looks at the lease again
        await writing
    assert [row.id for row in claimed] == ["locked"]
    assert IDLE_LIMIT_MS / 1000 - 0.5 < took_s < LENGTH_S, "when PostgreSQL ended the session that was silent"
    found = await second.run("locked")
    assert found is not None
    assert (found.server, found.reason) == ("two", ""), "what the first began to write is undone"


class HandClock:
    """A clock that moves by hand."""

    def __init__(self) -> None:
        self.nanos = 1_900_000_000 * S

    def now_nanos(self) -> int:
        return self.nanos


async def test_after_a_pause_of_its_own_a_server_is_not_certain_of_its_runs_before_it_has_renewed(
    both: tuple[Store, Store],
) -> None:
    first, second = both
    clock = HandClock()
    owning = Owning(first, clock)
    await owning.renew()
    await first.insert_run(a_run("paused"), owning.lead_nanos)
    owning.begin("paused", clock.now_nanos())
    assert owning.holds("paused")
    clock.nanos += 4 * S
    assert not owning.holds("paused")
    assert await owning.renew() == set(), "nobody took it meanwhile"
    assert owning.holds("paused")
    await Leases(first).release()
    await Leases(second).claim("two", 0)
    clock.nanos += 4 * S
    assert await owning.renew() == {"paused"}
    assert not owning.holds("paused")


async def test_a_server_that_ends_hands_its_run_to_the_other_at_once_and_the_ledger_closes(
    serving: Make, settings: Make, workers: Make, plan: Make, postgresql_url: str, eventually: Make
) -> None:
    chosen = settings(store=postgresql_url, lease_s=6.0)
    async with serving(chosen) as (second, two):
        async with serving(chosen) as (first, one):
            (worker,) = await workers(first.grpc_address)
            run = await one.create(plan((2.5, 100.0)))
            await one.until(run.name, v1.Run.RUNNING)
            await asyncio.sleep(0.8)
            seen = await anext(aiter(two.runs.WatchRun(wire.WatchRunRequest(name=run.name))))
            assert seen.run.state == v1.Run.RUNNING, "the second shows what the first drives"
        assert worker.farewells == 1
        worker.address = second.grpc_address
        await worker.attach()
        await eventually(lambda: len(worker.welcome.segments) == 1)
        ended = await two.ended(run.name)
        report = await two.report(run.name)
    assert ended.state == v1.Run.SUCCEEDED
    assert report["imbalances"] == []
    assert report["ledger"]["sent"] == report["totals_sent"] == 250
    assert "another server has taken this run over" in report["notes"]


def slowly(restore: Make) -> Make:
    """Return a taking over that takes a second: what workers tell meanwhile must not be lost between the two."""

    async def slow(*arguments: Any) -> Any:
        run = await restore(*arguments)
        await asyncio.sleep(1.0)
        assert len(list(arguments[1].store.windows_now(run.id))) == run.segments[0].epochs[0].window_count
        return run

    return slow


async def test_a_server_whose_run_was_taken_over_lets_go_of_it_and_may_take_it_back(
    serving: Make, settings: Make, workers: Make, plan: Make, both: tuple[Store, Store], postgresql_url: str,
    eventually: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async with serving(settings(store=postgresql_url, lease_s=8.0)) as (server, client):
        (worker,) = await workers(server.grpc_address)
        run = await client.create(plan((3.0, 100.0)))
        await client.until(run.name, v1.Run.RUNNING)
        await asyncio.sleep(0.5)
        other, _ = both
        taking = update(schema.leases).values(owner=other.fence.owner)
        await other.writer.write(lambda connection: connection.execute(taking) and None)
        await eventually(lambda: "lost run" in caplog.text)
        assert worker.unacknowledged, "only the run's own server takes its windows"
        told = len(worker.stopped)
        monkeypatch.setattr(runs_module, "restore", slowly(resuming.restore))
        await Leases(other).release()
        await eventually(lambda: "taking over" in caplog.text)
        ended = await client.ended(run.name)
        report = await client.report(run.name)
    assert told == len(worker.stopped) == 0
    assert ended.state == v1.Run.SUCCEEDED
    assert report["imbalances"] == []
    assert report["ledger"]["sent"] == report["totals_sent"] == 300
