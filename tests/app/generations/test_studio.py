"""The studio's pages and its JSON."""

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from app.base_models import catalogue
from app.campaigns import service as campaigns
from app.db import Database, new_id
from app.generations import planner
from app.generations.models import Generation, Output
from app.generations.recipe import GenerationRecipe
from app.jobs.models import Job, Worker
from app.machine.devices import Device
from app.storage import Storage
from tests.answers import tells
from tests.conftest import SignedIn, SignUp
from tests.visuals import START, make_adapter, make_pictures, make_project, png

HTMX = {"hx-request": "true", "hx-target": "results"}


@dataclass
class Studio:
    database: Database
    storage: Storage
    owner: SignedIn
    project_id: str
    adapter_id: str

    @property
    def url(self) -> str:
        return f"/projects/{self.project_id}/studio"

    def post(self, **fields: object) -> Generation:
        given = {
            "prompt": "a lighthouse",
            "adapter_id": [self.adapter_id, "", "", ""],
            "strength": ["0.7", "1", "1", "1"],
        }
        answer = self.owner.client.post(f"/projects/{self.project_id}/generations", data=given | fields)
        assert answer.status_code == 303, answer.text
        return self.last()

    def last(self) -> Generation:
        with self.database.read() as session:
            return session.scalars(select(Generation).order_by(Generation.created_at.desc()).limit(1)).one()

    def pictures(self, **fields: object) -> list[str]:
        given: dict[str, object] = {"adapter_id": self.adapter_id} | fields
        made = make_pictures(self.database, self.storage, self.owner.workspace_id, self.project_id, **given)  # type: ignore[arg-type]
        return [picture.id for picture in made]


@pytest.fixture
def studio(app: FastAPI, database: Database, storage: Storage, owner: SignedIn) -> Studio:
    project_id = make_project(database, owner.workspace_id)
    adapter_id = make_adapter(database, storage, owner.workspace_id, project_id)
    return Studio(database, storage, owner, project_id, adapter_id)


def test_a_workspace_without_a_brand_is_asked_to_set_one_up(owner: SignedIn) -> None:
    answer = owner.client.get("/studio")
    assert answer.status_code == 200 and 'href="/projects/new"' in answer.text


def test_the_studio_opens_where_one_was_last(studio: Studio) -> None:
    assert studio.owner.client.get("/studio").headers["location"] == studio.url
    other = make_project(studio.database, studio.owner.workspace_id, name="Other", trigger="other")
    studio.pictures()
    assert studio.owner.client.get("/studio").headers["location"] == studio.url != f"/projects/{other}/studio"


def test_the_sheet_has_a_value_for_everything(studio: Studio) -> None:
    text = studio.owner.client.get(studio.url).text
    assert f'value="{studio.adapter_id}" selected' in text
    assert re.search(r'name="strength" value="0.9"', text)
    assert re.search(r'name="channel" value="square" checked', text)
    assert re.search(r'name="seed" type="number" value="\d+"', text)


def test_a_form_becomes_a_frozen_order_and_a_job(studio: Studio) -> None:
    ordered = studio.post(channel="banner", count="3", keep_seed="1", seed="42", steps="9", guidance_scale="3.5")
    recipe = GenerationRecipe.model_validate(ordered.recipe)
    assert recipe.prompt == "nordlicht, a lighthouse"
    assert (recipe.seed, recipe.steps, recipe.guidance_scale, recipe.count) == (42, 9, 3.5, 3)
    assert recipe.width > recipe.height and ordered.channel == "banner"
    assert [(use.adapter_id, use.strength) for use in recipe.adapters] == [(studio.adapter_id, 0.7)]
    with studio.database.read() as session:
        job = session.scalars(select(Job).where(Job.subject_id == ordered.id)).one()
    assert (job.state, job.queue, job.title) == ("queued", "generation", "nordlicht, a lighthouse")


def test_pages_tell_the_size_of_files_and_the_recipe_keeps_the_size_that_is_drawn(studio: Studio) -> None:
    def text(address: str) -> str:
        return studio.owner.client.get(address).text

    sheet = text(studio.url)
    assert "512 × 512" in sheet and "512 × 640" in sheet and "128 × 128" not in sheet
    ordered = studio.post()
    assert (ordered.recipe["width"], ordered.recipe["height"]) == (128, 128)
    waiting = text(f"/generations/{ordered.id}")
    assert "512 × 512" in waiting and "128 × 128" not in waiting
    size = {"width": 128, "height": 128}
    [enlarged, as_drawn] = [studio.pictures(content=png(side, side), recipe=size)[0] for side in (512, 128)]
    assert "512 × 512" in text(f"/outputs/{enlarged}/how") and "128 × 128" in text(f"/outputs/{enlarged}/how")
    assert "128 × 128" in text(f"/outputs/{as_drawn}/how") and "512 × 512" not in text(f"/outputs/{as_drawn}/how")
    with studio.database.read() as session:
        order_of = {one: session.get_one(Output, one).generation_id for one in (enlarged, as_drawn)}
    assert "512 × 512" in text(f"/generations/{order_of[enlarged]}")
    assert "128 × 128" in text(f"/generations/{order_of[as_drawn]}"), "drawn before there was an enlargement"


