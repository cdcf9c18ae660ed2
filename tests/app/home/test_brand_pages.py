"""The pages of brands."""

import json
import re

import pytest

from app.db import Database
from app.projects import queries
from app.projects.models import Project
from app.storage import Storage
from tests.answers import code_of
from tests.conftest import SignedIn, SignUp
from tests.orders import make_brand, order_training, order_voice_training
from tests.visuals import make_adapter, make_pictures
from tests.voices import add_texts


def create(owner: SignedIn, name: str = "Nordlicht Kaffee", **fields: str) -> str:
    answer = owner.client.post("/projects", data={"name": name, **fields})
    assert answer.status_code == 303, answer.text
    found = re.fullmatch(r"/projects/([0-9a-f]{32})/images", answer.headers["location"])
    assert found
    return found[1]


def load(database: Database, owner: SignedIn, project_id: str) -> Project:
    with database.read() as session:
        return queries.project(session, workspace_id=owner.workspace_id, project_id=project_id)


def test_an_empty_workspace_invites(owner: SignedIn) -> None:
    page = owner.client.get("/projects")
    assert 'data-state="no-brands"' in page.text
    assert 'href="/projects/new"' in page.text
    assert 'action="/projects/demo"' in page.text
    pictures = re.findall(r'src="(/static/examples/road-[^"]+)"', page.text)
    assert len(pictures) == 2
    assert all(owner.client.get(address).headers["content-type"] == "image/webp" for address in pictures)


def test_a_brand_needs_no_more_than_a_name(owner: SignedIn, database: Database) -> None:
    project = load(database, owner, create(owner))
    assert (project.name, project.trigger_word) == ("Nordlicht Kaffee", "nordlichtstyle")
    assert "Nordlicht Kaffee" in owner.client.get("/projects").text


def test_the_trigger_word_is_suggested_while_one_types(owner: SignedIn) -> None:
    assert "acmestyle" in owner.client.get("/projects/trigger-word", params={"name": "ACME"}).text


def test_a_bad_trigger_word_is_explained_beside_the_form(owner: SignedIn) -> None:
    answer = owner.client.post(
        "/projects", data={"name": "Nordlicht", "trigger_word": "two words"}, headers={"hx-request": "true"}
    )
    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == "find .form-error"
    assert code_of(answer) == "bad_trigger_word"


@pytest.mark.parametrize("path", ["", "/look", "/images", "/delete"])
def test_pages_of_a_brand_show_its_name(owner: SignedIn, path: str) -> None:
    page = owner.client.get(f"/projects/{create(owner)}{path}")
    assert page.status_code == 200
    assert "Nordlicht Kaffee" in page.text


def test_a_name_is_text_and_never_markup(owner: SignedIn) -> None:
    project_id = create(owner, "<b>Bold</b> & Co")
    for path in ("/projects", f"/projects/{project_id}", f"/projects/{project_id}/delete"):
        page = owner.client.get(path).text
        assert "<b>Bold</b>" not in page
        assert "&lt;b&gt;Bold" in page


def test_home_shows_adapters_and_visuals(owner: SignedIn, database: Database, storage: Storage) -> None:
    project_id = create(owner)
    adapter_id = make_adapter(database, storage, owner.workspace_id, project_id)
    make_pictures(database, storage, owner.workspace_id, project_id)
    page = owner.client.get(f"/projects/{project_id}").text
    assert f"/adapters/{adapter_id}" in page
    assert "data-tile=" in page
    assert 'data-state="next-review"' in page


