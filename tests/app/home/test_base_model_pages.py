"""The page of the base models and its API: added, described, put away, fetched, removed; the token shows nowhere."""

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.base_files import service as base_files
from app.base_files.models import BaseCopy
from app.base_models.models import OfferedBase, OwnBase
from app.jobs.models import Job, Worker
from tests.conftest import SignedIn, SignUp


def _added(owner: SignedIn, **changes: str) -> str:
    form = {"name": "Hausfotos", "repository": "acme/house", "family": "stable_diffusion", "commercial": "no"} | changes
    answer = owner.client.post("/base-models/hub", data=form)
    assert answer.status_code == 303, answer.text
    with owner.client.app.state.database.read() as session:  # type: ignore[attr-defined]
        return session.scalars(select(OwnBase.id).where(OwnBase.name == form["name"])).one()


def test_an_added_base_shows_with_licence_and_download_and_can_be_trained_on(owner: SignedIn, app: FastAPI) -> None:
    key = _added(owner, licence="Hauslizenz", licence_sentence="Nur <für> uns.")
    text = owner.client.get("/base-models").text
    assert "Hausfotos" in text and 'data-state="not-commercial"' in text and 'data-state="queued"' in text
    details = owner.client.get(f"/base-models/{key}").text
    assert "Hauslizenz" in details and "Nur &lt;für&gt; uns." in details and 'data-state="queued"' in details
    project = owner.client.post("/api/v1/projects", json={"name": "Nord"})
    assert project.status_code == 401  # a browser's session is no token
    with app.state.database.read() as session:
        job = session.scalars(select(Job)).one()
    assert (job.kind, job.queue, job.title, job.state) == ("base_download", "training", "Hausfotos", "queued")
    assert "Hausfotos" in owner.client.get("/jobs").text
    assert owner.client.get(f"/base-models/{key}/files").status_code == 200


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"repository": "not a repository!"}, "repository"),
        ({"repository": ""}, "repository"),
        ({"file": "../../etc/passwd"}, "file"),
        ({"family": "flux9"}, "family"),
        ({"name": "x" * 200}, "name"),
    ],
)
def test_what_is_wrong_with_an_added_base_is_said_at_its_field(
    owner: SignedIn, fields: dict[str, str], at: str
) -> None:
    sent = {"name": "Hausfotos", "repository": "acme/house"} | fields
    answer = owner.client.post("/base-models/hub", data=sent, headers={"hx-request": "true"})
    assert answer.status_code == 422 and f'data-problem-of="{at}"' in answer.text


def test_a_base_that_could_not_be_fetched_says_so_and_can_be_tried_again(owner: SignedIn, app: FastAPI) -> None:
    key = _added(owner, family="")
    waiting = owner.client.get("/base-models").text
    assert f'data-base="{key}" data-runs="unknown"' in waiting and 'data-state="queued"' in waiting
    with app.state.database.write() as session:
        job = session.scalars(select(Job)).one()
        job.state, job.error_sentence = "failed", "The model hub has no such base model."
    text = owner.client.get("/base-models").text
    assert 'data-state="unusable"' in text and 'data-state="not-looked-at"' not in text
    text = owner.client.get(f"/base-models/{key}").text
    assert 'data-state="failed"' in text and f'action="/base-models/{key}/fetch"' in text


def test_name_and_licence_change_and_it_is_put_away_and_taken_back(owner: SignedIn) -> None:
    key = _added(owner)
    form = {"name": "Neu", "licence": "MIT", "licence_sentence": "Alles.", "commercial": "yes"}
    assert owner.client.post(f"/base-models/{key}/describe", data=form).status_code == 303
    text = owner.client.get("/base-models").text
    assert "Neu" in text and "Hausfotos" not in text
    assert "MIT" in owner.client.get(f"/base-models/{key}").text
    assert owner.client.post(f"/base-models/{key}/put-away").status_code == 303
    assert f"/base-models/{key}/take-back" in owner.client.get("/base-models").text
    assert owner.client.post(f"/base-models/{key}/take-back").status_code == 303
    assert f'data-base="{key}"' in owner.client.get("/base-models").text
    assert f'action="/base-models/{key}/describe"' in owner.client.get(f"/base-models/{key}").text


