"""Pictures that orders start from, and masks: from every source, to files of the right size, frozen with the order."""

import base64
import io

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient

from app.db import Database
from app.generations.models import Generation, StartPicture
from app.generations.recipe import GenerationRecipe
from app.generations.start_pictures import service as start_pictures
from app.storage import Storage
from tests.answers import code_of
from tests.conftest import SignedIn
from tests.visuals import api_token, make_pictures, make_project, png


def mask_png(size: tuple[int, int] = (32, 32), box: tuple[int, int, int, int] = (0, 0, 16, 32), mode: str = "L") -> str:
    picture = Image.new("L", size, 0)
    picture.paste(255, box)
    if mode == "RGBA":
        painted = Image.new("RGBA", size, (255, 64, 64, 255))
        painted.putalpha(picture)
        picture = painted
    content = io.BytesIO()
    picture.save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_project(database, owner.workspace_id)


@pytest.fixture
def start_id(owner: SignedIn, project_id: str) -> str:
    answer = owner.client.post(f"/projects/{project_id}/starts", files={"file": ("jar.png", png(96, 64), "image/png")})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).rsplit("=", 1)[1]


def newest(database: Database) -> Generation:
    with database.read() as session:
        return session.scalars(select(Generation).order_by(Generation.created_at.desc()).limit(1)).one()


def order(owner: SignedIn, project_id: str, **fields: str) -> int:
    url = f"/projects/{project_id}/generations"
    return int(owner.client.post(url, data={"prompt": "a beach", "channel": "start"} | fields).status_code)


def test_an_upload_becomes_a_png_and_fills_the_sheet(
    owner: SignedIn, database: Database, storage: Storage, project_id: str, start_id: str
) -> None:
    with database.read() as session:
        row = start_pictures.start_picture(session, workspace_id=owner.workspace_id, start_id=start_id)
    assert (row.width, row.height) == (96, 64)
    with Image.open(io.BytesIO(storage.get(row.key))) as kept:
        assert (kept.format, kept.size, kept.mode) == ("PNG", (96, 64), "RGB")
    text = owner.client.get(f"/projects/{project_id}/studio?start={start_id}").text
    assert f'name="start_id" value="{start_id}"' in text and 'value="start" checked' in text
    assert owner.client.get(f"/starts/{start_id}/picture").content == storage.get(row.key)


def test_a_picture_takes_its_place_in_the_open_sheet_and_leaves_it_again(
    owner: SignedIn, project_id: str, start_id: str
) -> None:
    """The rest of the sheet is not sent, so that what was written there stays."""
    htmx = {"hx-request": "true", "hx-target": "start"}
    files = {"file": ("jar.png", png(96, 64), "image/png")}
    chosen = {"adapter_id": [""], "base_model": "stable-diffusion-xl"}
    answer = owner.client.post(f"/projects/{project_id}/starts", files=files, data=chosen, headers=htmx)
    assert answer.status_code == 200 and "textarea" not in answer.text
    assert answer.headers["hx-push-url"] == f"/projects/{project_id}/studio?start={start_id}"
    assert f'name="start_id" value="{start_id}"' in answer.text and "1280 × 832" in answer.text
    assert 'id="formats" hx-swap-oob="innerHTML"' in answer.text and 'name="file"' not in answer.text
    url = f"/projects/{project_id}/studio/start"
    gone = owner.client.get(url, params=chosen | {"channel": "start"}, headers=htmx)
    assert "start_id" not in gone.text and 'name="file"' in gone.text and 'value="square" checked' in gone.text
    kept = owner.client.get(url, params=chosen | {"channel": "story"}, headers=htmx)
    assert 'value="story" checked' in kept.text


def test_the_same_picture_twice_is_one_start(
    owner: SignedIn, database: Database, project_id: str, start_id: str
) -> None:
    owner.client.post(f"/projects/{project_id}/starts", files={"file": ("again.png", png(96, 64), "image/png")})
    with database.read() as session:
        assert len(session.scalars(select(StartPicture)).all()) == 1


def test_what_is_no_picture_is_refused_in_a_sentence(owner: SignedIn, project_id: str) -> None:
    answer = owner.client.post(
        f"/projects/{project_id}/starts", files={"file": ("x.png", b"not a picture", "image/png")}
    )
    assert answer.status_code == 415


