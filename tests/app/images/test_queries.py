"""What is said about a set of pictures, and what others are given of it."""

import pytest
from sqlalchemy import event

from app.db import Database
from app.errors import NotFound
from app.images import queries, service
from app.storage import Storage
from tests.app.images.sets import add, add_pictures, make_brand, png, upload
from tests.conftest import SignUp


@pytest.fixture
def workspace_id(sign_up: SignUp) -> str:
    return sign_up().workspace_id


@pytest.fixture
def project_id(database: Database, workspace_id: str) -> str:
    return make_brand(database, workspace_id)


def test_the_newer_of_two_look_alikes_is_the_twin(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    files = [upload("first.png", png(1)), upload("second.png", png(1, 900, 900)), upload("tiny.png", png(2, 200, 200))]
    added = add(database, storage, workspace_id, project_id, *files)
    first, second, tiny = (image.id for image in added.images)
    with database.write() as session:
        judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
        assert [picture.id for picture in judged.pictures] == [tiny, second, first]
        assert (judged.of(first).status, judged.of(first).twin_of) == ("good", None)
        assert (judged.of(second).status, judged.of(second).twin_of) == ("twin", "first.png")
        assert judged.of(tiny).status == "small"
        assert judged.neighbours(second) == (tiny, first)
        service.include(session, workspace_id=workspace_id, image_id=first, included=False)
        judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
    assert judged.of(second).status == "good"
    assert {name: judged.count(name) for name in queries.FILTERS} == {
        "all": 3,
        "good": 1,
        "small": 1,
        "blurry": 0,
        "twin": 0,
        "left-out": 1,
        "no-caption": 0,
    }


def test_the_training_set_is_what_is_included_oldest_first(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    ids = add_pictures(database, storage, workspace_id, project_id, 3)
    with database.write() as session:
        service.include(session, workspace_id=workspace_id, image_id=ids[1], included=False)
        service.aim(session, workspace_id=workspace_id, image_id=ids[2], focus_x=0.25, focus_y=1.0)
    with database.read() as session:
        chosen = queries.training_set(session, workspace_id=workspace_id, project_id=project_id)
    assert [one.id for one in chosen] == [ids[0], ids[2]]
    assert (chosen[1].focus_x, chosen[1].focus_y, chosen[1].width) == (0.25, 1.0, 800)
    assert storage.exists(chosen[1].working_key)


def test_counts_and_covers_know_each_brand(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    ids = add_pictures(database, storage, workspace_id, project_id, 4)
    empty = make_brand(database, workspace_id, "Empty")
    with database.write() as session:
        service.include(session, workspace_id=workspace_id, image_id=ids[3], included=False)
    with database.read() as session:
        assert queries.counts(session, [project_id, empty]) == {
            project_id: queries.Counts(4, 3),
            empty: queries.Counts(0, 0),
        }
        covers = queries.covers(session, [project_id, empty], limit=2)
    assert {brand: [image.id for image in images] for brand, images in covers.items()} == {
        project_id: [ids[2], ids[1]],
        empty: [],
    }


def test_pages_hold_each_picture_once(database: Database, storage: Storage, workspace_id: str, project_id: str) -> None:
    ids = add_pictures(database, storage, workspace_id, project_id, 5)
    with database.read() as session:
        judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
    seen, before = [], None
    while True:
        found, last = judged.page("all", before=before, limit=2)
        seen += [picture.id for picture in found]
        if last is None:
            break
        before = (last.created_at, last.id)
    assert seen == ids[::-1]


def test_another_workspace_sees_nothing(
    database: Database, storage: Storage, workspace_id: str, project_id: str, sign_up: SignUp
) -> None:
    [image_id] = add_pictures(database, storage, workspace_id, project_id, 1)
    stranger = sign_up().workspace_id
    with database.write() as session:
        with pytest.raises(NotFound):
            queries.image(session, workspace_id=stranger, image_id=image_id)
        assert queries.images(session, workspace_id=stranger, image_ids=[image_id]) == []
        assert queries.training_set(session, workspace_id=stranger, project_id=project_id) == []
        assert queries.all_images(session, workspace_id=stranger, project_id=project_id) == []
        assert queries.judged_set(session, workspace_id=stranger, project_id=project_id).pictures == ()
        with pytest.raises(NotFound):
            service.delete_images(session, workspace_id=stranger, project_id=project_id, image_ids=[image_id])
        with pytest.raises(NotFound):
            service.change_many(
                session, workspace_id=stranger, project_id=project_id, image_ids=[image_id], included=False
            )
        with pytest.raises(NotFound):
            service.put_in_front(session, workspace_id=stranger, project_id=project_id, image_ids=None, words="x")


def test_the_number_of_questions_does_not_grow_with_the_set(
    database: Database, storage: Storage, workspace_id: str, project_id: str
) -> None:
    add_pictures(database, storage, workspace_id, project_id, 6)
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    with database.read() as session:
        judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
        queries.tiles(session, workspace_id=workspace_id, pictures=judged.pictures)
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 2
