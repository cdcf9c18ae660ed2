"""Pages and API of a voice's training: plan with warnings, order once, watch, read the measures, take files along."""

import io
import json
import threading
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from fastapi import FastAPI
from safetensors.numpy import save

from app.adapters import service as adapters
from app.adapters.models import Adapter
from app.adapters.service import AdapterFiles
from app.adapters.voice.imports import read_voice
from app.base_models import catalogue
from app.base_models.catalogue import text_models
from app.db import Database, new_id, now
from app.jobs import claims
from app.jobs import workers as job_workers
from app.storage import Storage
from app.trainings import attempts
from app.trainings.attempts import Outcome, WrittenSample
from app.trainings.voice.measures import ArmMeasure, HeldOut, Measures
from app.trainings.voice.warnings import TOO_FEW
from tests.answers import code_of, tells
from tests.conftest import SignedIn
from tests.html_forms import controls
from tests.orders import make_brand
from tests.tokens import api_client
from tests.voices import add_texts


@pytest.fixture
def brand(database: Database, storage: Storage, owner: SignedIn) -> str:
    return make_brand(database, storage, owner.workspace_id, pictures=0, name="Nordlicht")


def arm(loss: float, overlap: int = 3) -> ArmMeasure:
    texts = ("The cup keeps still.", "We wait for the tide.")
    return ArmMeasure(loss=loss, style_distance=loss / 3, embedding_distance=0.1, longest_overlap=overlap, texts=texts)


def ended(
    database: Database, storage: Storage, training_id: str, *, adapter_loss: float = 3.0, overlap: int = 3
) -> str:
    """The training as its worker leaves it; returns the adapter's id."""
    adapter_id = new_id()
    header = {"__metadata__": {"lora_adapter_metadata": json.dumps({"r": 8, "base_model_name_or_path": "a/base"})}}
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text
    key = f"projects/x/adapters/{adapter_id}/adapter.safetensors"
    storage.put(key, content)
    storage.put(key.replace("safetensors", "gguf"), b"GGUF")
    measured = HeldOut(
        text_count=11,
        tokens=300,
        briefs=("Write about a cup.", "Write about the tide."),
        originals=("The cup is heavy.", "The tide is late."),
        base=arm(4.1),
        prompted=arm(3.9),
        adapter=arm(adapter_loss, overlap),
    )
    with database.write() as session:
        claim = claims.claim_next(session, queues=("training",), owner="worker")
        assert claim is not None and claim.subject_id == training_id
        attempts.note_held_out(session, claim, step=0, loss=4.1)
        attempts.note_held_out(session, claim, step=20, loss=3.0)
        for step, text in ((0, "I am a model."), (20, "It stays warm.")):
            attempts.note_sample(session, claim, WrittenSample(step, 0, "Write about a cup.", 1, text))
        attempts.complete_training(
            session,
            claim,
            adapter_id=adapter_id,
            version=None,
            files=AdapterFiles(key, key, key, len(content), "0" * 64, key.replace("safetensors", "gguf")),
            outcome=Outcome(
                steps=40,
                finished=True,
                rank=8,
                alpha=16,
                final_loss=2.5,
                seconds_per_step=1.5,
                peak_memory_bytes=1_500_000_000,
                device="CPU (2 cores)",
                precision="float16",
                skipped_steps=2,
                measures=Measures(
                    steps=40,
                    planned_steps=60,
                    best_step=20,
                    base_bytes=538_000_000,
                    tokens_per_step=480,
                    held_out=measured,
                ),
            ),
            finished_at=now(),
        )
    return adapter_id


def start(owner: SignedIn, brand: str, **fields: object) -> str:
    answer = owner.client.post(f"/projects/{brand}/voice-trainings", data={"order_id": new_id()} | fields)
    return str(answer.headers["location"]).rsplit("/", 1)[1]


