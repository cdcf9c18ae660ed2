"""Adapters: registered, shown, described, taken along, put away."""

import json
import re
import struct

import pytest
from sqlalchemy import select

from app.adapters import queries, service
from app.adapters.errors import VersionTaken
from app.adapters.models import Adapter
from app.adapters.names import file_stem
from app.adapters.service import AdapterFiles
from app.db import Database, new_id
from app.storage import Storage
from tests.answers import code_of
from tests.conftest import SignedIn, SignUp
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, order_training, worker_context
from tests.tokens import api_client
from tests.voices import add_voice
from worker.engines import registry
from worker.run_job import run_next

pytestmark = pytest.mark.dialect


@pytest.fixture
def project_id(database: Database, storage: Storage, owner: SignedIn) -> str:
    return make_brand(database, storage, owner.workspace_id, name="Café Zoë & Söhne")


@pytest.fixture
def adapter(
    database: Database, storage: Storage, owner: SignedIn, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> Adapter:
    fake = FakeEngine()
    monkeypatch.setattr(registry, "engine_for", lambda family: fake)
    order_training(database, owner.workspace_id, project_id)
    run_next(worker_context(database, storage), ("training",))
    with database.read() as session:
        return session.scalars(select(Adapter)).one()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Nordlicht", "nordlicht-style-v3"),
        ("Bäckerei Süß", "baeckerei-suess-style-v3"),
        ("  ../../etc/passwd ", "etc-passwd-style-v3"),
        ("日本", "brand-style-v3"),
        ("x" * 200, "x" * 60 + "-style-v3"),
    ],
)
def test_file_names_are_readable_and_safe(name: str, stem: str) -> None:
    assert file_stem(name, "style", 3) == stem


def test_the_card_shows_what_one_needs(owner: SignedIn, adapter: Adapter) -> None:
    text = owner.client.get(f"/adapters/{adapter.id}").text
    assert "Café Zoë &amp; Söhne" in text and 'data-copy="suessbaeck"' in text
    assert "cafe-zoe-soehne-style-v1.safetensors" in text
    assert "Apache-2.0" in text and "Base model" in text and "6 pictures" in text
    assert f"/projects/{adapter.project_id}/studio?adapter={adapter.id}" in text


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("diffusers", "cafe-zoe-soehne-style-v1-diffusers.safetensors"),
        ("kohya", "cafe-zoe-soehne-style-v1.safetensors"),
        ("clean", "cafe-zoe-soehne-style-v1-clean.safetensors"),
    ],
)
def test_each_program_gets_its_file(owner: SignedIn, adapter: Adapter, kind: str, name: str) -> None:
    answer = owner.client.get(f"/adapters/{adapter.id}/files/{kind}")
    assert answer.status_code == 200 and f'filename="{name}"' in answer.headers["content-disposition"]
    (length,) = struct.unpack("<Q", answer.content[:8])
    names = [key for key in json.loads(answer.content[8 : 8 + length]) if key != "__metadata__"]
    assert all(key.startswith("unet." if kind == "diffusers" else "lora_unet_") for key in names)
    assert ("Brötchen".encode() in answer.content) == (kind != "clean")


@pytest.mark.parametrize("has_place_elsewhere", [True, False])
def test_no_two_downloads_bear_one_name(
    owner: SignedIn, database: Database, adapter: Adapter, has_place_elsewhere: bool
) -> None:
    if not has_place_elsewhere:
        with database.write() as session:
            session.get_one(Adapter, adapter.id).kohya_key = ""
    text = owner.client.get(f"/adapters/{adapter.id}").text
    kinds = re.findall(rf'href="/adapters/{adapter.id}/files/(\w+)"', text)
    assert len(kinds) == (4 if has_place_elsewhere else 2)
    answers = [owner.client.get(f"/adapters/{adapter.id}/files/{kind}") for kind in kinds]
    names = [answer.headers["content-disposition"] for answer in answers]
    assert len(set(names)) == len(names), names


