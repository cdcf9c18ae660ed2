"""Finished pictures and campaigns as JSON."""

import io
from datetime import timedelta
from zipfile import ZipFile

import pytest
from starlette.testclient import TestClient

from tests.app.gallery.conftest import Gallery
from tests.visuals import START

pytestmark = pytest.mark.dialect


def test_pictures_are_listed_in_pages_with_how_they_were_made(gallery: Gallery, api: TestClient) -> None:
    ids = [gallery.hang(created_at=START + timedelta(minutes=n), adapter_id=gallery.adapter)[0] for n in range(5)]
    first = api.get("/api/v1/outputs?limit=2").json()
    assert [one["id"] for one in first["items"]] == ids[:2:-1]
    second = api.get("/api/v1/outputs", params={"limit": 3, "cursor": first["next"]}).json()
    assert [one["id"] for one in second["items"]] == ids[2::-1] and second["next"] is None
    made = first["items"][0]["made"]
    assert made["prompt"] == "nordlicht, a lighthouse in fog" and made["adapters"][0]["version"] == 1


def test_the_list_has_every_filter(gallery: Gallery, api: TestClient) -> None:
    (one,) = gallery.hang(favourite=True, prompt="Äpfel")
    (other,) = gallery.hang(gallery.other_brand, review="approved", created_at=START + timedelta(days=3))

    def ids(**params: object) -> list[str]:
        answer = api.get("/api/v1/outputs", params=params)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert ids(favourite=True) == [one] and ids(review="approved") == [other]
    assert ids(project_id=gallery.other_brand) == [other] and ids(q="äPFEL") == [one]
    assert ids(since="2026-03-02") == [other] and ids(until="2026-03-02") == [one]
    assert ids(tag="x") == [] and ids(adapter_id=gallery.adapter) == [] and ids(campaign_id=gallery.adapter) == []


def test_a_picture_is_judged_and_sorted(gallery: Gallery, api: TestClient) -> None:
    (one,) = gallery.hang()
    campaign = api.post("/api/v1/campaigns", json={"name": "Autumn"}).json()
    answer = api.patch(
        f"/api/v1/outputs/{one}",
        json={"favourite": True, "review": "approved", "tags": ["Hero"], "campaign_id": campaign["id"]},
    ).json()
    assert (answer["favourite"], answer["review"], answer["tags"]) == (True, "approved", ["hero"])
    assert answer["campaign_id"] == campaign["id"]
    assert api.get("/api/v1/campaigns").json()["items"][0]["pictures"] == 1
    answer = api.patch(f"/api/v1/outputs/{one}", json={"campaign_id": None}).json()
    assert answer["campaign_id"] is None and answer["favourite"] is True
    assert api.patch(f"/api/v1/campaigns/{campaign['id']}", json={"name": "Winter"}).json()["name"] == "Winter"
    assert api.delete(f"/api/v1/campaigns/{campaign['id']}").status_code == 204
    assert api.get("/api/v1/campaigns").json()["items"] == []


def test_pictures_are_downloaded(gallery: Gallery, api: TestClient) -> None:
    ids = gallery.hang(count=2)
    assert api.get(f"/api/v1/outputs/{ids[0]}/picture").content == gallery.storage.get(gallery.output(ids[0]).key)
    assert api.get(f"/api/v1/outputs/{ids[0]}/picture?as=webp").headers["content-type"] == "image/webp"
    packed = api.post("/api/v1/outputs/download", json={"ids": ids})
    assert len(ZipFile(io.BytesIO(packed.content)).namelist()) == 3


def test_deleting_and_undoing(gallery: Gallery, api: TestClient) -> None:
    ids = gallery.hang(count=3)
    assert api.delete(f"/api/v1/outputs/{ids[0]}").json()["count"] == 1
    deletion = api.post("/api/v1/outputs/delete", json={"ids": ids}).json()
    assert deletion["count"] == 2
    assert api.get(f"/api/v1/outputs/{ids[1]}").status_code == 404
    assert api.post(f"/api/v1/deletions/{deletion['number']}/undo").json() == {"count": 2}
    assert [one["id"] for one in api.get("/api/v1/outputs").json()["items"]] == ids[:0:-1]
    assert api.post(f"/api/v1/deletions/{10**30}/undo").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"review": "maybe"},
        {"tags": ["x" * 61]},
        {"tags": ["x"] * 21},
        {"favourite": 10**30},
        {"campaign_id": "\x00"},
        {"x": 1},
    ],
)
def test_nonsense_is_refused(gallery: Gallery, api: TestClient, body: dict[str, object]) -> None:
    (one,) = gallery.hang()
    assert api.patch(f"/api/v1/outputs/{one}", json=body).status_code == 422
