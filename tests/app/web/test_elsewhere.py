"""A link into another workspace: offered to those who belong there, nothing at all to everybody else."""

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.accounts.models import Membership, Workspace
from app.db import Database, now
from app.generations.models import Output
from app.storage import Storage
from tests.answers import code_of
from tests.conftest import SignedIn, SignUp
from tests.visuals import make_adapter, make_pictures, make_project

OFFER = 'data-state="elsewhere"'


@pytest.fixture
def fjord(owner: SignedIn, database: Database) -> str:
    """A second workspace of the owner's."""
    with database.write() as session:
        workspace = Workspace(name="Fjord Agency")
        session.add(workspace)
        session.flush()
        session.add(Membership(workspace_id=workspace.id, user_id=owner.user_id, role="viewer"))
        return workspace.id


def test_a_link_into_another_own_workspace_leads_there(owner: SignedIn, fjord: str, database: Database) -> None:
    path = f"/projects/{make_project(database, fjord)}/images?show=blurry"
    page = owner.client.get(path)
    assert page.status_code == 404
    assert OFFER in page.text and "Fjord Agency" in page.text
    fields = dict(re.findall(r'name="(workspace_id|next)" value="([^"]+)"', page.text))
    assert fields == {"workspace_id": fjord, "next": path}
    assert owner.client.post("/workspace/switch", data=fields).headers["location"] == path
    assert owner.client.get(path).status_code == 200


def test_every_kind_of_page_is_found_where_it_is(
    owner: SignedIn, fjord: str, database: Database, storage: Storage
) -> None:
    project_id = make_project(database, fjord)
    adapter_id = make_adapter(database, storage, fjord, project_id)
    output_id = make_pictures(database, storage, fjord, project_id)[0].id
    for path in (f"/projects/{project_id}/studio", f"/adapters/{adapter_id}", f"/outputs/{output_id}"):
        assert OFFER in owner.client.get(path).text, path
    page = owner.client.get(f"/gallery?brand={project_id}&review=open")
    assert page.status_code == 404 and OFFER in page.text
    assert owner.client.get(f"/gallery?brand={make_project(database, owner.workspace_id)}").status_code == 200
    with database.write() as session:
        session.execute(update(Output).values(deleted_at=now()))
    assert OFFER not in owner.client.get(f"/outputs/{output_id}").text


def test_strangers_programs_and_forms_learn_nothing(
    app: FastAPI, owner: SignedIn, fjord: str, sign_up: SignUp, database: Database
) -> None:
    path = f"/projects/{make_project(database, fjord)}"
    stranger = sign_up().client
    nowhere = stranger.get("/projects/" + "0" * 32).text
    found = stranger.get(path)
    assert found.status_code == 404
    assert OFFER not in found.text and "Fjord" not in found.text
    assert len(found.text) == len(nowhere)
    posted = owner.client.post(f"{path}/name", data={"name": "x"})
    assert posted.status_code == 404 and OFFER not in posted.text
    assert OFFER not in owner.client.get(path, headers={"hx-request": "true"}).text


def test_a_page_that_is_not_there_says_it_once(owner: SignedIn) -> None:
    page = owner.client.get("/projects/" + "0" * 32)
    assert code_of(page) == "not_found"
    heading = re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    lead = re.search(r'<p class="lead"[^>]*>(.*?)</p>', page.text, re.DOTALL)
    assert heading and lead
    assert heading[1].strip() not in lead[1]


@pytest.mark.parametrize("elsewhere", ["//example.org/", "https://example.org/", "javascript:alert(1)"])
def test_switching_leads_to_no_other_site(owner: SignedIn, fjord: str, elsewhere: str) -> None:
    answer = owner.client.post("/workspace/switch", data={"workspace_id": fjord, "next": elsewhere})
    assert answer.headers["location"] == "/"
