"""Pictures as JSON."""

import io
import zipfile

import pytest

from app.db import Database
from tests.app.images.sets import make_brand, png
from tests.conftest import SignedIn, SignUp
from tests.tokens import api_client


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


def test_pictures_live_through_the_api(owner: SignedIn, project_id: str) -> None:
    client, base = api_client(owner), f"/api/v1/projects/{project_id}"
    files = [("file", ("a.png", png(1))), ("file", ("b.png", png(2))), ("file", ("c.png", b"no"))]
    sent = client.post(f"{base}/images", files=files).json()
    assert (sent["new"], [item["filename"] for item in sent["items"]]) == (2, ["a.png", "b.png"])
    assert "“c.png” is not an image" in sent["notes"][0]
    first = sent["items"][0]
    address = f"/api/v1/images/{first['id']}"
    changed = client.patch(address, json={"caption": "a thing", "included": False, "focus_x": 0.2}).json()
    assert (changed["caption"], changed["included"], changed["focus_x"], changed["focus_y"]) == (
        "a thing",
        False,
        0.2,
        0.5,
    )
    assert client.get(address).json() == changed
    assert [item["id"] for item in client.get(f"{base}/images?show=left-out").json()["items"]] == [first["id"]]
    assert client.get(f"{address}/original").content == png(1)
    assert client.get(f"{address}/working").headers["content-type"] == "image/webp"
    assert client.post(f"{base}/captions/in-front", json={"words": "nrdlcht"}).json() == {"changed": 2}
    replaced = client.post(f"{base}/captions/replace", json={"ids": [first["id"]], "find": "nrdlcht", "replace": "x"})
    assert replaced.json() == {"changed": 1}
    assert client.get(f"{base}/palette-suggestion").json()["items"]
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{base}/captions.zip").content))
    assert sorted(archive.namelist()) == ["a.txt", "b.txt"]
    assert len(zipfile.ZipFile(io.BytesIO(client.get(f"{base}/training-set.zip").content)).namelist()) == 2
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_a_single_refused_file_is_an_error(owner: SignedIn, project_id: str) -> None:
    client = api_client(owner)
    refused = client.post(f"/api/v1/projects/{project_id}/images", files={"file": ("a.png", b"no")})
    assert refused.status_code == 415
    assert refused.json()["ok"] is False


def test_strangers_get_404(owner: SignedIn, project_id: str, sign_up: SignUp) -> None:
    client, stranger = api_client(owner), api_client(sign_up())
    base = f"/api/v1/projects/{project_id}"
    image = client.post(f"{base}/images", files={"file": ("a.png", png(1))}).json()["items"][0]
    address = f"/api/v1/images/{image['id']}"
    for path in (f"{base}/images", f"{base}/captions.zip", f"{base}/training-set.zip", f"{base}/palette-suggestion"):
        assert stranger.get(path).status_code == 404
    for path in (address, f"{address}/original", f"{address}/working"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"{base}/images", files={"file": ("a.png", png(2))}).status_code == 404
    assert stranger.post(f"{base}/captions/replace", json={"find": "a"}).status_code == 404
    assert stranger.post(f"{base}/captions/in-front", json={"words": "a"}).status_code == 404
    assert stranger.patch(address, json={"included": False}).status_code == 404
    assert stranger.delete(address).status_code == 404


def test_a_read_only_token_uploads_nothing(owner: SignedIn, project_id: str) -> None:
    client = api_client(owner, read_only=True)
    assert client.get(f"/api/v1/projects/{project_id}/images").status_code == 200
    refused = client.post(f"/api/v1/projects/{project_id}/images", files={"file": ("a.png", png(1))})
    assert refused.status_code == 403
