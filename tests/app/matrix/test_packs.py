"""Packs on pages and for programs: what would go in, who may order, stop and download one. And the next campaign."""

import re

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from app.db import Database, new_id, now
from app.jobs.models import Job
from app.matrix import cells, decisions, pictures, queries
from app.matrix.models import Cell, CellVersion, Pack
from app.storage import Storage
from tests.app.matrix.briefs import PARENTS, Matrix, make_matrix
from tests.conftest import SignedIn, SignUp
from tests.tokens import api_client
from tests.visuals import make_pictures, make_project

HTMX = {"hx-request": "true"}


@pytest.fixture
def matrix(database: Database, storage: Storage, owner: SignedIn) -> Matrix:
    """Eight ads as if a worker had laid them out, of which six are approved and one is rejected."""
    project_id = make_project(database, owner.workspace_id)
    made = make_matrix(database, owner.workspace_id, project_id, owner.user_id)
    made.produce()
    picture = make_pictures(database, storage, owner.workspace_id, project_id)[0].id
    with database.write() as session:
        for place in queries.pictures(session, **made.where).values():
            place.output_id = picture
        pictures.lay_out_waiting(session, made.author)
        session.execute(update(CellVersion).values(finished_at=now()))
        session.execute(update(Job).where(Job.kind != "pack").values(state="done"))
    with database.write() as session:
        ids = [one.cell.id for one in made.cells()]
        decisions.decide(session, made.author, ids[:6], "approved")
        decisions.decide(session, made.author, ids[6:7], "rejected", "Too dark")
    return made


@pytest.fixture
def viewer(owner: SignedIn, sign_up: SignUp) -> SignedIn:
    return sign_up(role="viewer", workspace_id=owner.workspace_id)


@pytest.fixture
def program(owner: SignedIn) -> TestClient:
    return api_client(owner)


def finish(matrix: Matrix, storage: Storage, pack_id: str) -> None:
    with matrix.database.write() as session:
        pack = session.get_one(Pack, pack_id)
        pack.key, pack.finished_at, pack.byte_count = f"projects/{matrix.project_id}/{pack_id}.zip", now(), 4
        session.execute(update(Job).where(Job.subject_id == pack_id).values(state="done"))
    storage.put(f"projects/{matrix.project_id}/{pack_id}.zip", b"PK\x05\x06")


