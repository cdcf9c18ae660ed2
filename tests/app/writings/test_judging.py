"""Judging a text sets a state and never takes it back unasked; what was done can be undone where one is."""

import json

import pytest

from app.writings.models import WritingVariant
from tests.app.writings.conftest import Brand
from tests.app.writings.test_pages import finished
from tests.conftest import SignedIn

HTMX = {"hx-request": "true"}


@pytest.fixture
def text(brand: Brand, owner: SignedIn) -> str:
    return finished(brand, owner)["adapter"]


def state_of(brand: Brand, text: str) -> tuple[str, bool]:
    with brand.database.read() as session:
        row = session.get_one(WritingVariant, text)
        return row.review, row.favourite


def press(owner: SignedIn, path: str) -> dict[str, str | None]:
    answer = owner.client.post(path, headers=HTMX)
    assert answer.status_code == 200, answer.text
    notice: dict[str, str | None] = json.loads(answer.headers["hx-trigger"])["livery:toast"]
    return notice


def test_the_same_judgement_again_changes_nothing_and_says_so(brand: Brand, owner: SignedIn, text: str) -> None:
    first = press(owner, f"/variants/{text}/approve")
    assert first["kind"] == "undo" and str(first["undo_url"]).startswith(f"/variants/{text}/undo/")
    again = press(owner, f"/variants/{text}/approve")
    assert (again["kind"], again["undo_url"]) == ("note", None)
    assert state_of(brand, text) == ("approved", False)
    assert press(owner, f"/variants/{text}/favourite")["undo_url"] == f"/variants/{text}/unfavourite"
    assert press(owner, f"/variants/{text}/favourite")["undo_url"] is None
    assert state_of(brand, text) == ("approved", True)


def test_every_judgement_is_undone_to_what_was_before(brand: Brand, owner: SignedIn, text: str) -> None:
    press(owner, f"/variants/{text}/reject")
    other = press(owner, f"/variants/{text}/approve")
    press(owner, str(other["undo_url"]))
    assert state_of(brand, text) == ("rejected", False)
    press(owner, f"/variants/{text}/reopen")
    assert state_of(brand, text) == ("open", False)


def test_without_scripts_one_comes_back_to_the_page_with_the_undo(brand: Brand, owner: SignedIn, text: str) -> None:
    answer = owner.client.post(
        f"/variants/{text}/reject", headers={"referer": "http://testserver/writings?review=open"}
    )
    assert answer.status_code == 303 and answer.headers["location"] == f"/writings?review=open#variant-{text}"
    page = owner.client.get("/writings").text
    assert f'action="/variants/{text}/undo/' in page


def test_a_judged_text_offers_the_way_back_and_an_open_one_does_not(brand: Brand, owner: SignedIn, text: str) -> None:
    shown = owner.client.post(f"/variants/{text}/approve", headers=HTMX).text
    assert f'formaction="/variants/{text}/reopen"' in shown and 'aria-pressed="true"' in shown
    reopened = owner.client.post(f"/variants/{text}/reopen", headers=HTMX).text
    assert "/reopen" not in reopened
