"""Merged files of a voice, from the button to the download, with a tiny model in place of the one that comes along."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load
from sqlalchemy import select

from app.adapters.models import Adapter, MergedFile
from app.adapters.voice import merged
from app.db import Database
from app.jobs import claims
from app.jobs import service as jobs
from app.jobs.models import Job
from app.storage import Storage
from tests.answers import tells
from tests.conftest import SignedIn
from tests.orders import make_brand, worker_context
from tests.tokens import api_client
from tests.voices import add_voice
from tests.worker.text import tiny
from worker import run_job
from worker.context import WorkerContext
from worker.engines import registry
from worker.engines.contracts import Base
from worker.engines.text import causal_lm
from worker.handlers.voice_merging import NO_ROOM

pytestmark = pytest.mark.slow

LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.save_model(tmp_path_factory.mktemp("tiny"))


class OnTheTinyModel:
    """The real engine; ``before`` is called with the number of tensors written so far."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.before = lambda done: None

    def merged_folder(self, base: Base, weights: Path, out: Path, cache: Path, told: Any) -> Path:
        def say(done: int, total: int) -> None:
            self.before(done)
            told(done, total)

        return causal_lm.merged_folder(self.base, weights, out, cache, say)

    def gguf_adapter(self, base: Base, weights: Path, out: Path, cache: Path) -> Path | None:
        return causal_lm.gguf_adapter(self.base, weights, out)

    def merged_gguf(self, base: Base, *rest: Any) -> Path:
        return causal_lm.merged_gguf(self.base, *rest)


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch, tiny_base: Base) -> OnTheTinyModel:
    made = OnTheTinyModel(tiny_base)
    monkeypatch.setattr(registry, "text_engine_for", lambda family: made)
    return made


@pytest.fixture
def context(database: Database, storage: Storage) -> WorkerContext:
    return worker_context(database, storage)


@pytest.fixture
def voice(database: Database, storage: Storage, owner: SignedIn) -> str:
    """A voice of the built-in base, whose numbers fit the tiny one; returns its id."""
    project_id = make_brand(database, storage, owner.workspace_id, pictures=0, name="Nordlicht")
    return add_voice(database, storage, owner.workspace_id, project_id).id


def offered(page: str) -> int:
    """How many files the page has a button to make."""
    return len(re.findall(r'action="/adapters/\w+/merged/\w+"', page))


def job_of_merging(database: Database) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).order_by(Job.created_at.desc())).first()  # type: ignore[return-value]


def test_a_merged_folder_is_made_taken_along_and_deleted(
    owner: SignedIn, database: Database, storage: Storage, context: WorkerContext, voice: str, tiny_base: Base
) -> None:
    page = f"/adapters/{voice}"
    assert offered(owner.client.get(page).text) == 3
    answer = owner.client.post(f"{page}/merged/safetensors")
    assert answer.status_code == 303 and answer.headers["location"] == page
    assert owner.client.post(f"{page}/merged/safetensors").status_code == 303, "the same one, not another"
    assert owner.client.get(f"{page}/merged/safetensors").status_code == 404, "not there yet"
    assert owner.client.post(f"{page}/merged/safetensors/delete").status_code == 409
    assert 'data-state="queued"' in owner.client.get(page).text
    assert run_job.run_next(context, ("generation",))
    assert (job_of_merging(database).state, job_of_merging(database).kind) == ("done", "voice_merge")
    saved = owner.client.get(f"{page}/merged/safetensors")
    assert "nordlicht-voice-v1-merged.zip" in saved.headers["content-disposition"]
    packed = zipfile.ZipFile(io.BytesIO(saved.content))
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= set(packed.namelist())
    assert "Apache-2.0" in packed.read("README.md").decode()
    changed = load(packed.read("model.safetensors"))
    before = load((Path(tiny_base.source) / "model.safetensors").read_bytes())
    name = "model.layers.0.self_attn.q_proj.weight"
    [stored] = [key for key in storage.keys_under("projects") if key.endswith("/adapter.safetensors")]
    halves = load(storage.get(stored))
    delta = 4 / 2 * halves[f"{LAYER}.lora_B.weight"] @ halves[f"{LAYER}.lora_A.weight"]
    assert np.allclose(changed[name], before[name] + delta, atol=5e-3)
    other = "model.layers.1.self_attn.q_proj.weight"
    assert np.allclose(changed[other], before[other], atol=1e-3)
    with database.read() as session:
        key = session.scalars(select(MergedFile)).one().key
    assert owner.client.post(f"{page}/merged/safetensors/delete").status_code == 303
    assert not storage.exists(key) and owner.client.get(f"{page}/merged/safetensors").status_code == 404
    assert offered(owner.client.get(page).text) == 3


