"""The gallery's pages: find, judge, sort, hand out, delete and undo."""

import io
import re
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from PIL import Image

from app.campaigns.models import Campaign
from app.db import Database
from app.storage import Storage
from tests.answers import code_of, toast_of
from tests.app.gallery.conftest import Gallery
from tests.conftest import SignedIn, SignUp
from tests.visuals import START, make_pictures, make_project, png

pytestmark = pytest.mark.dialect

HTMX = {"hx-request": "true"}


def shown(gallery: Gallery, address: str) -> list[str]:
    """Ids of the pictures on a page, in their order."""
    answer = gallery.owner.client.get(address)
    assert answer.status_code == 200
    return re.findall(r'data-tile="([0-9a-f]{32})"', answer.text)


def test_an_empty_gallery_invites(gallery: Gallery) -> None:
    text = gallery.owner.client.get("/gallery").text
    assert 'class="empty"' in text and 'href="/studio"' in text


def test_the_newest_picture_is_first(gallery: Gallery) -> None:
    first, second = gallery.hang(count=2)
    (third,) = gallery.hang(created_at=START + timedelta(days=1))
    assert shown(gallery, "/gallery") == [third, second, first]


def test_filters(gallery: Gallery) -> None:
    (fog,) = gallery.hang(adapter_id=gallery.adapter, prompt="nordlicht, a LIGHTHOUSE in fog")
    (bread,) = gallery.hang(
        gallery.other_brand,
        prompt="Süße Brötchen, ÄPFEL, 100%",
        review="approved",
        created_at=START + timedelta(days=2),
    )
    (star,) = gallery.hang(prompt="a star", favourite=True, review="rejected", created_at=START - timedelta(days=2))
    assert shown(gallery, f"/gallery?brand={gallery.other_brand}") == [bread]
    assert shown(gallery, f"/gallery?adapter={gallery.adapter}") == [fog]
    assert shown(gallery, "/gallery?favourite=1") == [star]
    assert shown(gallery, "/gallery?review=approved") == [bread]
    assert shown(gallery, "/gallery?review=rejected") == [star]
    assert shown(gallery, "/gallery?review=open") == [fog]
    assert shown(gallery, "/gallery?q=lighthouse") == [fog]
    assert shown(gallery, "/gallery?q=äpfel") == [bread]
    assert shown(gallery, "/gallery?q=100%25") == [bread]
    assert shown(gallery, "/gallery?q=l%25house") == []
    day = START.date().isoformat()
    assert shown(gallery, f"/gallery?since={day}") == [bread, fog]
    assert shown(gallery, f"/gallery?until={day}") == [fog, star]
    assert shown(gallery, f"/gallery?since={day}&until={day}") == [fog]
    assert shown(gallery, f"/gallery?brand={gallery.brand}&favourite=1&q=STAR") == [star]
    assert 'data-state="no-match"' in gallery.owner.client.get("/gallery?q=nothing").text


@pytest.mark.parametrize(
    "query",
    ["brand=x", "review=maybe", "since=yesterday", "until=9999-12-31", "before=%00", "tag=" + "x" * 500, "q=%00"],
)
def test_an_address_that_makes_no_sense_still_shows_something(gallery: Gallery, query: str) -> None:
    gallery.hang()
    assert gallery.owner.client.get(f"/gallery?{query}").status_code == 200


def test_pages_do_not_move_when_new_pictures_come(gallery: Gallery) -> None:
    ids = [gallery.hang(created_at=START + timedelta(minutes=number))[0] for number in range(60)]
    first = gallery.owner.client.get("/gallery").text
    more = re.search(r'hx-get="(/gallery\?before=[^"]+)"', first)
    assert more is not None
    gallery.hang(created_at=START + timedelta(days=1))
    gallery.owner.client.post("/gallery/selection/delete", data={"ids": ids[0]})
    rest = gallery.owner.client.get(more[1], headers=HTMX).text
    assert "<html" not in rest
    assert re.findall(r'data-tile="([0-9a-f]{32})"', rest) == ids[::-1][48:-1]
    assert "hx-get" not in re.sub(r"hx-post", "", rest)


def test_a_shared_view_finds_its_picture_wherever_it_hangs_now(gallery: Gallery) -> None:
    (old,) = gallery.hang(created_at=START - timedelta(days=1))
    assert gallery.owner.client.get(f"/gallery?picture={old}").status_code == 200
    for number in range(49):
        gallery.hang(created_at=START + timedelta(minutes=number))
    answer = gallery.owner.client.get(f"/gallery?picture={old}")
    assert answer.headers["location"] == f"/outputs/{old}"
    assert gallery.owner.client.get("/gallery?picture=first").status_code == 200


