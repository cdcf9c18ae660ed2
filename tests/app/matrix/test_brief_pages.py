"""The page of a brief: to begin a campaign, to change it, two people at once, and copies."""

import re
from typing import Any

import pytest

from app.brand_kits import service as kits
from app.brand_kits.service import Author
from app.brand_kits.snapshot import Persona
from app.db import Database
from app.matrix import queries
from app.matrix.brief import Brief
from tests.app.brand_kits.sets import make_brand
from tests.app.matrix.briefs import Matrix, make_matrix
from tests.conftest import SignedIn

HTMX = {"hx-request": "true"}
ANSWERS: dict[str, Any] = {
    "offer": "A coffee cup",
    "own_name": ["Young parents", ""],
    "own_who": ["parents of small children", ""],
    "own_motive": ["", ""],
    "own_key": ["", ""],
    "channels": ["instagram_square", "display_728x90"],
    "locales": ["de"],
    "layout": "poster",
}


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


@pytest.fixture
def matrix(database: Database, owner: SignedIn, project_id: str) -> Matrix:
    return make_matrix(database, owner.workspace_id, project_id, owner.user_id)


def brief_of(database: Database, owner: SignedIn, campaign_id: str) -> Brief:
    with database.read() as session:
        row = queries.brief_row(session, workspace_id=owner.workspace_id, campaign_id=campaign_id)
        return queries.brief_of(row)


def sent(text: str) -> dict[str, Any]:
    """What a form of a page would send, without its button."""
    form = text[text.index("data-brief>") :]
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input [^>]+>", form):
        name, value = re.search(r'name="(\w+)"', tag), re.search(r'value="([^"]*)"', tag)
        is_choice = re.search(r'type="(checkbox|radio)"', tag)
        if name and (not is_choice or " checked" in tag):
            found.setdefault(name[1], []).append(value[1] if value else "")
    for name, value in re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>([^<]*)</textarea>', form):
        found[name] = [value]
    return found


def test_a_campaign_begins_with_a_brief(owner: SignedIn, database: Database, project_id: str) -> None:
    text = owner.client.get(f"/campaigns/new?brand={project_id}").text
    assert "data-audience" in text and 'value="instagram_square"' in text and 'value="poster" checked' in text
    data = ANSWERS | {
        "name": "Autumn",
        "brand": project_id,
        "more_locales": "FR, pt-br",
        "must_say": "now\n\nnow\nhere",
    }
    answer = owner.client.post("/campaigns/new", data=data)
    assert answer.status_code == 303
    campaign_id = answer.headers["location"].removeprefix("/campaigns/")
    brief = brief_of(database, owner, campaign_id)
    assert (brief.locales, brief.must_say) == (("de", "fr", "pt-BR"), ("now", "here"))
    assert ([one.name for one in brief.audiences], brief.ai_label) == (["Young parents"], False)


def test_without_a_brand_one_is_asked_for(owner: SignedIn, database: Database, project_id: str) -> None:
    assert "data-brief" in owner.client.get("/campaigns/new").text
    other = make_brand(database, owner.workspace_id)
    choice = owner.client.get("/campaigns/new").text
    assert f"/campaigns/new?brand={other}" in choice and f"/campaigns/new?brand={project_id}" in choice


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"offer": " "}, "offer_missing"),
        ({"own_name": ["", ""]}, "audience_missing"),
        ({"channels": []}, "channel_missing"),
        ({"locales": []}, "language_missing"),
        ({"more_locales": "klingon!"}, "bad_language"),
        ({"layout": "none_such"}, "no_such_layout"),
        ({"channels": ["none_such"]}, "no_such_place"),
        ({"adapter_id": "0" * 32}, "adapter_of_another_brand"),
        ({"name": ""}, "empty_name"),
    ],
)
def test_what_is_wrong_is_said_in_the_form_and_nothing_is_lost(
    owner: SignedIn, project_id: str, change: dict[str, Any], code: str
) -> None:
    data = ANSWERS | {"name": "Zebra", "brand": project_id, "why_now": "Because"} | change
    answer = owner.client.post("/campaigns/new", data=data, headers=HTMX)
    assert (answer.status_code, f'"{code}"' in answer.text) == (422, True), answer.text
    plain = owner.client.post("/campaigns/new", data=data)
    assert plain.status_code == 422
    assert "field__error" in plain.text or "form-error" in plain.text
    assert "Because</textarea>" in plain.text
    assert "Zebra" not in owner.client.get("/campaigns").text


def test_a_brief_that_is_saved_unchanged_stays_the_same(owner: SignedIn, database: Database, matrix: Matrix) -> None:
    address = f"/campaigns/{matrix.campaign_id}/brief"
    before = brief_of(database, owner, matrix.campaign_id)
    answer = owner.client.post(address, data=sent(owner.client.get(address).text))
    assert answer.status_code == 303
    assert brief_of(database, owner, matrix.campaign_id) == before


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_two_who_save_a_brief_are_told_and_lose_nothing(
    owner: SignedIn, database: Database, matrix: Matrix, headers: dict[str, str]
) -> None:
    address = f"/campaigns/{matrix.campaign_id}/brief"
    data = sent(owner.client.get(address).text)
    owner.client.post(address, data=data | {"offer": "Theirs"})
    late = owner.client.post(address, data=data | {"offer": "Mine"}, headers=headers)
    assert late.status_code == 409
    assert 'data-state="brief-changed"' in late.text and "Theirs" in late.text
    assert headers or "Mine</textarea>" in late.text
    assert brief_of(database, owner, matrix.campaign_id).offer == "Theirs"
    (over,) = set(re.findall(r'name="over" value="(\d+)"', late.text))
    assert owner.client.post(address, data=data | {"offer": "Mine", "over": over}).status_code == 303
    assert brief_of(database, owner, matrix.campaign_id).offer == "Mine"


def test_personas_are_ticked_and_keep_their_key(owner: SignedIn, database: Database, matrix: Matrix) -> None:
    with database.write() as session:
        personas = (Persona(name="Young parents", who="new words"), Persona(name="Ada"))
        author = Author(owner.workspace_id, matrix.project_id, owner.user_id)
        kits.change(session, author, {"personas": personas})
    address = f"/campaigns/{matrix.campaign_id}/brief"
    data = sent(owner.client.get(address).text)
    assert data["personas"] == ["0000000a"]
    owner.client.post(address, data=data)
    brief = brief_of(database, owner, matrix.campaign_id)
    assert {one.key: one.who for one in brief.audiences}["0000000a"] == "new words"
    assert {one.key for one in brief.audiences} == {"0000000a", "0000000b"}


def test_a_campaign_is_copied_under_another_name(owner: SignedIn, database: Database, matrix: Matrix) -> None:
    address = f"/campaigns/{matrix.campaign_id}/copy"
    assert owner.client.post(address, data={"name": "Autumn launch"}).status_code == 409
    answer = owner.client.post(address, data={"name": "Winter launch"})
    copy_id = answer.headers["location"].removeprefix("/campaigns/")
    assert brief_of(database, owner, copy_id) == brief_of(database, owner, matrix.campaign_id)