def test_pictures_made_for_a_campaign_land_in_it(studio: Studio) -> None:
    assert 'name="campaign"' not in studio.owner.client.get(studio.url).text
    with studio.database.write() as session:
        campaign = campaigns.create_campaign(
            session, workspace_id=studio.owner.workspace_id, name="Winter", user_id=studio.owner.user_id
        )
    assert f'<option value="{campaign.id}">Winter' in studio.owner.client.get(studio.url).text
    ordered = studio.post(campaign=campaign.id)
    assert ordered.campaign_id == campaign.id
    again = studio.owner.client.get(f"{studio.url}?again={ordered.id}").text
    assert f'<option value="{campaign.id}" selected>Winter' in again
    assert studio.post(campaign="").campaign_id is None
    refused = studio.owner.client.post(
        f"/projects/{studio.project_id}/generations", data={"prompt": "x", "campaign": new_id()}, headers=HTMX
    )
    assert refused.status_code in (404, 422)


def test_a_seed_that_is_not_kept_is_drawn_anew(studio: Studio) -> None:
    assert GenerationRecipe.model_validate(studio.post(seed="42").recipe).seed != 42


def test_no_adapter_is_a_choice_too(studio: Studio) -> None:
    recipe = studio.post(adapter_id=["", "", "", ""]).recipe
    assert recipe["adapters"] == [] and recipe["prompt"] == "a lighthouse"


def test_the_answer_is_a_row_that_asks_for_its_progress(studio: Studio) -> None:
    answer = studio.owner.client.post(
        f"/projects/{studio.project_id}/generations",
        data={"prompt": "a lighthouse", "adapter_id": [studio.adapter_id], "strength": ["1"], "count": "2"},
        headers=HTMX,
    )
    ordered = studio.last()
    assert f'hx-get="/generations/{ordered.id}/progress?shown="' in answer.text
    assert answer.text.count("picture--waiting") == 2
    assert "hx-trigger" not in answer.headers
    assert '<p id="announced" hx-swap-oob="innerHTML">' in answer.text
    assert 'data-state="nobody-serves"' in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ""},
        {"prompt": "x" * 2500},
        {"channel": "cinema"},
        {"count": "0"},
        {"count": "9"},
        {"count": "9" * 400},
        {"seed": "-1", "keep_seed": "1"},
        {"seed": str(2**32), "keep_seed": "1"},
        {"steps": "101"},
        {"guidance_scale": "nan"},
        {"strength": ["3"]},
        {"adapter_id": ["f" * 32]},
        {"adapter_id": ["a"] * 5},
        {"source": "not an id"},
    ],
)
def test_what_cannot_be_ordered_is_a_sentence_in_the_form(studio: Studio, fields: dict[str, object]) -> None:
    given = {"prompt": "a lighthouse", "adapter_id": [""], "strength": ["1"]}
    answer = studio.owner.client.post(
        f"/projects/{studio.project_id}/generations", data=given | fields, headers={"hx-request": "true"}
    )
    assert answer.status_code in (404, 409, 422)
    assert answer.headers["hx-retarget"] == "find .form-error"


def test_a_text_with_characters_that_nobody_can_see_is_cleaned(studio: Studio) -> None:
    assert studio.post(prompt="a\x00 light\u202ehouse").recipe["prompt"] == "nordlicht, a lighthouse"


def test_adapters_of_different_bases_cannot_be_mixed(studio: Studio) -> None:
    other = make_adapter(
        studio.database,
        studio.storage,
        studio.owner.workspace_id,
        studio.project_id,
        version=2,
        base_model="stable-diffusion-1-5",
    )
    answer = studio.owner.client.post(
        f"/projects/{studio.project_id}/generations",
        data={"prompt": "x", "adapter_id": [studio.adapter_id, other], "strength": ["1", "1"]},
        headers=HTMX,
    )
    assert answer.status_code == 409