@pytest.mark.parametrize("purpose", ["style", "character", "product"])
def test_home_points_to_the_training_that_runs_and_says_what_is_learned(
    owner: SignedIn, database: Database, storage: Storage, purpose: str
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    training_id = order_training(database, owner.workspace_id, project_id, purpose=purpose)
    page = owner.client.get(f"/projects/{project_id}").text
    assert f'href="/trainings/{training_id}" data-state="learning-{purpose}"' in page


def test_home_points_to_the_voice_that_is_learned_too(owner: SignedIn, database: Database, storage: Storage) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    add_texts(database, owner.workspace_id, project_id, 24)
    look = order_training(database, owner.workspace_id, project_id)
    voice = order_voice_training(database, owner.workspace_id, project_id)
    page = owner.client.get(f"/projects/{project_id}").text
    assert f'href="/trainings/{look}" data-state="learning-style"' in page
    assert f'href="/voice-trainings/{voice}" data-state="learning-voice"' in page
    studio = owner.client.get(f"/projects/{project_id}/studio").text
    assert f'href="/voice-trainings/{voice}" data-state="learning-voice"' in studio


def test_the_look_is_kept(owner: SignedIn, database: Database) -> None:
    project_id = create(owner)
    answer = owner.client.post(
        f"/projects/{project_id}/look", data={"trigger_word": "nrdlcht", "look_notes": "Cold light.\r\nNo people."}
    )
    assert answer.status_code == 303
    project = load(database, owner, project_id)
    assert (project.trigger_word, project.look_notes) == ("nrdlcht", "Cold light.\nNo people.")


def version_on(page: str, form: str) -> str:
    found = re.search(rf'action="/projects/\w+/{form}".*?name="version" value="(\w+)"', page, re.DOTALL)
    assert found
    return found[1]


def test_two_who_save_the_same_look_are_told_and_lose_nothing(owner: SignedIn, database: Database) -> None:
    project_id = create(owner)
    address = f"/projects/{project_id}/look"
    version = version_on(owner.client.get(address).text, "look")
    theirs = {"trigger_word": "nrdlcht", "look_notes": "Cold light.", "version": version}
    mine = theirs | {"look_notes": "Warm light."}
    assert owner.client.post(address, data=theirs).status_code == 303
    for headers in ({}, {"hx-request": "true"}):
        late = owner.client.post(address, data=mine, headers=headers)
        assert late.status_code == 409
        assert 'data-state="look-changed"' in late.text and "Cold light." in late.text
        assert ("Warm light." in late.text) is (not headers)  # with htmx the form stays as it is
        assert load(database, owner, project_id).look_notes == "Cold light."
    seen = re.search(r'name="over" value="(\w+)"', late.text)
    assert seen
    assert owner.client.post(address, data=mine | {"over": seen[1]}).status_code == 303
    assert load(database, owner, project_id).look_notes == "Warm light."
    # A third one in between is not replaced by what was seen of the second.
    assert owner.client.post(address, data=theirs | {"over": seen[1]}).status_code == 409


def test_a_palette_that_has_changed_meanwhile_is_shown_and_not_replaced(owner: SignedIn, database: Database) -> None:
    project_id = create(owner)
    address = f"/projects/{project_id}/palette"
    owner.client.post(address, data={"colours": ["#112233", "#445566"]})
    version = version_on(owner.client.get(f"/projects/{project_id}/look").text, "palette")
    both = {"colours": ["#112233", "#445566"], "version": version}
    assert owner.client.post(address, data=both | {"remove": "0"}).status_code == 303
    late = owner.client.post(address, data=both | {"first": "1"}, headers={"hx-request": "true"})
    assert late.text.count('type="color"') == 1
    assert json.loads(late.headers["hx-trigger"])["livery:toast"]["kind"] == "error"
    assert load(database, owner, project_id).palette == ["#445566"]
    again = both | {"colours": ["#445566"], "version": version_on(late.text, "palette"), "add": "#aabbcc"}
    owner.client.post(address, data=again, headers={"hx-request": "true"})
    assert load(database, owner, project_id).palette == ["#445566", "#aabbcc"]


def test_the_palette_is_edited_colour_by_colour(owner: SignedIn, database: Database) -> None:
    project_id = create(owner)
    address = f"/projects/{project_id}/palette"
    owner.client.post(address, data={"colours": ["#112233", "#445566", "#778899"]})
    owner.client.post(address, data={"colours": ["#112233", "#445566", "#778899"], "first": "2"})
    assert load(database, owner, project_id).palette == ["#778899", "#112233", "#445566"]
    owner.client.post(address, data={"colours": ["#778899", "#112233", "#445566"], "remove": "1"})
    assert load(database, owner, project_id).palette == ["#778899", "#445566"]
    editor = owner.client.post(
        address, data={"colours": ["#778899", "#445566"], "add": "#aabbcc"}, headers={"hx-request": "true"}
    )
    assert editor.text.count('type="color"') == 3
    assert owner.client.post(address, data={"colours": ["red"]}).status_code == 422
    assert load(database, owner, project_id).palette == ["#778899", "#445566", "#aabbcc"]


def test_archiving_can_be_undone(owner: SignedIn, database: Database) -> None:
    project_id = create(owner)
    owner.client.post(f"/projects/{project_id}/archive")
    page = owner.client.get("/projects").text
    assert f"/projects/{project_id}/unarchive" in page  # the undo of the notice
    assert 'href="/projects?archived=true"' in page
    assert "Nordlicht Kaffee" in owner.client.get("/projects?archived=true").text
    owner.client.post(f"/projects/{project_id}/unarchive")
    assert load(database, owner, project_id).archived_at is None


def test_deleting_removes_rows_and_files(owner: SignedIn, database: Database, storage: Storage) -> None:
    project_id, other_id = create(owner), create(owner, "Other")
    for brand in (project_id, other_id):
        storage.put(f"projects/{brand}/images/aa/original.png", b"picture")
    refused = owner.client.post(f"/projects/{project_id}/delete", data={"name": "nord"})
    assert refused.status_code == 422
    assert storage.exists(f"projects/{project_id}/images/aa/original.png")
    answer = owner.client.post(f"/projects/{project_id}/delete", data={"name": "Nordlicht Kaffee"})
    assert answer.headers["location"] == "/projects"
    assert owner.client.get(f"/projects/{project_id}").status_code == 404
    assert list(storage.keys_under("projects")) == [f"projects/{other_id}/images/aa/original.png"]


def test_a_viewer_looks_and_changes_nothing(owner: SignedIn, sign_up: SignUp) -> None:
    project_id = create(owner)
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id).client
    for path in ("", "/look", "/images"):
        assert viewer.get(f"/projects/{project_id}{path}").status_code == 200
    for path in ("/look", "/palette", "/name", "/archive", "/unarchive", "/delete", "/images"):
        assert viewer.post(f"/projects/{project_id}{path}", data={"name": "x"}).status_code == 403
    assert viewer.post("/projects", data={"name": "x"}).status_code == 403


