"""What may happen to a brand's pictures, from bytes to rows."""

import io
import threading
import zipfile
from datetime import timedelta

import pytest

from app.db import Database
from app.errors import NotFound
from app.images import queries, service
from app.images.errors import DocumentInstead, FileTooLarge, UnsupportedImage
from app.images.service import CaptionWithoutPicture
from app.images.uploads import NotACaption, ingest
from app.projects import service as projects
from app.storage import Storage
from app.web.flashes import from_stamp, to_stamp
from tests.app.images.sets import LIMITS, add, add_pictures, image_of, make_brand, png, upload
from tests.conftest import SignUp


@pytest.fixture
def workspace_id(sign_up: SignUp) -> str:
    return sign_up().workspace_id


@pytest.fixture
def project_id(database: Database, workspace_id: str) -> str:
    return make_brand(database, workspace_id)


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return content.getvalue()


def test_a_picture_becomes_a_row_and_four_files(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    added = add(database, storage, workspace_id, project_id, upload("Red_Rocket-final.png", png(1)))
    image = added.images[0]
    assert added.new == 1
    assert (image.format, image.width, image.height, image.included) == ("png", 800, 800, True)
    assert image.caption.startswith("red rocket")
    folder = f"projects/{project_id}/images/{image.sha256}"
    assert set(storage.keys_under(folder)) == {
        f"{folder}/{name}" for name in ("original.png", "working.webp", "thumb.webp", "small.webp")
    }
    assert storage.get(image.original_key) == png(1)


def test_the_same_bytes_are_one_picture_per_brand(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    first = add(database, storage, workspace_id, project_id, upload("one.png", png(1)))
    again = add(database, storage, workspace_id, project_id, upload("two.png", png(1)))
    assert (again.new, [image.id for image in again.images]) == (0, [first.images[0].id])
    assert [note.params["name"] for note in again.notes] == ["two.png"]
    other = make_brand(database, workspace_id, "Other")
    assert add(database, storage, workspace_id, other, upload("one.png", png(1))).new == 1


def test_the_same_picture_from_many_requests_at_once_is_one(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    stored = ingest(storage, [upload("one.png", png(1))], project_id=project_id, known=frozenset(), limits=LIMITS)
    start, results = threading.Barrier(6), []

    def request() -> None:
        start.wait()
        with database.write() as session:
            added = service.add_all(session, stored, workspace_id=workspace_id, project_id=project_id, created_by=None)
            results.append((added.new, added.images[0].id))

    threads = [threading.Thread(target=request) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new for new, _ in results) == [0, 0, 0, 0, 0, 1]
    assert len({image_id for _, image_id in results}) == 1


def test_a_brand_that_went_meanwhile_is_not_found(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    stored = ingest(storage, [upload("one.png", png(1))], project_id=project_id, known=frozenset(), limits=LIMITS)
    with database.write() as session:
        projects.delete_project(session, workspace_id=workspace_id, project_id=project_id, typed_name="Nordlicht")
    with database.write() as session, pytest.raises(NotFound):
        service.add_all(session, stored, workspace_id=workspace_id, project_id=project_id, created_by=None)


def test_nothing_is_stored_or_asked_of_the_database_for_a_refused_file(storage: Storage) -> None:
    for name, data, refusal in (
        ("notes.pdf", b"%PDF-1.7", DocumentInstead),
        ("notes.png", b"no picture", UnsupportedImage),
        ("huge.png", b"\x89PNG\r\n\x1a\n" + bytes(LIMITS.picture.max_bytes), FileTooLarge),
        ("long.txt", b"x" * 70_000, NotACaption),
    ):
        with pytest.raises(refusal):
            ingest(storage, [upload(name, data)], project_id="a" * 32, known=frozenset(), limits=LIMITS)
    assert list(storage.keys_under("projects")) == []


def test_a_zip_gives_its_pictures_with_captions_and_names_what_it_left_out(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    archive = zipped(
        a__png=png(1), a__txt=b"a red thing", b__png=png(2), copy__png=png(2), broken__jpg=b"\xff\xd8\xffnothing"
    )
    added = add(database, storage, workspace_id, project_id, upload("set.zip", archive))
    assert added.new == 2
    assert {image.filename: image.caption for image in added.images}["a.png"] == "a red thing"
    assert {note.params["name"] for note in added.notes} == {"copy.png", "broken.jpg"}


def test_one_bad_file_among_several_costs_no_other(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    added = add(database, storage, workspace_id, project_id, upload("a.png", png(1)), upload("b.png", b"no picture"))
    assert added.new == 1
    assert "“b.png” is not an image" in str(added.notes[0])


def test_a_text_file_fills_the_caption_of_its_picture(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    [image_id] = add_pictures(database, storage, workspace_id, project_id, 1)
    add(database, storage, workspace_id, project_id, upload("Picture 0.TXT", "größe\nzählt".encode()))
    assert image_of(database, workspace_id, image_id).caption == "größe zählt"
    with pytest.raises(CaptionWithoutPicture):
        add(database, storage, workspace_id, project_id, upload("unknown.txt", b"words"))


def test_a_deleted_picture_comes_back_by_undo_and_by_uploading_it_again(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    ids = add_pictures(database, storage, workspace_id, project_id, 3)
    with database.write() as session:
        count, moment = service.delete_images(
            session, workspace_id=workspace_id, project_id=project_id, image_ids=ids[:2]
        )
    assert count == 2
    assert from_stamp(to_stamp(moment)) == moment
    with pytest.raises(NotFound):
        image_of(database, workspace_id, ids[0])
    assert add(database, storage, workspace_id, project_id, upload("again.png", png(0))).images[0].id == ids[0]
    with database.write() as session:
        assert service.restore_images(session, workspace_id=workspace_id, project_id=project_id, moment=moment) == 1
        assert queries.counts(session, [project_id])[project_id].all == 3


def test_the_sweep_removes_for_good_only_what_is_old_enough(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    ids = add_pictures(database, storage, workspace_id, project_id, 2)
    gone = image_of(database, workspace_id, ids[0])
    with database.write() as session:
        service.delete_images(session, workspace_id=workspace_id, project_id=project_id, image_ids=ids[:1])
    assert service.sweep_deleted(database, storage, older_than=timedelta(days=1)) == 0
    assert storage.exists(gone.working_key)
    assert service.sweep_deleted(database, storage, older_than=timedelta(0)) == 1
    assert not storage.exists(gone.working_key)
    assert storage.exists(image_of(database, workspace_id, ids[1]).working_key)


def test_bulk_edits_stay_within_the_brand_and_the_chosen(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    ids = add_pictures(database, storage, workspace_id, project_id, 3)
    other_id = make_brand(database, workspace_id, "Other")
    [foreign] = add_pictures(database, storage, workspace_id, other_id, 1)
    place = {"workspace_id": workspace_id, "project_id": project_id}
    with database.write() as session:
        assert service.change_many(session, **place, image_ids=[ids[0], foreign], included=False) == 1
        assert service.put_in_front(session, **place, image_ids=[ids[0], foreign], words="nrdlcht") == 1
        assert service.put_in_front(session, **place, image_ids=None, words="nrdlcht") == 2
        replaced = service.replace_in_captions(
            session, **place, image_ids=ids[1:], find="NRDLCHT", replace="acme", whole_words=True, match_case=False
        )
        assert replaced == 2
        assert service.delete_images(session, **place, image_ids=[foreign])[0] == 0
        captions = [image.caption for image in queries.images(session, workspace_id=workspace_id, image_ids=ids)]
    assert captions[0].startswith("nrdlcht")
    assert all(caption.startswith("acme") for caption in captions[1:])
    assert "nrdlcht" not in image_of(database, workspace_id, foreign).caption
    assert image_of(database, workspace_id, foreign).included


def test_captions_never_grow_beyond_their_limit(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    [image_id] = add_pictures(database, storage, workspace_id, project_id, 1)
    with database.write() as session:
        service.write_caption(session, workspace_id=workspace_id, image_id=image_id, caption="a " * 1500)
        service.replace_in_captions(
            session,
            workspace_id=workspace_id,
            project_id=project_id,
            image_ids=None,
            find="a",
            replace="b" * 200,
            whole_words=False,
            match_case=False,
        )
    assert len(image_of(database, workspace_id, image_id).caption) == 2000
