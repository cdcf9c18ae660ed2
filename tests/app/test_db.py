"""SQLite's one writer's lock, and what a transaction waits for."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app import db
from app.accounts.models import Workspace
from app.db import Database, now, own
from app.errors import NotFound
from app.projects.models import Project


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'some.sqlite3'}")
    with database.write() as session:
        session.execute(text("CREATE TABLE notes (words TEXT)"))
    yield database
    database.engine.dispose()


def take_the_lock(database: Database) -> Connection:
    connection = database.engine.connect().execution_options(livery_writes="FULL")
    connection.execute(text("INSERT INTO notes VALUES ('first')"))
    return connection


def add_note(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO notes VALUES ('second')"))


def notes(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(text("SELECT words FROM notes")))


def test_a_writer_waits_for_another(sqlite: Database) -> None:
    holder = take_the_lock(sqlite)
    waiting = threading.Thread(target=add_note, args=(sqlite,))
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive() and notes(sqlite) == []
    holder.commit()
    waiting.join(timeout=60)
    assert notes(sqlite) == ["first", "second"]
    holder.close()


def test_a_lock_that_is_never_given_back_counts_as_the_database_being_away(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "LONGEST_WAIT_SECONDS", 0.2)
    with take_the_lock(sqlite) as holder:
        with pytest.raises(OperationalError, match="locked"):
            add_note(sqlite)
        holder.rollback()
    add_note(sqlite)
    assert notes(sqlite) == ["second"]


def test_what_is_written_waits_for_the_disk_and_what_is_noted_does_not(sqlite: Database) -> None:
    def how(kind: object) -> int:
        with kind() as session:  # type: ignore[operator]
            return int(session.scalar(text("PRAGMA synchronous")))

    full, normal = 2, 1
    assert [how(sqlite.write), how(sqlite.note), how(sqlite.write)] == [full, normal, full]


def test_a_row_is_its_workspaces_own_and_nobody_elses(database: Database) -> None:
    with database.write() as session:
        ours, theirs = Workspace(name="ours"), Workspace(name="theirs")
        session.add_all([ours, theirs])
        session.flush()
        brand = Project(workspace_id=ours.id, name="Nordlicht", trigger_word="nordlichtstyle")
        session.add(brand)
        session.flush()
        assert own(session, Project, brand.id, ours.id) is brand
        for workspace_id, row_id in ((theirs.id, brand.id), (ours.id, ours.id)):
            with pytest.raises(NotFound):
                own(session, Project, row_id, workspace_id)


def test_a_row_that_does_not_meet_a_condition_is_not_found(database: Database) -> None:
    with database.write() as session:
        workspace = Workspace(name="ours")
        session.add(workspace)
        session.flush()
        brand = Project(workspace_id=workspace.id, name="Nordlicht", trigger_word="nordlichtstyle")
        session.add(brand)
        session.flush()
        assert own(session, Project, brand.id, workspace.id, Project.archived_at.is_(None)) is brand
        brand.archived_at = now()
        session.flush()
        with pytest.raises(NotFound):
            own(session, Project, brand.id, workspace.id, Project.archived_at.is_(None))