def test_pictures_come_one_by_one(studio: Studio) -> None:
    ordered = studio.post(count="3")
    with studio.database.write() as session:
        session.execute(update(Job).values(state="running", phase="drawing", progress_done=20, progress_total=60))
        output = Output(
            workspace_id=studio.owner.workspace_id,
            project_id=studio.project_id,
            generation_id=ordered.id,
            position=1,
            seed=5,
            prompt="p",
            prompt_folded="p",
            key="k",
            thumb_key="t",
            width=64,
            height=64,
            byte_count=1,
            sha256="a" * 64,
        )
        session.add(output)
    url = f"/generations/{ordered.id}/progress"
    first = studio.owner.client.get(url + "?shown=", headers=HTMX).text
    assert f'id="slot-{ordered.id}-1" hx-swap-oob="innerHTML"' in first
    assert "1 of 3 pictures" in first and f'hx-get="{url}?shown=1"' in first
    second = studio.owner.client.get(url + "?shown=1", headers=HTMX).text
    assert "slot-" not in second


def test_a_finished_order_asks_no_more(studio: Studio) -> None:
    (output_id, *_) = studio.pictures(count=2)
    with studio.database.read() as session:
        generation_id = session.get_one(Output, output_id).generation_id
    text = studio.owner.client.get(f"/generations/{generation_id}/progress?shown=0.1", headers=HTMX).text
    assert "hx-trigger" not in text


def test_what_was_given_up_for_want_of_memory_is_said_where_people_look(studio: Studio) -> None:
    (output_id,) = studio.pictures()
    recipe = GenerationRecipe(base_model="flux-1-dev", prompt="a", width=1024, height=1024, seed=1, count=4)
    plan = planner.plan_for(recipe, catalogue.get("flux-1-dev"), Device("A card", "cuda", 12_000_000_000))
    assert plan is not None
    with studio.database.write() as session:
        ordered = session.get_one(Generation, session.get_one(Output, output_id).generation_id)
        ordered.drawing = planner.with_fewer(plan, 2).model_dump(mode="json")
    for address in (studio.url, f"/outputs/{output_id}", f"/outputs/{output_id}/how"):
        text = studio.owner.client.get(address).text
        assert tells(text, planner.IN_4_BITS, memory="12.0 GB", whole="38.0 GB"), address
        assert tells(text, planner.FEWER, before=4, at_once=2), address


def test_a_finished_strip_is_shown_as_a_whole(studio: Studio) -> None:
    (output_id, *_) = studio.pictures(count=2, recipe={"strengths": (0.0, 1.0)})
    with studio.database.read() as session:
        generation_id = session.get_one(Output, output_id).generation_id
    answer = studio.owner.client.get(f"/generations/{generation_id}/progress?shown=0", headers=HTMX)
    assert answer.headers["hx-retarget"] == f"#comparison-{generation_id}"
    assert "data-compare" in answer.text


def test_the_wait_is_told_honestly(studio: Studio) -> None:
    with studio.database.write() as session:
        session.add(Worker(id="one", served="training+generation"))
    first, second = studio.post(), studio.post()
    assert 'data-state="soon"' in studio.owner.client.get(f"/generations/{first.id}").text
    with studio.database.write() as session:
        session.execute(update(Job).where(Job.subject_id == first.id).values(state="running", seconds_left=95.0))
    text = studio.owner.client.get(f"/generations/{second.id}").text
    assert 'data-state="ahead-1"' in text and "2 minutes" in text


def test_cancelling_and_giving_the_order_again(studio: Studio) -> None:
    ordered = studio.post()
    answer = studio.owner.client.post(f"/generations/{ordered.id}/cancel", headers=HTMX)
    assert answer.status_code == 200 and "Cancelled" in answer.text
    assert studio.owner.client.post(f"/generations/{ordered.id}/cancel", headers=HTMX).status_code == 409
    assert studio.owner.client.post(f"/generations/{ordered.id}/again").status_code == 303
    assert studio.last().id != ordered.id and studio.last().recipe == ordered.recipe


def test_more_like_this_asked_for_twice_gives_other_pictures(studio: Studio) -> None:
    output_id = studio.pictures(count=2, seed=100)[1]
    recipes = []
    for _ in range(2):
        assert studio.owner.client.post(f"/outputs/{output_id}/more-like-this", data={"count": "3"}).status_code == 303
        recipes.append(GenerationRecipe.model_validate(studio.last().recipe))
    assert [recipe.seed for recipe in recipes] == [101, 101] and recipes[0].count == 3
    assert recipes[0].variation_strength == 0.35 != recipes[1].variation_strength