def test_with_too_few_texts_the_page_says_how_many_would_do(app: FastAPI, owner: SignedIn, brand: str) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 5)
    text = owner.client.get(f"/projects/{brand}/voice-trainings/new").text
    assert 'data-state="warning-too_few"' in text and "100" in text
    refused = owner.client.post(f"/projects/{brand}/voice-trainings", data={"order_id": new_id()})
    assert refused.status_code == 409 and code_of(refused) == "too_few_texts" and "100" in refused.text


def test_the_api_too_starts_from_twenty_texts_that_take_part(app: FastAPI, owner: SignedIn, brand: str) -> None:
    [left_out, *_] = add_texts(app.state.database, owner.workspace_id, brand, 20)
    client, address = api_client(owner), f"/api/v1/projects/{brand}/voice-trainings"
    client.patch(f"/api/v1/voice/texts/{left_out}", json={"included": False})
    plan = client.post(f"{address}/plan", json={}).json()
    assert not plan["possible"] and any(tells(one, TOO_FEW, count=19, enough=100) for one in plan["warnings"])
    refused = client.post(address, json={})
    assert refused.status_code == 409 and code_of(refused) == "too_few_texts" and "19" in refused.text
    assert client.get(address).json()["items"] == []
    client.patch(f"/api/v1/voice/texts/{left_out}", json={"included": True})
    assert client.post(address, json={}).status_code == 201


def test_the_browsers_address_tells_what_was_chosen_for_a_voice_too(owner: SignedIn, brand: str) -> None:
    address = f"/projects/{brand}/voice-trainings"
    chosen = {"base_model": "qwen3-0-6b", "epochs": "7", "rank": ""}
    for path in (f"{address}/summary", f"{address}/new"):
        answer = owner.client.get(path, params=chosen, headers={"hx-request": "true"})
        told = answer.headers["hx-replace-url"]
        assert told == f"{address}/new?base_model=qwen3-0-6b&epochs=7"
    again = controls(owner.client.get(told).text, "order")
    assert again["epochs"][0].value == "7" and again["rank"][0].value == ""
    assert "hx-replace-url" not in owner.client.get(told).headers


def test_the_api_refuses_what_means_nothing_on_a_voices_base(app: FastAPI, owner: SignedIn, brand: str) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 24)
    base, address = catalogue.text_model("eurollm-1-7b"), f"/api/v1/projects/{brand}/voice-trainings"
    client = api_client(owner)
    for where in ("", "/plan"):
        longer = {"base_model": base.key, "max_length": base.context * 2}
        assert longer["max_length"] <= 8192
        refused = client.post(address + where, json=longer)
        assert refused.status_code == 422 and "max_length" in refused.json()["sentence"]
        misspelt = client.post(address + where, json={"lerning_rate": 1e-4})
        assert misspelt.status_code == 422
    assert client.post(address, json={"base_model": base.key, "max_length": base.context}).status_code == 201


def test_the_plan_says_what_is_kept_back_and_what_it_has_to_beat(app: FastAPI, owner: SignedIn, brand: str) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 100)
    text = owner.client.get(f"/projects/{brand}/voice-trainings/new").text
    assert 'data-texts="90" data-held-out="10"' in text and "SmolLM2 135M" in text
    assert "Write in the voice of the brand" in text and 'data-time="none"' in text
    address = f"/projects/{brand}/voice-trainings/summary"
    larger = {"base_model": "qwen3-8b", "held_out_share": "0.2", "epochs": ""}
    changed = owner.client.get(address, params=larger).text
    assert 'data-texts="80"' in changed and "Qwen3 8B" in changed and 'data-state="warning-card_needed"' in changed
    with app.state.database.write() as session:
        card = {"device_kind": "cuda", "device_memory_bytes": 12_000_000_000}
        job_workers.report_worker(session, "w", queues=("training",), device="A card", job_id=None, **card)
    changed = owner.client.get(address, params=larger).text
    assert (
        'data-quantization="nf4"' in changed and 'data-memory="calculated"' in changed and "card_needed" not in changed
    )