def test_strangers_get_404(owner: SignedIn, sign_up: SignUp) -> None:
    project_id, stranger = create(owner), sign_up().client
    for path in ("", "/look", "/images", "/images/meter", "/palette-suggestion", "/delete", "/images/captions.zip"):
        assert stranger.get(f"/projects/{project_id}{path}").status_code == 404
    for path in ("/look", "/palette", "/archive", "/unarchive", "/delete"):
        assert stranger.post(f"/projects/{project_id}{path}", data={"name": "x"}).status_code == 404
    assert stranger.post(f"/projects/{project_id}/name", data={"name": "x"}).status_code == 404


def test_while_a_training_runs_its_page_offers_other_ways(
    owner: SignedIn, sign_up: SignUp, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    training_id = order_training(database, owner.workspace_id, project_id)
    address = f"/projects/{project_id}/meanwhile"
    assert f'hx-get="{address}"' in owner.client.get(f"/trainings/{training_id}").text
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id).client
    assert address not in viewer.get(f"/trainings/{training_id}").text
    assert viewer.get(address).status_code == 403
    ways = owner.client.get(address).text
    assert 'data-state="way-voice"' in ways and 'data-state="way-studio"' in ways, "an empty gallery is no way on"
    make_pictures(database, storage, owner.workspace_id, project_id)
    assert 'data-state="way-gallery"' in owner.client.get(address).text
    assert 'data-state="way-voice"' not in owner.client.get(f"{address}?voice_too=false").text


def test_the_frame_shows_whether_something_runs_in_ones_own_workspace(
    owner: SignedIn, sign_up: SignUp, database: Database, storage: Storage
) -> None:
    project_id = make_brand(database, storage, owner.workspace_id)
    stranger = sign_up()
    assert "data-ring>" in owner.client.get("/projects").text
    order_training(database, owner.workspace_id, project_id)
    assert "data-ring data-busy>" in owner.client.get("/projects").text
    assert owner.client.get("/jobs/busy").json() == {"busy": True}
    assert "data-ring>" in stranger.client.get("/projects").text
    assert stranger.client.get("/jobs/busy").json() == {"busy": False}


@pytest.mark.parametrize("room", ["studio", "writing"])
def test_the_choice_of_another_brand_shows_its_picture(
    owner: SignedIn, database: Database, storage: Storage, room: str
) -> None:
    first, second = (make_brand(database, storage, owner.workspace_id, name=name) for name in ("Nord", "Süd"))
    page = owner.client.get(f"/projects/{first}/{room}").text
    assert re.search(rf'href="/projects/{second}/{room}"[^>]*><img class="menu__face" src="/images/', page)
