"""Whatever a program sends to the JSON interface, the answer is one that the description names, and never our error."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from app.accounts.service import TOKEN_START, sha256
from app.db import new_id, now
from tests.servers import Livery, postgres_server, running

pytestmark = pytest.mark.slow
SECRET = TOKEN_START + "x" * 43
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
)
"""Left out: that everything the description allows is accepted and the rest refused. Rules such as "this base takes no
rank above 64" are not JSON Schema's to say."""


MODES = {"postgresql": ("all", "examples,coverage,fuzzing,stateful"), "sqlite": ("positive", "coverage,stateful")}
"""PostgreSQL, the stricter of the two, is sent everything, in all phases that schemathesis has; the description gives
no examples, so that one of them has nothing to do until it does. What the description does not allow is mostly refused
before a database is asked, so SQLite is only sent what it allows: numbers and texts at their limits, and one request
after the other."""

HALVES = ("^/api/v1/[a-o]", "^/api/v1/[p-z]")
"""Of the interface, each in a process with one thread: two threads that parse Python at once upset each other in Python
3.11 ("AST constructor recursion depth mismatch", mended in later releases)."""


@pytest.fixture(params=MODES)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def livery(database: str, tmp_path: Path) -> Any:
    with contextlib.ExitStack() as stack:
        settings = {"EMBEDDED_WORKERS": "none", "LOG_LEVEL": "WARNING", "MAX_JOBS_PER_WORKSPACE": "1000000"}
        if database == "postgresql":
            settings["DATABASE_URL"] = stack.enter_context(postgres_server(tmp_path))
        livery = stack.enter_context(running(Livery(tmp_path, **settings)))
        url = settings.get("DATABASE_URL") or f"sqlite:///{tmp_path / 'data' / 'livery.sqlite3'}"
        make_token(url)
        yield livery


def make_token(url: str) -> None:
    """A token that may do everything in a workspace with nothing in it."""
    ids = {"user": new_id(), "workspace": new_id(), "token": new_id(), "moment": now().replace(tzinfo=None)}
    ids |= {"hash": sha256(SECRET), "prefix": SECRET[:10], "false": False}
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO users (id, email, name, password_hash, locale, theme, created_at) "
            "VALUES (:user, 'fuzz@example.org', 'Fuzz', 'none', 'en', 'auto', :moment)",
            "INSERT INTO workspaces (id, name, currency, created_at) VALUES (:workspace, 'Fuzz', 'EUR', :moment)",
            "INSERT INTO memberships (workspace_id, user_id, role, created_at) "
            "VALUES (:workspace, :user, 'owner', :moment)",
            "INSERT INTO api_tokens (id, workspace_id, user_id, name, prefix, token_hash, read_only, created_at) "
            "VALUES (:token, :workspace, :user, 'fuzz', :prefix, :hash, :false, :moment)",
        ):
            connection.execute(text(statement), ids)
    engine.dispose()


def test_every_answer_is_described_and_none_is_our_error(livery: Livery, database: str, tmp_path: Path) -> None:
    mode, phases = MODES[database]
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{livery.address}/api/openapi.json"]
    options = {
        "--phases": phases,
        "--mode": mode,
        "--max-examples": "3",
        "--checks": ",".join(CHECKS),
        "--header": f"Authorization: Bearer {SECRET}",
        "--exclude-path": "/api/v1/tokens/{token_id}",  # it would find its own, and be a stranger from then on
        "--seed": "7",
        "--suppress-health-check": "all",
    }
    flat = [word for option in options.items() for word in option]
    flat += ["--continue-on-failure", "--no-shrink", "--generation-deterministic"]
    runs = [
        subprocess.Popen(
            [*map(str, command), *flat, "--include-path-regex", paths],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        for paths in HALVES
    ]
    for run in runs:
        said, _ = run.communicate()
        assert run.returncode == 0, said[-20000:]
