"""The studio as a workbench: a sheet and a stream, comparisons over their order, and ways from a result to the next."""

import re
from html import unescape

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from app.db import Database
from app.generations.models import Generation, Output
from app.generations.prompts import as_written, with_trigger_words
from app.generations.recipe import GenerationRecipe
from app.jobs.models import Job
from app.storage import Storage
from tests.conftest import SignedIn, SignUp
from tests.html_forms import controls
from tests.tokens import api_client
from tests.visuals import Picture, make_adapter, make_pictures, make_project, png

HTMX = {"hx-request": "true"}


@pytest.fixture
def project_id(app: FastAPI, database: Database, owner: SignedIn) -> str:
    return make_project(database, owner.workspace_id)


@pytest.fixture
def adapter_id(database: Database, storage: Storage, owner: SignedIn, project_id: str) -> str:
    return make_adapter(database, storage, owner.workspace_id, project_id)


@pytest.fixture
def order(
    database: Database, storage: Storage, owner: SignedIn, project_id: str, adapter_id: str
) -> tuple[Picture, ...]:
    made = make_pictures(database, storage, owner.workspace_id, project_id, count=2, adapter_id=adapter_id)
    return tuple(made)


def last(database: Database) -> Generation:
    with database.read() as session:
        return session.scalars(select(Generation).order_by(Generation.created_at.desc()).limit(1)).one()


def compare(owner: SignedIn, database: Database, picture: Picture, *, ended: bool = True) -> str:
    """Id of a comparison that was asked for in the stream."""
    answer = owner.client.post(
        f"/outputs/{picture.id}/compare", headers=HTMX | {"hx-target": f"comparisons-{picture.generation_id}"}
    )
    strip = last(database)
    assert answer.status_code == 200 and f'id="comparison-{strip.id}"' in answer.text
    if ended:
        with database.write() as session:
            session.execute(update(Job).where(Job.subject_id == strip.id).values(state="failed"))
    return strip.id


def test_the_sheet_shows_little_and_folds_the_rest(owner: SignedIn, project_id: str, adapter_id: str) -> None:
    text = owner.client.get(f"/projects/{project_id}/studio").text
    sheet, folded = text.split('data-state="more-settings"')
    for name in ("prompt", "adapter_id", "strength", "channel", "count"):
        assert f'name="{name}"' in sheet, name
    for name in ("negative_prompt", "steps", "guidance_scale", "scheduler", "seed", "keep_seed"):
        assert f'name="{name}"' in folded and f'name="{name}"' not in sheet, name
    assert 'data-trigger="nordlicht"' in sheet
    assert 'type="file"' not in re.sub(r'<input class="visually-hidden" type="file"[^>]*>', "", text)
    assert folded.index("</form>") > folded.index('class="pane__foot')


def test_without_scripts_the_form_orders_and_a_picture_can_be_brought(
    owner: SignedIn, project_id: str, adapter_id: str
) -> None:
    text = owner.client.get(f"/projects/{project_id}/studio").text
    fields = {
        name: [one.value for one in found if one.kind != "radio" or "checked" in one.attributes]
        for name, found in controls(text, "composer").items()
        if all(one.kind != "checkbox" or "checked" in one.attributes for one in found) and name != "file"
    }
    answer = owner.client.post(f"/projects/{project_id}/generations", data=fields | {"prompt": "a rocket"})
    assert answer.status_code == 303 and "#generation-" in answer.headers["location"]
    assert 'name="file" form="start-form"' in text
    assert re.search(r'<form id="start-form" method="post"[^>]* enctype="multipart/form-data"', text)
    assert re.search(r'<noscript>\s*<button[^>]* form="start-form"', text)


def test_who_may_not_create_sees_the_stream_alone(
    owner: SignedIn, sign_up: SignUp, database: Database, project_id: str, order: tuple[Picture, ...]
) -> None:
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id).client
    verbs = ('id="composer"', "data-more", "data-edit", 'data-do="approve"', 'popovertarget="composer"', "/again")
    seen, made = (one.get(f"/projects/{project_id}/studio").text for one in (viewer, owner.client))
    assert f'id="generation-{order[0].generation_id}"' in seen
    page = seen.split("<main", 1)[1].split("data-lightbox-dialog")[0]
    assert [one for one in verbs if one in page] == [] and all(one in made for one in verbs)
    menu = viewer.get(f"/outputs/{order[0].id}/menu").text
    # What is not approved yet is not theirs to take along.
    assert "/download" not in menu and "data-do" not in menu and "data-more" not in menu
    empty = make_project(database, owner.workspace_id, name="Other", trigger="other")
    nothing = viewer.get(f"/projects/{empty}/studio").text.split('data-state="no-visuals"')[1]
    assert "<button" not in nothing.split("</section>")[0]


