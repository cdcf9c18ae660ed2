"""Judgements are set, never toggled; each can be undone; comparisons stay with their order until they are kept."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.gallery import judging, queries
from app.gallery.filters import Filters
from app.gallery.judging import Marks
from app.gallery.queries import Counts
from tests.answers import code_of, toast_of
from tests.app.gallery.conftest import Gallery
from tests.conftest import SignUp

pytestmark = pytest.mark.dialect

HTMX = {"hx-request": "true"}
STRIP = {"strengths": (0.0, 1.0)}


def act(gallery: Gallery, url: str, **fields: object) -> dict[str, str | None]:
    """Do something as the page's scripts do; the notice that is shown then."""
    answer: Response = gallery.owner.client.post(url, data=fields, headers=HTMX)
    assert answer.status_code == 200, answer.text
    notice: dict[str, str | None] = json.loads(answer.headers["hx-trigger"])["livery:toast"]
    return notice


def compared(gallery: Gallery, **fields: object) -> list[str]:
    """The two pictures of a comparison, as a worker adds them."""
    return gallery.hang(count=2, recipe=STRIP, adapter_id=gallery.adapter, in_gallery=False, **fields)


def test_approving_what_is_approved_changes_nothing_and_says_so(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    first = act(gallery, f"/outputs/{one}/approve")
    before = gallery.output(one)
    again = act(gallery, f"/outputs/{one}/approve")
    assert first["undo_url"] and not again["undo_url"] and again["kind"] == "note" and again["text"]
    after = gallery.output(one)
    assert (after.review, after.reviewed_at) == ("approved", before.reviewed_at)


def test_every_judgement_can_be_undone_one_after_another(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    undo = [act(gallery, f"/outputs/{one}/{what}")["undo_url"] for what in ("approve", "reject", "favourite", "reopen")]
    judged = gallery.output(one)
    assert (judged.review, judged.reviewed_at, judged.favourite) == ("open", None, True)
    for url, review, favourite in zip(
        undo[::-1], ("rejected", "rejected", "approved", "open"), (1, 0, 0, 0), strict=True
    ):
        act(gallery, str(url))
        back = gallery.output(one)
        assert (back.review, back.favourite) == (review, bool(favourite))
        assert (back.reviewed_at is None) == (review == "open")
    refused = gallery.owner.client.post(str(undo[0]), headers=HTMX)
    assert refused.status_code == 409 and code_of(refused) == "too_late_to_undo"


def test_an_undo_leaves_what_was_said_since(gallery: Gallery) -> None:
    first, second = gallery.hang(count=2)
    undo = act(gallery, "/gallery/selection/approve", ids=[first, second])["undo_url"]
    act(gallery, f"/outputs/{second}/reject")
    act(gallery, str(undo))
    assert [gallery.output(one).review for one in (first, second)] == ["open", "rejected"]


def test_many_at_once_become_again_what_each_was(gallery: Gallery) -> None:
    ids = gallery.hang(count=4)
    act(gallery, f"/outputs/{ids[0]}/approve")
    act(gallery, f"/outputs/{ids[1]}/reject")
    before = [(gallery.output(one).review, gallery.output(one).reviewed_at) for one in ids]
    done = act(gallery, "/gallery/selection/approve", ids=ids)
    assert "3" in str(done["text"]) and {gallery.output(one).review for one in ids} == {"approved"}
    act(gallery, str(done["undo_url"]))
    assert [(gallery.output(one).review, gallery.output(one).reviewed_at) for one in ids] == before
    nothing = act(gallery, "/gallery/selection/unfavourite", ids=ids)
    assert not nothing["undo_url"] and "4" in str(nothing["text"])


def test_without_scripts_the_undo_is_on_the_next_page(gallery: Gallery) -> None:
    ids = gallery.hang(count=2)
    gallery.post("/gallery/selection/reject", ids=ids)
    page = gallery.owner.client.get("/gallery").text
    undo = re.search(r'action="(/gallery/changes/[0-9a-f]{32}/undo)"', page)
    assert undo is not None and toast_of(page)[0] == "output.rejected"
    gallery.post(undo[1])
    assert {gallery.output(one).review for one in ids} == {"open"}


def test_a_deleted_picture_is_not_judged(gallery: Gallery) -> None:
    gone, there = gallery.hang(count=2)
    gallery.post(f"/outputs/{gone}/delete")
    assert gallery.owner.client.post(f"/outputs/{gone}/approve", headers=HTMX).status_code == 404
    assert "1" in str(act(gallery, "/gallery/selection/approve", ids=[gone, there])["text"])
    assert gallery.output(gone).review == "open"


def test_others_undo_nothing_here(gallery: Gallery, sign_up: SignUp) -> None:
    (one,) = gallery.hang()
    undo = str(act(gallery, f"/outputs/{one}/approve")["undo_url"])
    assert sign_up().client.post(undo).status_code == 404
    viewer = sign_up(role="viewer", workspace_id=gallery.owner.workspace_id).client
    assert viewer.post(undo).status_code == 403
    assert gallery.output(one).review == "approved"


def test_changes_are_forgotten_after_a_while(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    undo = str(act(gallery, f"/outputs/{one}/approve")["undo_url"])
    assert judging.forget_changes(gallery.database, older_than=timedelta(days=7)) == 0
    assert judging.forget_changes(gallery.database, older_than=timedelta(seconds=-5)) == 1
    assert gallery.owner.client.post(undo, headers=HTMX).status_code == 404


def test_chips_count_within_the_other_filters(gallery: Gallery) -> None:
    gallery.hang(count=3)
    gallery.hang(count=2, review="approved", favourite=True)
    gallery.hang(gallery.other_brand, review="rejected", favourite=True)
    compared(gallery)
    (gone,) = gallery.hang()
    gallery.post(f"/outputs/{gone}/delete")

    def counts(**filters: object) -> Counts:
        with gallery.database.read() as session:
            return queries.counts(session, workspace_id=gallery.owner.workspace_id, filters=Filters(**filters))  # type: ignore[arg-type]

    assert counts() == Counts(open=3, approved=2, rejected=1, favourite=3)
    assert counts(brand=gallery.brand) == Counts(open=3, approved=2, rejected=0, favourite=2)
    assert counts(favourite=True) == Counts(open=0, approved=2, rejected=1, favourite=3)
    assert counts(review="rejected") == Counts(open=3, approved=2, rejected=1, favourite=1)
    assert counts(q="nothing like it") == Counts(0, 0, 0, 0)


def test_the_counts_are_on_the_chips(gallery: Gallery) -> None:
    gallery.hang(count=3)
    gallery.hang(review="approved")
    for url in ("/gallery", "/gallery/counts", "/gallery?review=approved"):
        text = gallery.owner.client.get(url).text
        chips = dict(re.findall(r'data-chip="(\w+)"[^>]*>.*?<span class="chip__count">(\d+)</span>', text))
        assert chips == {"open": "3", "approved": "1", "rejected": "0", "favourite": "0"}, url


# Comparisons


def test_comparisons_are_not_in_the_gallery_until_kept(gallery: Gallery, api: TestClient) -> None:
    without, with_adapter = compared(gallery)
    (plain,) = gallery.hang()
    assert [one["id"] for one in api.get("/api/v1/outputs").json()["items"]] == [plain]
    assert without not in gallery.owner.client.get("/gallery").text
    assert api.get(f"/api/v1/outputs/{with_adapter}").json()["in_gallery"] is False
    assert act(gallery, f"/outputs/{with_adapter}/keep?place=comparison")["undo_url"]
    assert {one["id"] for one in api.get("/api/v1/outputs").json()["items"]} == {plain, with_adapter}
    assert api.get("/api/v1/outputs/counts").json() == {"open": 2, "approved": 0, "rejected": 0, "favourite": 0}
    kept = api.patch(f"/api/v1/outputs/{without}", json={"in_gallery": True})
    assert kept.json()["in_gallery"] is True
    assert api.patch(f"/api/v1/outputs/{without}", json={"in_gallery": False}).status_code == 422


@pytest.mark.parametrize("what", ["approve", "reject", "favourite", "tags", "campaign"])
def test_whoever_makes_something_of_a_picture_keeps_it(gallery: Gallery, what: str) -> None:
    one, other = compared(gallery)
    gallery.post(f"/outputs/{one}/{what}", tags="hero", new_campaign="Harvest")
    assert gallery.output(one).in_gallery and not gallery.output(other).in_gallery


def test_undoing_a_judgement_of_a_comparison_takes_it_out_again(gallery: Gallery) -> None:
    one, other = compared(gallery)
    for output_id, further in ((one, None), (other, "favourite")):
        undo = act(gallery, f"/outputs/{output_id}/approve")["undo_url"]
        if further:
            act(gallery, f"/outputs/{output_id}/{further}")
        act(gallery, str(undo))
    assert [gallery.output(output_id).in_gallery for output_id in (one, other)] == [False, True]


def test_a_comparisons_pictures_have_a_button_to_keep_them(gallery: Gallery) -> None:
    gallery.post(f"/outputs/{compared(gallery)[0]}/keep")
    text = gallery.owner.client.get(f"/projects/{gallery.brand}/studio").text
    assert len(re.findall(r'action="/outputs/[0-9a-f]{32}/keep\?place=comparison"', text)) == 1
    assert text.count('data-state="kept"') == 1


# Programs


def test_programs_judge_many_and_undo(gallery: Gallery, api: TestClient) -> None:
    ids = gallery.hang(count=3)
    answer = api.patch(f"/api/v1/outputs/{ids[0]}", json={"review": "approved"}).json()
    again = api.patch(f"/api/v1/outputs/{ids[0]}", json={"review": "approved"}).json()
    assert answer["review"] == again["review"] == "approved" and answer["reviewed_at"] == again["reviewed_at"]
    marked = api.post("/api/v1/outputs/mark", json={"ids": ids, "review": "approved", "favourite": True}).json()
    assert marked["count"] == 3
    assert api.post("/api/v1/outputs/mark", json={"ids": ids, "review": "approved"}).json() == {
        "count": 0,
        "change_id": None,
        "left_out": 0,
    }
    assert api.post(f"/api/v1/changes/{marked['change_id']}/undo").json() == {"count": 3}
    back = [api.get(f"/api/v1/outputs/{one}").json() for one in ids]
    assert [one["review"] for one in back] == ["approved", "open", "open"] and not any(one["favourite"] for one in back)
    assert api.post(f"/api/v1/changes/{'0' * 32}/undo").status_code == 404
    assert api.post("/api/v1/outputs/mark", json={"ids": ids, "reviewed": "open"}).status_code == 422


def test_the_moment_of_a_judgement_is_told(gallery: Gallery, api: TestClient) -> None:
    (one,) = gallery.hang()
    before = datetime.now(UTC)
    told = api.patch(f"/api/v1/outputs/{one}", json={"review": "rejected"}).json()["reviewed_at"]
    assert before <= datetime.fromisoformat(told) <= datetime.now(UTC)
    assert api.patch(f"/api/v1/outputs/{one}", json={"review": "open"}).json()["reviewed_at"] is None


def test_marks_of_nothing_are_no_change(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    with gallery.database.write() as session:
        marked = judging.mark_one(
            session, workspace_id=gallery.owner.workspace_id, output_id=one, marks=Marks(), user_id=None
        )
    assert (marked.count, marked.change_id) == (0, None)
