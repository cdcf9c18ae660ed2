"""Pictures: who said what, when and why, on pages and in the API; one's own, and what viewers download."""

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from zipfile import ZipFile

import pytest
from sqlalchemy import func, select

from app.gallery import service as gallery_service
from app.sign_off.models import Verdict
from tests.answers import code_of
from tests.app.gallery.conftest import Gallery
from tests.app.sign_off.conftest import Program
from tests.conftest import SignedIn, SignUp

pytestmark = pytest.mark.dialect
HTMX = {"hx-request": "true"}


def notice(person: SignedIn, url: str, **fields: object) -> dict[str, str | None]:
    answer = person.client.post(url, data=fields, headers=HTMX)
    assert answer.status_code == 200, answer.text
    told: dict[str, str | None] = json.loads(answer.headers["hx-trigger"])["livery:toast"]
    return told


def test_a_program_says_why_and_is_told_who_said_what(gallery: Gallery, program: Program, editor: SignedIn) -> None:
    one, other = gallery.hang(count=2)
    api = program(gallery.owner)
    assert api.get(f"/api/v1/outputs/{one}").json()["verdict"] is None
    answer = program(editor).patch(f"/api/v1/outputs/{one}", json={"review": "rejected", "reason": " wrong  logo "})
    verdict = answer.json()["verdict"]
    assert (verdict["state"], verdict["reason"], verdict["version"]) == ("rejected", "wrong logo", None)
    api.post("/api/v1/outputs/mark", json={"ids": [one, other], "review": "approved", "reason": "for print"})
    items = api.get(f"/api/v1/outputs/{one}/history").json()["items"]
    assert [(item["state"], item["reason"]) for item in items] == [
        ("approved", "for print"),
        ("rejected", "wrong logo"),
    ]
    assert items[0]["by"] and items[1]["by"] and items[1]["at"] == verdict["at"] and not items[1]["taken_back_at"]
    too_long = api.patch(f"/api/v1/outputs/{one}", json={"review": "rejected", "reason": "x" * 501})
    assert too_long.status_code == 422


def test_pages_show_who_when_and_why(gallery: Gallery, editor: SignedIn) -> None:
    (one,) = gallery.hang()
    for url in (f"/outputs/{one}", f"/outputs/{one}/how"):
        assert 'data-verdict="' not in gallery.owner.client.get(url).text
    notice(editor, f"/outputs/{one}/reject", reason="Horizont <schief>")
    for url in (f"/outputs/{one}", f"/outputs/{one}/how"):
        text = gallery.owner.client.get(url).text
        assert text.count('data-verdict="rejected"') == 1 and "Horizont &lt;schief&gt;" in text


def test_a_reason_may_follow_the_rejection(gallery: Gallery) -> None:
    ids = gallery.hang(count=2)
    undo = notice(gallery.owner, "/gallery/selection/reject", ids=ids)["undo_url"]
    assert 'data-state="why"' in gallery.owner.client.get(f"/outputs/{ids[0]}").text
    later = notice(gallery.owner, "/gallery/selection/reject", ids=ids, reason="too dark")
    assert later["undo_url"] is None
    page = gallery.owner.client.get(f"/outputs/{ids[0]}").text
    assert "too dark" in page and 'data-state="why"' not in page and page.count("data-verdict=") == 1
    notice(gallery.owner, str(undo))
    page = gallery.owner.client.get(f"/outputs/{ids[0]}").text
    assert page.count("data-taken-back") == 1 and gallery.output(ids[0]).review == "open"


def test_an_undo_gives_the_earlier_verdict_back_to_its_author(
    gallery: Gallery, program: Program, editor: SignedIn
) -> None:
    (one,) = gallery.hang()
    notice(editor, f"/outputs/{one}/approve")
    api = program(gallery.owner)
    approved = api.get(f"/api/v1/outputs/{one}").json()["verdict"]
    undo = notice(gallery.owner, f"/outputs/{one}/reject")["undo_url"]
    notice(gallery.owner, str(undo))
    assert api.get(f"/api/v1/outputs/{one}").json()["verdict"] == approved
    items = api.get(f"/api/v1/outputs/{one}/history").json()["items"]
    assert [item["state"] for item in items] == ["rejected", "approved"]
    assert items[0]["taken_back_by"] == items[0]["by"] and items[0]["taken_back_at"]


def test_the_review_asks_why_and_goes_on(gallery: Gallery) -> None:
    ids = gallery.hang(count=2)
    person = gallery.owner.client
    address = person.get("/gallery/review").headers["location"]
    first = re.search(r'data-of="([0-9a-f]{32})"', person.get(address).text)
    assert first is not None and first[1] in ids
    next_one = person.post(f"/gallery/review/{first[1]}/reject", data={"here": address}, headers=HTMX)
    here = re.search(r'name="here" value="([^"]+)"', next_one.text)
    assert here is not None and f'data-why data-of="{first[1]}"' in next_one.text
    stays = person.post(
        f"/gallery/review/{first[1]}/reject",
        data={"here": here[1].replace("&amp;", "&"), "reason": "too dark"},
        headers=HTMX,
    )
    assert "data-why" not in stays.text
    at = re.search(r'data-of="([0-9a-f]{32})"', stays.text)
    assert at is not None and at[1] != first[1]
    again = person.get(address)
    assert "too dark" in again.text