def test_the_size_that_the_base_draws_is_told_beside_the_result(
    owner: SignedIn, database: Database, storage: Storage, project_id: str
) -> None:
    make = {"recipe": {"width": 128, "height": 128}}
    for side, told in ((512, ("512", "128")), (128, ("128",))):
        [picture] = make_pictures(database, storage, owner.workspace_id, project_id, content=png(side, side), **make)
        text = owner.client.get(f"/generations/{picture.generation_id}").text
        size = re.search(r'data-state="size">([^<]+)<', text)
        assert size is not None and tuple(dict.fromkeys(re.findall(r"\d+", size[1]))) == told
        assert f"--px: {side}" in text, "none is shown at more than twice its size"


def test_no_number_stands_there_unexplained(owner: SignedIn, project_id: str, order: tuple[Picture, ...]) -> None:
    text = owner.client.get(f"/generations/{order[0].generation_id}").text
    head = text.split('class="result__head"')[1].split('class="rows"')[0]
    assert not re.search(r"\b10\d\b", head), "the seeds"
    assert "<dd>100" in owner.client.get(f"/outputs/{order[0].id}/how").text


def test_a_comparison_opens_over_its_order(
    owner: SignedIn, database: Database, project_id: str, order: tuple[Picture, ...]
) -> None:
    strip_id = compare(owner, database, order[0], ended=False)
    address = f"/projects/{project_id}/studio"
    running = owner.client.get(address).text
    assert running.count('class="result"') == 1
    within = running.split(f'id="comparisons-{order[0].generation_id}"')[1].split('class="rows"')[0]
    assert f'id="comparison-{strip_id}" data-state="with-and-without" open' in within
    assert f'hx-target="#comparison-{strip_id}"' in within, "its own way to cancel"
    cancelled = owner.client.post(f"/generations/{strip_id}/cancel", headers=HTMX).text
    assert f'id="comparison-{strip_id}"' in cancelled and "<article" not in cancelled
    listed = api_client(owner).get("/api/v1/generations").json()["items"]
    assert {one["id"] for one in listed} == {order[0].generation_id}, "ended without a picture"


def test_a_comparison_that_has_ended_is_folded_and_comes_when_it_is_opened(
    owner: SignedIn, database: Database, storage: Storage, project_id: str, adapter_id: str, order: tuple[Picture, ...]
) -> None:
    strip = {"recipe": {"strengths": (0.0, 0.4, 1.0)}, "count": 3, "adapter_id": adapter_id}
    [one, *_] = make_pictures(database, storage, owner.workspace_id, project_id, **strip)  # type: ignore[arg-type]
    with database.write() as session:
        session.get_one(Generation, one.generation_id).source_output_id = order[1].id
    text = owner.client.get(f"/projects/{project_id}/studio").text
    fold = text.split(f'id="comparison-{one.generation_id}"')[1].split("</details>")[0]
    assert "<img" not in fold and f'href="/generations/{one.generation_id}"' in fold
    asked = re.search(r'hx-get="(/generations/[0-9a-f]{32}/progress)"', fold)
    assert asked is not None
    opened = owner.client.get(asked[1], headers=HTMX)
    assert opened.headers["hx-retarget"] == f"#comparison-{one.generation_id}"
    labels = re.findall(r'class="strip__label"><strong>([^<]+)', opened.text)
    assert labels[1:] == ["0.36", "0.9"] and opened.text.count("<img") == 3
    assert 'id="announced"' not in opened.text
    assert 'id="announced"' in owner.client.get(asked[1] + "?shown=0.1", headers=HTMX).text


def test_a_comparison_whose_order_is_gone_stands_for_itself(
    owner: SignedIn, database: Database, project_id: str, order: tuple[Picture, ...]
) -> None:
    strip_id = compare(owner, database, order[0])
    for picture in order:
        owner.client.post(f"/outputs/{picture.id}/delete")
    text = owner.client.get(f"/projects/{project_id}/studio").text
    assert f'id="generation-{strip_id}"' in text and f'id="generation-{order[0].generation_id}"' not in text


def test_other_places_than_the_stream_lead_to_it(
    owner: SignedIn, database: Database, project_id: str, order: tuple[Picture, ...]
) -> None:
    answer = owner.client.post(f"/outputs/{order[0].id}/compare")
    assert answer.headers["location"] == f"/projects/{project_id}/studio#comparison-{last(database).id}"
    answer = owner.client.post(f"/outputs/{order[0].id}/compare", headers=HTMX | {"hx-target": "results"})
    assert answer.status_code == 204 and answer.headers["hx-redirect"].endswith(f"#comparison-{last(database).id}")


