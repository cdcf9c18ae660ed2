"""Briefs, words and pictures for programs: the same as the pages."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.db import Database
from tests.app.brand_kits.sets import make_brand
from tests.app.matrix.briefs import Matrix, make_matrix
from tests.conftest import SignedIn
from tests.tokens import api_client

A = "0000000a"


@pytest.fixture
def matrix(database: Database, owner: SignedIn) -> Matrix:
    project_id = make_brand(database, owner.workspace_id)
    return make_matrix(database, owner.workspace_id, project_id, owner.user_id, must_not=("cheap",))


@pytest.fixture
def program(owner: SignedIn) -> TestClient:
    return api_client(owner)


def test_a_brief_is_read_and_changed_but_not_over_a_newer_one(program: TestClient, matrix: Matrix) -> None:
    address = f"/api/v1/campaigns/{matrix.campaign_id}/brief"
    there = program.get(address).json()
    assert (there["number"], there["ads"]) == (1, 8)
    changed = there["brief"] | {"offer": "A cup", "number": 1}
    saved = program.put(address, json=changed).json()
    assert (saved["number"], saved["brief"]) == (2, there["brief"] | {"offer": "A cup"})
    late = program.put(address, json=changed)
    assert (late.status_code, late.json()["code"]) == (409, "brief_changed")
    twice = program.put(address, json=there["brief"] | {"locales": ["de", "de"]})
    assert (twice.status_code, twice.json()["code"]) == (422, "bad_brief")


def test_a_campaign_that_groups_pictures_gets_a_brief(program: TestClient, matrix: Matrix) -> None:
    campaign = program.post("/api/v1/campaigns", json={"name": "Harvest"}).json()
    address = f"/api/v1/campaigns/{campaign['id']}/brief"
    assert program.get(address).json()["code"] == "no_brief"
    wanted: dict[str, Any] = {
        "offer": "Apples",
        "audiences": [{"name": "Bakers"}],
        "channels": ["instagram_square"],
        "locales": ["de"],
        "layout": "poster",
    }
    assert program.put(address, json=wanted).json()["code"] == "bad_brief"
    assert program.put(address, json=wanted | {"project_id": matrix.project_id}).json()["ads"] == 1


def test_words_are_kept_and_checked(program: TestClient, matrix: Matrix) -> None:
    address = f"/api/v1/campaigns/{matrix.campaign_id}/words"
    assert len(program.get(address).json()["items"]) == 4
    wanted = {"audience": A, "locale": "en", "headline": "Cheap cups"}
    said = program.put(address, json=wanted).json()
    assert [(one["field"], one["kind"]) for one in said["findings"]] == [("headline", "forbidden")]
    assert program.get(address).json()["items"][1] == said
    assert program.put(address, json=wanted | {"locale": "fr"}).json()["code"] == "no_such_audience"
    draft = program.post(f"{address}/drafts", json={"audience": A, "locale": "en", "field": "body"})
    assert draft.status_code == 202
    writing = program.get(f"/api/v1/writings/{draft.json()['writing_id']}").json()
    assert writing["campaign_id"] == matrix.campaign_id


def test_ads_are_made_once_and_pictures_drawn_anew(program: TestClient, matrix: Matrix) -> None:
    address = f"/api/v1/campaigns/{matrix.campaign_id}"
    assert program.post(f"{address}/make").json() == {"ads": 8, "picture_orders": 4, "laid_out": 0}
    assert program.post(f"{address}/make").json()["picture_orders"] == 0
    drawn = program.post(f"{address}/pictures", json={"audience": A, "shape": "wide", "prompt": "a cup"})
    assert drawn.json()["prompt"] == "a cup"
    listed = program.get(f"{address}/pictures").json()["items"]
    assert len(listed) == 4 and drawn.json() in listed


def test_a_campaign_is_copied_without_its_ads(program: TestClient, matrix: Matrix) -> None:
    matrix.say(A, "en", headline="Cups")
    address = f"/api/v1/campaigns/{matrix.campaign_id}/copy"
    made = program.post(address, json={"name": "Winter"}).json()
    words = program.get(f"/api/v1/campaigns/{made['id']}/words").json()["items"]
    assert [one["words"]["headline"] for one in words] == ["", "Cups", "", ""]
