"""What the built-in model does not know of a prompt is told before the order, under it, with its pictures, in JSON."""

import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.models import User
from app.db import Database, new_id
from app.generations.models import Generation
from app.storage import Storage
from tests.conftest import SignedIn, SignUp
from tests.visuals import api_token, make_adapter, make_pictures, make_project

BEAGLE = {"word": "beagle", "drawn_as": {"en": "dog", "de": "Hund"}}
THEODOLITE = {"word": "theodolite", "drawn_as": None}


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_project(database, owner.workspace_id)


@pytest.fixture
def api(app: FastAPI, database: Database, owner: SignedIn) -> TestClient:
    return TestClient(app, headers={"authorization": f"Bearer {api_token(database, owner)}"})


def told(text: str, state: str) -> list[str]:
    """The paragraphs that programs know by this name, without their marks."""
    found = re.findall(rf'<p class="small quiet" data-state="{state}">(.*?)</p>', text, re.DOTALL)
    return [" ".join(re.sub("<[^>]+>", "", one).split()) for one in found]


def test_the_api_names_words_that_the_base_does_not_know(api: TestClient, project_id: str) -> None:
    address = f"/api/v1/projects/{project_id}/generations"
    given = api.post(address, json={"prompt": "a white beagle beside a theodolite"}).json()
    assert given["words"] == [BEAGLE, THEODOLITE]
    assert given["recipe"]["prompt"] == "a white beagle beside a theodolite", "what was asked is kept"
    assert api.get(f"/api/v1/generations/{given['id']}").json()["words"] == given["words"]
    assert api.post(f"/api/v1/generations/{given['id']}/again").json()["words"] == given["words"]
    assert api.post(address, json={"prompt": "a red apple on a navy background"}).json()["words"] == []
    assert api.post(address, json={"prompt": "Zwei Hunde"}).json()["words"] == []


def test_the_api_describes_the_words(api: TestClient) -> None:
    schemas = api.get("/api/openapi.json").json()["components"]["schemas"]
    assert schemas["GenerationOut"]["properties"]["words"]["items"]["$ref"].endswith("/ToldWord")
    assert schemas["OutputOut"]["properties"]["words"]["items"]["$ref"].endswith("/ToldWord")
    assert set(schemas["ToldWord"]["required"]) == {"word", "drawn_as"}


def test_trigger_words_and_bases_without_a_table_are_no_unknown_words(
    api: TestClient, database: Database, storage: Storage, owner: SignedIn, project_id: str
) -> None:
    address = f"/api/v1/projects/{project_id}/generations"
    given = {"prompt": "a beagle", "base_model": "stable-diffusion-1-5"}
    assert api.post(address, json=given).json()["words"] == []
    adapter = make_adapter(database, storage, owner.workspace_id, project_id, trigger="theodolite")
    given = {"prompt": "a theodolite, a dog", "adapters": [{"adapter_id": adapter}]}
    assert api.post(address, json=given).json()["words"] == []


def test_pages_tell_it_under_the_order_and_with_the_picture(
    api: TestClient, database: Database, storage: Storage, owner: SignedIn, project_id: str
) -> None:
    [picture] = make_pictures(database, storage, owner.workspace_id, project_id, prompt="a beagle")
    pages = (
        f"/projects/{project_id}/studio",
        f"/generations/{picture.generation_id}",
        f"/outputs/{picture.id}",
    )
    assert not any(told(owner.client.get(page).text, "told-words") for page in pages)
    with database.write() as session:
        session.get_one(Generation, picture.generation_id).words = [BEAGLE]
    for locale, thing in (("en", "dog"), ("de", "Hund")):
        with database.write() as session:
            session.get_one(User, owner.user_id).locale = locale
        for page in pages:
            [said] = told(owner.client.get(page).text, "told-words")
            assert "beagle" in said and thing in said
    assert api.get(f"/api/v1/outputs/{picture.id}").json()["words"] == [BEAGLE]
    more = owner.client.post(f"/outputs/{picture.id}/more-like-this", data={"count": 1}).headers["location"]
    assert len(told(owner.client.get(more).text, "told-words")) == 2


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a dog", []),
        ("a beagle", ["beagle", "dog"]),
        ("a beagle and a catamaran", ["beagle", "dog", "catamaran", "ferry"]),
        ("a theodolite and a trebuchet", ["theodolite", "trebuchet"]),
        ("a beagle, a theodolite", ["beagle", "dog", "theodolite"]),
        ("<script>a beagle</script> & a theodolite", ["beagle", "dog", "theodolite"]),
    ],
)
def test_it_is_told_while_the_prompt_is_written(owner: SignedIn, project_id: str, prompt: str, said: list[str]) -> None:
    answer = owner.client.get(f"/projects/{project_id}/studio/words", params={"prompt": prompt})
    assert answer.status_code == 200
    paragraphs = told(answer.text, "told-words-before")
    assert len(paragraphs) == bool(said)
    assert all(word in paragraphs[0] for word in said)


def test_the_base_and_the_adapters_that_are_chosen_decide(
    database: Database, storage: Storage, owner: SignedIn, sign_up: SignUp, project_id: str
) -> None:
    address = f"/projects/{project_id}/studio/words"
    adapter = make_adapter(database, storage, owner.workspace_id, project_id, trigger="beagle")
    for chosen in ({"base_model": "stable-diffusion-xl"}, {"adapter_id": ["", adapter]}):
        assert owner.client.get(address, params={"prompt": "a beagle"} | chosen).text.strip() == ""
    for unknown in ({"adapter_id": new_id()}, {"base_model": "nothing"}):
        assert owner.client.get(address, params={"prompt": "a beagle"} | unknown).status_code == 404
    assert owner.client.get(address, params={"prompt": "x" * 2001}).status_code == 422
    assert sign_up().client.get(address, params={"prompt": "a beagle"}).status_code == 404


def test_a_prompt_that_is_used_again_tells_its_words_at_once(api: TestClient, owner: SignedIn, project_id: str) -> None:
    given = api.post(f"/api/v1/projects/{project_id}/generations", json={"prompt": "a beagle"}).json()
    sheet = owner.client.get(f"/projects/{project_id}/studio?again={given['id']}").text
    assert len(told(sheet, "told-words-before")) == 1
    assert told(owner.client.get(f"/projects/{project_id}/studio").text, "told-words-before") == []
