"""The cover of a brand: approved visuals, favourites, own pictures; people choose what comes first."""

import re

import pytest

from app.db import Database
from app.home import cover
from app.projects import queries
from app.storage import Storage
from tests.answers import code_of
from tests.conftest import SignedIn, SignUp
from tests.orders import make_brand
from tests.tokens import api_client
from tests.visuals import make_adapter, make_pictures


@pytest.fixture
def project_id(owner: SignedIn, database: Database, storage: Storage) -> str:
    return make_brand(database, storage, owner.workspace_id, pictures=4)


def shown(database: Database, owner: SignedIn, project_id: str) -> list[str]:
    with database.read() as session:
        project = queries.project(session, workspace_id=owner.workspace_id, project_id=project_id)
        return [one.id for one in cover.cover(session, project, cover.choices(session, project))]


def test_approved_come_before_favourites_and_those_before_own_pictures_and_drafts_never(
    owner: SignedIn, database: Database, storage: Storage, project_id: str
) -> None:
    def make(**columns: object) -> str:
        return make_pictures(database, storage, owner.workspace_id, project_id, **columns)[0].id  # type: ignore[arg-type]

    own = shown(database, owner, project_id)
    assert len(own) == 4
    draft, rejected = make(), make(review="rejected", favourite=True)
    star, approved = make(favourite=True), make(review="approved")
    found = shown(database, owner, project_id)
    assert found == [approved, star, *own[:3]]
    assert not {draft, rejected} & set(found)


def test_a_chosen_picture_leads_until_it_is_rejected(
    owner: SignedIn, database: Database, storage: Storage, project_id: str
) -> None:
    first = make_pictures(database, storage, owner.workspace_id, project_id, review="approved")[0].id
    own = shown(database, owner, project_id)[1:]
    address = f"/projects/{project_id}/cover"
    assert owner.client.post(address, data={"picture_id": own[2]}).status_code == 303
    assert shown(database, owner, project_id)[:2] == [own[2], first]
    assert f'data-cover="{own[2]}"' in owner.client.get(f"/projects/{project_id}").text
    star = make_pictures(database, storage, owner.workspace_id, project_id, favourite=True)[0].id
    assert owner.client.post(address, data={"picture_id": star}).status_code == 303
    assert shown(database, owner, project_id)[0] == star
    assert owner.client.post(f"/outputs/{star}/reject").status_code in (200, 303)
    assert shown(database, owner, project_id)[0] == first
    assert owner.client.post(address, data={"picture_id": ""}).status_code == 303
    assert shown(database, owner, project_id)[0] == first


def test_drafts_other_brands_pictures_and_strangers_are_refused(
    owner: SignedIn, sign_up: SignUp, database: Database, storage: Storage, project_id: str
) -> None:
    draft = make_pictures(database, storage, owner.workspace_id, project_id)[0].id
    address = f"/projects/{project_id}/cover"
    assert code_of(owner.client.post(address, data={"picture_id": draft})) == "not_for_the_cover"
    elsewhere = make_brand(database, storage, owner.workspace_id, pictures=1, name="Süd")
    other = shown(database, owner, elsewhere)[0]
    assert owner.client.post(address, data={"picture_id": other}).status_code == 404
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert viewer.client.post(address, data={"picture_id": ""}).status_code == 403
    assert "choose-cover" not in viewer.client.get(f"/projects/{project_id}").text


def test_a_program_chooses_the_cover_too(owner: SignedIn, database: Database, project_id: str) -> None:
    program, own = api_client(owner), shown(database, owner, project_id)
    address = f"/api/v1/projects/{project_id}"
    assert program.get(address).json()["cover_id"] is None
    assert program.patch(address, json={"cover_id": own[3]}).json()["cover_id"] == own[3]
    assert shown(database, owner, project_id)[0] == own[3]
    assert program.patch(address, json={"cover_id": ""}).json()["cover_id"] is None
    assert program.patch(address, json={"cover_id": "0" * 32}).status_code == 404


def test_the_way_is_shown_until_it_was_walked(
    owner: SignedIn, database: Database, storage: Storage, project_id: str
) -> None:
    steps = re.compile(r'class="steps"')
    assert steps.search(owner.client.get(f"/projects/{project_id}").text)
    make_adapter(database, storage, owner.workspace_id, project_id)
    make_pictures(database, storage, owner.workspace_id, project_id, review="approved")
    page = owner.client.get(f"/projects/{project_id}").text
    assert not steps.search(page) and page.count('data-state="next-') == 1
