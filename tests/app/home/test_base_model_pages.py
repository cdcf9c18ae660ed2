"""The page of the base models and its API: added, described, put away, fetched, removed; the token shows nowhere."""

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.base_files import service as base_files
from app.base_files.models import BaseCopy
from app.base_models.models import OfferedBase, OwnBase
from app.jobs.models import Job
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
    assert "Hausfotos" in text and "Hauslizenz" in text and "Nur &lt;für&gt; uns." in text
    assert 'data-state="not-commercial"' in text and 'data-state="queued"' in text
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
    assert 'data-state="not-looked-at"' in owner.client.get("/base-models").text
    with app.state.database.write() as session:
        job = session.scalars(select(Job)).one()
        job.state, job.error_sentence = "failed", "The model hub has no such base model."
    text = owner.client.get("/base-models").text
    assert 'data-state="unusable"' in text and 'data-state="not-looked-at"' not in text
    assert 'data-state="failed"' in text and f'action="/base-models/{key}/fetch"' in text


def test_name_and_licence_change_and_it_is_put_away_and_taken_back(owner: SignedIn) -> None:
    key = _added(owner)
    form = {"name": "Neu", "licence": "MIT", "licence_sentence": "Alles.", "commercial": "yes"}
    assert owner.client.post(f"/base-models/{key}/describe", data=form).status_code == 303
    text = owner.client.get("/base-models").text
    assert "Neu" in text and "Hausfotos" not in text and "MIT" in text
    assert owner.client.post(f"/base-models/{key}/put-away").status_code == 303
    assert f"/base-models/{key}/take-back" in owner.client.get("/base-models").text
    assert owner.client.post(f"/base-models/{key}/take-back").status_code == 303
    assert f"describe-{key}" in owner.client.get("/base-models").text


def test_files_are_fetched_cancelled_and_removed(owner: SignedIn, app: FastAPI) -> None:
    client = owner.client
    assert client.post("/base-models/stable-diffusion-1-5/fetch").status_code == 303
    assert client.post("/base-models/stable-diffusion-1-5/fetch").status_code == 303
    with app.state.database.read() as session:
        assert len(session.scalars(select(Job)).all()) == 1, "asked for twice, fetched once"
    assert client.post("/base-models/stable-diffusion-1-5/remove-files").status_code == 409
    assert client.post("/base-models/stable-diffusion-1-5/cancel").status_code == 303
    assert 'data-state="cancelled"' in client.get("/base-models").text
    assert client.post("/base-models/livery-builtin/fetch").status_code == 409
    with app.state.database.write() as session:
        copy = BaseCopy(
            workspace_id=owner.workspace_id, base_model="stable-diffusion-1-5", machine="m", host="box", byte_count=4e9
        )
        session.add(copy)
    here = re.search(r'data-state="here-box">([^<]*)<', client.get("/base-models").text)
    assert here is not None and "box" in here[1] and "4.0\u00a0GB" in here[1]
    assert client.post("/base-models/stable-diffusion-1-5/remove-files").status_code == 303
    assert 'data-state="here-' not in client.get("/base-models").text


def test_progress_shows_as_percent(owner: SignedIn, app: FastAPI) -> None:
    key = _added(owner)
    with app.state.database.write() as session:
        job = session.scalars(select(Job)).one()
        job.state, job.progress_done, job.progress_total, job.phase = "running", 2_967_000, 6_900_000, "fetching"
    text = owner.client.get(f"/base-models/{key}/files").text
    assert "<span data-percent>43</span> %" in text and "6.9 GB in all" in text


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
    assert 'data-state="no-checkpoints"' in owner.client.get("/base-models").text
    facts = {"family": "stable_diffusion"}
    with app.state.database.write() as session:
        session.add(OfferedBase(machine="m", name="haus.safetensors", family="stable_diffusion", facts=facts))
        session.add(OfferedBase(machine="m", name="alt.ckpt", problem="only pickles"))
    assert "haus.safetensors" in owner.client.get("/base-models").text
    assert "alt.ckpt" in owner.client.get("/base-models").text
    for entry, status in (("../../etc/passwd", 422), ("alt.ckpt", 422), ("haus.safetensors", 303)):
        form = {"name": "Haus", "entry": entry}
        assert owner.client.post("/base-models/local", data=form).status_code == status
    assert 'data-state="local"' in owner.client.get("/base-models").text


@pytest.mark.parametrize("role", ["editor", "viewer"])
def test_only_owners_add_and_remove(owner: SignedIn, sign_up: SignUp, role: str) -> None:
    key = _added(owner)
    other = sign_up(role=role, workspace_id=owner.workspace_id).client
    text = other.get("/base-models").text
    to_change = ('id="add-base"', 'action="/base-models/token"')
    assert all(part in owner.client.get("/base-models").text for part in to_change)
    assert "Hausfotos" in text and not any(part in text for part in to_change)
    for path in ("hub", "local", "token", f"{key}/describe", f"{key}/put-away", f"{key}/fetch", f"{key}/remove-files"):
        assert other.post(f"/base-models/{path}", data={}).status_code in (403, 422), path


def test_another_workspace_sees_nothing_of_it(owner: SignedIn, sign_up: SignUp) -> None:
    key, stranger = _added(owner), sign_up()
    assert "Hausfotos" not in stranger.client.get("/base-models").text
    for path in ("fetch", "cancel", "remove-files", "describe", "put-away", "take-back"):
        answer = stranger.client.post(f"/base-models/{key}/{path}", data={"name": "x"})
        assert answer.status_code in (404, 409) and "Hausfotos" not in answer.text, path
    assert stranger.client.get(f"/base-models/{key}/files").status_code == 404
