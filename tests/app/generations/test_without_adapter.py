"""The studio of a brand without an adapter: any base model that is ready draws, and the page says what comes next."""

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.base_files.models import BaseCopy
from app.base_models import service as base_models
from app.db import Database, new_id
from app.generations.models import Generation
from app.storage import Storage
from tests.answers import code_of
from tests.conftest import SignedIn, SignUp
from tests.html_forms import controls
from tests.orders import make_brand, order_training
from tests.tokens import api_client
from tests.visuals import make_adapter

HTMX = {"hx-request": "true", "hx-target": "results"}


@pytest.fixture
def project_id(app: FastAPI, database: Database, storage: Storage, owner: SignedIn) -> str:
    return make_brand(database, storage, owner.workspace_id, pictures=0)


def fetched(database: Database, workspace_id: str, key: str) -> None:
    with database.write() as session:
        session.add(BaseCopy(workspace_id=workspace_id, base_model=key, machine="m", byte_count=1))


def own_base(database: Database, workspace_id: str) -> str:
    with database.write() as session:
        row = base_models.add_from_hub(
            session,
            workspace_id=workspace_id,
            name="House style",
            repository="muster/house",
            family="stable_diffusion_xl",
            created_by=None,
        )
        session.flush()
        return row.id


def last(database: Database) -> Generation:
    with database.read() as session:
        return session.scalars(select(Generation).order_by(Generation.created_at.desc()).limit(1)).one()


def test_any_base_model_that_is_ready_is_offered(
    owner: SignedIn, sign_up: SignUp, database: Database, project_id: str
) -> None:
    own = own_base(database, owner.workspace_id)
    address = f"/projects/{project_id}/studio"
    assert list(controls(owner.client.get(address).text, "composer")["base_model"][0].options) == ["livery-builtin"]
    fetched(database, owner.workspace_id, own)
    fetched(database, owner.workspace_id, "stable-diffusion-xl")
    fetched(database, sign_up().workspace_id, "flux-1-dev")
    offered = controls(owner.client.get(address).text, "composer")["base_model"][0].options
    assert list(offered) == ["livery-builtin", "stable-diffusion-xl", own]


def test_the_chosen_base_model_draws_and_the_sheet_follows_it(
    owner: SignedIn, database: Database, project_id: str
) -> None:
    own = own_base(database, owner.workspace_id)
    fetched(database, owner.workspace_id, own)
    chosen = {"adapter_id": ["", "", "", ""], "base_model": own, "channel": "banner", "negative_prompt": "fog"}
    sheet = owner.client.get(f"/projects/{project_id}/studio/base", params=chosen).text
    assert re.search(r'value="banner" checked', sheet) and ">fog</textarea>" in sheet
    assert re.search(r'name="steps" value="30"', sheet) and "1024 × 1024" in sheet
    answer = owner.client.post(
        f"/projects/{project_id}/generations", data=chosen | {"prompt": "a lighthouse", "strength": ["1"] * 4}
    )
    assert answer.status_code == 303
    recipe = last(database).recipe
    assert (recipe["base_model"], recipe["adapters"], recipe["steps"], recipe["prompt"]) == (
        own,
        [],
        30,
        "a lighthouse",
    )
    again = owner.client.get(f"/projects/{project_id}/studio?again={last(database).id}").text
    assert controls(again, "composer")["base_model"][0].value == own


def test_an_adapter_draws_on_its_own_base_whatever_else_the_form_says(
    owner: SignedIn, database: Database, storage: Storage, project_id: str
) -> None:
    adapter = make_adapter(
        database, storage, owner.workspace_id, project_id, base_model="stable-diffusion-1-5", trigger="suessbaeck"
    )
    sent = {"prompt": "x", "adapter_id": ["", adapter], "strength": ["1", "1"], "base_model": "livery-builtin"}
    assert owner.client.post(f"/projects/{project_id}/generations", data=sent).status_code == 303
    assert last(database).recipe["base_model"] == "stable-diffusion-1-5"
    sheet = owner.client.get(f"/projects/{project_id}/studio/base", params={"adapter_id": ["", adapter]}).text
    assert "512 × 512" in sheet and "448 × 576" in sheet and 'data-state="fetched-first"' in sheet


def test_a_base_model_of_nobody_or_of_others_is_refused(
    owner: SignedIn, sign_up: SignUp, database: Database, project_id: str
) -> None:
    theirs = own_base(database, sign_up().workspace_id)
    for key in (theirs, "nothing", "smollm2-135m-instruct", "../../etc"):
        sent = {"prompt": "x", "base_model": key}
        answer = owner.client.post(f"/projects/{project_id}/generations", data=sent, headers=HTMX)
        assert answer.status_code == 404 and 'data-problem-of="base_model"' in answer.text
        assert owner.client.get(f"/projects/{project_id}/studio/base", params=sent).status_code == 404
    for adapter in (new_id(), "x"):
        assert owner.client.get(f"/projects/{project_id}/studio/base?adapter_id={adapter}").status_code == 404


def test_the_api_names_a_base_model_too(owner: SignedIn, database: Database, storage: Storage, project_id: str) -> None:
    client, address = api_client(owner), f"/api/v1/projects/{project_id}/generations"
    adapter = make_adapter(database, storage, owner.workspace_id, project_id)
    given = client.post(address, json={"prompt": "x", "base_model": "stable-diffusion-xl"}).json()
    assert (given["recipe"]["base_model"], given["recipe"]["adapters"]) == ("stable-diffusion-xl", [])
    both = {"prompt": "x", "base_model": "stable-diffusion-xl", "adapters": [{"adapter_id": adapter}]}
    refused = client.post(address, json=both)
    assert refused.status_code == 409 and code_of(refused) == "other_base"
    assert client.post(address, json=both | {"base_model": "livery-builtin"}).status_code == 201


def test_the_page_says_what_comes_next(
    owner: SignedIn, sign_up: SignUp, database: Database, storage: Storage, project_id: str
) -> None:
    text = owner.client.get(f"/projects/{project_id}/studio").text
    assert 'data-state="next-collect"' in text and f'href="/projects/{project_id}/images"' in text
    collected = make_brand(database, storage, owner.workspace_id)
    text = owner.client.get(f"/projects/{collected}/studio").text
    assert 'data-state="next-train"' in text and f'href="/projects/{collected}/trainings/new"' in text
    training = order_training(database, owner.workspace_id, collected)
    text = owner.client.get(f"/projects/{collected}/studio").text
    assert f'href="/trainings/{training}" data-state="learning-style"' in text
    make_adapter(database, storage, owner.workspace_id, collected)
    text = owner.client.get(f"/projects/{collected}/studio").text
    assert 'data-state="learning-' not in text and 'data-state="next-' not in text
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert 'data-state="next-' not in viewer.client.get(f"/projects/{project_id}/studio").text


def test_without_a_brand_the_studio_leads_to_one(owner: SignedIn, sign_up: SignUp) -> None:
    assert 'href="/projects/new"' in owner.client.get("/studio").text
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert 'href="/projects/new"' not in viewer.client.get("/studio").text
