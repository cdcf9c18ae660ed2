"""What may happen to a brand."""

import pytest
from sqlalchemy import func, select

from app.db import Database
from app.errors import NotFound
from app.images.models import Image
from app.jobs import claims
from app.jobs import service as jobs
from app.jobs.models import Job
from app.projects import queries, service
from app.projects.errors import NameDiffers
from app.projects.models import Project
from tests.conftest import SignUp

pytestmark = pytest.mark.dialect


@pytest.fixture
def workspace_id(sign_up: SignUp) -> str:
    return sign_up().workspace_id


def make(database: Database, workspace_id: str, name: str = "Nordlicht") -> str:
    with database.write() as session:
        return service.create_project(session, workspace_id=workspace_id, name=name, trigger="", created_by=None).id


def test_another_workspace_sees_nothing(database: Database, workspace_id: str, sign_up: SignUp) -> None:
    project_id, stranger = make(database, workspace_id), sign_up().workspace_id
    with database.write() as session:
        assert queries.projects(session, workspace_id=stranger) == []
        with pytest.raises(NotFound):
            queries.project(session, workspace_id=stranger, project_id=project_id)
        with pytest.raises(NotFound):
            service.rename(session, workspace_id=stranger, project_id=project_id, name="Mine")
        with pytest.raises(NotFound):
            service.delete_project(session, workspace_id=stranger, project_id=project_id, typed_name="Nordlicht")


def test_the_archive_hides_and_gives_back(database: Database, workspace_id: str) -> None:
    project_id = make(database, workspace_id)
    with database.write() as session:
        service.archive(session, workspace_id=workspace_id, project_id=project_id)
        assert queries.projects(session, workspace_id=workspace_id) == []
        assert queries.archived_count(session, workspace_id=workspace_id) == 1
        assert [row.id for row in queries.projects(session, workspace_id=workspace_id, archived=True)] == [project_id]
        service.unarchive(session, workspace_id=workspace_id, project_id=project_id)
        assert [row.id for row in queries.projects(session, workspace_id=workspace_id)] == [project_id]


def test_pages_of_brands_hold_each_once(database: Database, workspace_id: str) -> None:
    made = {make(database, workspace_id, f"Brand {number}") for number in range(5)}
    seen: list[str] = []
    before = None
    with database.read() as session:
        for _ in range(3):
            found = queries.projects(session, workspace_id=workspace_id, before=before, limit=2)[:2]
            seen += [row.id for row in found]
            before = (found[-1].created_at, found[-1].id)
    assert len(seen) == 5
    assert set(seen) == made


def test_a_palette_holds_each_colour_once_and_in_lower_case(database: Database, workspace_id: str) -> None:
    project_id = make(database, workspace_id)
    with database.write() as session:
        project = service.set_palette(
            session, workspace_id=workspace_id, project_id=project_id, colours=["#FF0000", "#00ff00", "#ff0000"]
        )
        assert project.palette == ["#ff0000", "#00ff00"]


@pytest.mark.parametrize(
    ("palette", "accent"),
    [
        ([], ""),
        (["#ffffff", "#808080", "#1a1a1a"], ""),
        (["#474645", "#fe6243", "#00ff00"], "#fe6243"),
    ],
)
def test_the_accent_is_the_first_colour_that_a_page_can_wear(palette: list[str], accent: str) -> None:
    assert Project(name="x", trigger_word="x", palette=palette).accent == accent


def test_deleting_asks_for_the_name(database: Database, workspace_id: str) -> None:
    project_id = make(database, workspace_id)
    with database.write() as session, pytest.raises(NameDiffers):
        service.delete_project(session, workspace_id=workspace_id, project_id=project_id, typed_name="Nordlich")
    with database.write() as session:
        folder = service.delete_project(
            session, workspace_id=workspace_id, project_id=project_id, typed_name=" nordLICHT "
        )
        assert folder == f"projects/{project_id}"
        with pytest.raises(NotFound):
            queries.project(session, workspace_id=workspace_id, project_id=project_id)


def test_deleting_takes_the_rows_along_and_stops_what_runs(database: Database, workspace_id: str) -> None:
    project_id = make(database, workspace_id)
    with database.write() as session:
        jobs.enqueue(
            session,
            workspace_id=workspace_id,
            project_id=project_id,
            kind="training",
            subject_id="1" * 32,
            title="",
            created_by=None,
        )
    with database.write() as session:
        held = claims.claim_next(session, queues=("training",), owner="worker")
        assert held is not None
    with database.write() as session:
        service.delete_project(session, workspace_id=workspace_id, project_id=project_id, typed_name="Nordlicht")
    with database.write() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
        assert session.scalar(select(func.count()).select_from(Image)) == 0
        with pytest.raises(claims.LeaseLost):
            claims.heartbeat(session, held, device_seconds=1.0)