def test_cancelled_in_the_middle_nothing_is_kept_and_it_can_be_made_again(
    owner: SignedIn,
    database: Database,
    storage: Storage,
    context: WorkerContext,
    voice: str,
    engine: OnTheTinyModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = api_client(owner)
    address = f"/api/v1/adapters/{voice}/merged"
    assert client.post(f"{address}/safetensors").json()["state"] == "queued"

    def cancel(done: int) -> None:
        if done == 3:
            with database.write() as session:
                job = session.scalars(select(Job)).one()
                jobs.request_cancel(session, workspace_id=owner.workspace_id, job_id=job.id)

    # Progress is written, and a wish to stop read, once a second; here with each tensor.
    monkeypatch.setattr("worker.progress.WRITE_EVERY_SECONDS", 0.0)
    engine.before = cancel
    assert run_job.run_next(context, ("generation",))
    assert client.get(address).json()[0]["state"] == "cancelled"
    assert 'data-state="cancelled"' in owner.client.get(f"/adapters/{voice}").text
    assert not [key for key in storage.keys_under("projects") if "/merged/" in key]
    engine.before = lambda done: None
    assert client.post(f"{address}/safetensors").json()["state"] == "queued"
    assert run_job.run_next(context, ("generation",))
    found = client.get(address).json()[0]
    assert found["state"] == "done" and found["byte_count"] == len(client.get(f"{address}/safetensors").content)
    assert client.delete(f"{address}/safetensors").status_code == 204
    assert client.get(address).json()[0]["state"] == "none"


def test_what_cannot_be_made_says_why(
    owner: SignedIn,
    database: Database,
    context: WorkerContext,
    voice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = f"/adapters/{voice}"
    monkeypatch.setattr("worker.handlers.voice_merging.free_bytes", lambda folder: 400_000_000)
    owner.client.post(f"{page}/merged/safetensors")
    run_job.run_next(context, ("generation",))
    text = owner.client.get(page).text
    assert tells(text, NO_ROOM, needed="0.5", free="0.4") and 'data-state="failed"' in text and offered(text) == 3
    monkeypatch.undo()
    with database.write() as session:
        session.get_one(Adapter, voice).base_model = "eurollm-1-7b"
    answer = api_client(owner).post(f"/api/v1{page}/merged/gguf_f16")
    assert answer.status_code == 409 and "convert_hf_to_gguf.py" in answer.text
    assert owner.client.get(page).text.count("/merged/gguf_f16") == 0


def test_a_voice_that_was_deleted_meanwhile_leaves_no_file(
    owner: SignedIn, database: Database, storage: Storage, context: WorkerContext, voice: str, engine: OnTheTinyModel
) -> None:
    owner.client.post(f"/adapters/{voice}/merged/safetensors")

    def forget(done: int) -> None:
        if done == 2:
            owner.client.post(f"/adapters/{voice}/delete")

    engine.before = forget
    run_job.run_next(context, ("generation",))
    assert job_of_merging(database).error_code == "order_outdated"
    assert not [key for key in storage.keys_under("projects") if "/merged/" in key]


def test_a_voice_from_elsewhere_gets_its_file_for_llama_cpp(
    owner: SignedIn, database: Database, storage: Storage, context: WorkerContext, voice: str
) -> None:
    address = f"/api/v1/adapters/{voice}"
    client = api_client(owner)
    assert client.post(f"{address}/merged/gguf_adapter").status_code == 409, "it came with one"
    with database.write() as session:
        row = session.get_one(Adapter, voice)
        storage.delete(row.gguf_key)
        row.gguf_key, row.facts = "", row.facts | {"imported": True}
    assert [one["form"] for one in client.get(f"{address}/merged").json()][-1] == "gguf_adapter"
    page = owner.client.get(f"/adapters/{voice}").text
    assert offered(page) == 4 and 'data-state="in-16-bits"' in page
    assert owner.client.post(f"/adapters/{voice}/merged/gguf_adapter").status_code == 303
    assert run_job.run_next(context, ("generation",))
    assert job_of_merging(database).state == "done", job_of_merging(database).error_sentence
    saved = owner.client.get(f"/adapters/{voice}/voice-files/gguf")
    assert "nordlicht-voice-v1.gguf" in saved.headers["content-disposition"] and saved.content[:4] == b"GGUF"
    assert offered(owner.client.get(f"/adapters/{voice}").text) == 3
    with database.read() as session:
        assert session.scalars(select(MergedFile)).all() == []
    job = job_of_merging(database)
    late = claims.Claim(job.id, job.workspace_id, job.kind, job.subject_id, job.fence, job.attempt, None)
    with pytest.raises(claims.LeaseLost), database.write() as session:
        merged.complete(session, late, key="elsewhere", byte_count=1)
