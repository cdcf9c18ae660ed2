"""What is erased is found nowhere: not in a dump of the database, not in its file, not in the storage."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import select

import app.models  # noqa: F401
from app.audit import chain, shown
from app.audit import queries as audit
from app.db import Base, Database, new_id
from app.errors import NotFound
from app.operations import erasure
from app.operations.erasure import SoleOwner
from app.settings import Settings
from app.storage import Storage
from tests.conftest import SignUp
from tests.rules.worlds import World, build

pytestmark = pytest.mark.dialect

MARKER = "Kaltmamsell"
"""In every text of what is erased."""


def everything(database: Database, storage: Storage, folder: Path) -> str:
    """A dump of all tables, the database's own files where it has some, all files and their names."""
    with database.read() as session:
        dump = str([session.execute(select(table)).all() for table in Base.metadata.sorted_tables])
    database.engine.dispose()  # or its last pages are still in the log
    raw = [path for path in folder.rglob("*") if path.is_file()]
    names = [str(path) for path in raw] + list(storage.keys_under("projects"))
    return "\n".join([dump, *names, *(path.read_bytes().decode("latin-1") for path in raw)])


def traces(world: World, text: str) -> set[str]:
    return {name for name in (MARKER, *world.ids) if name in text}


@pytest.fixture
def cache(settings: Settings, tmp_path: Path) -> Path:
    folder = settings.data_dir / "worker-cache"
    folder.mkdir(parents=True)
    return folder


def test_a_brand_is_gone_from_everywhere(
    app: FastAPI, database: Database, storage: Storage, cache: Path, tmp_path: Path
) -> None:
    theirs, ours = build(app, storage, MARKER), build(app, storage, "Nordlicht")
    project_id = theirs.id("projects")
    storage.put(f"projects/{project_id}/images/marked.webp", MARKER.encode())
    (cache / f"{theirs.rows['adapters']['sha256']}.safetensors").write_text(MARKER)
    (cache / "another.safetensors").write_text("stays")
    with database.write() as session:
        session.execute(
            Base.metadata.tables["orphan_files"]
            .insert()
            .values(key=f"projects/{project_id}/outputs/lost.png", seen_at=theirs.rows["jobs"]["created_at"])
        )
    before = everything(database, storage, tmp_path)
    assert traces(theirs, before) == {MARKER, *theirs.ids}

    done = erasure.erase_project(database, storage, cache, project_id=project_id)
    assert done.remains == []
    for table in ("projects", "images", "trainings", "adapters", "generations", "outputs", "jobs"):
        assert done.rows[table] >= 1, table
    assert (done.files > 0, done.cached) == (True, 1)
    after = everything(database, storage, tmp_path)
    kept = {theirs.id(table) for table in ("users", "workspaces", "browser_sessions", "api_tokens", "invitations")}
    kept |= {theirs.id(table) for table in ("reset_links", "authenticators", "passkeys", "recovery_codes")}
    of_the_workspace = ("audit_events", "campaigns", "brought_files", "base_models", "base_downloads", "base_copies")
    kept.add(theirs.id("own_channels"))
    kept |= {theirs.id(table) for table in of_the_workspace}
    assert traces(theirs, after) - kept == {MARKER}, "their own words stay: not the brand's"
    assert traces(ours, after) >= ours.ids, "nobody else lost anything"
    with database.read() as session:
        whole = [audit.verify(session, one) for one in (theirs.id("workspaces"), ours.id("workspaces"), None)]
    assert [(one.is_intact, one.erased) for one in whole] == [(True, 1), (True, 0), (True, 0)]
    with pytest.raises(NotFound):
        erasure.erase_project(database, storage, cache, project_id=project_id)