def test_ordered_twice_it_is_one_training_that_can_be_cancelled(app: FastAPI, owner: SignedIn, brand: str) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 30)
    order_id = new_id()
    first, second = (
        owner.client.post(f"/projects/{brand}/voice-trainings", data={"order_id": order_id, "packing": "false"})
        for _ in range(2)
    )
    assert first.headers["location"] == second.headers["location"] == f"/voice-trainings/{order_id}"
    page = owner.client.get(f"/voice-trainings/{order_id}").text
    assert 'data-state="queued"' in page and f"/voice-trainings/{order_id}/cancel" in page
    assert owner.client.get(f"/trainings/{order_id}").status_code == 404, "the pictures' page knows no voice"
    assert f"/voice-trainings/{order_id}" in owner.client.get("/jobs").text
    owner.client.post(f"/voice-trainings/{order_id}/cancel", data={})
    assert 'data-state="nothing-learned"' in owner.client.get(f"/voice-trainings/{order_id}").text


@pytest.mark.slow
def test_what_was_measured_stands_in_one_sentence_and_a_table(
    app: FastAPI, owner: SignedIn, brand: str, storage: Storage
) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 30)
    training_id = start(owner, brand)
    adapter_id = ended(app.state.database, storage, training_id, overlap=14)
    page = owner.client.get(f"/voice-trainings/{training_id}").text
    assert 'data-state="verdict-better"' in page and "60 → 20" in page and "(49)" in page
    assert 'data-state="verdict-copies" data-words="14"' in page
    assert 'data-state="best-at-20"' in page
    assert "I am a model." in page and "It stays warm." in page and "The tide is late." in page
    card = owner.client.get(f"/adapters/{adapter_id}").text
    assert 'data-state="verdict-better"' in card and f"/adapters/{adapter_id}/voice-files/gguf" in card
    assert "Processor (2 cores)" in card
    shelf = owner.client.get(f"/projects/{brand}/adapters").text
    assert "Voice" in shelf and f"/adapters/{adapter_id}" in shelf
    assert f"/adapters/{adapter_id}" not in owner.client.get(f"/projects/{brand}/studio").text, "it cannot draw"
    again = owner.client.get(f"/projects/{brand}/voice-trainings/new").text
    assert 'data-time="measured"' in again and "Processor (2 cores)" in again


@pytest.mark.parametrize(("loss", "key"), [(3.89, "only_better_than_bare"), (4.2, "no_better"), (3.0, "better")])
def test_the_verdict_is_honest(
    app: FastAPI, owner: SignedIn, brand: str, storage: Storage, loss: float, key: str
) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 30)
    training_id = start(owner, brand)
    ended(app.state.database, storage, training_id, adapter_loss=loss)
    assert f'data-state="verdict-{key}"' in owner.client.get(f"/voice-trainings/{training_id}").text


def test_the_files_of_a_voice_are_what_other_programs_read(
    app: FastAPI, owner: SignedIn, brand: str, storage: Storage
) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 30)
    adapter_id = ended(app.state.database, storage, start(owner, brand))
    folder = owner.client.get(f"/adapters/{adapter_id}/voice-files/peft")
    assert 'filename="nordlicht-voice-v1-peft.zip"' in folder.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(folder.content)) as packed:
        assert set(packed.namelist()) == {"adapter_config.json", "adapter_model.safetensors", "README.md"}
        assert json.loads(packed.read("adapter_config.json"))["r"] == 8
        card = packed.read("README.md").decode()
        assert "base_model: a/base" in card and "| with this adapter | 3.000 |" in card and "27 texts" in card
    assert owner.client.get(f"/adapters/{adapter_id}/voice-files/gguf").content == b"GGUF"
    assert owner.client.get(f"/adapters/{adapter_id}/voice-files/safetensors").status_code == 200
    with app.state.database.write() as session:
        session.get_one(Adapter, adapter_id).gguf_key = ""
    assert owner.client.get(f"/adapters/{adapter_id}/voice-files/gguf").status_code == 404


