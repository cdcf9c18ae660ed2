"""Language models that a workspace adds: told from their files, fetched, trained on, written with, recognised again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.numpy import load
from sqlalchemy import select

from app.adapters.models import Adapter
from app.base_models import queries as base_models
from app.base_models.models import OwnBase
from app.base_models.recognition import of_tensors
from app.base_models.text_recognition import ARCHITECTURES
from app.db import Database
from app.errors import AppError
from app.jobs.models import Job
from app.storage import Storage
from app.trainings.models import Training
from app.writings.models import Writing, WritingVariant
from app.writings.recipe import WritingOrder
from tests.answers import code_of, tells
from tests.conftest import SignedIn, SignUp
from tests.fake_hub import FakeHub, serving
from tests.orders import make_brand, worker_context
from tests.voices import add_texts
from tests.worker.text import tiny
from worker.context import WorkerContext
from worker.engines.contracts import Base
from worker.engines.text import base as bases
from worker.engines.text import dataset, evaluation, lora
from worker.engines.text.examples import examples_of
from worker.files import base_upkeep, language_models
from worker.files.checkpoint_folder import NO_NUMBERS
from worker.run_job import run_next

REPOSITORY = "acme/our-words"
CARD = b"---\nlicense: apache-2.0\nlanguage:\n- en\n- de\n---\n# Our words\n"


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    bases.drop_loaded()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as transformers saves one."""
    return Path(tiny.save_model(tmp_path_factory.mktemp("saved") / "our-words", context=2048).source)


@pytest.fixture
def hub(saved: Path) -> Iterator[FakeHub]:
    files = {path.name: path.read_bytes() for path in saved.iterdir()} | {"README.md": CARD, "pytorch_model.bin": b"x"}
    with serving(FakeHub({REPOSITORY: files})) as hub:
        yield hub


@pytest.fixture
def context(database: Database, storage: Storage, hub: FakeHub, tmp_path: Path) -> WorkerContext:
    plain = worker_context(database, storage)
    (tmp_path / "checkpoints").mkdir()
    settings = plain.settings.model_copy(
        update={"hub_url": hub.url, "checkpoints_folder": str(tmp_path / "checkpoints")}
    )
    return replace(plain, cache_folder=tmp_path / "cache", settings=settings)


def add(owner: SignedIn, database: Database, **fields: str) -> str:
    form = {"name": "Our words", "repository": REPOSITORY} | fields
    answer = owner.client.post("/base-models/hub", data=form)
    assert answer.status_code == 303, answer.text
    with database.read() as session:
        return session.scalars(select(OwnBase.id).where(OwnBase.name == form["name"])).one()


def last_job(database: Database) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).order_by(Job.created_at.desc())).first()  # type: ignore[return-value]


def brand_with_texts(database: Database, storage: Storage, owner: SignedIn) -> str:
    project_id = make_brand(database, storage, owner.workspace_id, pictures=0, name="Nordlicht")
    add_texts(database, owner.workspace_id, project_id, 20)
    return project_id


@pytest.mark.slow
def test_one_from_the_hub_is_recognised_trained_on_written_with_and_known_again(
    owner: SignedIn, sign_up: SignUp, database: Database, storage: Storage, context: WorkerContext
) -> None:
    key = add(owner, database)
    assert run_next(context, ("training",))
    assert last_job(database).state == "done", last_job(database).error_sentence
    assert "Our words" in owner.client.get("/base-models?kind=texts").text
    page = owner.client.get(f"/base-models/{key}").text
    assert "apache-2.0" in page and "en, de" in page
    with database.read() as session:
        entry = base_models.text_entry(session, workspace_id=owner.workspace_id, key=key)
    assert (entry.languages, entry.licence, entry.has_chat_template) == (("en", "de"), "apache-2.0", True)
    assert (entry.layout.layers, entry.layout.width, entry.context) == (2, 64, 2048)

    project_id = brand_with_texts(database, storage, owner)
    assert "Our words" in owner.client.get(f"/projects/{project_id}/voice-trainings/new?base_model={key}").text
    order = {"base_model": key, "epochs": "1", "rank": "2", "evaluations_per_epoch": "1", "held_out_share": "0.1"}
    answer = owner.client.post(f"/projects/{project_id}/voice-trainings", data=order)
    assert answer.status_code == 303, answer.text
    assert run_next(context, ("training",))
    assert last_job(database).state == "done", last_job(database).error_sentence
    with database.read() as session:
        adapter = session.scalars(select(Adapter)).one()
    shown = owner.client.get(f"/adapters/{adapter.id}").text
    assert adapter.base_model == key and "Our words" in shown and adapter.gguf_key
    saved = owner.client.get(f"/adapters/{adapter.id}/voice-files/peft").content
    assert REPOSITORY.encode() in saved and b"Our words (apache-2.0)" in saved

    answer = owner.client.post(
        f"/projects/{project_id}/writings", data={"brief": "A lamp", "channel": "caption", "count": "1"}
    )
    assert answer.status_code == 303, answer.text
    assert run_next(context, ("generation",))
    assert last_job(database).state == "done", last_job(database).error_sentence
    with database.read() as session:
        assert {one.arm for one in session.scalars(select(WritingVariant)) if one.finished} >= {"adapter", "base"}

    address = f"/projects/{project_id}/adapters/voice"
    answer = owner.client.post(address, files={"file": ("voice.zip", saved, "application/zip")})
    brought = owner.client.get(answer.headers["location"]).text
    assert "Our words" in brought and "trained elsewhere" in brought and "names “" not in brought
    stranger = sign_up(email="eve@example.com")
    assert "Our words" not in stranger.client.get("/base-models?kind=texts").text
    theirs = make_brand(database, storage, stranger.workspace_id, pictures=0)
    refused = stranger.client.post(f"/projects/{theirs}/adapters/voice", files={"file": ("voice.zip", saved)})
    assert refused.status_code == 422 and REPOSITORY in refused.text
    assert stranger.client.post(f"/projects/{theirs}/voice-trainings", data={"base_model": key}).status_code == 404


