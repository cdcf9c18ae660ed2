"""What ads say: saved by audience and language, checked, and drafted in the brand's voice."""

import re

import pytest

from app.db import Database
from app.jobs.models import Job
from app.matrix import queries
from app.matrix.spec import Words
from app.storage import Storage
from app.writings.models import Writing, WritingVariant
from app.writings.recipe import WritingOrder
from tests.app.brand_kits.sets import make_brand
from tests.app.matrix.briefs import Matrix, make_matrix
from tests.conftest import SignedIn
from tests.written import make_brand as make_writing_brand

HTMX = {"hx-request": "true"}
A, B = "0000000a", "0000000b"


@pytest.fixture
def matrix(database: Database, owner: SignedIn) -> Matrix:
    project_id = make_brand(database, owner.workspace_id)
    return make_matrix(
        database, owner.workspace_id, project_id, owner.user_id, must_say=("refill",), must_not=("cheap",)
    )


def words_of(matrix: Matrix, audience: str, locale: str) -> Words:
    with matrix.database.read() as session:
        return queries.words_of(queries.words(session, **matrix.where).get((audience, locale)))


def test_words_are_kept_for_one_audience_or_for_all(owner: SignedIn, matrix: Matrix) -> None:
    address = f"/campaigns/{matrix.campaign_id}/words"
    data = {"audience": A, "locale": "en", "headline": " Slow  mornings ", "call_to_action": "Taste it"}
    assert owner.client.post(address, data=data).headers["location"].startswith(f"{address}?locale=en")
    assert words_of(matrix, A, "en") == Words(headline="Slow mornings", call_to_action="Taste it")
    assert words_of(matrix, B, "en") == words_of(matrix, A, "de") == Words()
    owner.client.post(address, data=data | {"everybody": "true"})
    assert words_of(matrix, B, "en") == words_of(matrix, A, "en")


def test_what_is_wrong_with_words_stands_at_their_field(owner: SignedIn, matrix: Matrix) -> None:
    address = f"/campaigns/{matrix.campaign_id}/words"
    data = {"audience": A, "locale": "en", "headline": "The cheapest cup"}
    sheet = owner.client.post(address, data=data, headers=HTMX).text
    assert re.findall(r'data-finding="(\w+)"', sheet) == ["missing", "forbidden"]
    assert "livery:toast" in owner.client.post(address, data=data, headers=HTMX).headers["hx-trigger"]
    assert re.findall(r'data-finding="(\w+)"', owner.client.get(f"{address}?locale=en").text) == [
        "missing",
        "forbidden",
    ]
    data = {"audience": A, "locale": "en", "headline": "A cup", "body": "With a free Refill"}
    assert "data-finding" not in owner.client.post(address, data=data, headers=HTMX).text


@pytest.mark.parametrize("wrong", [{"audience": "0000000c"}, {"locale": "fr"}])
def test_only_what_the_brief_lists_has_words(owner: SignedIn, matrix: Matrix, wrong: dict[str, str]) -> None:
    data = {"audience": A, "locale": "en", "headline": "x", "field": "headline"} | wrong
    for place in ("words", "words/drafts"):
        answer = owner.client.post(f"/campaigns/{matrix.campaign_id}/{place}", data=data, headers=HTMX)
        assert (answer.status_code, "no_such_audience" in answer.text) == (422, True), place


def test_three_variants_are_written_in_the_voice_and_taken(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    brand = make_writing_brand(database, storage, owner.workspace_id)
    matrix = make_matrix(database, owner.workspace_id, brand.project_id, owner.user_id)
    address = f"/campaigns/{matrix.campaign_id}/words/drafts"
    data = {"audience": A, "locale": "de", "field": "headline"}
    growing = owner.client.post(address, data=data, headers=HTMX).text
    assert 'data-state="drafting"' in growing and "data-live" in growing
    with database.write() as session:
        (writing,) = session.query(Writing).all()
        order = WritingOrder.model_validate(writing.recipe)
        assert [(part.arm, part.recipe.count) for part in order.arms] == [("adapter", 3)]
        assert (writing.channel, writing.language, writing.campaign_id) == ("headline", "de", matrix.campaign_id)
        for variant in session.query(WritingVariant).all():
            variant.text, variant.finished = f"Variant {variant.position}", True
        session.query(Job).filter(Job.subject_id == writing.id).update({"state": "done"})
    done = owner.client.get(address, params=data, headers=HTMX).text
    assert "data-live" not in done
    assert len(re.findall(r'data-fill="headline-0000000a-de"', done)) == 3
    page = owner.client.get(f"/campaigns/{matrix.campaign_id}/words?locale=de").text
    assert "Variant 2" in page


def test_a_pictures_prompt_is_written_by_the_base_from_the_brief_and_taken_for_every_proportion(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    brand = make_writing_brand(database, storage, owner.workspace_id)
    matrix = make_matrix(database, owner.workspace_id, brand.project_id, owner.user_id, motif="a cup in the snow")
    address = f"/campaigns/{matrix.campaign_id}/words/drafts"
    data = {"audience": A, "locale": "en", "field": "picture"}
    assert owner.client.post(address, data=data, headers=HTMX).status_code == 200
    with database.write() as session:
        (writing,) = session.query(Writing).all()
        order = WritingOrder.model_validate(writing.recipe)
        assert [(part.arm, part.recipe.count, part.adapter_id) for part in order.arms] == [("base", 3, None)]
        asked = order.arms[0].recipe.messages[-1].content
        assert all(said in asked for said in ("a cup in the snow", "A coffee cup", "parents of small children"))
        for variant in session.query(WritingVariant).all():
            variant.text, variant.finished = f"Snow {variant.position}", True
        session.query(Job).filter(Job.subject_id == writing.id).update({"state": "done"})
    page = owner.client.get(f"/campaigns/{matrix.campaign_id}/words?locale=en").text
    assert len(re.findall(f'data-fill="prompt-{A}-square prompt-{A}-wide"', page)) == 3


def test_a_picture_is_drawn_anew_with_other_words(owner: SignedIn, matrix: Matrix) -> None:
    data = {"audience": A, "shape": "square", "prompt": "a cup at dawn"}
    assert owner.client.post(f"/campaigns/{matrix.campaign_id}/pictures", data=data, headers=HTMX).status_code == 204
    assert len(matrix.jobs("generation")) == 1
    assert "a cup at dawn</textarea>" in owner.client.get(f"/campaigns/{matrix.campaign_id}/words").text
