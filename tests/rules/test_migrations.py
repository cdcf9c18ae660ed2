"""The migrations make exactly the tables that the code describes, from empty, and can be taken back."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect

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
