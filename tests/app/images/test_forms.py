"""Whatever a browser sends in the forms of brands and pictures, the answer is never an internal error."""

import pytest

from app.db import Database
from app.storage import Storage
from tests.app.images.sets import add_pictures, make_brand
from tests.conftest import SignedIn

NASTY = ["", "a\x00b", "nan", str(10**30), "-1", "true", "x" * 20_000, "\u202eabc", "0" * 32, "%00"]
FORMS = {
    "/projects": ["name", "trigger_word"],
    "/projects/{project}/look": ["trigger_word", "look_notes"],
    "/projects/{project}/palette": ["colours", "add", "remove", "first"],
    "/projects/{project}/name": ["name"],
    "/projects/{project}/delete": ["name"],
    "/projects/{project}/images/include": ["ids", "show"],
    "/projects/{project}/images/replace": ["ids", "find", "replace", "whole_words"],
    "/projects/{project}/images/in-front": ["ids", "words"],
    "/projects/{project}/images/delete": ["ids"],
    "/images/{image}/caption": ["caption"],
    "/images/{image}/focus": ["focus_x", "focus_y"],
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_breaks_it(form: str, owner: SignedIn, database: Database, storage: Storage) -> None:
    project_id = make_brand(database, owner.workspace_id)
    [image_id] = add_pictures(database, storage, owner.workspace_id, project_id, 1)
    address = form.format(project=project_id, image=image_id)
    for field in FORMS[form]:
        for value in NASTY:
            fields = {"name": "ok", "focus_x": "0.5", "focus_y": "0.5", field: [value, value]}
            assert owner.client.post(address, data=fields).status_code < 500, (field, value[:40])
    raw = owner.client.post(
        address,
        content=b"\xff\xfe=\xff&name=%ED%A0%80&ids=%00",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert raw.status_code < 500


def test_no_file_name_breaks_it(owner: SignedIn, database: Database) -> None:
    project_id = make_brand(database, owner.workspace_id)
    for name in ["\x00.png", "../../etc/passwd", "x" * 5000 + ".png", "\u202egnp.exe", "💥.txt", ".txt", "a/b\\c.zip"]:
        for content in (b"", b"hello", b"PK\x03\x04", b"PK\x05\x06", b"\x89PNG\r\n\x1a\n", b"<svg"):
            answer = owner.client.post(
                f"/projects/{project_id}/images",
                files={"file": (name, content)},
                headers={"accept": "application/json"},
            )
            assert answer.status_code < 500, (name[:40], content)
