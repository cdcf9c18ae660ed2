"""Shared by all tests: a real database made by the migrations, a real storage folder, a browserless client.

``TEST_DATABASE_URL`` (a PostgreSQL server's address) runs the same tests there.
"""

import fcntl
import gc
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import URL, Engine, create_engine, make_url, text
from starlette.testclient import TestClient

from app.accounts import passwords
from app.accounts import service as accounts
from app.db import Database, new_id
from app.migrate import migrate
from app.settings import Settings
from app.storage import Storage, open_storage
from app.web.gate.csrf import token_for
from app.web.gate.middleware import SESSION_COOKIE
from tests.order_of_tests import ByDearFixtures, longest_first

# Threads of the model libraries that wait must sleep, or a busy machine crawls; inherited by every process that tests
# start, and read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Databases and storages of tests live in memory where there is room: on a disk every commit and every stored file waits
# for it, thousands of times. Processes that tests start do the same.
MEMORY, ROOM_BYTES = Path("/dev/shm"), 4_000_000_000
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

PASSWORD = "a long enough password"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of slow tests alone are not even loaded where these are left out: they bring the model libraries along.
    Nor are files without one where slow tests are all that is wanted."""
    wanted = config.option.markexpr
    if "slow" not in wanted or not re.fullmatch(r"test_\w+\.py", collection_path.name):
        return None
    written = collection_path.read_text()
    if "not slow" in wanted:
        return True if re.search(r"^pytestmark = .*\bmark\.slow\b", written, re.MULTILINE) else None
    return None if "mark.slow" in written else True


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByDearFixtures | None:
    return ByDearFixtures(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so that the garbage collector need not go through it again with every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_event_loop() -> Iterator[None]:
    """All browserless clients share one loop and its threads, as in a server; by itself each request makes its own."""
    with start_blocking_portal() as portal:
        TestClient.portal = portal
        yield
        TestClient.portal = None


@pytest.fixture(scope="session", autouse=True)
def one_statement_cache() -> Iterator[None]:
    """Each test has a database of its own and all share what SQLAlchemy remembers of statements, as requests do in a
    server; by themselves each would compile them anew."""
    first: dict[str, Engine] = {}

    def create(url: URL, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        known = first.setdefault(engine.dialect.name, engine)
        if hasattr(known.dialect, "server_version_info"):  # it has met its server, so it knows what it can do
            engine.dialect = engine.pool._dialect = known.dialect
            engine._compiled_cache = known._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.db.create_engine", create)
        yield


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of a worker that all processes of these tests share: the language model that comes along is unpacked
    there once, by whoever needs it first, which takes ten seconds of a core."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "unpacked"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        from worker.engines.contracts import Base
        from worker.engines.text import base as bases

        bases.place(Base("smollm2-135m-instruct", "causal_lm", "builtin"), folder)
    return folder


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Hashing is slow on purpose; once is enough for the tests."""
    return passwords.hash_password(PASSWORD)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a migrated, empty database that each test gets a copy of."""
    server = os.environ.get("TEST_DATABASE_URL", "")
    if not server:
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'empty.sqlite3'}"
        database = Database(url)
        migrate(database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.engine.dispose()
        yield url
        return
    name = f"livery_empty_{new_id()[:12]}"
    _on_server(server, f"CREATE DATABASE {name}")
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    database = Database(url)
    migrate(database)
    database.engine.dispose()
    yield url
    _on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def database_url(empty_database: str, tmp_path: Path) -> Iterator[str]:
    parsed = make_url(empty_database)
    if parsed.get_backend_name() == "sqlite":
        copy = tmp_path / "livery.sqlite3"
        shutil.copyfile(str(parsed.database), copy)
        yield f"sqlite:///{copy}"
        return
    name = f"livery_test_{new_id()[:12]}"
    server = os.environ["TEST_DATABASE_URL"]
    _on_server(server, f"CREATE DATABASE {name} TEMPLATE {parsed.database}")
    yield parsed.set(database=name).render_as_string(hide_password=False)
    _on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def usual_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("no-env"))  # no .env of the developer's
        return Settings(secret_key="only for tests", log_level="WARNING")


@pytest.fixture
def settings(tmp_path: Path, database_url: str, usual_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return usual_settings.model_copy(update={"data_dir": tmp_path / "data", "database_url": database_url})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.effective_database_url)
    yield database
    database.engine.dispose()


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return open_storage(settings)


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    from app.main import create_app

    app = create_app(settings)
    yield app
    app.state.commit_hook.stop()
    app.state.database.engine.dispose()


@dataclass
class SignedIn:
    """A person's browser: a client that carries session and form token, and who it is."""

    client: TestClient
    user_id: str
    workspace_id: str
    session_id: str


SignUp = Callable[..., SignedIn]


@pytest.fixture
def sign_up(app: FastAPI, password_hash: str) -> Iterator[SignUp]:
    """Makes people with a browser each: ``sign_up()`` a new workspace's owner, or
    ``sign_up(role="viewer", workspace_id=…)`` a member of an existing one."""
    clients: list[TestClient] = []

    def make(
        *, email: str = "", name: str = "Ada Muster", role: str = "owner", workspace_id: str | None = None
    ) -> SignedIn:
        from app.accounts.models import BrowserSession, Membership, User, Workspace

        email = email or f"{new_id()[:10]}@example.org"
        with app.state.database.write() as session:
            user = User(name=name, email=email, password_hash=password_hash, locale="en")
            session.add(user)
            if workspace_id is None:
                workspace = Workspace(name="Muster & Co.")
                session.add(workspace)
                session.flush()
                workspace_id = workspace.id
            session.flush()
            session.add(Membership(workspace_id=workspace_id, user_id=user.id, role=role))
            session.flush()
            token = accounts.open_session(session, user, user_agent="tests", workspace_id=workspace_id)
            from sqlalchemy import select

            session_id = session.scalars(select(BrowserSession.id).where(BrowserSession.user_id == user.id)).one()
            user_id = user.id
        client = TestClient(app, base_url="http://testserver", follow_redirects=False)
        client.cookies.set(SESSION_COOKIE, token)
        client.headers["x-csrf-token"] = token_for(app.state.signing_key, session_id)
        clients.append(client)
        return SignedIn(client, user_id, workspace_id, session_id)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def owner(sign_up: SignUp) -> SignedIn:
    """The owner of a workspace, signed in."""
    return sign_up()