@pytest.mark.parametrize("whom", ["project", "person"])
def test_what_is_gone_has_its_event(
    app: FastAPI, database: Database, storage: Storage, cache: Path, monkeypatch: pytest.MonkeyPatch, whom: str
) -> None:
    """Rows and event in one transaction: the process may end before it, and nothing is gone without a word."""
    theirs = build(app, storage, MARKER)
    monkeypatch.setattr(erasure.audit, "record_command", ends)
    with pytest.raises(KeyboardInterrupt):
        if whom == "project":
            erasure.erase_project(database, storage, cache, project_id=theirs.id("projects"))
        else:
            erasure.erase_person(database, storage, cache, email=theirs.rows["users"]["email"])
    with database.read() as session:
        assert session.get(erasure.Project, theirs.id("projects")) is not None


def ends(*_arguments: object, **_told: object) -> None:
    raise KeyboardInterrupt


def test_a_person_alone_goes_with_all_they_had(
    app: FastAPI, database: Database, storage: Storage, cache: Path, tmp_path: Path
) -> None:
    theirs, ours = build(app, storage, MARKER), build(app, storage, "Nordlicht")
    email = theirs.rows["users"]["email"]
    storage.put(f"projects/{theirs.id('projects')}/images/marked.webp", MARKER.encode())
    workspace_id = theirs.id("workspaces")
    with database.read() as session:
        length, last = audit.head(session, workspace_id)
    assert length >= 1
    done = erasure.erase_person(database, storage, cache, email=f" {email.upper()}")
    assert done.remains == []
    with database.read() as session:
        (told, *_) = audit.events(session, None, audit.Wanted())
        assert audit.verify(session, None).is_intact
    assert told.changes is not None and told.changes["logs"] == {chain.tag(workspace_id): [length, last]}
    assert last in str(shown.changes(told, "de")), "the page and the API say it"
    after = everything(database, storage, tmp_path)
    assert traces(theirs, after) == set()
    assert email not in after
    assert traces(ours, after) >= ours.ids


def test_a_colleague_goes_and_the_work_stays(
    sign_up: SignUp, database: Database, storage: Storage, cache: Path
) -> None:
    owner = sign_up()
    colleague = sign_up(email=f"{new_id()[:8]}@example.org", role="editor", workspace_id=owner.workspace_id)
    answer = colleague.client.post("/projects", data={"name": "Nordlicht", "trigger_word": "nordlicht"})
    address = answer.headers["location"]
    with database.read() as session:
        email = session.get_one(erasure.User, colleague.user_id).email
    done = erasure.erase_person(database, storage, cache, email=email)
    assert done.remains == []
    assert done.rows["users"] == 1
    assert owner.client.get(address).status_code == 200
    assert colleague.client.get(address).status_code == 303


def test_the_only_owner_of_a_team_is_asked_to_hand_over(
    sign_up: SignUp, database: Database, storage: Storage, cache: Path
) -> None:
    owner = sign_up(email="the-owner@example.org")
    sign_up(role="editor", workspace_id=owner.workspace_id)
    with pytest.raises(SoleOwner, match="Muster"):
        erasure.erase_person(database, storage, cache, email="the-owner@example.org")


def test_what_remains_is_told(app: FastAPI, database: Database, storage: Storage, cache: Path) -> None:
    theirs, ours = build(app, storage, MARKER), build(app, storage, "Nordlicht")
    with database.write() as session:
        session.get_one(erasure.Project, ours.id("projects")).look_notes = f"like {theirs.id('projects')}"
    done = erasure.erase_project(database, storage, cache, project_id=theirs.id("projects"))
    assert len(done.remains) == 1 and "projects.look_notes" in done.remains[0]


def test_the_command(
    app: FastAPI,
    settings: Settings,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from app.erasure import main

    theirs = build(app, storage, MARKER)
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    assert main(["--project", theirs.id("projects")]) == 0
    told = capsys.readouterr().out
    assert "rows of images" in told and "Remains:\n  nothing" in told
    assert main(["--project", theirs.id("projects")]) == 1
    assert main(["--person", "nobody@example.org"]) == 1
    assert "Traceback" not in capsys.readouterr().err
