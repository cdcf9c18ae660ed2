"""Texts as JSON."""

import json

import pytest

from app.db import Database
from app.storage import Storage
from app.voice.view import FEW
from tests import voices
from tests.answers import tells
from tests.app.images.sets import make_brand
from tests.app.voice.make_files import csv_line, many_rows, text_of
from tests.conftest import SignedIn
from tests.tokens import api_client


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


def test_a_file_is_looked_at_mapped_and_taken_in(owner: SignedIn, project_id: str, storage: Storage) -> None:
    client, base = api_client(owner), f"/api/v1/projects/{project_id}/voice"
    data = many_rows(30, {9: csv_line(("a", "b"))}).encode()
    sent = client.post(f"{base}/imports", files={"file": ("a.csv", data)}).json()
    assert [column["name"] for column in sent["columns"]] == ["Titel", "Text", "Kanal"]
    assert (sent["mapping"]["text"], sent["mapping"]["title"], sent["mapping"]["channel_column"]) == (1, 0, 2)
    assert (sent["count"], len(sent["problems"])) == (29, 1)
    assert sent["texts"][0]["text"] == text_of(2)
    address = f"/api/v1/voice/imports/{sent['id']}"
    without = sent["mapping"] | {"title": -1, "channel_column": -1, "channel": "mail"}
    assert client.post(f"{address}/preview", json=without).json()["texts"][0]["channel"] == "mail"
    done = client.post(address, json=without).json()
    assert (done["added"], done["problems"][0][:6]) == (29, "Row 9:")
    assert list(storage.keys_under("projects")) == []
    assert client.post(address, json=without).status_code == 409
    again = client.post(f"{base}/imports", files={"file": ("a.csv", data)}).json()
    done = client.post(f"/api/v1/voice/imports/{again['id']}", json=again["mapping"]).json()
    assert (done["added"], done["notes"][0][:8]) == (0, "29 texts")
    third = client.post(f"{base}/imports", files={"file": ("a.csv", data)}).json()
    assert client.delete(f"/api/v1/voice/imports/{third['id']}").status_code == 204
    assert list(storage.keys_under("projects")) == []


def test_texts_live_through_the_api(owner: SignedIn, project_id: str) -> None:
    client, base = api_client(owner), f"/api/v1/projects/{project_id}/voice"
    items = [{"text": row["text"], "title": row["title"]} for row in voices.rows(voices.NORDLICHT)[:25]]
    items.append({"text": "Write to ada@example.org, please.", "channel": "mail", "language": "en"})
    added = client.post(f"{base}/texts", json={"items": items}).json()
    assert (len(added["ids"]), added["known"]) == (26, 0)
    assert client.post(f"{base}/texts", json={"items": items[:2]}).json() == {"ids": [], "known": 2}
    about = client.get(base).json()
    assert (about["texts"], about["included"], about["undecided_personal_data"]) == (26, 26, 1)
    assert tells(about["advice"], FEW, missing=74, enough=100)

    listed = client.get(f"{base}/texts?show=personal").json()["items"]
    assert [item["findings"] for item in listed] == [[{"field": "text", "kind": "mail", "start": 9, "end": 24}]]
    address = f"/api/v1/voice/texts/{listed[0]['id']}"
    changed = client.patch(
        address, json={"personal_data": "keep", "brief": "Ask for a mail.", "included": False}
    ).json()
    assert (changed["personal_data"], changed["brief"], changed["included"]) == ("keep", "Ask for a mail.", False)
    assert client.get(address).json() == changed
    order = {"everything": "left-out", "included": True, "channel": "post"}
    assert client.post(f"{base}/texts/change", json=order).json() == {"changed": 1}
    assert client.get(address).json()["channel"] == "post"

    lines = client.get(f"{base}/training-set.jsonl").text.splitlines()
    assert len(lines) == 26
    assert [message["role"] for message in json.loads(lines[0])["messages"]] == ["system", "user", "assistant"]
    assert "ada@example.org" in lines[-1]
    assert "no exclamation marks" in client.get(f"{base}/style-guide?language=en").json()["text"]
    assert client.post(f"{base}/texts/delete", json={"ids": added["ids"][:2]}).json() == {"changed": 2}
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.get(base).json()["texts"] == 23


def test_a_key_that_may_only_read_adds_nothing(owner: SignedIn, project_id: str) -> None:
    client = api_client(owner, read_only=True)
    order = {"items": [{"text": "The lamp is lit."}]}
    assert client.post(f"/api/v1/projects/{project_id}/voice/texts", json=order).status_code == 403
    too_long = {"items": [{"text": "x" * 8001}]}
    assert api_client(owner).post(f"/api/v1/projects/{project_id}/voice/texts", json=too_long).status_code == 422
