"""Those who look on see what there is, and no verb that their role lacks."""

import re

import pytest

from app.db import Database
from app.storage import Storage
from tests.conftest import SignedIn, SignUp
from tests.orders import make_brand
from tests.visuals import make_adapter, make_pictures
from tests.voices import add_texts, add_voice

VERBS = re.compile(
    r'href="[^"]*(/studio\?|/writing\?|/trainings/new|/voice-trainings/new|/voice/add|/projects/new|/delete"|/edit")'
    r'|<form method="post" action="/(?!sign-out|preferences|workspace|members/leave)[^"]*"'
)


@pytest.fixture
def project_id(owner: SignedIn, database: Database, storage: Storage) -> str:
    project_id = make_brand(database, storage, owner.workspace_id)
    add_texts(database, owner.workspace_id, project_id, 24)
    return project_id


@pytest.fixture
def viewer(owner: SignedIn, sign_up: SignUp) -> SignedIn:
    return sign_up(role="viewer", workspace_id=owner.workspace_id)


def test_a_viewer_begins_with_the_gallery_and_an_editor_with_the_brands(
    owner: SignedIn, viewer: SignedIn, sign_up: SignUp
) -> None:
    editor = sign_up(role="editor", workspace_id=owner.workspace_id)
    assert viewer.client.get("/").headers["location"] == "/gallery"
    assert editor.client.get("/").headers["location"] == "/projects"


def test_a_brands_page_leads_a_viewer_to_its_visuals(
    viewer: SignedIn, owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    page = viewer.client.get(f"/projects/{project_id}").text
    assert 'data-state="no-visuals"' in page
    make_pictures(database, storage, owner.workspace_id, project_id)
    page = viewer.client.get(f"/projects/{project_id}").text
    assert 'data-state="next-look-around"' in page
    assert page.index("data-tile=") < page.index('href="/projects/' + project_id + '/voice">', page.index("data-tile="))
    assert 'data-state="next-review"' not in page


@pytest.mark.parametrize("path", ["", "/studio", "/writing", "/images", "/voice", "/look", "/adapters", "/blind-vote"])
def test_no_page_of_a_brand_offers_a_viewer_what_only_editors_can_do(
    viewer: SignedIn, owner: SignedIn, project_id: str, database: Database, storage: Storage, path: str
) -> None:
    adapter_id = make_adapter(database, storage, owner.workspace_id, project_id)
    make_pictures(database, storage, owner.workspace_id, project_id)
    add_voice(database, storage, owner.workspace_id, project_id)
    for address in (f"/projects/{project_id}{path}", f"/adapters/{adapter_id}", "/projects", "/writings"):
        found = VERBS.search(viewer.client.get(address).text)
        assert found is None, (address, found[0])
