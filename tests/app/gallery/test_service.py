"""Sweeping, names, and the API's lists."""

from datetime import timedelta

import pytest

from app.gallery import service
from app.gallery.names import all_different, file_name, slug
from tests.app.gallery.conftest import Gallery

pytestmark = pytest.mark.dialect


def test_sweeping_removes_rows_and_files_of_what_was_deleted_long_ago(gallery: Gallery) -> None:
    long_ago, just_now, kept = gallery.hang(count=3)
    for one in (long_ago, just_now):
        gallery.post(f"/outputs/{one}/delete")
    with gallery.database.write() as session:
        session.get_one(type(gallery.output(kept)), long_ago).deleted_at -= timedelta(days=8)  # type: ignore[operator]
    gone = gallery.output(long_ago)
    assert service.sweep_deleted(gallery.database, gallery.storage, older_than=timedelta(days=7)) == 1
    assert gallery.there() == {just_now, kept}
    assert not gallery.storage.exists(gone.key) and not gallery.storage.exists(gone.thumb_key)
    assert gallery.storage.exists(gallery.output(just_now).key)
    assert service.sweep_deleted(gallery.database, gallery.storage, older_than=timedelta(days=7)) == 0


def test_sweeping_goes_on_until_nothing_is_left(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SWEPT_AT_ONCE", 2)
    ids = gallery.hang(count=5)
    gallery.post("/gallery/selection/delete", ids=ids)
    assert service.sweep_deleted(gallery.database, gallery.storage, older_than=timedelta(seconds=-5)) == 5
    assert gallery.there() == set()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Süße Größe, ÄPFEL!", "suesse-groesse-aepfel"),
        ("a/b\\..\\c", "a-b-c"),
        ("北京", ""),
        ("Café Noël", "cafe-noel"),
        ("one two three four", "one-two-three"),
        ("x" * 50, "x" * 16),
    ],
)
def test_names_are_plain(text: str, plain: str) -> None:
    assert slug(text, 16 if len(text) > 17 and "ß" not in text else 40) == plain


def test_a_name_always_has_three_parts() -> None:
    assert file_name(brand="北", prompt="京", seed=5) == "brand_picture_5.png"
    assert file_name(brand="Nordlicht", prompt="Nordlicht, a boat", seed=5) == "nordlicht_a-boat_5.png"


def test_no_two_names_are_equal() -> None:
    names = ["a.png", "a.png", "a-2.png", "a.png", "b.png"]
    assert len(set(all_different(names))) == len(names)
    assert all_different(names)[:2] == ["a.png", "a-2.png"]
