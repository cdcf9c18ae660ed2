"""Brands as JSON."""

import pytest

from app.storage import Storage
from tests.conftest import SignedIn
from tests.tokens import api_client

pytestmark = pytest.mark.dialect


def test_a_brand_lives_through_the_api(owner: SignedIn, storage: Storage) -> None:
    client = api_client(owner)
    made = client.post("/api/v1/projects", json={"name": "Nordlicht"})
    assert made.status_code == 201
    brand = made.json()
    assert brand["trigger_word"] == "nordlichtstyle"
    address = f"/api/v1/projects/{brand['id']}"
    changed = client.patch(address, json={"palette": ["#FF8800"], "look_notes": "Warm", "archived": True}).json()
    assert changed["palette"] == ["#ff8800"]
    assert changed["trigger_word"] == "nordlichtstyle"
    assert changed["archived_at"]
    assert client.get("/api/v1/projects").json() == {"items": [], "next": None}
    assert client.get("/api/v1/projects?archived=true").json()["items"] == [changed]
    assert client.patch(address, json={"archived": False, "name": "Polar"}).json()["name"] == "Polar"
    storage.put(f"projects/{brand['id']}/images/aa/original.png", b"picture")
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert list(storage.keys_under("projects")) == []


def test_what_is_refused_says_why(owner: SignedIn) -> None:
    client = api_client(owner)
    refused = client.post("/api/v1/projects", json={"name": "Nordlicht", "trigger_word": "two words"})
    assert refused.status_code == 422
    assert "trigger word" in refused.json()["sentence"]
    assert client.post("/api/v1/projects", json={"name": " "}).status_code == 422
    assert client.post("/api/v1/projects", json={"name": "x" * 121}).status_code == 422


def test_a_read_only_token_changes_nothing(owner: SignedIn) -> None:
    client = api_client(owner, read_only=True)
    assert client.get("/api/v1/projects").status_code == 200
    assert client.post("/api/v1/projects", json={"name": "Nordlicht"}).status_code == 403