# One's own


def test_ones_own_pictures_are_left_out_and_said_so(
    gallery: Gallery, program: Program, editor: SignedIn, rules: Callable[..., None]
) -> None:
    mine, (other,) = gallery.hang(count=2, user_id=editor.user_id), gallery.hang()
    rules(forbids_own_approval=True)
    refused = editor.client.post(f"/outputs/{mine[0]}/approve", headers=HTMX)
    assert refused.status_code == 403 and code_of(refused) == "own_work"
    told = notice(editor, "/gallery/selection/approve", ids=[*mine, other])
    assert "1" in str(told["text"]) and "2" in str(told["text"]) and told["undo_url"]
    assert [gallery.output(one).review for one in (*mine, other)] == ["open", "open", "approved"]
    marked = program(editor).post("/api/v1/outputs/mark", json={"ids": [*mine, other], "review": "approved"})
    assert marked.status_code == 403 and marked.json()["code"] == "own_work"
    notice(editor, f"/outputs/{mine[0]}/reject")
    assert gallery.output(mine[0]).review == "rejected"
    assert notice(gallery.owner, f"/outputs/{mine[1]}/approve")["undo_url"]


# Downloads


def test_a_viewer_downloads_what_is_approved(
    gallery: Gallery, program: Program, viewer: SignedIn, rules: Callable[..., None]
) -> None:
    (waiting,), (approved,) = gallery.hang(), gallery.hang(review="approved")
    api = program(viewer)

    def answers() -> list[int]:
        return [
            *(viewer.client.get(f"/outputs/{one}/download").status_code for one in (waiting, approved)),
            *(api.get(f"/api/v1/outputs/{one}/picture").status_code for one in (waiting, approved)),
            viewer.client.post("/gallery/selection/download", data={"ids": [waiting, approved]}).status_code,
            api.post("/api/v1/outputs/download", json={"ids": [waiting, approved]}).status_code,
        ]

    assert answers() == [403, 200, 403, 200, 403, 403]
    assert api.get(f"/api/v1/outputs/{waiting}/picture").json()["code"] == "not_approved"
    many = api.post("/api/v1/outputs/download", json={"ids": [waiting, approved]}).json()
    assert many["code"] == "some_not_approved"
    assert api.post("/api/v1/outputs/download", json={"ids": [approved]}).status_code == 200
    page = viewer.client.get(f"/outputs/{waiting}").text
    assert 'data-state="not-to-download"' in page and "/download" not in page
    assert f"/outputs/{approved}/download" in viewer.client.get(f"/outputs/{approved}").text
    sha = gallery.output(waiting).sha256
    assert viewer.client.get(f"/outputs/{waiting}/picture/{sha}").status_code == 200, "looking is free"
    rules(viewers_download_open=True)
    assert answers() == [200] * 6
    assert f"/outputs/{waiting}/download" in viewer.client.get(f"/outputs/{waiting}").text


def test_a_zip_says_who_approved_what(gallery: Gallery, program: Program) -> None:
    one, other = gallery.hang(count=2)
    api = program(gallery.owner)
    api.patch(f"/api/v1/outputs/{one}", json={"review": "approved", "reason": "for print"})
    packed = ZipFile(io.BytesIO(api.post("/api/v1/outputs/download", json={"ids": [one, other]}).content))
    told = {row["id"]: row for row in json.loads(packed.read("manifest.json"))["pictures"]}
    assert told[one]["verdict"]["reason"] == "for print" and told[one]["verdict"]["by"]
    assert told[other]["verdict"] is None and told[other]["file"] in packed.namelist()


def test_others_see_no_history(gallery: Gallery, program: Program, sign_up: SignUp) -> None:
    (one,) = gallery.hang()
    notice(gallery.owner, f"/outputs/{one}/approve")
    assert program(sign_up()).get(f"/api/v1/outputs/{one}/history").status_code == 404


def test_verdicts_go_with_their_pictures(gallery: Gallery) -> None:
    one, other = gallery.hang(count=2)
    notice(gallery.owner, "/gallery/selection/approve", ids=[one, other])
    gallery.post(f"/outputs/{one}/delete")
    gallery_service.sweep_deleted(gallery.database, gallery.storage, older_than=timedelta(seconds=-5))
    with gallery.database.read() as session:
        assert list(session.scalars(select(Verdict.subject_id))) == [other]
        assert session.scalar(select(func.count()).select_from(Verdict)) == 1
