"""The database: one engine, two kinds of session, and the one place that commits."""

import random
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    DateTime,
    Dialect,
    MetaData,
    UpdateBase,
    create_engine,
    event,
    make_url,
    select,
)
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from app.errors import NotFound

ID_LENGTH = 32
LONGEST_WAIT_SECONDS = 30.0
"""For SQLite's one writer, before the database counts as away."""
BUSY_MILLISECONDS = int(LONGEST_WAIT_SECONDS * 1000)
DATABASE_AWAY = (OperationalError, InterfaceError, NoConnectionFree)
"""What is raised while the database does not answer: it may pass, and the same transaction be tried again."""


def new_id() -> str:
    """A random 128-bit id as 32 hexadecimal digits; nobody can guess a neighbour's."""
    return secrets.token_hex(16)


def now() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in, aware UTC datetimes out, on SQLite too, which keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012 - SQLAlchemy reads it from the class


Row = TypeVar("Row", bound=Base)


def own(session: Session, table: type[Row], row_id: str, workspace_id: str, *conditions: ColumnElement[bool]) -> Row:
    """The workspace's row of this id that meets the conditions.

    Raises ``NotFound`` where there is none, and for another workspace's row too: nobody learns that it exists.
    """
    columns = table.__table__.columns
    wanted = select(table).where(columns.id == row_id, columns.workspace_id == workspace_id, *conditions)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound()
    return found


def changed(session: Session, statement: UpdateBase) -> int:
    """Run an UPDATE or a DELETE; returns how many rows it met."""
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount


class Database:
    """An engine and its two kinds of transaction. One per process."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        arguments: dict[str, Any] = {"pool_pre_ping": True}
        if parsed.get_backend_name() == "postgresql":
            # A server that is gone without a word is noticed within seconds.
            lively = {"connect_timeout": 5, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
            arguments |= {"pool_size": 10, "max_overflow": 20, "connect_args": lively}
        self.engine = create_engine(parsed, **arguments)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._readers = sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._writers = sessionmaker(self.engine.execution_options(livery_writes="FULL"), expire_on_commit=False)
        self._noters = sessionmaker(self.engine.execution_options(livery_writes="NORMAL"), expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; nothing it does is kept."""
        with self._readers() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        On SQLite the first statement takes the only writer's lock, so do slow work before it.
        """
        with self._writers() as session, session.begin():
            yield session

    @contextmanager
    def note(self) -> Iterator[Session]:
        """A transaction like ``write``'s for what a power cut may take back: claims, heartbeats, progress.

        On SQLite it does not wait for the disk, which is most of its time. Whoever held a claim there lost power as
        well, and later transactions carry it to the disk with theirs. On PostgreSQL it is no different from ``write``:
        workers on other machines go on, and must not meet their fencing number again.
        """
        with self._noters() as session, session.begin():
            yield session


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # SQLAlchemy's own BEGIN below decides the kind of transaction, so the driver must begin none by itself.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MILLISECONDS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    how = connection.get_execution_options().get("livery_writes")
    if how is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={how}")
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        while not _took_the_lock(connection, is_last_try=time.monotonic() > deadline):
            time.sleep(random.uniform(0.001, 0.015))  # noqa: S311 - to spread the writers, nothing is guessed from it
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")


def _took_the_lock(connection: Any, *, is_last_try: bool) -> bool:
    """Begin a transaction that writes; False while another process has the lock.

    SQLite's own waiting asks ever more rarely, so that among many writers those who came last win, and some wait for
    ever. Asking again at the same pace for all gives each the same chance, and nothing of the transaction has happened
    yet.
    """
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        is_busy = getattr(error.orig, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT)
        if not is_busy or is_last_try:
            raise
        return False
    return True