def test_the_sidecar_fills_in_word_and_strength(owner: SignedIn, adapter: Adapter) -> None:
    answer = owner.client.get(f"/adapters/{adapter.id}/files/sidecar")
    assert 'filename="cafe-zoe-soehne-style-v1.json"' in answer.headers["content-disposition"]
    assert (answer.json()["activation text"], answer.json()["preferred weight"]) == ("suessbaeck", 1.0)


def test_unknown_files_are_not_found(owner: SignedIn, adapter: Adapter) -> None:
    assert owner.client.get(f"/adapters/{adapter.id}/files/secret").status_code == 404


def test_samples_are_served_and_end_somewhere(owner: SignedIn, adapter: Adapter) -> None:
    count = len(adapter.facts["samples"])
    assert count == 4
    assert owner.client.get(f"/adapters/{adapter.id}/samples/{count - 1}.webp").headers["content-type"] == "image/webp"
    for place in (count, -1, 10**30):
        assert owner.client.get(f"/adapters/{adapter.id}/samples/{place}.webp").status_code == 404


def test_the_card_stands_when_pictures_and_training_are_gone(
    owner: SignedIn, adapter: Adapter, database: Database
) -> None:
    from app.images.models import Image
    from app.trainings.models import Training

    with database.write() as session:
        session.query(Image).delete()
        session.delete(session.get_one(Training, adapter.training_id))
    text = owner.client.get(f"/adapters/{adapter.id}").text
    assert 'data-state="pictures-gone"' in text and "6 pictures" in text


def test_it_can_be_renamed_and_described(owner: SignedIn, adapter: Adapter) -> None:
    form = {"name": "Herbst", "note": "Für die Herbstkampagne", "recommended_strength": "0.8"}
    assert owner.client.post(f"/adapters/{adapter.id}", data=form).status_code == 303
    text = owner.client.get(f"/adapters/{adapter.id}").text
    assert "Herbst" in text and "Für die Herbstkampagne" in text and "herbst-style-v1.safetensors" in text
    assert owner.client.post(f"/adapters/{adapter.id}", data={"name": " "}).status_code == 422


def test_the_archive_keeps_and_gives_back(owner: SignedIn, adapter: Adapter) -> None:
    shelf = f"/projects/{adapter.project_id}/adapters"
    assert f"/adapters/{adapter.id}" in owner.client.get("/adapters").text
    owner.client.post(f"/adapters/{adapter.id}/archive")
    assert f'"/adapters/{adapter.id}"' not in owner.client.get(shelf).text
    assert f'"/adapters/{adapter.id}"' in owner.client.get(f"{shelf}?archived=true").text
    owner.client.post(f"/adapters/{adapter.id}/unarchive")
    assert f'"/adapters/{adapter.id}"' in owner.client.get(shelf).text


def test_deleting_removes_the_files_too(
    owner: SignedIn, adapter: Adapter, storage: Storage, database: Database
) -> None:
    assert storage.exists(adapter.kohya_key)
    assert owner.client.post(f"/adapters/{adapter.id}/delete").status_code == 303
    assert not list(storage.keys_under(f"projects/{adapter.project_id}/adapters"))
    assert owner.client.get(f"/adapters/{adapter.id}").status_code == 404


def register(database: Database, workspace_id: str, project_id: str, version: int) -> Adapter:
    with database.write() as session:
        return service.register(
            session,
            adapter_id=new_id(),
            workspace_id=workspace_id,
            project_id=project_id,
            training_id=None,
            version=version,
            purpose="style",
            base_model="livery-builtin",
            rank=4,
            alpha=4.0,
            trigger_word="x",
            files=AdapterFiles("a.safetensors", "b.safetensors", "c.safetensors", 1, "0" * 64),
            facts={},
            created_by=None,
        )