@pytest.mark.slow
def test_a_local_folder_without_a_chat_template_learns_texts_as_they_are(
    owner: SignedIn, database: Database, storage: Storage, context: WorkerContext, saved: Path
) -> None:
    folder = context.settings.effective_checkpoints_folder / "our-words"
    shutil.copytree(saved, folder)
    (folder / "chat_template.jinja").unlink()
    (folder / "original").mkdir()
    (folder / "original" / "consolidated.00.pth").write_bytes(b"what its makers trained with, and nobody opens")
    (context.settings.effective_checkpoints_folder / "packed").mkdir()
    (context.settings.effective_checkpoints_folder / "packed" / "config.json").write_text("{}")
    (context.settings.effective_checkpoints_folder / "packed" / "model.gguf").write_bytes(b"GGUF")
    (context.settings.effective_checkpoints_folder / "bert").mkdir()
    (context.settings.effective_checkpoints_folder / "bert" / "config.json").write_text(
        '{"architectures": ["BertForMaskedLM"]}'
    )
    (context.settings.effective_checkpoints_folder / "bert" / "model.safetensors").write_bytes(b"")
    base_upkeep.tell_what_lies_ready(context)
    page = owner.client.get("/base-models/add?kind=texts").text
    assert "our-words · Language model" in page and "BertForMaskedLM" in page
    assert tells(page, NO_NUMBERS)
    form = {"name": "House words", "entry": "our-words", "languages": "de, en", "licence": "Ours"}
    assert owner.client.post("/base-models/local", data=form).status_code == 303
    with database.read() as session:
        row = session.scalars(select(OwnBase)).one()
        entry = base_models.text_entry(session, workspace_id=owner.workspace_id, key=row.id)
    assert entry.ready and entry.languages == ("de", "en") and not entry.has_chat_template

    project_id = brand_with_texts(database, storage, owner)
    address = f"/projects/{project_id}/voice-trainings"
    page = owner.client.get(f"{address}/new?base_model={row.id}").text
    assert 'data-state="warning-goes_on"' in page
    refused = owner.client.post(address, data={"base_model": row.id, "kind": "instructions"})
    assert refused.status_code == 422 and code_of(refused) == "no_chat_template"
    order = {"base_model": row.id, "epochs": "1", "rank": "2"}
    assert owner.client.post(address, data=order).status_code == 303
    assert run_next(context, ("training",))
    assert last_job(database).state == "done", last_job(database).error_sentence
    with database.read() as session:
        assert session.scalars(select(Training)).one().recipe["kind"] == "plain_text"
        adapter = session.scalars(select(Adapter)).one()
    header = storage.get(adapter.diffusers_key)
    assert b"our-words" in header and str(context.settings.effective_checkpoints_folder).encode() not in header
    assert load(header)
    asked = {"brief": "In the morning", "adapter_id": "none", "base_model": row.id, "count": "1"}
    assert owner.client.post(f"/projects/{project_id}/writings", data=asked).status_code == 303
    assert run_next(context, ("generation",))
    job = last_job(database)
    assert job.state == "done", job.error_sentence
    with database.read() as session:
        order_of_it = WritingOrder.model_validate(session.scalars(select(Writing)).one().recipe)
    assert {part.recipe.kind for part in order_of_it.arms} == {"plain_text"}
    shutil.rmtree(folder)
    assert owner.client.post(f"/projects/{project_id}/writings", data=asked).status_code == 303
    assert run_next(context, ("generation",))
    assert last_job(database).error_code == "local_gone"


CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 512}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"config.json": {"architectures": ["BertForMaskedLM"]}}, "no_language_model"),
        ({"config.json": {"architectures": ["Qwen2VLForConditionalGeneration"]}}, "no_language_model"),
        ({"config.json": CONFIG | {"quantization_config": {"quant_method": "gptq"}}}, "packed_numbers"),
        ({"tokenizer.json": None}, "no_tokenizer"),
        ({"model.safetensors": None, "model.gguf": b"GGUF"}, "only_pickles"),
        ({"model.safetensors": None, "pytorch_model.bin": None}, "no_weights"),
        ({"model.safetensors": b"\x90" * 100}, "unreadable_checkpoint"),
        ({"config.json": None}, "no_pipeline"),
        ({"config.json": CONFIG | {"max_position_embeddings": 100}}, "unknown_layers"),
    ],
)
def test_what_cannot_be_used_says_why_before_its_gigabytes_are_fetched(
    owner: SignedIn,
    database: Database,
    context: WorkerContext,
    hub: FakeHub,
    changes: dict[str, object],
    code: str,
) -> None:
    files = hub.repositories[REPOSITORY]
    for name, content in changes.items():
        files.pop(name, None)
        if content is not None:
            files[name] = content if isinstance(content, bytes) else json.dumps(content).encode()
    add(owner, database)
    assert run_next(context, ("training",))
    job = last_job(database)
    assert (job.state, job.error_code) == ("failed", code), job.error_sentence
    page = owner.client.get("/base-models").text
    assert 'data-state="unusable"' in page
    assert not any(given.endswith("-") or not given for given in hub.ranges_of("model.safetensors"))
    assert not list(context.cache_folder.rglob("*.safetensors"))


def test_in_several_files_it_is_the_same_model(saved: Path, tmp_path: Path) -> None:
    def told(folder: Path) -> object:
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        return language_models.facts_of(sizes, lambda name, count: (folder / name).read_bytes()[:count])

    shutil.copytree(saved, tmp_path / "shards", ignore=shutil.ignore_patterns("*.safetensors"))
    model = transformers.AutoModelForCausalLM.from_pretrained(saved)
    model.save_pretrained(tmp_path / "shards", max_shard_size="60KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    assert told(tmp_path / "shards") == told(saved)


def test_one_that_is_too_large_is_told_by_its_headers(saved: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in saved.iterdir()}
    wide = {"model.embed_tokens.weight": {"dtype": "BF16", "shape": [200_000, 250_000], "data_offsets": [0, 10**11]}}
    text = json.dumps(wide).encode()
    header = len(text).to_bytes(8, "little") + text
    sizes["model.safetensors"] = len(header) + 10**11

    def read(name: str, count: int) -> bytes:
        return (header if name == "model.safetensors" else (saved / name).read_bytes())[:count]

    with pytest.raises(AppError, match="50 billion parameters"):
        language_models.facts_of(sizes, read)


def test_one_file_of_a_language_model_says_to_take_the_whole_repository(owner: SignedIn) -> None:
    with pytest.raises(AppError, match="whole"):
        of_tensors(["model.embed_tokens.weight"])
    form = {"name": "x", "repository": REPOSITORY, "file": "model.safetensors", "family": "causal_lm"}
    answer = owner.client.post("/base-models/hub", data=form)
    assert answer.status_code == 422 and code_of(answer) == "not_one_file"
    answer = owner.client.post("/base-models/hub", data={"name": "x", "repository": REPOSITORY, "languages": "german"})
    assert answer.status_code == 422 and code_of(answer) == "bad_languages"


SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
}


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_kind_that_is_recognised_learns_texts_that_share_a_row(architecture: str, tmp_path: Path) -> None:
    """Its numbers are counted as they are, an adapter finds its layers, and texts in one row do not see each other."""
    words = tiny.tokenizer()
    kind = getattr(transformers, architecture)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(kind.config_class(vocab_size=len(words), pad_token_id=words.pad_token_id, **SMALL))
    model.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    told = language_models.facts_of(sizes, lambda name, count: (tmp_path / name).read_bytes()[:count]).text
    assert told is not None and told.architecture == architecture and told.has_chat_template
    assert told.parameters == model.num_parameters() and told.layout.layers == 2
    loaded = bases.load(Base("tiny", "causal_lm", str(tmp_path)))
    recipe = tiny.voice_recipe()
    examples = examples_of(loaded, recipe, tiny.voice_texts(3))
    together, _ = evaluation.token_losses(loaded, dataset.collate(examples, [(0, 1, 2)], words.pad_token_id))
    apart = [
        evaluation.token_losses(loaded, dataset.collate(examples, [(one,)], words.pad_token_id))[0] for one in range(3)
    ]
    assert float(together) == pytest.approx(float(sum(apart)), rel=1e-5)
    parameters = lora.inject(loaded.model, recipe, torch.Generator().manual_seed(0))
    assert sum(one.numel() for one in parameters.values()) == (
        told.layout.parameters_per_rank()["attention_and_feed_forward"] * recipe.rank
    )
