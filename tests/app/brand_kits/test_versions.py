"""The versions of a kit: who changed what, and the way back."""

import re

import pytest

from app.brand_kits import queries, service
from app.brand_kits.service import Author
from app.brand_kits.snapshot import LegalLines, Persona
from app.brand_kits.versions.changes import Change
from app.brand_kits.versions.queries import PAGE, versions
from app.db import Database
from app.errors import NotFound
from app.storage import Storage
from tests.app.brand_kits.sets import kept_font, kept_logo, make_brand
from tests.conftest import SignUp
from tests.tokens import api_client

DE = LegalLines(locale="de", legal=("Nordlicht GmbH",))


def test_versions_say_who_changed_what_and_an_earlier_one_comes_back_as_a_new_one(
    database: Database, storage: Storage, sign_up: SignUp
) -> None:
    owner = sign_up()
    client, project_id = owner.client, make_brand(database, owner.workspace_id)
    address = f"/projects/{project_id}/brand-kit/versions"
    assert 'data-state="no-kit-versions"' in client.get(address).text
    author = Author(owner.workspace_id, project_id, owner.user_id)
    with database.write() as session:
        service.set_logo(session, author, kept_logo(storage, project_id), "light")
        service.add_fonts(session, author, [kept_font(storage, project_id)])
        second = service.change(session, author, {"legal": (DE,), "personas": (Persona(name="Ada"),)})
        service.remove_logo(session, author, "light")
        service.change(session, author, {"personas": (Persona(name="Ada", who="Runs a café"),)})
    with database.read() as session:
        found = versions(session, workspace_id=owner.workspace_id, project_id=project_id)
    assert [one.number for one in found] == [5, 4, 3, 2, 1]
    assert all(one.by for one in found)
    assert [one.changes for one in found] == [
        [Change("personas", "changed", "Ada")],
        [Change("logos", "removed", "light")],
        [Change("legal", "added", "de"), Change("personas", "added", "Ada")],
        [
            Change("fonts", "added", "Muster Sans Regular"),
            Change("font_roles", "added", "headline"),
            Change("font_roles", "added", "body"),
        ],
        [Change("logos", "added", "light")],
    ]
    page = client.get(address).text
    assert re.findall(r'data-version="(\d)"', page) == ["5", "4", "3", "2", "1"]
    assert "data-change" in page

    client.post(f"{address}/3/restore")
    api = api_client(owner)
    told = api.get(f"/api/v1/projects/{project_id}/brand-kit/versions").json()
    assert (told["next"], [one["number"] for one in told["items"]][:2]) == (None, [6, 5])
    with database.read() as session:
        now = queries.current(session, workspace_id=owner.workspace_id, project_id=project_id)
    assert now.version == 6
    assert now.same_as(second)
    again = api.post(f"/api/v1/projects/{project_id}/brand-kit/versions/3/restore")
    assert again.json()["version"] == 6, "what is there already is no version"


def test_many_versions_come_page_by_page_and_each_is_held_against_the_one_before(
    database: Database, sign_up: SignUp
) -> None:
    workspace_id = sign_up().workspace_id
    author = Author(workspace_id, make_brand(database, workspace_id), None)
    where = {"workspace_id": author.workspace_id, "project_id": author.project_id}
    with database.write() as session:
        for number in range(PAGE + 2):
            service.change(session, author, {"do_nots": (f"Rule {number}",)})
    with database.read() as session:
        first = versions(session, **where)
        last = versions(session, **where, before=first[PAGE - 1].number)
    assert [one.number for one in (*first[:PAGE], *last)] == list(range(PAGE + 2, 0, -1))
    assert first[PAGE - 1].changes == [Change("do_nots", "removed", "Rule 1"), Change("do_nots", "added", "Rule 2")]
    assert last[-1].changes == [Change("do_nots", "added", "Rule 0")]
    with database.write() as session, pytest.raises(NotFound):
        service.restore(session, author, PAGE + 3)