def test_comparing_needs_an_adapter(studio: Studio) -> None:
    (with_one,) = studio.pictures(seed=9)
    (without,) = studio.pictures(adapter_id=None)
    studio.owner.client.post(f"/outputs/{with_one}/compare")
    recipe = GenerationRecipe.model_validate(studio.last().recipe)
    assert (recipe.seed, recipe.strengths, recipe.count, studio.last().kind) == (9, (0.0, 1.0), 2, "strip")
    studio.owner.client.post(f"/outputs/{with_one}/strip")
    assert GenerationRecipe.model_validate(studio.last().recipe).strengths == (0.0, 0.4, 0.7, 1.0, 1.3)
    assert studio.owner.client.post(f"/outputs/{without}/compare", headers=HTMX).status_code == 409


def test_everything_of_a_picture_can_be_used_again(studio: Studio) -> None:
    output_id = studio.pictures(
        count=2, seed=777, recipe={"steps": 33, "negative_prompt": "blur", "scheduler": "unipc"}
    )[1]
    text = studio.owner.client.get(f"{studio.url}?from={output_id}").text
    assert ">a lighthouse in fog</textarea>" in text and 'data-trigger="nordlicht"' in text
    assert re.search(r'name="seed" type="number" value="778"', text)
    assert re.search(r'name="keep_seed"[^>]* checked', text)
    assert re.search(r'name="steps" value="33"', text) and ">blur</textarea>" in text
    assert f'name="source" value="{output_id}"' in text
    assert '<option value="unipc" selected>UniPC</option>' in text
    studio.owner.client.post(f"/outputs/{output_id}/more-like-this", data={"count": "1"})
    assert studio.last().recipe["scheduler"] == "unipc"
    assert studio.post(scheduler="dpmpp_2m").recipe["scheduler"] == "dpmpp_2m"
    assert ">UniPC<" in studio.owner.client.get(f"/outputs/{output_id}/how").text


@pytest.mark.dialect
def test_the_history_comes_in_pages(studio: Studio) -> None:
    for number in range(15):
        studio.pictures(prompt=f"picture number {number:02}", created_at=START + timedelta(minutes=number))
    first = studio.owner.client.get(studio.url).text
    assert first.count('class="result"') == 12 and "picture number 14" in first
    more = re.search(r'hx-get="([^"]+before=[^"]+)"', first)
    assert more is not None
    second = studio.owner.client.get(more[1].replace("&amp;", "&"), headers={"hx-request": "true"}).text
    assert second.count('class="result"') == 3 and "<html" not in second


def test_an_order_without_pictures_left_leaves_the_history(studio: Studio) -> None:
    (output_id,) = studio.pictures(prompt="to be deleted")
    assert "to be deleted" in studio.owner.client.get(studio.url).text
    studio.owner.client.post(f"/outputs/{output_id}/delete")
    assert "to be deleted" not in studio.owner.client.get(studio.url).text


def test_a_viewer_looks_and_makes_nothing(studio: Studio, sign_up: SignUp) -> None:
    viewer = sign_up(role="viewer", workspace_id=studio.owner.workspace_id)
    page = viewer.client.get(studio.url)
    assert page.status_code == 200 and 'name="prompt"' not in page.text
    answer = viewer.client.post(f"/projects/{studio.project_id}/generations", data={"prompt": "x"})
    assert answer.status_code == 403


def test_other_workspaces_find_nothing(studio: Studio, sign_up: SignUp) -> None:
    (output_id,) = studio.pictures()
    ordered = studio.post()
    stranger = sign_up().client
    for url in (studio.url, f"/generations/{ordered.id}", f"/generations/{ordered.id}/progress"):
        assert stranger.get(url).status_code == 404
    for url in (
        f"/projects/{studio.project_id}/generations",
        f"/generations/{ordered.id}/cancel",
        f"/generations/{ordered.id}/again",
        f"/outputs/{output_id}/more-like-this",
        f"/outputs/{output_id}/compare",
        f"/outputs/{output_id}/strip",
    ):
        assert stranger.post(url, data={"prompt": "x"}).status_code == 404


def test_another_workspaces_adapter_cannot_be_used(studio: Studio, sign_up: SignUp) -> None:
    stranger = sign_up()
    theirs = make_project(studio.database, stranger.workspace_id)
    answer = stranger.client.post(
        f"/projects/{theirs}/generations",
        data={"prompt": "x", "adapter_id": [studio.adapter_id], "strength": ["1"]},
        headers=HTMX,
    )
    assert answer.status_code == 422
