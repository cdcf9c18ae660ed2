"""The migrations make exactly the tables that the code describes, from empty, and can be taken back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, DateTime, Engine, MetaData, Numeric, Table, func, inspect, select, table

from app import models
from app.db import Database

ROOT = Path(__file__).parents[2]


def test_the_tables_are_those_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.Base.metadata) == []


@pytest.mark.slow
def test_down_to_nothing_and_up_again(database: Database) -> None:
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["database"] = database
    command.downgrade(config, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    command.upgrade(config, "head")
    assert "jobs" in inspect(database.engine).get_table_names()


@pytest.mark.slow
def test_no_step_up_or_down_loses_a_row(database: Database) -> None:
    """An installation with rows in every table goes through all migrations: what is there stays."""
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["database"] = database
    command.downgrade(config, "base")
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    for revision in steps:
        filled = _counts(database.engine)
        command.upgrade(config, revision)
        assert _kept(database.engine, filled) == {}, f"up to {revision}"
        _fill(database.engine)
    for revision in [*steps[-2::-1], "base"]:
        filled = _counts(database.engine)
        command.downgrade(config, revision)
        assert _kept(database.engine, filled) == {}, f"down to {revision}"


def _tables(engine: Engine, names: set[str]) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(engine, only=sorted(names), resolve_fks=False)
    return list(metadata.tables.values())


def _counts(engine: Engine) -> dict[str, int]:
    names = set(inspect(engine).get_table_names()) - {"alembic_version"}
    with engine.connect() as connection:
        return {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}


def _kept(engine: Engine, before: dict[str, int]) -> dict[str, int]:
    """How many rows less each table has, of those that are still there."""
    now = _counts(engine)
    return {name: count - now[name] for name, count in before.items() if name in now and now[name] != count}


def _fill(engine: Engine) -> None:
    """One row into each table that has none. All have the same id, so each reference points to something."""
    is_sqlite = engine.dialect.name == "sqlite"
    empty = {name for name, count in _counts(engine).items() if not count}
    with engine.connect() as connection:
        raw = connection.connection.cursor()
        raw.execute("PRAGMA foreign_keys=OFF" if is_sqlite else "SET session_replication_role = replica")
        for each in _tables(engine, empty):
            connection.execute(each.insert().values({column.name: _value(column) for column in each.columns}))
        connection.commit()
        raw.execute("PRAGMA foreign_keys=ON" if is_sqlite else "SET session_replication_role = DEFAULT")
        if is_sqlite:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def _value(column: Any) -> Any:
    kind = column.type
    if isinstance(kind, JSON):
        return {}
    if isinstance(kind, DateTime):
        return datetime(2026, 11, 20, tzinfo=UTC)
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Numeric) or kind.python_type in (int, float):
        return 1
    return "a" * min(kind.length or 32, 32)
