"""Brings a store's tables to the newest revision, and names what is wrong with a store that cannot be opened."""

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from burstline.server.errors import CannotStart
from burstline.server.store.fencing import IDLE_LIMIT_MS
from burstline.server.store.migrations import HEAD
from burstline.server.store.schema import metadata

_PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA busy_timeout=10000")
# FULL, not NORMAL: in WAL mode NORMAL does not sync at commit, so a power cut could take back a window that its
# worker, once told "committed", has forgotten. The writer commits in groups, so one sync serves many windows.


def open_engine(store: str) -> Engine:
    """Return an engine on a store whose tables are at the newest revision; makes a SQLite file if there is none.

    Raises:
        CannotStart: with a sentence that names the store and what to do.
    """
    url = _url(store)
    shown = url.render_as_string(hide_password=True)
    try:
        if url.get_backend_name() == "sqlite":
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
        if url.get_backend_name() == "sqlite":
            event.listen(engine, "connect", _set_pragmas)
        else:
            event.listen(engine, "connect", _limit_idling)
        with engine.begin() as connection:
            _wait_for_turn(connection)
            _upgrade(connection, shown)
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error)
        text_ = f"the store {shown} cannot be opened: {cause}. Give --store a path that can be written, or a database"
        raise CannotStart(text_, store=shown) from error
    return engine


def _url(store: str) -> URL:
    try:
        url = make_url(store)
    except ArgumentError as error:
        raise CannotStart(
            "--store is not a database URL; allowed are sqlite:///path/to/file and postgresql://user@host/name"
        ) from error
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not url.database or url.database == ":memory:":
        shown = url.render_as_string(hide_password=True)
        raise CannotStart(
            f"--store {shown} is not supported; allowed are sqlite:///path/to/file and postgresql://user@host/name",
            store=shown,
        )
    return url


def _set_pragmas(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a DB-API connection, which has no common type
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _limit_idling(connection: object, _record: object) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_LIMIT_MS}")  # type: ignore[attr-defined]  # as above
    connection.commit()  # type: ignore[attr-defined]  # as above


def _wait_for_turn(connection: Connection) -> None:
    """Let one of several servers that start at once upgrade a database, and take its time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7460)"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _make(connection: Connection) -> None:
    """Make the tables of a new file as they are today; a test holds them against those that migrations make."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection, shown: str) -> None:
    revision = None
    if inspect(connection).has_table("alembic_version"):
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision == HEAD:
        return
    if revision is None and connection.dialect.name == "sqlite" and not inspect(connection).get_table_names():
        _make(connection)
        return
    if revision is not None and revision > HEAD:
        raise CannotStart(
            f"the store {shown} was written by a newer burstline (revision {revision}, this one knows {HEAD}): "
            "install that version, or give --store another file",
            store=shown,
            revision=revision,
        )
    migrate(connection, "head")


def migrate(connection: Connection, revision: str) -> None:
    """Bring the tables to a revision, step by step; for stores with data, and for other databases than SQLite."""
    # Late, because alembic takes longer to import than the rest of the server to start.
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it names every plugin it finds
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