def test_files_are_fetched_cancelled_and_removed(owner: SignedIn, app: FastAPI) -> None:
    client = owner.client
    assert client.post("/base-models/stable-diffusion-1-5/fetch").status_code == 303
    assert client.post("/base-models/stable-diffusion-1-5/fetch").status_code == 303
    with app.state.database.read() as session:
        assert len(session.scalars(select(Job)).all()) == 1, "asked for twice, fetched once"
    assert client.post("/base-models/stable-diffusion-1-5/remove-files").status_code == 409
    assert client.post("/base-models/stable-diffusion-1-5/cancel").status_code == 303
    assert 'data-state="cancelled"' in client.get("/base-models/stable-diffusion-1-5").text
    assert client.post("/base-models/livery-builtin/fetch").status_code == 409
    with app.state.database.write() as session:
        copy = BaseCopy(
            workspace_id=owner.workspace_id, base_model="stable-diffusion-1-5", machine="m", host="box", byte_count=4e9
        )
        session.add(copy)
    details = "/base-models/stable-diffusion-1-5"
    here = re.search(r'data-state="here-box">([^<]*)<', client.get(details).text)
    assert here is not None and "box" in here[1] and "4.0\u00a0GB" in here[1]
    assert client.post("/base-models/stable-diffusion-1-5/remove-files").status_code == 303
    assert 'data-state="here-' not in client.get(details).text


def test_progress_shows_as_percent(owner: SignedIn, app: FastAPI) -> None:
    key = _added(owner)
    with app.state.database.write() as session:
        job = session.scalars(select(Job)).one()
        job.state, job.progress_done, job.progress_total, job.phase = "running", 2_967_000, 6_900_000, "fetching"
    text = owner.client.get(f"/base-models/{key}/files").text
    assert "<span data-percent>43</span> %" in text and "6.9 GB" in text


def test_the_token_is_kept_sealed_and_shown_nowhere(owner: SignedIn, app: FastAPI) -> None:
    client = owner.client
    assert client.post("/base-models/token", data={"token": "two words"}).status_code == 422
    assert client.post("/base-models/token", data={"token": "hf_VerySecret"}).status_code == 303
    text = client.get("/base-models").text
    assert 'data-state="token-kept"' in text and "hf_VerySecret" not in text
    with app.state.database.write() as session:
        row = base_files.queries.hub_token_row(session, workspace_id=owner.workspace_id)
        assert row and "VerySecret" not in row.sealed
        key = app.state.signing_key
        assert base_files.queries.hub_token(session, key, workspace_id=owner.workspace_id) == "hf_VerySecret"
    assert client.post("/base-models/token/forget").status_code == 303
    assert client.post("/base-models/token/forget").status_code == 404


def test_a_local_entry_is_chosen_from_what_workers_see(owner: SignedIn, app: FastAPI) -> None:
    assert 'data-state="no-checkpoints"' in owner.client.get("/base-models/add").text
    facts = {"family": "stable_diffusion"}
    with app.state.database.write() as session:
        session.add(OfferedBase(machine="m", name="haus.safetensors", family="stable_diffusion", facts=facts))
        session.add(OfferedBase(machine="m", name="alt.ckpt", problem="only pickles"))
    assert "haus.safetensors" in owner.client.get("/base-models/add").text
    assert "alt.ckpt" in owner.client.get("/base-models/add").text
    for entry, status in (("../../etc/passwd", 422), ("alt.ckpt", 422), ("haus.safetensors", 303)):
        form = {"name": "Haus", "entry": entry}
        assert owner.client.post("/base-models/local", data=form).status_code == status
    with app.state.database.read() as session:
        key = session.scalars(select(OwnBase.id)).one()
    assert 'data-state="local"' in owner.client.get(f"/base-models/{key}").text


