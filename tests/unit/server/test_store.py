"""The store: what is committed stays, what came before stays as it is, and what is wrong is said in a sentence."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from burstline.server.errors import CannotStart, StoreUnavailable
from burstline.server.store import schema, upgrading
from burstline.server.store.migrations import HEAD
from burstline.server.store.rows import EpochRow, RunRow, RunState, WindowRow
from burstline.server.store.store import Store
from sqlalchemy import create_engine, text


async def add(store: Store, row: WindowRow) -> None:
    """Keep a window; returns once it is committed."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: BaseException | None) -> None:
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    store.add_window(row, done)
    await future


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/er/store.db"
    address: str = request.getfixturevalue("postgresql_url")
    engine = create_engine(address.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    name = f"t{os.urandom(4).hex()}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return address.rpartition("/")[0] + "/" + name


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store."""
    opened = Store(url)
    yield opened
    opened.close()


def row(run: str, **changes: object) -> RunRow:
    """Return a run."""
    made = RunRow(run, "server", "name", create_nanos=1_800_000_000_000_000_000, plan=b"plan")
    for name, value in changes.items():
        setattr(made, name, value)
    return made


async def test_a_run_comes_back_as_it_was_kept(store: Store) -> None:
    await store.insert_run(row("a", account=b"account", request_id="r"))
    await store.update_run("a", state=RunState.RUNNING.value, start_nanos=5)
    found = await store.run("a")
    assert found == row("a", account=b"account", request_id="r", state=RunState.RUNNING, start_nanos=5)
    assert await store.run("b") is None


async def test_one_request_id_keeps_one_run_however_many_ask_at_once(store: Store) -> None:
    kept = await asyncio.gather(*(store.insert_run(row(f"run{i}", request_id="same")) for i in range(20)))
    assert len({found.id for found in kept}) == 1
    assert len(await store.runs(100)) == 1
    assert (await store.insert_run(row("other", request_id=None))).id == "other"


async def test_a_window_that_is_there_stays_as_it_is(store: Store) -> None:
    rows = [WindowRow("a", 0, 1, sequence, b"%d" % sequence) for sequence in range(300)]
    await asyncio.gather(*(add(store, one) for one in rows))
    await add(store, WindowRow("a", 0, 1, 7, b"changed"))
    assert list(store.windows_now("a")) == rows
    assert list(store.windows_now("b")) == []


async def test_writes_that_wait_together_share_a_commit(store: Store) -> None:
    before = store.writer.group_count
    await asyncio.gather(*(add(store, WindowRow("g", 0, 1, i, b"x")) for i in range(200)))
    assert store.writer.group_count - before < 20


async def test_what_was_acknowledged_is_there_after_the_store_is_opened_again(url: str) -> None:
    first = Store(url)
    await first.insert_run(row("a"))
    await first.put_epochs([EpochRow("a", 0, 1, "w", "workers/w")])
    await add(first, WindowRow("a", 0, 1, 0, b"body"))
    first.close()
    second = Store(url)
    assert [found.id for found in await second.unfinished_runs()] == ["a"]
    assert await second.epochs("a") == [EpochRow("a", 0, 1, "w", "workers/w")]
    assert list(second.windows_now("a")) == [WindowRow("a", 0, 1, 0, b"body")]
    second.close()


async def test_an_ended_run_has_its_report_and_is_not_taken_up_again(store: Store) -> None:
    await store.insert_run(row("a"))
    await store.end_run("a", b"{}", state=RunState.SUCCEEDED.value, verdict="passed")
    assert await store.report("a") == b"{}"
    assert await store.unfinished_runs() == []


async def test_a_file_is_there_only_once_all_its_pieces_are(store: Store) -> None:
    await store.put_piece("f" * 64, 0, b"one")
    assert await store.file_size("f" * 64) is None
    await store.put_piece("f" * 64, 1, b"two")
    await store.put_file("f" * 64, 6, 1)
    assert await store.file_size("f" * 64) == 6
    assert [await store.piece("f" * 64, n) for n in range(3)] == [b"one", b"two", None]


async def test_files_are_removed_so_long_after_their_last_upload(store: Store) -> None:
    for name, at in (("a", 10), ("b", 10), ("c", 30)):
        await store.put_piece(name * 64, 0, b"x")
        await store.put_file(name * 64, 1, at)
    await store.touch_file("b" * 64, 40)
    assert await store.drop_files(30) == 1
    assert await store.file_size("a" * 64) is None
    assert await store.piece("a" * 64, 0) is None
    assert [await store.piece(name * 64, 0) for name in "bc"] == [b"x", b"x"]


async def test_one_bad_write_takes_no_other_with_it(store: Store) -> None:
    good = add(store, WindowRow("a", 0, 1, 0, b"x"))
    bad = store.update_run("a", state=None)
    await store.insert_run(row("a"))
    results = await asyncio.gather(good, bad, return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], StoreUnavailable)
    assert len(list(store.windows_now("a"))) == 1


def test_the_migrations_make_exactly_the_tables_of_the_schema(url: str) -> None:
    engine = upgrading.open_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def test_a_file_that_migrations_made_has_the_tables_that_a_new_one_is_made_with(tmp_path: Path) -> None:
    old = create_engine(f"sqlite:///{tmp_path}/store.db")
    with old.begin() as connection:
        upgrading.migrate(connection, "0001")
    old.dispose()
    engine = upgrading.open_engine(f"sqlite:///{tmp_path}/store.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(upgrading.__file__).parent / "migrations"))
    assert scripts.get_current_head() == HEAD


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    engine = upgrading.open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(CannotStart, match="newer burstline"):
        upgrading.open_engine(url)


async def test_a_full_disk_becomes_a_sentence_and_what_was_kept_stays(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    await add(store, WindowRow("a", 0, 1, 0, b"x"))

    def limit(connection: object) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")  # type: ignore[attr-defined]

    await store.writer.write(limit)
    with pytest.raises(StoreUnavailable, match="free space on the store's disk"):
        await add(store, WindowRow("a", 0, 1, 1, b"x" * 100_000))
    assert [window.sequence for window in store.windows_now("a")] == [0]
    store.close()


async def test_runs_are_paged_newest_first(store: Store) -> None:
    for number in range(5):
        await store.insert_run(row(f"r{number}", create_nanos=100 + number // 2))
    first = await store.runs(3)
    rest = await store.runs(3, (first[-1].create_nanos, first[-1].id))
    assert [found.id for found in (*first, *rest)] == ["r4", "r3", "r2", "r1", "r0"]