def test_run_again_gives_other_pictures_where_there_were_some(
    owner: SignedIn, database: Database, project_id: str, order: tuple[Picture, ...]
) -> None:
    url = f"/generations/{order[0].generation_id}/again"
    assert owner.client.post(url).status_code == 303
    done, again = GenerationRecipe.model_validate(last(database).recipe), last(database)
    assert done.seed != 100 and done.prompt == "nordlicht, a lighthouse in fog" and done.count == 2
    owner.client.post(f"/generations/{again.id}/cancel")
    owner.client.post(f"/generations/{again.id}/again")
    assert last(database).id != again.id and last(database).recipe == again.recipe, "it gave none"


def test_more_like_it_run_again_turns_by_another_share(
    owner: SignedIn, database: Database, project_id: str, order: tuple[Picture, ...]
) -> None:
    owner.client.post(f"/outputs/{order[0].id}/more-like-this")
    first = last(database)
    with database.write() as session:
        session.execute(update(Job).where(Job.subject_id == first.id).values(state="done"))
    owner.client.post(f"/generations/{first.id}/again")
    second = last(database).recipe
    assert second["seed"] == first.recipe["seed"]
    assert second["variation_strength"] != first.recipe["variation_strength"]


def test_a_recipe_is_put_onto_the_open_page_as_the_sheet_alone(
    owner: SignedIn, project_id: str, order: tuple[Picture, ...]
) -> None:
    url = f"/projects/{project_id}/studio"
    for query in (f"?from={order[1].id}", f"?again={order[0].generation_id}"):
        sheet = owner.client.get(url + query, headers=HTMX | {"hx-target": "composer"}).text
        assert 'id="composer"' in sheet and 'data-state="edits"' in sheet and 'id="results"' not in sheet
        assert controls(sheet, "composer")["prompt"][0].value == "a lighthouse in fog"
    fresh = owner.client.get(url, headers=HTMX | {"hx-target": "composer"}).text
    assert 'data-state="edits"' not in fresh


def test_the_chosen_adapter_brings_its_word_and_its_strength(
    owner: SignedIn, database: Database, storage: Storage, project_id: str, adapter_id: str
) -> None:
    other = make_adapter(database, storage, owner.workspace_id, project_id, version=2, trigger="suedwind", strength=0.6)
    url = f"/projects/{project_id}/studio/base"
    chosen = owner.client.get(url, params={"adapter_id": [other, adapter_id]}, headers={"hx-trigger": "adapter-0"}).text
    assert re.findall(r'data-trigger="(\w+)"', chosen) == ["suedwind", "nordlicht"]
    assert re.search(r'name="strength" value="0.6"', chosen)
    mixed = owner.client.get(url, params={"adapter_id": [other]}, headers={"hx-trigger": "adapter-1"}).text
    assert 'name="strength"' not in mixed, "what somebody has set stays"
    assert 'data-trigger="' not in owner.client.get(url, params={"adapter_id": ["", ""]}).text


def test_the_face_of_an_adapter_is_its_last_sample(
    owner: SignedIn, database: Database, project_id: str, adapter_id: str
) -> None:
    from app.adapters.models import Adapter

    samples = [{"step": step, "key": "k", "width": 8, "height": 8} for step in (0, 100, 200, 200)]
    url = f"/projects/{project_id}/studio"
    assert f"/adapters/{adapter_id}/samples/" not in owner.client.get(url).text
    with database.write() as session:
        session.get_one(Adapter, adapter_id).facts = {"samples": samples}
    assert f'src="/adapters/{adapter_id}/samples/2.webp"' in unescape(owner.client.get(url).text)


def test_progress_says_aloud_that_pictures_are_ready(
    owner: SignedIn, database: Database, project_id: str, order: tuple[Picture, ...]
) -> None:
    url = f"/generations/{order[0].generation_id}/progress?shown=0"
    assert '<p id="announced" hx-swap-oob="innerHTML">' in owner.client.get(url, headers=HTMX).text
    with database.write() as session:
        session.execute(update(Job).values(state="running"))
        session.delete(session.get_one(Output, order[1].id))
    assert 'id="announced"' not in owner.client.get(url, headers=HTMX).text


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("nordlicht, a boat", "a boat"),
        ("a boat in nordlicht style", "a boat in nordlicht style"),
        ("nordlicht", "nordlicht"),
        ("a boat", "a boat"),
    ],
)
def test_words_that_come_by_themselves_are_not_written_twice(prompt: str, written: str) -> None:
    assert as_written(prompt, ["nordlicht"]) == written
    assert with_trigger_words(written, ["nordlicht"])[0] in (prompt, f"nordlicht, {prompt}")
