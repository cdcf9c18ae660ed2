"""Texts: who said what, when and why; one's own, and what viewers export."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from app.db import Database
from app.storage import Storage
from app.writings.models import WritingVariant
from tests.answers import code_of
from tests.app.sign_off.conftest import Program
from tests.app.writings.test_pages import finished
from tests.conftest import SignedIn, SignUp
from tests.written import Brand, make_brand

pytestmark = pytest.mark.dialect
HTMX = {"hx-request": "true"}


@pytest.fixture
def brand(app: FastAPI, database: Database, storage: Storage, owner: SignedIn) -> Brand:
    return make_brand(database, storage, owner.workspace_id)


@pytest.fixture
def text(brand: Brand, owner: SignedIn) -> str:
    return finished(brand, owner)["adapter"]


def review_of(brand: Brand, text: str) -> str:
    with brand.database.read() as session:
        return session.get_one(WritingVariant, text).review


def test_a_program_says_why_and_is_told_who_said_what(
    text: str, owner: SignedIn, program: Program, editor: SignedIn, sign_up: SignUp
) -> None:
    api, other = program(owner), program(editor)
    assert api.get(f"/api/v1/variants/{text}").json()["verdict"] is None
    rejected = other.patch(f"/api/v1/variants/{text}", json={"review": "rejected", "reason": "too long"}).json()
    assert (rejected["verdict"]["state"], rejected["verdict"]["reason"]) == ("rejected", "too long")
    api.patch(f"/api/v1/variants/{text}", json={"review": "approved"})
    items = api.get(f"/api/v1/variants/{text}/history").json()["items"]
    assert [(one["state"], one["reason"]) for one in items] == [("approved", ""), ("rejected", "too long")]
    assert program(sign_up()).get(f"/api/v1/variants/{text}/history").status_code == 404


def test_pages_show_who_when_and_why(text: str, owner: SignedIn) -> None:
    shown = owner.client.post(f"/variants/{text}/reject", headers=HTMX).text
    assert 'data-state="decided"' in shown and 'data-state="why"' in shown
    shown = owner.client.post(f"/variants/{text}/reject", data={"reason": "too <long>"}, headers=HTMX).text
    assert "too &lt;long&gt;" in shown and 'data-state="why"' not in shown
    for headers in (HTMX, {}):
        history = owner.client.get(f"/variants/{text}/history", headers=headers).text
        assert history.count('data-verdict="rejected"') == 1 and "too &lt;long&gt;" in history


def test_an_undo_gives_the_earlier_verdict_back_to_its_author(
    brand: Brand, text: str, owner: SignedIn, program: Program, editor: SignedIn, rules: Callable[..., None]
) -> None:
    rules(forbids_own_approval=True)
    editor.client.post(f"/variants/{text}/approve", headers=HTMX)
    approved = program(owner).get(f"/api/v1/variants/{text}").json()["verdict"]
    answer = owner.client.post(f"/variants/{text}/reject", headers=HTMX)
    undo = json.loads(answer.headers["hx-trigger"])["livery:toast"]["undo_url"]
    assert owner.client.post(undo).status_code == 303
    assert program(owner).get(f"/api/v1/variants/{text}").json()["verdict"] == approved
    assert review_of(brand, text) == "approved"
    late = owner.client.post(undo, headers=HTMX)
    assert late.status_code == 409 and code_of(late) == "too_late_to_undo"


def test_an_edit_ends_an_approval_and_says_who_did(text: str, owner: SignedIn, program: Program) -> None:
    owner.client.post(f"/variants/{text}/approve", headers=HTMX)
    owner.client.post(f"/variants/{text}/edit", data={"text": "Andere Worte."})
    items = program(owner).get(f"/api/v1/variants/{text}/history").json()["items"]
    assert [one["state"] for one in items] == ["open", "approved"]


def test_nobody_approves_what_they_requested_or_edited(
    brand: Brand, text: str, owner: SignedIn, editor: SignedIn, rules: Callable[..., None]
) -> None:
    rules(forbids_own_approval=True)
    refused = owner.client.post(f"/variants/{text}/approve", headers=HTMX)
    assert refused.status_code == 403 and code_of(refused) == "own_work"
    editor.client.post(f"/variants/{text}/edit", data={"text": "Andere Worte."})
    assert editor.client.post(f"/variants/{text}/approve", headers=HTMX).status_code == 403
    with brand.database.read() as session:
        words = session.get_one(WritingVariant, text).text
    editor.client.post(f"/variants/{text}/edit", data={"text": words})
    assert editor.client.post(f"/variants/{text}/approve", headers=HTMX).status_code == 200
    assert review_of(brand, text) == "approved"


def test_a_viewer_exports_approved_texts(
    text: str, owner: SignedIn, program: Program, viewer: SignedIn, rules: Callable[..., None]
) -> None:
    owner.client.post(f"/variants/{text}/approve", data={"reason": "for print"}, headers=HTMX)
    everything, approved = "/writings/export.csv", "/writings/export.docx?review=approved"
    refused = viewer.client.get(everything, headers={"accept": "application/json"})
    assert refused.status_code == 403 and viewer.client.get(approved).status_code == 200
    api = program(viewer)
    assert api.get("/api/v1/variants/export").json()["code"] == "some_not_approved"
    page = viewer.client.get("/writings").text
    assert 'data-state="approved-only"' in page and 'href="/writings/export.csv?review=approved"' in page
    rules(viewers_download_open=True)
    table = viewer.client.get(everything)
    rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert [row[-1] for row in rows[1:] if row[-1]] == ["for print"]
    assert "approved-only" not in viewer.client.get("/writings").text
