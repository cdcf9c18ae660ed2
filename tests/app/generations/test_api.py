"""Orders as JSON."""

import json

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.adapters.models import Adapter
from app.db import Database
from app.storage import Storage
from tests.conftest import SignedIn
from tests.visuals import api_token, make_adapter, make_pictures, make_project

pytestmark = pytest.mark.dialect


@pytest.fixture
def api(app: FastAPI, database: Database, owner: SignedIn) -> TestClient:
    token = api_token(database, owner)
    return TestClient(app, headers={"authorization": f"Bearer {token}"})


def test_a_prompt_alone_orders_with_the_newest_adapter(
    api: TestClient, database: Database, storage: Storage, owner: SignedIn
) -> None:
    project_id = make_project(database, owner.workspace_id)
    make_adapter(database, storage, owner.workspace_id, project_id)
    newest = make_adapter(database, storage, owner.workspace_id, project_id, version=2, strength=0.75)
    answer = api.post(f"/api/v1/projects/{project_id}/generations", json={"prompt": "a lighthouse"})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["recipe"]["adapters"] == [{"adapter_id": newest, "strength": 0.75}]
    assert (told["job"]["state"], told["ahead"], told["outputs"]) == ("queued", 0, [])
    old = told["progress"]
    assert (old["job_id"], old["state"], old["ahead"]) == (told["job"]["id"], "queued", 0)
    assert api.get(f"/api/v1/generations/{told['id']}").json() == told
    assert [one["id"] for one in api.get("/api/v1/generations").json()["items"]] == [told["id"]]
    assert api.post(f"/api/v1/generations/{told['id']}/cancel").json()["job"]["state"] == "cancelled"


def test_an_adapter_that_was_stopped_early_is_not_taken_by_itself(
    api: TestClient, database: Database, storage: Storage, owner: SignedIn
) -> None:
    project_id = make_project(database, owner.workspace_id)
    whole = make_adapter(database, storage, owner.workspace_id, project_id)
    stopped = make_adapter(database, storage, owner.workspace_id, project_id, version=2)
    with database.write() as session:
        row = session.get_one(Adapter, stopped)
        row.facts = row.facts | {"finished": False, "steps": 10, "planned_steps": 600}
    address = f"/api/v1/projects/{project_id}/generations"
    taken = api.post(address, json={"prompt": "a lighthouse"}).json()["recipe"]["adapters"]
    assert [use["adapter_id"] for use in taken] == [whole]
    asked = api.post(address, json={"prompt": "a lighthouse", "adapters": [{"adapter_id": stopped}]}).json()
    assert [use["adapter_id"] for use in asked["recipe"]["adapters"]] == [stopped]
    page = owner.client.get(f"/projects/{project_id}").text
    assert 'data-state="stopped-at-10"' in page


def test_an_order_for_a_campaign(api: TestClient, database: Database, owner: SignedIn) -> None:
    project_id = make_project(database, owner.workspace_id)
    campaign_id = api.post("/api/v1/campaigns", json={"name": "Winter"}).json()["id"]
    address = f"/api/v1/projects/{project_id}/generations"
    assert api.post(address, json={"prompt": "a", "campaign_id": campaign_id}).json()["campaign_id"] == campaign_id
    assert api.post(address, json={"prompt": "a", "campaign_id": "0" * 32}).status_code in (404, 422)


def test_no_adapters_means_the_base_alone(
    api: TestClient, database: Database, storage: Storage, owner: SignedIn
) -> None:
    project_id = make_project(database, owner.workspace_id)
    make_adapter(database, storage, owner.workspace_id, project_id)
    answer = api.post(f"/api/v1/projects/{project_id}/generations", json={"prompt": "a", "adapters": []})
    assert answer.json()["recipe"]["adapters"] == [] and answer.json()["recipe"]["quantization"] is None
    held = {"prompt": "a", "adapters": [], "quantization": "int8"}
    told = api.post(f"/api/v1/projects/{project_id}/generations", json=held).json()
    assert told["recipe"]["quantization"] == "int8" and told["drawing"] is None
    named = {"prompt": "a", "adapters": [], "scheduler": "euler_a"}
    address = f"/api/v1/projects/{project_id}/generations"
    assert api.post(address, json=named).json()["recipe"]["scheduler"] == "euler_a"
    refused = api.post(address, json=named | {"scheduler": "magic"})
    assert refused.status_code == 422 and "Please choose one of: default, euler" in refused.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": ""},
        {"prompt": None},
        {"prompt": "x", "seed": 10**30},
        {"prompt": "x", "count": True},
        {"prompt": "x", "adapters": [{"adapter_id": "\x00"}]},
        {"prompt": "x", "channel": "\ud800"},
        {"prompt": "x", "guidance_scale": 1e400},
        {"prompt": "x", "surprise": 1},
    ],
)
def test_nonsense_is_refused(api: TestClient, database: Database, owner: SignedIn, body: dict[str, object]) -> None:
    project_id = make_project(database, owner.workspace_id)
    content = json.dumps(body).replace("Infinity", "1e400")
    answer = api.post(
        f"/api/v1/projects/{project_id}/generations", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (404, 422) or (answer.status_code == 201 and body.get("count") is True)


def test_derived_orders(api: TestClient, database: Database, storage: Storage, owner: SignedIn) -> None:
    project_id = make_project(database, owner.workspace_id)
    adapter_id = make_adapter(database, storage, owner.workspace_id, project_id)
    (picture,) = make_pictures(database, storage, owner.workspace_id, project_id, adapter_id=adapter_id, seed=5)
    like = api.post(f"/api/v1/outputs/{picture.id}/more-like-this", json={"count": 2}).json()
    assert like["recipe"]["variation_strength"] == 0.35 and like["source_output_id"] == picture.id
    strip = api.post(f"/api/v1/outputs/{picture.id}/strip", json={"strengths": [0, 1]}).json()
    assert strip["recipe"]["strengths"] == [0, 1] and strip["kind"] == "strip"


def test_channels_are_listed(api: TestClient) -> None:
    assert [one["key"] for one in api.get("/api/v1/channels").json()["items"]] == [
        "square",
        "portrait",
        "story",
        "banner",
    ]