def packed(configuration: dict[str, object], tensors: bytes | None = None) -> bytes:
    """PEFT's folder as a ZIP."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("voice/adapter_config.json", json.dumps(configuration))
        if tensors is not None:
            archive.writestr("voice/adapter_model.safetensors", tensors)
    return made.getvalue()


LAYER = "base_model.model.model.layers.0.self_attn.q_proj"
PEFT = {
    "r": 2,
    "lora_alpha": 4,
    "peft_type": "LORA",
    "base_model_name_or_path": "Qwen/Qwen3-0.6B",
    "auto_mapping": None,
}


def weights(name: str = LAYER, sides: tuple[int, int] = (1024, 2048), upto: int = 1) -> bytes:
    """One kind of layer in as many blocks; its sides are those of Qwen3 0.6B, which has 28."""
    halves = {}
    for number in range(upto):
        layer = name.replace(".0.", f".{number}.")
        halves[f"{layer}.lora_A.weight"] = np.ones((2, sides[0]), np.float16)
        halves[f"{layer}.lora_B.weight"] = np.ones((sides[1], 2), np.float16)
    return bytes(save(halves))


def test_a_voice_from_elsewhere_is_read_and_its_base_recognised(
    app: FastAPI, owner: SignedIn, brand: str, storage: Storage
) -> None:
    address = f"/projects/{brand}/adapters/voice"
    answer = owner.client.post(address, files={"file": ("voice.zip", packed(PEFT, weights()), "application/zip")})
    assert answer.status_code == 303, answer.text
    adapter_id = answer.headers["location"].rsplit("/", 1)[1]
    with app.state.database.read() as session:
        kept = session.get_one(Adapter, adapter_id)
        assert (kept.modality, kept.base_model, kept.rank, kept.alpha) == ("text", "qwen3-0-6b", 2, 4.0)
        stored = storage.get(kept.diffusers_key)
    page = owner.client.get(f"/adapters/{adapter_id}").text
    assert 'data-state="imported"' in page and "Qwen3 0.6B" in page
    assert f"/adapters/{adapter_id}/merged/gguf_adapter" in page, "a worker makes the file for llama.cpp"
    client = api_client(owner)
    again = client.post(f"/api/v1{address}", files={"file": ("one.safetensors", stored, "application/octet-stream")})
    assert again.status_code == 201 and again.json()["version"] == 2, again.text


@pytest.mark.parametrize(
    ("name", "key", "is_doubtful"),
    [
        ("Qwen/Qwen3-0.6B", "qwen3-0-6b", False),
        ("qwen3-0.6b", "qwen3-0-6b", False),
        ("unsloth/Qwen3-0.6B-unsloth-bnb-4bit", "qwen3-0-6b", False),
        ("C:\\models\\Qwen3-0.6B", "qwen3-0-6b", False),
        ("/home/ada/our-own-qwen", "qwen3-0-6b", True),
        ("", "qwen3-0-6b", True),
    ],
)
def test_the_base_is_told_by_its_name_and_its_layers(name: str, key: str, is_doubtful: bool) -> None:
    voice = read_voice(io.BytesIO(packed(PEFT | {"base_model_name_or_path": name}, weights(upto=28))), text_models())
    assert (voice.base.key, voice.is_doubtful, voice.named_base) == (key, is_doubtful, name)


def test_where_the_base_is_doubtful_the_page_says_so(owner: SignedIn, brand: str) -> None:
    content = packed(PEFT | {"base_model_name_or_path": "/home/ada/our-own"}, weights(upto=28))
    answer = owner.client.post(f"/projects/{brand}/adapters/voice", files={"file": ("voice.zip", content)})
    page = owner.client.get(answer.headers["location"]).text
    assert "“/home/ada/our-own”" in page and "Qwen3 0.6B" in page


def test_two_voices_brought_at_once_are_two_versions(
    database: Database, storage: Storage, owner: SignedIn, brand: str
) -> None:
    voice = read_voice(io.BytesIO(packed(PEFT, weights())), text_models())
    versions = []

    def bring(before_the_commit: Callable[[], object]) -> None:
        with database.write() as session:
            kept = adapters.import_voice(
                session,
                storage,
                workspace_id=owner.workspace_id,
                project_id=brand,
                voice=voice,
                created_by=owner.user_id,
            )
            before_the_commit()
            versions.append(kept.version)

    has_number, may_commit = threading.Event(), threading.Event()
    first = threading.Thread(target=bring, args=(lambda: (has_number.set(), may_commit.wait(60)),))
    second = threading.Thread(target=bring, args=(lambda: None,))
    first.start()
    assert has_number.wait(60)
    second.start()
    second.join(timeout=0.5)
    assert second.is_alive(), "it waits for the number that the first has taken"
    may_commit.set()
    first.join(60)
    second.join(60)
    assert versions == [1, 2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            packed(PEFT | {"base_model_name_or_path": "somebody/unknown"}, weights()),
            "foreign_base",
        ),
        (
            packed(PEFT | {"base_model_name_or_path": "somebody/unknown"}, weights(sides=(1000, 2000), upto=28)),
            "foreign_base",
        ),
        (packed(PEFT, weights(sides=(2048, 2048))), "other_layers"),
        (packed(PEFT, weights(LAYER.replace(".0.", ".28."))), "other_layers"),
        (packed(PEFT, bytes(save({f"{LAYER}.lora_A.weight": np.ones((2, 8), np.float16)}))), "half_a_layer"),
        (packed(PEFT), "one of the two files is missing"),
        (packed(PEFT | {"r": 0}, weights()), "rank or alpha"),
        (packed(PEFT | {"use_dora": True}, weights()), "only plain LoRA"),
        (packed(PEFT, weights("unet.down_blocks.0")), "it holds unet"),
        (packed(PEFT, b"\x80\x04pickled"), "unsafe_file"),
        (weights(), "its configuration cannot be read"),
    ],
)
def test_what_is_no_voice_is_refused_with_its_reason(owner: SignedIn, brand: str, content: bytes, said: str) -> None:
    client = api_client(owner)
    answer = client.post(f"/api/v1/projects/{brand}/adapters/voice", files={"file": ("x.zip", content)})
    assert answer.status_code == 422, answer.text
    assert said == code_of(answer) or (code_of(answer) == "not_a_voice" and said in answer.text), answer.text


def test_the_api_plans_orders_and_shows(app: FastAPI, owner: SignedIn, brand: str, storage: Storage) -> None:
    add_texts(app.state.database, owner.workspace_id, brand, 40)
    client = api_client(owner)
    plan = client.post(f"/api/v1/projects/{brand}/voice-trainings/plan", json={"rank": 4}).json()
    assert plan["possible"] and plan["recipe"]["alpha"] == 8 and plan["sample_count"] == 40
    assert plan["held_out_count"] == 4 and plan["warnings"]
    given = client.post(f"/api/v1/projects/{brand}/voice-trainings", json={"epochs": 2}).json()
    assert given["recipe"]["epochs"] == 2 and given["job"]["state"] == "queued" and given["measures"] is None
    adapter_id = ended(app.state.database, storage, given["id"])
    shown = client.get(f"/api/v1/voice-trainings/{given['id']}").json()
    assert shown["adapter_id"] == adapter_id and shown["measures"]["held_out"]["adapter"]["loss"] == 3.0
    assert (shown["precision"], shown["skipped_steps"]) == ("float16", 2)
    for page in (f"/voice-trainings/{given['id']}", f"/adapters/{shown['adapter_id']}"):
        told = owner.client.get(page).text
        assert told.count("float16") > 1, page
    course = client.get(f"/api/v1/voice-trainings/{given['id']}/course").json()
    assert [point["step"] for point in course["held_out"]] == [0, 20] and len(course["samples"]) == 2
    assert client.get(f"/api/v1/adapters/{adapter_id}").json()["modality"] == "text"
    keys = [one["key"] for one in client.get("/api/v1/text-models").json()["items"]]
    assert keys[0] == "smollm2-135m-instruct" and "qwen3-4b-instruct-2507" in keys
    wrong = client.post(f"/api/v1/projects/{brand}/voice-trainings", json={"base_model": "livery-builtin"})
    assert wrong.status_code == 404
