"""A backup that is restored elsewhere is the same: every row, every file."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, select

import app.models  # noqa: F401
from app.audit import queries as audit
from app.db import Base, Database
from app.migrate import migrate
from app.operations.backup import BackupError, back_up, restore
from app.settings import Settings
from app.storage import Storage, open_storage
from tests.orders import make_brand, make_workspace, order_training
from tests.servers import postgres_server, program, s3_server

ROOT = Path(__file__).parents[3]


def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.read() as session:
        return {
            table.name: sorted(
                (dict(row) for row in session.execute(select(table)).mappings()),
                key=str,
            )
            for table in Base.metadata.sorted_tables
        }


def but_commands(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {table: content for table, content in found.items() if not table.startswith("audit_")}


def commands(database: Database) -> list[str]:
    return [row["action"] for row in rows(database)["audit_events"]]


def files(storage: Storage) -> dict[str, bytes]:
    return {key: storage.get(key) for key in storage.keys_under("projects")}


def fill(database: Database, storage: Storage) -> None:
    workspace_id = make_workspace(database)
    for name in ("Bäckerei Süß", "Nordlicht"):
        project_id = make_brand(database, storage, workspace_id, name=name)
        order_training(database, workspace_id, project_id)
    storage.put(f"projects/{project_id}/images/large.webp", bytes(range(256)) * 12_000)


def start(module: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, str(folder)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "LOG_LEVEL": "ERROR", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(module: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    started = start(module, folder, **environment)
    told, problem = started.communicate()
    return subprocess.CompletedProcess(started.args, started.returncode, told, problem)


@pytest.mark.slow
def test_both_commands_on_sqlite_and_a_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    database, storage = Database(settings.effective_database_url), open_storage(settings)
    migrate(database)
    fill(database, storage)
    key = settings.signing_key()
    with database.write() as session:  # somebody writes while the backup is made
        session.execute(select(Base.metadata.tables["jobs"]))
        made = start("app.backup", tmp_path / "copy", DATA_DIR=str(settings.data_dir))
        while not (tmp_path / "copy" / "manifest.json").exists():
            assert made.poll() is None, made.communicate()
            time.sleep(0.05)
    assert (made.communicate()[1], made.returncode) == ("", 0)

    again = Settings(data_dir=tmp_path / "elsewhere")
    came = run("app.restore", tmp_path / "copy", DATA_DIR=str(again.data_dir))
    assert (came.returncode, came.stderr) == (0, "")
    restored = Database(again.effective_database_url)
    migrate(restored)
    assert but_commands(rows(restored)) == but_commands(rows(database))
    assert len(rows(restored)["images"]) == 12
    assert files(open_storage(again)) == files(storage)
    assert again.signing_key() == key
    # Each says what was done with it, and the log goes on from what the backup holds.
    assert commands(database) == ["backup.made"]
    assert commands(restored) == ["backup.restored"]
    with restored.read() as session:
        verdict = audit.verify(session, None)
    assert (verdict.is_intact, verdict.length) == (True, 1)

    refused = run("app.restore", tmp_path / "copy", DATA_DIR=str(again.data_dir))
    assert refused.returncode == 1
    assert "already" in refused.stderr and "Traceback" not in refused.stderr
    assert run("app.backup", tmp_path / "copy", DATA_DIR=str(settings.data_dir)).returncode == 1
    for one in (database, restored):
        one.engine.dispose()


def test_a_damaged_backup_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    database, storage = Database(settings.effective_database_url), open_storage(settings)
    migrate(database)
    fill(database, storage)
    copy, elsewhere = tmp_path / "copy", Settings(data_dir=tmp_path / "elsewhere")
    back_up(settings.effective_database_url, storage, copy)
    victim = next(path for path in (copy / "files").rglob("*") if path.is_file())
    sound = victim.read_bytes()
    target = open_storage(elsewhere)

    def refused() -> str:
        with pytest.raises(BackupError) as caught:
            restore(copy, elsewhere.effective_database_url, target)
        assert files(target) == {}
        assert not Path(elsewhere.effective_database_url.removeprefix("sqlite:///")).exists()
        return str(caught.value)

    victim.write_bytes(sound[:-1] + b"?")
    assert "damaged" in refused()
    victim.unlink()
    assert "missing" in refused()
    victim.write_bytes(sound)
    manifest = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(json.dumps(json.loads(manifest) | {"database": "postgresql"}))
    assert "postgresql" in refused()
    (copy / "manifest.json").unlink()
    assert "no whole backup" in refused()
    database.engine.dispose()


def test_a_file_that_a_row_misses_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    database, storage = Database(settings.effective_database_url), open_storage(settings)
    migrate(database)
    fill(database, storage)
    gone = next(key for key in storage.keys_under("projects") if "large" not in key)
    storage.delete(gone)
    with pytest.raises(BackupError, match=re.escape(gone)):
        back_up(settings.effective_database_url, storage, tmp_path / "copy")
    assert not (tmp_path / "copy" / "manifest.json").exists()
    database.engine.dispose()


@pytest.fixture
def servers_databases(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases on a PostgreSQL server of the test's own."""
    for name in ("pg_dump", "pg_restore"):
        program(name)
    with postgres_server(tmp_path) as address:
        server = make_url(address)
        with psycopg.connect(server.set(drivername="postgresql").render_as_string(), autocommit=True) as connection:
            for name in ("livery_one", "livery_two"):
                connection.execute(f"CREATE DATABASE {name}")
        one, two = (server.set(database=name).render_as_string() for name in ("livery_one", "livery_two"))
        yield one, two


@pytest.mark.slow
def test_postgresql_and_a_bucket(tmp_path: Path, servers_databases: tuple[str, str]) -> None:
    first, second = servers_databases
    with s3_server() as address:

        def bucket(prefix: str) -> Settings:
            return Settings(
                data_dir=tmp_path,
                storage_url=f"s3://livery/{prefix}",
                s3_endpoint_url=address,
                s3_access_key_id="test",
                s3_secret_access_key=SecretStr("test"),
            )

        storage, elsewhere = open_storage(bucket("one")), open_storage(bucket("two"))
        database, restored = Database(first), Database(second)
        migrate(database)
        fill(database, storage)
        manifest = back_up(first, storage, tmp_path / "copy")
        assert manifest.database == "postgresql"
        restore(tmp_path / "copy", second, elsewhere)
        assert rows(restored) == rows(database)
        assert files(elsewhere) == files(storage)
        with pytest.raises(BackupError, match="already"):
            restore(tmp_path / "copy", second, open_storage(bucket("three")))
        for one in (database, restored):
            one.engine.dispose()