@pytest.mark.parametrize("role", ["editor", "viewer"])
def test_only_owners_add_and_remove(owner: SignedIn, sign_up: SignUp, role: str) -> None:
    key = _added(owner)
    other = sign_up(role=role, workspace_id=owner.workspace_id).client
    text = other.get("/base-models").text
    details = other.get(f"/base-models/{key}").text
    assert "Hausfotos" in text and "/base-models/add" in owner.client.get("/base-models").text
    assert "/base-models/add" not in text and "<form" not in details.partition("<main")[2].partition("</main>")[0]
    assert (owner.client.get("/base-models/add").status_code, other.get("/base-models/add").status_code) == (200, 403)
    for path in ("hub", "local", "token", f"{key}/describe", f"{key}/put-away", f"{key}/fetch", f"{key}/remove-files"):
        assert other.post(f"/base-models/{path}", data={}).status_code in (403, 422), path


def test_another_workspace_sees_nothing_of_it(owner: SignedIn, sign_up: SignUp) -> None:
    key, stranger = _added(owner), sign_up()
    assert "Hausfotos" not in stranger.client.get("/base-models").text
    for path in ("fetch", "cancel", "remove-files", "describe", "put-away", "take-back"):
        answer = stranger.client.post(f"/base-models/{key}/{path}", data={"name": "x"})
        assert answer.status_code in (404, 409) and "Hausfotos" not in answer.text, path
    for path in ("", "/files", "/place"):
        assert stranger.client.get(f"/base-models/{key}{path}").status_code == 404, path


def test_rows_are_told_apart_by_kind_and_by_what_runs_here(owner: SignedIn, app: FastAPI) -> None:
    client = owner.client
    assert 'data-state="device-unknown"' in client.get("/base-models").text
    with app.state.database.write() as session:
        card = {"device_kind": "cuda", "device_memory_bytes": 12_000_000_000, "device_tera_operations": 25.0}
        session.add(Worker(id="w1", served="training", device="A card", **card))
    pictures, texts = client.get("/base-models").text, client.get("/base-models?kind=texts").text
    assert 'data-base="flux-1-dev"' in pictures and 'data-base="qwen3-14b"' not in pictures
    assert 'data-base="flux-1-dev"' not in texts and 'data-base="qwen3-14b" data-runs="no"' in texts
    here = client.get("/base-models?kind=texts&here=1").text
    assert 'data-base="qwen3-8b"' in here and 'data-base="qwen3-14b"' not in here
    assert client.get("/base-models?kind=videos").status_code == 422


def test_details_are_a_page_and_a_fragment_for_the_drawer(owner: SignedIn) -> None:
    for key in ("livery-builtin", "flux-1-dev", "qwen3-8b"):
        whole = owner.client.get(f"/base-models/{key}").text
        part = owner.client.get(f"/base-models/{key}", headers={"hx-request": "true"}).text
        assert "<!doctype" in whole and "<!doctype" not in part and "<h1" in whole and "<h3" in part
    assert owner.client.get("/base-models/nothing").status_code == 404


def test_the_cell_of_a_download_asks_for_itself_until_it_is_there(owner: SignedIn) -> None:
    assert owner.client.post("/base-models/stable-diffusion-1-5/fetch").status_code == 303
    cell = owner.client.get("/base-models/stable-diffusion-1-5/place").text
    assert 'hx-get="/base-models/stable-diffusion-1-5/place"' in cell and 'data-state="queued"' in cell
    assert owner.client.post("/base-models/stable-diffusion-1-5/cancel").status_code == 303
    cell = owner.client.get("/base-models/stable-diffusion-1-5/place").text
    assert "hx-get" not in cell and 'data-state="not-here"' in cell