def test_without_a_mask_the_whole_picture_is_the_start(
    owner: SignedIn, database: Database, project_id: str, start_id: str
) -> None:
    assert order(owner, project_id, start_id=start_id, start_strength="0.4") == 303
    ordered = newest(database)
    recipe = GenerationRecipe.model_validate(ordered.recipe)
    assert recipe.image is not None and recipe.mask is None and recipe.strength == 0.4
    assert ordered.image_key is not None and recipe.image in ordered.image_key
    assert recipe.width > recipe.height and recipe.width / recipe.height == pytest.approx(1.5, abs=0.2)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_a_painted_part_is_drawn_anew_or_kept(
    owner: SignedIn, database: Database, storage: Storage, project_id: str, start_id: str, mode: str
) -> None:
    address = "data:image/png;base64," + mask_png(mode=mode)
    means = {}
    for keeps in ("", "1"):
        assert order(owner, project_id, start_id=start_id, mask=address, mask_keeps=keeps) == 303
        ordered = newest(database)
        assert ordered.mask_key is not None and ordered.recipe["strength"] == 0.95
        with Image.open(io.BytesIO(storage.get(ordered.mask_key))) as kept:
            assert (kept.mode, kept.size) == ("L", (96, 64))
            values = np.asarray(kept)
        means[keeps] = (values[:, :40].mean(), values[:, 56:].mean())
    assert means == {"": (255.0, 0.0), "1": (0.0, 255.0)}


def test_a_rectangle_does_it_without_a_script(
    owner: SignedIn, database: Database, storage: Storage, project_id: str, start_id: str
) -> None:
    fields = {"mask_left": "50", "mask_top": "0", "mask_width": "50", "mask_height": "100"}
    assert order(owner, project_id, start_id=start_id, mask_keeps="", **fields) == 303
    ordered = newest(database)
    assert ordered.mask_key is not None
    with Image.open(io.BytesIO(storage.get(ordered.mask_key))) as kept:
        assert kept.getbbox() == (48, 0, 96, 64)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"mask": "not base64"}, 422),
        ({"mask": base64.b64encode(b"no picture").decode()}, 422),
        ({"mask": mask_png(box=(0, 0, 0, 0))}, 422),
        ({"mask_left": "0", "mask_top": "0", "mask_width": "100", "mask_height": "100", "mask_keeps": "1"}, 422),
        ({"start_strength": "0"}, 422),
    ],
)
def test_masks_that_mean_nothing_are_refused(
    owner: SignedIn, project_id: str, start_id: str, fields: dict[str, str], status: int
) -> None:
    assert order(owner, project_id, start_id=start_id, **fields) == status


def test_a_mask_needs_a_picture(owner: SignedIn, project_id: str) -> None:
    url = f"/projects/{project_id}/generations"
    answer = owner.client.post(url, data={"prompt": "a beach", "mask": mask_png()})
    assert answer.status_code == 422 and code_of(answer) == "no_start_picture"


def test_pictures_of_the_gallery_can_be_started_from_and_outlive_it(
    owner: SignedIn, database: Database, storage: Storage, project_id: str
) -> None:
    picture = make_pictures(database, storage, owner.workspace_id, project_id, content=png(80, 80, (9, 9, 9)))[0]
    answer = owner.client.post(f"/outputs/{picture.id}/start")
    assert answer.status_code == 303
    start = str(answer.headers["location"]).rsplit("=", 1)[1]
    owner.client.post(f"/outputs/{picture.id}/delete")
    assert order(owner, project_id, start_id=start) == 303
    ordered = newest(database)
    text = owner.client.get(f"/projects/{project_id}/studio?again={ordered.id}").text
    assert f'name="start_id" value="{start}"' in text


def test_again_and_more_like_it_keep_the_start(
    owner: SignedIn, database: Database, project_id: str, start_id: str
) -> None:
    order(owner, project_id, start_id=start_id, mask=mask_png())
    first = newest(database)
    owner.client.post(f"/generations/{first.id}/again")
    second = newest(database)
    assert second.id != first.id
    assert (second.image_key, second.mask_key, second.recipe) == (first.image_key, first.mask_key, first.recipe)


def test_the_api_does_the_same(app: FastAPI, owner: SignedIn, database: Database, project_id: str) -> None:
    program = TestClient(app, headers={"authorization": "Bearer " + api_token(database, owner)})
    brought = program.post(f"/api/v1/projects/{project_id}/starts", files={"file": ("a.png", png(64, 64), "image/png")})
    assert brought.status_code == 201, brought.text
    start = {"start_id": brought.json()["id"], "rectangle": {"left": 0, "top": 0, "width": 50, "height": 50}}
    answer = program.post(f"/api/v1/projects/{project_id}/generations", json={"prompt": "a beach", "start": start})
    assert answer.status_code == 201, answer.text
    recipe = answer.json()["recipe"]
    assert recipe["image"] == brought.json()["sha256"] and recipe["mask"] and recipe["strength"] == 0.95