def test_the_plain_link_to_more_is_a_page(gallery: Gallery) -> None:
    for number in range(49):
        gallery.hang(created_at=START + timedelta(minutes=number))
    more = re.search(r'href="(/gallery\?before=[^"]+)" rel="next"', gallery.owner.client.get("/gallery").text)
    assert more is not None
    text = gallery.owner.client.get(more[1]).text
    assert "<html" in text and text.count("data-tile=") == 1 and 'rel="first"' in text


def test_a_picture_is_judged_where_it_hangs(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    answer = gallery.owner.client.post(f"/outputs/{one}/favourite", headers=HTMX)
    assert f'data-tile="{one}"' in answer.text and 'data-favourite="true"' in answer.text
    gallery.owner.client.post(f"/outputs/{one}/unfavourite", headers=HTMX)
    assert gallery.output(one).favourite is False
    for act, state in (("approve", "approved"), ("reject", "rejected"), ("reject", "rejected"), ("reopen", "open")):
        answer = gallery.owner.client.post(f"/outputs/{one}/{act}", headers=HTMX)
        assert f'data-review="{state}"' in answer.text and f'data-state="{state}"' in answer.text
        assert gallery.output(one).review == state


def test_without_scripts_a_judgement_leads_to_the_picture(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    assert gallery.post(f"/outputs/{one}/approve").headers["location"] == f"/outputs/{one}"  # type: ignore[attr-defined]


def test_a_picture_says_how_it_was_made(gallery: Gallery) -> None:
    (one,) = gallery.hang(
        adapter_id=gallery.adapter, seed=4711, user_id=gallery.owner.user_id, recipe={"negative_prompt": "blur"}
    )
    for url in (f"/outputs/{one}", f"/outputs/{one}/how"):
        text = gallery.owner.client.get(url).text
        for fact in ("a lighthouse in fog", "blur", "4711", "Nordlicht, version 1", "Livery built-in", "Ada Muster"):
            assert fact in text
        assert f"/projects/{gallery.brand}/studio?from={one}" in text


def test_several_pictures_are_judged_and_sorted(gallery: Gallery) -> None:
    first, second, third = gallery.hang(count=3)
    gallery.post("/gallery/selection/approve", ids=[first, second])
    gallery.post("/gallery/selection/favourite", ids=[second])
    gallery.post("/gallery/selection/sort", ids=[first, third], tags="Hero, #Summer ,hero", new_campaign="Harvest")
    assert [gallery.output(one).review for one in (first, second, third)] == ["approved", "approved", "open"]
    assert gallery.output(second).favourite
    assert shown(gallery, "/gallery?tag=hero") == [third, first]
    assert shown(gallery, "/gallery?tag=summer") == [third, first]
    campaign = gallery.output(first).campaign_id
    assert campaign and shown(gallery, f"/gallery?campaign={campaign}") == [third, first]
    gallery.post("/gallery/selection/sort", ids=[first], campaign="none", tags="")
    assert shown(gallery, f"/gallery?campaign={campaign}") == [third]
    gallery.post("/gallery/selection/sort", ids=[first, second], campaign=campaign)
    assert shown(gallery, f"/gallery?campaign={campaign}") == [third, second, first]
    gallery.post("/gallery/selection/reject", ids=[first])
    gallery.post("/gallery/selection/unfavourite", ids=[second])
    assert gallery.output(first).review == "rejected" and not gallery.output(second).favourite


def test_a_selection_goes_back_where_it_came_from_and_nowhere_else(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    here = gallery.post("/gallery/selection/approve", ids=[one], next="/gallery?favourite=1")
    assert here.headers["location"] == "/gallery?favourite=1"  # type: ignore[attr-defined]
    elsewhere = gallery.post("/gallery/selection/approve", ids=[one], next="//evil.example")
    assert elsewhere.headers["location"] == "/gallery"  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", ["approve", "favourite", "delete", "download", "sort"])
def test_nothing_chosen_is_said(gallery: Gallery, what: str) -> None:
    answer = gallery.owner.client.post(f"/gallery/selection/{what}", headers=HTMX)
    assert answer.status_code == 422 and code_of(answer) == "nothing_chosen"


def test_tags_and_campaign_of_one_picture(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    gallery.post(f"/outputs/{one}/tags", tags="hero, winter")
    gallery.post(f"/outputs/{one}/tags", tags="winter")
    gallery.post(f"/outputs/{one}/campaign", new_campaign="Harvest")
    text = gallery.owner.client.get(f"/outputs/{one}").text
    assert 'value="winter"' in text and "Harvest" in text
    gallery.post(f"/outputs/{one}/campaign", campaign="none")
    assert gallery.output(one).campaign_id is None
    too_many = gallery.owner.client.post(f"/outputs/{one}/tags", data={"tags": ",".join(map(str, range(30)))})
    assert too_many.status_code == 422


def test_a_zip_holds_every_picture_under_a_readable_name(gallery: Gallery) -> None:
    content = png(80, 64, (10, 200, 30))
    ids = gallery.hang(count=2, content=content, seed=42)
    ids += gallery.hang(seed=42)
    ids += gallery.hang(gallery.other_brand, prompt="Süße Brötchen & Äpfel / 北", seed=7)
    answer = gallery.owner.client.post("/gallery/selection/download", data={"ids": ids})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        assert sorted(names) == [
            "baeckerei-suess_suesse-broetchen-aepfel_7.png",
            "manifest.json",
            "nordlicht_a-lighthouse-in-fog_42-2.png",
            "nordlicht_a-lighthouse-in-fog_42.png",
            "nordlicht_a-lighthouse-in-fog_43.png",
        ]
        assert packed.read("nordlicht_a-lighthouse-in-fog_43.png") == content


def test_one_picture_is_downloaded_as_it_is_or_smaller(gallery: Gallery) -> None:
    content = png(80, 64)
    (one,) = gallery.hang(content=content, seed=42)
    answer = gallery.owner.client.get(f"/outputs/{one}/download")
    assert answer.content == content
    assert 'filename="nordlicht_a-lighthouse-in-fog_42.png"' in answer.headers["content-disposition"]
    for kind, ending in (("webp", "webp"), ("jpeg", "jpg")):
        copy = gallery.owner.client.get(f"/outputs/{one}/download?as={kind}")
        assert f"_42.{ending}" in copy.headers["content-disposition"]
        with Image.open(io.BytesIO(copy.content)) as picture:
            assert picture.format == kind.upper() and picture.size == (80, 64)
            assert b"trainedAlgorithmicMedia" in picture.info["xmp"]
    assert gallery.owner.client.get(f"/outputs/{one}/download?as=exe").status_code == 422


def test_files_are_kept_for_ever_under_their_hash(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    sha = gallery.output(one).sha256
    for what in ("thumb", "picture"):
        answer = gallery.owner.client.get(f"/outputs/{one}/{what}/{sha[:16]}")
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        assert gallery.owner.client.get(f"/outputs/{one}/{what}/{'0' * 16}").status_code == 404


def test_deleting_can_be_undone(gallery: Gallery) -> None:
    first, second, third = gallery.hang(count=3)
    gallery.post("/gallery/selection/delete", ids=[first, second])
    page = gallery.owner.client.get("/gallery").text
    undo = re.search(r'action="(/gallery/deletions/\d+/undo)"', page)
    assert undo is not None and toast_of(page)[0] == "output.deleted" and "2" in toast_of(page)[1]
    assert gallery.owner.client.get(f"/outputs/{first}").status_code == 404
    assert shown(gallery, "/gallery") == [third]
    gallery.post(f"/outputs/{third}/delete")
    gallery.post(undo[1])
    assert shown(gallery, "/gallery") == [second, first]
    again = gallery.owner.client.post(undo[1], headers=HTMX)
    assert again.status_code == 409


def test_campaigns_are_made_renamed_and_removed_without_their_pictures(gallery: Gallery) -> None:
    (one,) = gallery.hang()
    gallery.post("/campaigns", name="Harvest")
    assert gallery.owner.client.post("/campaigns", data={"name": "HARVEST"}).status_code == 409
    gallery.post("/campaigns", name="Ñandú")
    for taken in ("Ñandú", "ñandú"):
        assert gallery.owner.client.post("/campaigns", data={"name": taken}).status_code == 409
    assert gallery.owner.client.post("/campaigns", data={"name": "  "}).status_code == 422
    page = gallery.owner.client.get("/campaigns").text
    campaign = re.search(r">Harvest</a>.*?/campaigns/([0-9a-f]{32})/rename", page, re.DOTALL)
    assert campaign is not None
    gallery.post("/gallery/selection/sort", ids=[one], campaign=campaign[1])
    gallery.post(f"/campaigns/{campaign[1]}/rename", name="Winter")
    page = gallery.owner.client.get("/campaigns").text
    assert "Winter" in page and "1 picture" in page and "Harvest" not in page.split("toasts")[0]
    gallery.post(f"/campaigns/{campaign[1]}/delete")
    assert gallery.output(one).campaign_id is None and shown(gallery, "/gallery") == [one]


def test_a_viewer_looks_and_downloads_but_changes_nothing(gallery: Gallery, sign_up: SignUp) -> None:
    (one,) = gallery.hang(review="approved")
    viewer = sign_up(role="viewer", workspace_id=gallery.owner.workspace_id).client
    text = viewer.get("/gallery").text
    assert one in text and "data-favourite-url" not in text and "/gallery/selection/delete" not in text
    assert viewer.get(f"/outputs/{one}/download").status_code == 200
    assert viewer.post("/gallery/selection/download", data={"ids": one}).status_code == 200
    for url in ("/gallery/selection/delete", f"/outputs/{one}/favourite", f"/outputs/{one}/delete", "/campaigns"):
        assert viewer.post(url, data={"ids": one, "name": "x"}).status_code == 403


def test_other_workspaces_find_nothing(gallery: Gallery, sign_up: SignUp) -> None:
    (one,) = gallery.hang()
    gallery.post("/campaigns", name="Harvest")
    campaign = re.search(r"/campaigns/([0-9a-f]{32})/rename", gallery.owner.client.get("/campaigns").text)
    assert campaign is not None
    sha = gallery.output(one).sha256
    stranger = sign_up().client
    assert one not in stranger.get("/gallery").text and "Harvest" not in stranger.get("/campaigns").text
    for url in ("", "/how", f"/thumb/{sha}", f"/picture/{sha}", "/download"):
        assert stranger.get(f"/outputs/{one}{url}").status_code == 404
    for url in ("favourite", "approve", "reject", "tags", "campaign", "delete"):
        assert stranger.post(f"/outputs/{one}/{url}").status_code == 404
    for url in ("rename", "delete"):
        assert stranger.post(f"/campaigns/{campaign[1]}/{url}", data={"name": "x"}).status_code == 404
    assert stranger.post("/gallery/selection/download", data={"ids": one}).status_code == 422
    stranger.post("/gallery/selection/delete", data={"ids": one})
    assert gallery.output(one).deleted_at is None
    gallery.post(f"/outputs/{one}/delete")
    undo = re.search(r"/gallery/deletions/\d+/undo", gallery.owner.client.get("/gallery").text)
    assert undo is not None and stranger.post(undo[0]).status_code == 409


def test_another_workspaces_campaign_takes_no_pictures(gallery: Gallery, sign_up: SignUp) -> None:
    (one,) = gallery.hang()
    stranger = sign_up().client
    stranger.post("/campaigns", data={"name": "Theirs"})
    theirs = re.search(r"/campaigns/([0-9a-f]{32})/rename", stranger.get("/campaigns").text)
    assert theirs is not None
    answer = gallery.owner.client.post("/gallery/selection/sort", data={"ids": one, "campaign": theirs[1]})
    assert answer.status_code == 422 and gallery.output(one).campaign_id is None


def test_campaigns_are_known_by_their_pictures_approved_ones_first(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_project(database, owner.workspace_id)
    with database.write() as session:
        campaigns = [Campaign(workspace_id=owner.workspace_id, name=name) for name in ("A", "B")]
        session.add_all(campaigns)
        session.flush()
        given: dict[str, Any] = {"campaign_id": campaigns[0].id}

    def make(**columns: Any) -> str:
        return make_pictures(database, storage, owner.workspace_id, project_id, **given, **columns)[0].id

    approved, rejected = make(review="approved"), make(review="rejected", created_at=START + timedelta(hours=4))
    later = [make(created_at=START + timedelta(hours=hour)) for hour in (1, 2, 3)]
    page = owner.client.get("/campaigns").text
    assert re.findall(r'data-faces="(\d)"', page) == ["3", "0"]
    assert re.findall(r"/outputs/(\w+)/thumb/", page) == [approved, later[2], later[1]]
    assert rejected not in page
