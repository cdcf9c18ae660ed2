"""The pages of pictures, and the files themselves."""

import io
import re
import zipfile
from typing import Any

import pytest
from PIL import Image as Pillow

from app.db import Database, new_id, now
from app.images import queries
from app.images.bulk_routes import NOTHING_CHANGED
from app.images.models import Image
from app.images.reading.prepared import HAD_LOCATION
from app.images.service import CAPTION_FILLED
from app.storage import Storage
from tests.answers import code_of, tells, toast_of
from tests.app.images.make_pictures import encoded, scene
from tests.app.images.sets import add_pictures, image_of, make_brand, png
from tests.conftest import SignedIn, SignUp

JSON = {"accept": "application/json"}
HTMX = {"hx-request": "true"}


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


def send(owner: SignedIn, project_id: str, name: str, data: bytes) -> Any:
    return owner.client.post(f"/projects/{project_id}/images", files={"file": (name, data)}, headers=JSON)


def amount(page: str) -> tuple[int, str, int | None]:
    """How many pictures the set has, what is said of it, and the number in that."""
    found = re.search(r' data-value="(\d+)" data-state="([a-z-]+)">.*?</strong>(?: <span class="quiet">(\d+)?)?', page)
    assert found
    return int(found[1]), found[2], int(found[3]) if found[3] else None


def test_a_dropped_file_is_answered_with_its_tile(owner: SignedIn, project_id: str) -> None:
    answer = send(owner, project_id, "red rocket.png", png(1)).json()
    assert answer["ok"] is True
    assert answer["notes"] == [] and answer["new"] == 1
    image_id = re.search(r'data-tile="([0-9a-f]{32})"', answer["html"])
    assert image_id
    assert 'width="640"' in answer["html"]
    assert 'loading="lazy"' in answer["html"]
    again = send(owner, project_id, "copy.png", png(1)).json()
    assert again["ok"] is True
    assert f'data-tile="{image_id[1]}"' in again["html"]
    assert (again["notes"], again["new"], again["known"]) == ([], 0, 1)


def test_a_refused_file_is_answered_with_its_sentence(owner: SignedIn, project_id: str, storage: Storage) -> None:
    answer = send(owner, project_id, "notes.pdf", b"%PDF-1.7")
    assert answer.status_code == 415
    assert answer.json()["ok"] is False
    assert code_of(answer) == "document_instead" and "notes.pdf" in answer.json()["sentence"]
    assert list(storage.keys_under("projects")) == []


def test_without_scripts_several_files_are_one_form(owner: SignedIn, project_id: str) -> None:
    answer = owner.client.post(
        f"/projects/{project_id}/images",
        files=[("file", ("a.png", png(1))), ("file", ("b.png", png(2))), ("file", ("c.png", b"no"))],
    )
    assert answer.status_code == 303
    page = owner.client.get(answer.headers["location"]).text
    assert "2 pictures added." in page
    assert "“c.png” is not an image" in page
    assert page.count('data-tile="') == 2


def test_an_upload_to_another_workspace_is_not_decoded(
    owner: SignedIn, project_id: str, sign_up: SignUp, storage: Storage
) -> None:
    assert send(sign_up(), project_id, "a.png", png(1)).status_code == 404
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert send(viewer, project_id, "a.png", png(1)).status_code == 403
    assert list(storage.keys_under("projects")) == []


def test_an_upload_needs_the_form_token(owner: SignedIn, project_id: str) -> None:
    owner.client.headers.pop("x-csrf-token")
    assert send(owner, project_id, "a.png", png(1)).status_code == 403


def test_filters_show_their_pictures(owner: SignedIn, project_id: str, database: Database, storage: Storage) -> None:
    ids = add_pictures(database, storage, owner.workspace_id, project_id, 3)
    owner.client.post(f"/images/{ids[0]}/leave-out")
    page = owner.client.get(f"/projects/{project_id}/images?show=left-out").text
    assert re.findall(r'data-tile="([0-9a-f]{32})"', page) == [ids[0]]
    assert amount(page) == (2, "set-few", 8)
    assert owner.client.get(f"/projects/{project_id}/images?show=nonsense").status_code == 422


