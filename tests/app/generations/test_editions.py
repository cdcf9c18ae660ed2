"""An adapter of an earlier edition of the base that comes along: told apart, and never drawn with."""

import pytest

from app.adapters.imports.service import edition_of
from app.adapters.sidecar import base_facts
from app.base_models import catalogue
from app.db import Database
from app.generations import queries, service
from app.generations.errors import OtherEdition
from app.generations.requests import AdapterRef, GenerationRequest
from app.lora_files.inspection import MetadataReport
from app.storage import Storage
from tests.answers import code_of
from tests.app.generations.test_without_adapter import api_client
from tests.conftest import SignedIn
from tests.visuals import make_adapter, make_pictures, make_project

BUILTIN = catalogue.get("livery-builtin")
OTHER = BUILTIN.edition + 1
HTMX = {"hx-request": "true"}


@pytest.fixture
def project_id(owner: SignedIn, database: Database) -> str:
    return make_project(database, owner.workspace_id)


@pytest.fixture
def outgrown(owner: SignedIn, database: Database, storage: Storage, project_id: str) -> str:
    return make_adapter(database, storage, owner.workspace_id, project_id, base_edition=OTHER)


def test_page_and_api_refuse_it_with_a_sentence_and_go_on_without_it(
    owner: SignedIn, project_id: str, outgrown: str
) -> None:
    form = {"prompt": "a rocket", "adapter_id": outgrown, "strength": "1"}
    page = owner.client.post(f"/projects/{project_id}/generations", data=form, headers=HTMX)
    assert page.status_code == 409 and code_of(page) == "other_edition"
    api, address = api_client(owner), f"/api/v1/projects/{project_id}/generations"
    refused = api.post(address, json={"prompt": "a rocket"})  # the brand's newest adapter
    assert refused.status_code == 409 and code_of(refused) == "other_edition"
    assert api.post(address, json={"prompt": "a rocket", "adapters": []}).status_code == 201


def test_pictures_made_with_it_lead_to_no_more_of_them(
    owner: SignedIn, database: Database, storage: Storage, project_id: str, outgrown: str
) -> None:
    [picture] = make_pictures(database, storage, owner.workspace_id, project_id, adapter_id=outgrown)
    for path in (
        f"/outputs/{picture.id}/more-like-this",
        f"/outputs/{picture.id}/strip",
        f"/generations/{picture.generation_id}/again",
    ):
        answer = owner.client.post(path, headers=HTMX)
        assert answer.status_code == 409 and code_of(answer) == "other_edition", path


def test_what_was_queued_before_the_base_changed_ends_with_the_sentence(
    owner: SignedIn, database: Database, storage: Storage, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = make_adapter(database, storage, owner.workspace_id, project_id)
    with database.write() as session:
        ordered = service.request_pictures(
            session,
            workspace_id=owner.workspace_id,
            project_id=project_id,
            user_id=owner.user_id,
            request=GenerationRequest("a rocket", adapters=(AdapterRef(adapter),)),
        ).generation.id
    changed = BUILTIN.model_copy(update={"edition": OTHER})
    monkeypatch.setattr(queries.base_models, "entry", lambda *_, **__: changed)
    with database.read() as session, pytest.raises(OtherEdition):
        queries.generation_spec(session, ordered)


def test_its_page_offers_to_train_again(owner: SignedIn, outgrown: str, project_id: str) -> None:
    page = owner.client.get(f"/adapters/{outgrown}").text
    assert 'data-state="outgrown"' in page
    assert f'href="/projects/{project_id}/trainings/new?base_model=livery-builtin"' in page
    told = api_client(owner).get(f"/api/v1/adapters/{outgrown}").json()
    assert told["base_edition"] == OTHER


@pytest.mark.parametrize(
    ("edition", "version"), [(1, "livery_builtin"), (2, "livery_builtin_2"), (12, "livery_builtin_12")]
)
def test_files_tell_the_edition(edition: int, version: str) -> None:
    base = BUILTIN.model_copy(update={"edition": edition})
    assert base_facts(base).version == version
    report = MetadataReport.model_construct(metadata={"ss_base_model_version": version})
    assert edition_of(report) == edition
    assert edition_of(MetadataReport.model_construct(metadata={"ss_base_model_version": "sd_v1"})) == 1