def test_versions_are_given_once(database: Database, owner: SignedIn, project_id: str) -> None:
    first = register(database, owner.workspace_id, project_id, 1)
    with pytest.raises(VersionTaken):
        register(database, owner.workspace_id, project_id, 1)
    second = register(database, owner.workspace_id, project_id, 2)
    with database.read() as session:
        assert queries.neighbours(session, session.merge(first))[1].id == second.id  # type: ignore[union-attr]
        assert queries.counts(session, [project_id, "0" * 32]) == {project_id: 2, "0" * 32: 0}


def test_voices_are_counted_by_themselves(
    owner: SignedIn, database: Database, storage: Storage, project_id: str
) -> None:
    first = register(database, owner.workspace_id, project_id, 1)
    voices = [add_voice(database, storage, owner.workspace_id, project_id) for _ in range(2)]
    assert [voice.version for voice in voices] == [1, 2]
    second = register(database, owner.workspace_id, project_id, 2)
    with database.read() as session:
        assert queries.neighbours(session, session.merge(voices[1]))[0].id == voices[0].id  # type: ignore[union-attr]
        assert queries.neighbours(session, session.merge(first))[1].id == second.id  # type: ignore[union-attr]
        listed = queries.of_project(session, workspace_id=owner.workspace_id, project_id=project_id)
    assert [adapter.id for adapter in listed] == [second.id, voices[1].id, voices[0].id, first.id]


def test_an_adapter_without_facts_has_a_card(owner: SignedIn, database: Database, project_id: str) -> None:
    adapter = register(database, owner.workspace_id, project_id, 1)
    assert owner.client.get(f"/adapters/{adapter.id}").status_code == 200


def test_without_a_file_for_other_programs_the_page_says_so_and_offers_the_others(
    owner: SignedIn, adapter: Adapter, database: Database
) -> None:
    with database.write() as session:
        session.get_one(Adapter, adapter.id).kohya_key = ""
    text = owner.client.get(f"/adapters/{adapter.id}").text
    assert 'data-state="no-kohya"' in text and f"/adapters/{adapter.id}/files/kohya" not in text
    assert all(f"/adapters/{adapter.id}/files/{kind}" in text for kind in ("diffusers", "clean"))
    missing = owner.client.get(f"/adapters/{adapter.id}/files/kohya")
    assert missing.status_code == 404 and code_of(missing) == "no_such_file"


def test_other_workspaces_and_viewers(owner: SignedIn, sign_up: SignUp, adapter: Adapter) -> None:
    stranger, viewer = sign_up(), sign_up(role="viewer", workspace_id=owner.workspace_id)
    for address in (f"/adapters/{adapter.id}", f"/adapters/{adapter.id}/files/kohya"):
        assert stranger.client.get(address).status_code == 404
        assert viewer.client.get(address).status_code == 200
    assert stranger.client.post(f"/adapters/{adapter.id}/delete").status_code == 404
    assert viewer.client.post(f"/adapters/{adapter.id}/delete").status_code == 403


def test_the_api(owner: SignedIn, adapter: Adapter) -> None:
    client = api_client(owner)
    (item,) = client.get("/api/v1/adapters").json()["items"]
    assert (item["id"], item["steps"], item["finished"]) == (adapter.id, 12, True)
    assert client.get(f"/api/v1/projects/{adapter.project_id}/adapters").json()["items"] == [item]
    changed = client.patch(f"/api/v1/adapters/{adapter.id}", json={"note": "gut"}).json()
    assert (changed["note"], changed["name"]) == ("gut", adapter.name)
    assert client.get(f"/api/v1/adapters/{adapter.id}/files/kohya").content[:1]
    assert client.post(f"/api/v1/adapters/{adapter.id}/archive").json()["archived_at"]
    assert client.delete(f"/api/v1/adapters/{adapter.id}").status_code == 204
    assert client.get(f"/api/v1/adapters/{adapter.id}").status_code == 404