def test_leaving_out_answers_with_the_tile_and_the_meter(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    [image_id] = add_pictures(database, storage, owner.workspace_id, project_id, 1)
    answer = owner.client.post(f"/images/{image_id}/leave-out", headers=HTMX).text
    assert "Excluded" in answer
    assert 'hx-swap-oob="true"' in answer
    assert "0 of 10–30 pictures" in answer
    assert not image_of(database, owner.workspace_id, image_id).included
    owner.client.post(f"/images/{image_id}/include", headers=HTMX)
    assert image_of(database, owner.workspace_id, image_id).included


def test_captions_are_written_inline(owner: SignedIn, project_id: str, database: Database, storage: Storage) -> None:
    [image_id] = add_pictures(database, storage, owner.workspace_id, project_id, 1)
    answer = owner.client.post(f"/images/{image_id}/caption", data={"caption": "a <b>bold</b>\n claim"}, headers=HTMX)
    assert answer.status_code == 204
    assert image_of(database, owner.workspace_id, image_id).caption == "a <b>bold</b> claim"
    assert "a &lt;b&gt;bold&lt;/b&gt; claim" in owner.client.get(f"/projects/{project_id}/images").text
    too_long = owner.client.post(f"/images/{image_id}/caption", data={"caption": "x" * 2001}, headers=HTMX)
    assert too_long.status_code == 422


def test_a_selection_is_left_out_edited_deleted_and_brought_back(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    ids = add_pictures(database, storage, owner.workspace_id, project_id, 4)
    address = f"/projects/{project_id}/images"
    owner.client.post(f"{address}/leave-out", data={"ids": ids[:2]})
    done, told = toast_of(owner.client.get(address).text)
    assert done == "image.left_out" and "2" in told
    owner.client.post(f"{address}/include", data={"ids": ids[:1]})
    owner.client.post(f"{address}/in-front", data={"ids": ids[:1], "words": "nrdlcht"})
    owner.client.post(f"{address}/replace", data={"find": "nrdlcht", "replace": "acme", "whole_words": "1"})
    assert image_of(database, owner.workspace_id, ids[0]).caption.startswith("acme")
    owner.client.post(f"{address}/delete", data={"ids": ids[:3]})
    page = owner.client.get(address).text
    done, told = toast_of(page)
    assert done == "image.deleted" and "3" in told
    undo = re.search(rf'action="({address}/restore/\d+)"', page)
    assert undo
    assert page.count('data-tile="') == 1
    assert owner.client.post(undo[1]).status_code == 303
    assert owner.client.get(address).text.count('data-tile="') == 4
    assert owner.client.post(undo[1]).status_code == 404


def test_an_empty_search_changes_nothing(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    add_pictures(database, storage, owner.workspace_id, project_id, 1)
    owner.client.post(f"/projects/{project_id}/images/replace", data={"find": "", "replace": "x"})
    assert tells(owner.client.get(f"/projects/{project_id}/images").text, NOTHING_CHANGED)


def test_the_crop_follows_the_focus(owner: SignedIn, project_id: str, database: Database) -> None:
    send(owner, project_id, "banner.png", png(1, 1600, 400))
    with database.read() as session:
        [image] = queries.all_images(session, workspace_id=owner.workspace_id, project_id=project_id)
    page = owner.client.get(f"/images/{image.id}").text
    assert "--left: 25.0%; --top: 0.0%; --width: 50.0%; --height: 100.0%" in page
    answer = owner.client.post(f"/images/{image.id}/focus", data={"focus_x": "1", "focus_y": "0.5"}, headers=HTMX)
    assert answer.status_code == 204
    assert "--left: 50.0%" in owner.client.get(f"/images/{image.id}").text
    for wrong in ("nan", "inf", "1.5", "-1", "x"):
        refused = owner.client.post(f"/images/{image.id}/focus", data={"focus_x": wrong, "focus_y": "0"})
        assert refused.status_code == 422


def test_a_picture_has_a_page_with_neighbours(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    ids = add_pictures(database, storage, owner.workspace_id, project_id, 3)
    page = owner.client.get(f"/images/{ids[1]}").text
    assert f'href="/images/{ids[2]}" title="Previous picture"' in page
    assert f'href="/images/{ids[0]}" title="Next picture"' in page
    assert "800 × 800 pixels" in page


def test_copies_are_kept_for_ever_and_only_shown_at_home(
    owner: SignedIn, project_id: str, database: Database, storage: Storage, sign_up: SignUp
) -> None:
    [image_id] = add_pictures(database, storage, owner.workspace_id, project_id, 1)
    sha = image_of(database, owner.workspace_id, image_id).sha256[:16]
    stranger = sign_up().client
    for size, side in (("small", 256), ("thumb", 640), ("working", 800)):
        answer = owner.client.get(f"/images/{image_id}/{size}/{sha}")
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "image/webp"
        assert max(Pillow.open(io.BytesIO(answer.content)).size) == side
        assert stranger.get(f"/images/{image_id}/{size}/{sha}").status_code == 404
    assert owner.client.get(f"/images/{image_id}/thumb/{'0' * 16}").status_code == 404
    assert owner.client.get(f"/images/{image_id}/original/{sha}").status_code == 404
    for path in ("", "/original"):
        assert stranger.get(f"/images/{image_id}{path}").status_code == 404
    for path in ("/caption", "/include", "/leave-out", "/delete"):
        assert stranger.post(f"/images/{image_id}{path}").status_code == 404


def test_the_original_leaves_without_its_place(owner: SignedIn, project_id: str, database: Database) -> None:
    exif = Pillow.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    photo = encoded(scene(300, 200), "JPEG", exif=exif)
    send(owner, project_id, "Straße.jpg", photo)
    with database.read() as session:
        [image] = queries.all_images(session, workspace_id=owner.workspace_id, project_id=project_id)
    assert tells(owner.client.get(f"/images/{image.id}").text, HAD_LOCATION)
    answer = owner.client.get(f"/images/{image.id}/original")
    assert "filename*=UTF-8''Stra%C3%9Fe.jpg" in answer.headers["content-disposition"]
    opened = Pillow.open(io.BytesIO(answer.content))
    assert dict(opened.getexif().get_ifd(0x8825)) == {}
    assert opened.size == (300, 200)


def test_an_original_without_a_place_leaves_as_it_came(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    [image_id] = add_pictures(database, storage, owner.workspace_id, project_id, 1)
    assert owner.client.get(f"/images/{image_id}/original").content == png(0)


def test_captions_and_the_training_set_can_be_taken_along(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    ids = add_pictures(database, storage, owner.workspace_id, project_id, 3)
    owner.client.post(f"/images/{ids[0]}/caption", data={"caption": "a lighthouse"})
    owner.client.post(f"/images/{ids[2]}/leave-out")
    answer = owner.client.get(f"/projects/{project_id}/images/captions.zip")
    captions = zipfile.ZipFile(io.BytesIO(answer.content))
    assert sorted(captions.namelist()) == ["picture 0.txt", "picture 1.txt", "picture 2.txt"]
    assert captions.read("picture 0.txt") == b"a lighthouse"
    answer = owner.client.get(f"/projects/{project_id}/images/training-set.zip")
    training_set = zipfile.ZipFile(io.BytesIO(answer.content))
    assert sorted(training_set.namelist()) == [
        "picture 0.txt",
        "picture 0.webp",
        "picture 1.txt",
        "picture 1.webp",
    ]
    assert training_set.read("picture 0.txt") == b"nordlichtstyle, a lighthouse"
    assert Pillow.open(io.BytesIO(training_set.read("picture 0.webp"))).size == (800, 800)


def test_exported_captions_find_their_pictures_again(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    [image_id] = add_pictures(database, storage, owner.workspace_id, project_id, 1)
    answer = send(owner, project_id, "picture 0.txt", b"written elsewhere").json()
    assert answer["notes"] == [CAPTION_FILLED % {"name": "picture 0.png"}]
    assert image_of(database, owner.workspace_id, image_id).caption == "written elsewhere"
    lone = send(owner, project_id, "nobody.txt", b"words")
    assert lone.status_code == 422
    assert code_of(lone) == "caption_without_picture" and "“nobody.txt”" in lone.json()["sentence"]


def test_suggested_colours_that_are_taken_are_said_to_be_the_brands(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    add_pictures(database, storage, owner.workspace_id, project_id, 2)
    suggestion = owner.client.get(f"/projects/{project_id}/palette-suggestion").text
    colours = re.findall(r'name="colours" value="(#[0-9a-f]{6})"', suggestion)
    assert colours and "suggestion-in-use" not in suggestion
    form = {"colours": colours, "suggested": "1"}
    answer = owner.client.post(f"/projects/{project_id}/palette", data=form, headers=HTMX)
    assert 'id="suggestion-act"' in answer.text and "suggestion-in-use" in answer.text
    assert "livery:toast" in answer.headers["hx-trigger"]
    assert "suggestion-in-use" in owner.client.get(f"/projects/{project_id}/palette-suggestion").text
    fewer = owner.client.post(f"/projects/{project_id}/palette", data={"colours": colours[:1]}, headers=HTMX)
    assert "suggestion-in-use" not in fewer.text
    again = owner.client.get(f"/projects/{project_id}/palette-suggestion").text
    assert len(colours) == 1 or "suggestion-in-use" not in again


def test_the_pictures_suggest_a_palette(owner: SignedIn, project_id: str, database: Database, storage: Storage) -> None:
    address = f"/projects/{project_id}/palette-suggestion"
    assert 'data-state="no-pictures"' in owner.client.get(address).text
    add_pictures(database, storage, owner.workspace_id, project_id, 2)
    suggestion = owner.client.get(address).text
    assert 'data-count="2"' in suggestion
    assert re.search(r'name="colours" value="#[0-9a-f]{6}"', suggestion)


@pytest.mark.slow
def test_a_demo_brand_is_one_click(owner: SignedIn, database: Database) -> None:
    answer = owner.client.post("/projects/demo")
    project_id = answer.headers["location"].rsplit("/", 1)[1]
    page = owner.client.get(f"/projects/{project_id}/images").text
    assert amount(page) == (24, "set-good", None)
    with database.read() as session:
        judged = queries.judged_set(session, workspace_id=owner.workspace_id, project_id=project_id)
    assert {picture.status.value for picture in judged.pictures} == {"good"}
    assert "CC BY 4.0" in owner.client.get(f"/projects/{project_id}/look").text
    assert 'data-state="next-train"' in owner.client.get(f"/projects/{project_id}").text


@pytest.mark.slow
def test_a_page_of_500_pictures_is_small_and_the_rest_follows(
    owner: SignedIn, project_id: str, database: Database
) -> None:
    with database.write() as session:
        for number in range(500):
            session.add(many(owner.workspace_id, project_id, number))
    address = f"/projects/{project_id}/images"
    page = owner.client.get(address)
    assert len(page.content) < 150_000
    seen = re.findall(r'data-tile="([0-9a-f]{32})"', page.text)
    while more := re.search(r'hx-get="([^"]+after=[^"]+)"', page.text):
        page = owner.client.get(more[1].replace("&amp;", "&"), headers=HTMX)
        assert "<html" not in page.text
        seen += re.findall(r'data-tile="([0-9a-f]{32})"', page.text)
    assert len(seen) == len(set(seen)) == 500


def many(workspace_id: str, project_id: str, number: int) -> Image:
    key = f"projects/{project_id}/images/{number}/small.webp"
    return Image(
        workspace_id=workspace_id,
        project_id=project_id,
        filename=f"picture-{number}.jpg",
        format="jpeg",
        sha256=new_id() * 2,
        byte_count=1,
        width=1200,
        height=900,
        working_width=1200,
        working_height=900,
        original_key=key,
        working_key=key,
        thumb_key=key,
        small_thumb_key=key,
        placeholder="data:image/webp;base64," + "A" * 240,
        dhash=new_id()[:16],
        sharpness=300.0,
        caption="a caption of the usual length, with some words",
        created_at=now(),
    )


def test_the_set_is_praised_only_for_what_was_measured(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    """Twelve pictures are enough; one of them blurry is too few to warn of, and too many to say that none is."""
    ids = add_pictures(database, storage, owner.workspace_id, project_id, 12)
    with database.write() as session:
        for number, image_id in enumerate(ids):
            image = session.get_one(Image, image_id)
            image.width = image.height = 1024
            image.sharpness = 300.0
            image.dhash = f"{0x0123456789ABCDEF * (number + 3) * 0x9E3779B97F4A7C15 % 2**64:016x}"

    def state() -> str:
        return amount(owner.client.get(f"/projects/{project_id}/images").text)[1]

    assert state() == "set-good"
    with database.write() as session:
        session.get_one(Image, ids[0]).sharpness = 5.0
    assert state() == "set-enough"


def office(folder: str, first: str = "[Content_Types].xml") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name in (first, f"{folder}/document.xml"):
            made.writestr(name, "<x/>")
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "code", "kind"),
    [
        ("letter.docx", office("word"), "texts_instead", "Word"),
        ("renamed.png", office("word"), "texts_instead", "Word"),
        ("table.xlsx", office("xl"), "texts_instead", "Excel"),
        ("posts.csv", b"channel,text\nblog,Hello", "texts_instead", "CSV"),
        ("notes.md", b"# Hello", "texts_instead", "Markdown"),
        ("slides.pptx", office("ppt"), "document_instead", "PowerPoint"),
        ("letter.odt", office("Pictures", "mimetype"), "document_instead", "OpenDocument"),
        ("guide.pdf", b"%PDF-1.7\n...", "document_instead", "PDF"),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "document_instead", "Office"),
    ],
)
def test_a_document_is_refused_by_its_kind_before_anything_is_unpacked(
    owner: SignedIn, database: Database, name: str, content: bytes, code: str, kind: str
) -> None:
    project_id = make_brand(database, owner.workspace_id)
    sent = owner.client.post(
        f"/projects/{project_id}/images", files={"file": (name, content)}, headers={"accept": "application/json"}
    )
    assert (sent.status_code, sent.json()["code"]) == (415, code)
    assert kind in sent.json()["sentence"] and name in sent.json()["sentence"]


def test_a_caption_that_is_written_changes_what_is_said_of_the_set(
    owner: SignedIn, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, owner.workspace_id)
    (image_id,) = add_pictures(database, storage, owner.workspace_id, project_id, 1)
    address, htmx = f"/images/{image_id}/caption", {"hx-request": "true"}
    emptied = owner.client.post(f"{address}?show=all", data={"caption": ""}, headers=htmx)
    assert 'data-state="finding-no_captions"' in emptied.text and "livery:toast" in emptied.headers["hx-trigger"]
    written = owner.client.post(f"{address}?show=all", data={"caption": "a ferry"}, headers=htmx)
    assert 'id="image-set"' in written.text and "no_captions" not in written.text
    alone = owner.client.post(address, data={"caption": "a ferry at sea"}, headers=htmx)
    assert alone.status_code == 204 and "livery:toast" in alone.headers["hx-trigger"]