def test_the_page_says_what_goes_in_and_what_stays_out(owner: SignedIn, matrix: Matrix) -> None:
    address = f"/campaigns/{matrix.campaign_id}/packs"
    shown = owner.client.get(address).text
    told = dict(re.findall(r'data-state="(going|left-out)" data-count="(\d+)"', shown))
    assert told == {"going": "6", "left-out": "2"}
    answer = owner.client.post(address, data={"formats": ["channel", "psd"], "pattern": "{channel}_{number}"})
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    shown = owner.client.get(address).text
    assert re.findall(r'id="pack-1" data-pack="\w+" data-state="(\w+)"', shown) == ["queued"]
    assert 'value="{channel}_{number}"' in shown, "the pattern is kept for the next one"
    assert "data-live" in owner.client.get(address, headers=HTMX).text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"formats": "channel", "pattern": "{brand}"}, "unknown_placeholder"),
        ({"formats": "channel", "pattern": "../{number}"}, "unsafe_pattern"),
        ({"pattern": "{number}"}, "no_format"),
        ({"formats": "print", "pattern": "{number}"}, "nothing_to_print"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(owner: SignedIn, matrix: Matrix, data: dict[str, str], code: str) -> None:
    answer = owner.client.post(f"/campaigns/{matrix.campaign_id}/packs", data=data, headers=HTMX)
    assert (answer.status_code, f'"{code}"' in answer.text) == (422, True), answer.text
    assert matrix.jobs("pack") == []


def test_a_campaign_without_anything_to_pack_says_what_to_do(owner: SignedIn, matrix: Matrix) -> None:
    with matrix.database.write() as session:
        decisions.decide(session, matrix.author, [one.cell.id for one in matrix.cells()], "open")
    assert 'data-state="no-packs"' in owner.client.get(f"/campaigns/{matrix.campaign_id}/packs").text


def test_a_program_orders_polls_and_downloads(program: TestClient, matrix: Matrix, storage: Storage) -> None:
    address = f"/api/v1/campaigns/{matrix.campaign_id}/packs"
    made = program.post(address, json={"formats": ["channel", "webp"]})
    assert made.status_code == 202, made.text
    pack = made.json()
    assert (pack["number"], pack["ads"], pack["job"]["state"], pack["download_url"]) == (1, 6, "queued", None)
    assert [one["state"] for one in pack["left_out"]] == ["rejected", "open"]
    assert program.get(f"{address}/{pack['id']}/file").status_code == 404
    finish(matrix, storage, pack["id"])
    read = program.get(f"{address}/{pack['id']}").json()
    listed = program.get(address).json()
    assert (listed["ads"], len(listed["left_out"]), listed["items"]) == (6, 2, [read])
    file = program.get(read["download_url"])
    assert (file.content, file.headers["content-type"]) == (b"PK\x05\x06", "application/zip")
    assert 'filename="Autumn-launch-1.zip"' in file.headers["content-disposition"]


def test_a_pack_is_stopped_on_the_page_and_by_a_program(owner: SignedIn, program: TestClient, matrix: Matrix) -> None:
    address = f"/campaigns/{matrix.campaign_id}/packs"
    ids = [program.post(f"/api/v1{address}", json={"formats": ["channel"]}).json()["id"] for _ in range(2)]
    assert program.post(f"/api/v1{address}/{ids[0]}/cancel").json()["state"] == "cancelled"
    assert owner.client.post(f"{address}/{ids[1]}/cancel").status_code == 303
    assert program.post(f"/api/v1{address}/{ids[1]}/cancel").status_code == 409
    assert re.findall(r'data-pack="\w+" data-state="(\w+)"', owner.client.get(address).text) == ["cancelled"] * 2


def test_viewers_take_a_pack_while_all_in_it_is_approved(
    owner: SignedIn, viewer: SignedIn, matrix: Matrix, storage: Storage
) -> None:
    address = f"/campaigns/{matrix.campaign_id}/packs"
    assert viewer.client.post(address, data={"formats": "channel"}).status_code == 403
    owner.client.post(address, data={"formats": "channel", "pattern": "{number}"})
    with matrix.database.read() as session:
        pack_id = matrix.jobs("pack")[0].subject_id
        assert session.get_one(Pack, pack_id).number == 1
    finish(matrix, storage, pack_id)
    assert viewer.client.get(f"{address}/{pack_id}/download").status_code == 200
    with matrix.database.write() as session:
        cell = session.get_one(Cell, matrix.cells()[0].cell.id)
        cell.review = "rejected"
    assert viewer.client.get(f"{address}/{pack_id}/download").status_code == 403
    assert owner.client.get(f"{address}/{pack_id}/download").status_code == 200
    api_client(owner).patch("/api/v1/workspace", json={"viewers_download_open": True})
    assert viewer.client.get(f"{address}/{pack_id}/download").status_code == 200


def test_the_next_campaign_begins_where_this_one_stands(
    program: TestClient, database: Database, matrix: Matrix
) -> None:
    first, second = matrix.cells()[0].cell, matrix.cells()[1].cell
    with database.write() as session:
        cells.change(session, matrix.author, first.id, "this", "layout", {"layout": "split", "theme": "dark"})
    with database.write() as session:
        cells.change(session, matrix.author, second.id, "this", "crop", {"focus": (0.2, 0.8)})
    made = program.post(f"/api/v1/campaigns/{matrix.campaign_id}/copy", json={"name": "Winter"}).json()
    again = program.post(f"/api/v1/campaigns/{made['id']}/copy", json={"name": "Spring"}).json()
    for campaign_id in (made["id"], again["id"]):
        copy = Matrix(database, matrix.workspace_id, matrix.project_id, campaign_id, matrix.user_id)
        assert copy.cells() == []
        copy.produce()
        found = {(one.cell.channel, one.cell.locale): one for one in copy.cells() if one.cell.audience == PARENTS.key}
        own, cropped = (found[one.channel, one.locale] for one in (first, second))
        others = [one for one in copy.cells() if one.cell.id not in (own.cell.id, cropped.cell.id)]
        assert own.spec is not None and (own.spec.layout, own.spec.theme) == ("split", "dark")
        assert cropped.spec is not None and cropped.spec.focus == (0.2, 0.8)
        assert {(one.spec.layout, one.spec.focus) for one in others if one.spec} == {("poster", (0.5, 0.5))}
        assert {one.cell.review for one in copy.cells()} == {"open"}


def test_an_unknown_pack_is_not_there(program: TestClient, matrix: Matrix) -> None:
    address = f"/api/v1/campaigns/{matrix.campaign_id}/packs/{new_id()}"
    assert [program.get(address).status_code, program.get(f"{address}/file").status_code] == [404, 404]
