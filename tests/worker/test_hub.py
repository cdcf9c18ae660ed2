"""Adapters from a model hub and to one: a hub of our own answers as the real ones do."""

import base64
import hashlib
import io
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from app.adapters.hub import addresses, publishing
from app.adapters.hub.addresses import OnlySafetensors, UnknownAddress
from app.adapters.hub.card import CardFacts, model_card
from app.adapters.imports import service as brought
from app.adapters.models import Adapter, ImportedFile, Publication
from app.db import Database
from app.jobs.models import Job
from app.lora_files import key_formats, safetensors_file
from app.lora_files.safetensors_file import float32_tensor
from app.storage import Storage
from tests import fake_hub
from tests.answers import code_of
from tests.app.lora_files.deltas import SD_1, random_lora
from tests.conftest import SignedIn
from tests.fake_engine import FakeEngine
from tests.fake_hub import serving
from tests.orders import make_brand, order_training, worker_context
from tests.voices import add_texts, add_voice, voice_rows
from worker.context import WorkerContext
from worker.engines import registry
from worker.files import fetching
from worker.run_job import run_next

CONTENT = safetensors_file.to_bytes(
    key_formats.to_kohya(random_lora(SD_1, "stable_diffusion_1"), "stable_diffusion_1"), {}
)
SHA = hashlib.sha256(CONTENT).hexdigest()
TOKEN = "hf_secret_of_ada"


class FakeHub(ThreadingHTTPServer):
    """Holds answers by path, and remembers what it was asked and given."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.committed: dict[str, str] = {}
        self.private = True
        self.storage = ""
        """Where large files are to be sent; they come with the rest without it."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("authorization", "")))
        found = self.server.answers.get(self.path.split("?")[0])
        if found is None:
            self._send(404, b"{}")
        elif isinstance(found, int):
            self._send(found, b"{}")
        elif isinstance(found, str):
            self._send(302, b"", {"location": found})
        else:
            self._send(200, found if isinstance(found, bytes) else json.dumps(found).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.path, self.headers.get("authorization", "")))
        if TOKEN not in self.headers.get("authorization", ""):
            self._send(401, b"{}")
        elif self.path == "/api/repos/create":
            self.server.private = json.loads(body).get("private", json.loads(body).get("visibility") == "private")
            self._send(200, json.dumps({"url": f"{self.server.url}/ada/look"}).encode())
        elif self.path == "/api/validate-yaml":
            self._send(200, b'{"errors": [], "warnings": []}')
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            mode = "lfs" if self.server.storage else "regular"
            plan = [{"path": one["path"], "uploadMode": mode, "shouldIgnore": False} for one in asked]
            self._send(200, json.dumps({"files": plan}).encode())
        elif self.path.endswith("/info/lfs/objects/batch"):
            sent = [
                one | {"authenticated": True, "actions": {"upload": {"href": self.server.storage, "header": {}}}}
                for one in json.loads(body)["objects"]
            ]
            self._send(200, json.dumps({"transfer": "basic", "objects": sent}).encode())
        elif "/commit/" in self.path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.server.committed[entry["value"]["path"]] = entry["value"]["content"]
            url = f"{self.server.url}/ada/look/commit/abc"
            self._send(200, json.dumps({"commitUrl": url, "commitOid": "abc", "success": True}).encode())
        else:
            self._send(404, b"{}")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "content-length": str(len(body)),
            "content-type": "application/json",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    server = FakeHub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def context(database: Database, storage: Storage, hub: FakeHub, app: Any) -> WorkerContext:
    made = worker_context(database, storage)
    made.settings = app.state.settings.model_copy(update={"hub_url": hub.url, "civitai_url": hub.url})
    return made


def model(hub: FakeHub, files: dict[str, bytes], **changes: Any) -> None:
    siblings = [
        {"rfilename": name, "size": len(content), "lfs": {"sha256": hashlib.sha256(content).hexdigest()}}
        for name, content in files.items()
    ]
    hub.answers["/api/models/ada/look/revision/main"] = {"sha": "c0ffee", "siblings": siblings} | changes
    for name, content in files.items():
        hub.answers[f"/ada/look/resolve/c0ffee/{name}"] = content


def fetched(
    owner: SignedIn, context: WorkerContext, database: Database, address: str, token: str = ""
) -> tuple[ImportedFile, Job]:
    answer = owner.client.post("/adapter-files/import", data={"address": address, "token": token})
    assert answer.status_code == 303, answer.text
    file_id = answer.headers["location"].rsplit("/", 1)[1]
    assert owner.client.get(answer.headers["location"]).status_code == 200, "while it is on its way"
    run_next(context, ("generation",))
    with database.read() as session:
        job = session.scalars(select(Job).where(Job.subject_id == file_id)).one()
        return session.get_one(ImportedFile, file_id), job


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ada/look", "https://huggingface.co/ada/look"),
        ("huggingface.co/ada/look", "https://huggingface.co/ada/look"),
        ("https://huggingface.co/ada/look/tree/main", "https://huggingface.co/ada/look"),
        (
            "https://huggingface.co/ada/look/blob/v2/a%20b/x.safetensors?download=true",
            "https://huggingface.co/ada/look/blob/v2/a b/x.safetensors",
        ),
        (
            "https://hf.co/ada/look/resolve/main/x.safetensors",
            "https://huggingface.co/ada/look/blob/main/x.safetensors",
        ),
        ("https://civitai.com/models/12/some-name", "https://civitai.com/models/12"),
        (
            "https://civitai.com/models/12?modelVersionId=34&token=secret",
            "https://civitai.com/models/12?modelVersionId=34",
        ),
        ("https://civitai.com/api/download/models/34?type=Model", "https://civitai.com/api/download/models/34"),
    ],
)
def test_addresses_as_people_copy_them(text: str, url: str) -> None:
    parsed = addresses.parse(text)
    assert parsed.url == url
    assert addresses.parse(url) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "http://huggingface.co/ada/look",
        "https://huggingface.co.evil.example/ada/look",
        "https://huggingface.co@evil.example/ada/look",
        "https://evil.example/huggingface.co/ada/look",
        "https://huggingface.co:8443/ada/look",
        "https://127.0.0.1/ada/look",
        "https://huggingface.co/datasets/ada/look",
        "https://huggingface.co/ada/look/blob/main/../../x.safetensors",
        "https://civitai.com/user/ada",
        "file:///etc/passwd",
        "https://[::1/x",
        "ada",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(UnknownAddress):
        addresses.parse(text)


def test_files_that_can_carry_programs_are_refused() -> None:
    with pytest.raises(OnlySafetensors):
        addresses.parse("https://huggingface.co/ada/look/blob/main/pytorch_lora_weights.bin")


def test_an_adapter_comes_from_hugging_face(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub
) -> None:
    model(hub, {"look.safetensors": CONTENT, "README.md": b"# hello"})
    row, job = fetched(owner, context, database, "ada/look", TOKEN)
    assert (job.state, job.error_sentence) == ("done", None)
    assert (row.sha256, row.name, job.sealed_secret) == (SHA, "look", "")
    assert row.address == "https://huggingface.co/ada/look"
    assert all(authorization == f"Bearer {TOKEN}" for _, authorization in hub.asked)
    text = owner.client.get(f"/adapter-files/{row.id}").text
    assert "Stable Diffusion 1.5" in text and TOKEN not in text


def test_an_adapter_comes_from_civitai_with_its_trigger_word(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub
) -> None:
    file = {
        "name": "look_v1.safetensors",
        "sizeKB": len(CONTENT) / 1024,
        "hashes": {"SHA256": SHA.upper()},
        "primary": True,
    }
    hub.answers["/api/v1/models/12"] = {"modelVersions": [{"id": 34}]}
    hub.answers["/api/v1/model-versions/34"] = {"trainedWords": ["brandx"], "files": [file]}
    hub.answers["/api/download/models/34"] = CONTENT
    row, job = fetched(owner, context, database, "https://civitai.com/models/12")
    assert job.state == "done", job.error_sentence
    assert row.passport["trigger_words"] == ["brandx"]


def test_what_does_not_match_its_hash_is_not_kept(
    owner: SignedIn, database: Database, storage: Storage, context: WorkerContext, hub: FakeHub
) -> None:
    model(hub, {"look.safetensors": CONTENT})
    hub.answers["/ada/look/resolve/c0ffee/look.safetensors"] = CONTENT[:-1] + b"!"
    row, job = fetched(owner, context, database, "ada/look")
    assert (job.state, job.error_code, row.key) == ("failed", "damaged", "")
    assert list(storage.keys_under(brought.FOLDER)) == []
    assert "hash differs" in owner.client.get(f"/adapter-files/{row.id}").text


def test_what_was_cut_off_goes_on_where_it_was(
    owner: SignedIn, database: Database, context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.files.whole_file.PAUSES_SECONDS", (0.0,))
    file = "look.safetensors"
    with serving(fake_hub.FakeHub({"ada/look": {file: CONTENT}}, cut_at={file: 900})) as there:
        context.settings = context.settings.model_copy(update={"hub_url": there.url})
        row, job = fetched(owner, context, database, "ada/look")
    assert (job.state, job.error_sentence, row.sha256) == ("done", None, SHA)
    assert there.ranges_of(file) == ["", "bytes=900-"]


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("http://169.254.169.254/latest/meta-data", "elsewhere"),
        ("https://evil.example/look.safetensors", "elsewhere"),
        ("http://cdn.huggingface.co/look.safetensors", "elsewhere"),
        ("file:///etc/passwd", "elsewhere"),
        ("/ada/look/resolve/c0ffee/look.safetensors", "elsewhere"),
    ],
)
def test_it_is_not_sent_to_other_places(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub, place: str, code: str
) -> None:
    """The last one is sent round in a circle."""
    model(hub, {"look.safetensors": CONTENT})
    hub.answers["/ada/look/resolve/c0ffee/look.safetensors"] = place
    _, job = fetched(owner, context, database, "ada/look", TOKEN)
    assert (job.state, job.error_code) == ("failed", code)


def test_a_name_that_means_a_private_address_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fetching.hugging_face("https://huggingface.co")
    for address in ("10.0.0.1", "127.0.0.1", "::1", "169.254.1.1", "192.168.1.1"):
        monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *_, at=address, **__: [(2, 1, 6, "", (at, 443))])
        with pytest.raises(fetching.FetchError) as raised, fetching.opened(real, "https://huggingface.co/api"):
            pass
        assert raised.value.code == "elsewhere"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"/api/models/ada/look/revision/main": 401}, "hub_refuses"),
        ({"/api/models/ada/look/revision/main": 404}, "hub_unknown"),
        ({"/api/models/ada/look/revision/main": 500}, "hub_trouble"),
        ({"/api/models/ada/look/revision/main": b"<html>"}, "hub_trouble"),
        ({"/api/models/ada/look/revision/main": {"siblings": [{"rfilename": "a.bin"}]}}, "no_file"),
        (
            {"/api/models/ada/look/revision/main": {"siblings": [{"rfilename": f"{n}.safetensors"} for n in "ab"]}},
            "several_files",
        ),
        (
            {"/api/models/ada/look/revision/main": {"siblings": [{"rfilename": "a.safetensors", "size": 2**40}]}},
            "too_large",
        ),
    ],
)
def test_every_refusal_has_its_reason(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub, change: dict[str, Any], code: str
) -> None:
    hub.answers |= change
    _, job = fetched(owner, context, database, "ada/look", TOKEN)
    assert (job.state, job.error_code, job.sealed_secret) == ("failed", code, "")
    answer = owner.client.post(f"/operations/jobs/{job.id}/requeue", headers={"accept": "application/json"})
    assert answer.status_code == 409 and code_of(answer) == "needs_its_token"
    assert "requeue" not in owner.client.get("/operations").text


@pytest.fixture
def adapter(owner: SignedIn, database: Database, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Adapter:
    fake = FakeEngine()
    monkeypatch.setattr(registry, "engine_for", lambda family: fake)
    order_training(database, owner.workspace_id, make_brand(database, storage, owner.workspace_id, name="Nordlicht"))
    run_next(worker_context(database, storage), ("training",))
    with database.read() as session:
        return session.scalars(select(Adapter)).one()


def published(
    owner: SignedIn, context: WorkerContext, database: Database, adapter: Adapter, **changes: str
) -> tuple[Publication, Job]:
    form = {"repository": "ada/look", "token": TOKEN, "licence": "cc-by-4.0"} | changes
    answer = owner.client.post(f"/adapters/{adapter.id}/publish", data=form)
    assert answer.status_code == 303, answer.text
    with database.read() as session:
        waiting = session.scalars(select(Job).where(Job.kind == publishing.KIND)).one()
        assert waiting.sealed_secret and TOKEN not in waiting.sealed_secret
    run_next(context, ("generation",))
    with database.read() as session:
        return session.scalars(select(Publication)).one(), session.scalars(
            select(Job).where(Job.kind == publishing.KIND)
        ).one()


def test_an_adapter_goes_to_the_hub_private_and_clean(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub, adapter: Adapter
) -> None:
    hub.answers["/api/models/ada/look"] = {"id": "ada/look", "private": True}
    row, job = published(owner, context, database, adapter)
    assert (job.state, job.error_sentence) == ("done", None), hub.asked
    assert (row.url, job.sealed_secret, row.is_private) == (f"{hub.url}/ada/look", "", True)
    assert hub.private is True
    assert set(hub.committed) == {
        "README.md",
        "nordlicht-style-v1.safetensors",
        "nordlicht-style-v1-diffusers.safetensors",
    }
    card = base64.b64decode(hub.committed["README.md"]).decode()
    assert yaml.safe_load(card.split("---")[1])["license"] == "cc-by-4.0"
    for name, content in hub.committed.items():
        if name != "README.md":
            said = safetensors_file.header_of(
                io.BytesIO(base64.b64decode(content)), len(base64.b64decode(content))
            ).metadata
            assert "ss_tag_frequency" not in said and said["modelspec.trigger_phrase"]
    text = owner.client.get(f"/adapters/{adapter.id}").text
    assert f"{hub.url}/ada/look" in text and TOKEN not in text


def test_files_take_the_checked_way_whoever_loaded_the_library_first() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import huggingface_hub.constants, worker.handlers.adapter_publish\n"
            "from huggingface_hub.utils._runtime import is_xet_available\n"
            "print(is_xet_available(), huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY)",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    "place",
    [
        "http://169.254.169.254/latest",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://inside.example/x",
        "http://storage.example/x",
        "https://storage.example:6379/x",
        "https://ada@storage.example/x",
        "file:///etc/passwd",
        "https://[::1/x",
    ],
)
def test_large_files_are_sent_to_no_private_place(
    owner: SignedIn,
    database: Database,
    context: WorkerContext,
    hub: FakeHub,
    adapter: Adapter,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    hub.answers["/api/models/ada/look"] = {"id": "ada/look", "private": True}
    hub.storage = place
    real, connected = socket.getaddrinfo, []

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        return real("10.0.0.1" if host == "inside.example" else host, *rest, **more)

    def connect(address: tuple[str, int], *rest: Any, **more: Any) -> socket.socket:
        connected.append(address)
        return real_connect(address, *rest, **more)

    real_connect = socket.create_connection
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    _, job = published(owner, context, database, adapter)
    assert (job.state, job.error_code) == ("failed", "elsewhere"), job.error_sentence
    assert set(connected) == {hub.server_address}


def test_a_lokr_of_our_own_training_is_called_one(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub, adapter: Adapter
) -> None:
    with database.write() as session:
        row = session.get_one(Adapter, adapter.id)
        row.facts = {**row.facts, "recipe": {**row.facts.get("recipe", {}), "network": "lokr"}}
    hub.answers["/api/models/ada/look"] = {"id": "ada/look", "private": True}
    _, job = published(owner, context, database, adapter)
    assert job.state == "done", job.error_sentence
    card = base64.b64decode(hub.committed["README.md"]).decode()
    assert "diffusers" not in yaml.safe_load(card.split("---")[1])["tags"], "it does not load there"
    assert "LoKr" in card and "Trained with Livery" in card


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("LoKr", ("lokr_w1", "lokr_w2_a", "lokr_w2_b")),
        ("LoHa", ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")),
    ],
)
def test_a_product_of_matrices_from_elsewhere_goes_to_the_hub_with_its_very_factors(
    owner: SignedIn,
    database: Database,
    storage: Storage,
    context: WorkerContext,
    hub: FakeHub,
    tmp_path: Path,
    kind: str,
    parts: tuple[str, ...],
) -> None:
    hub.answers["/api/models/ada/look"] = {"id": "ada/look", "private": True}
    project_id = make_brand(database, storage, owner.workspace_id, name="Nordlicht")
    layer = "lora_unet_down_blocks_0_attentions_0_proj_in"
    given = {f"{layer}.{part}": float32_tensor([[1.0, 2.0], [3.0, 4.0 + n]]) for n, part in enumerate(parts)}
    content = safetensors_file.to_bytes(given | {f"{layer}.alpha": float32_tensor(1.5)}, {"ss_tag_frequency": "{}"})
    brought_in = owner.client.post("/adapter-files", files={"file": ("look.safetensors", content)})
    form = {"project_id": project_id, "base_model": "stable-diffusion-1-5", "purpose": "style", "trigger_word": "x"}
    assert owner.client.post(f"{brought_in.headers['location']}/adopt", data=form).status_code == 303
    with database.read() as session:
        adapter = session.scalars(select(Adapter)).one()
    _, job = published(owner, context, database, adapter)
    assert (job.state, job.error_sentence) == ("done", None), hub.asked
    weights = {name: base64.b64decode(content) for name, content in hub.committed.items() if name != "README.md"}
    assert weights
    for name, content in weights.items():
        path = tmp_path / name
        path.write_bytes(content)
        tensors, header = safetensors_file.read(path)
        found = key_formats.read(tensors, header)
        assert found.alphas == {"unet.down_blocks.0.attentions.0.proj_in": 1.5}, name
        assert set(found.weights_of("unet.down_blocks.0.attentions.0.proj_in")) == set(parts)
        for part in parts:
            (kept,) = (tensor for key, tensor in tensors.items() if key.endswith(part))
            assert kept == given[f"{layer}.{part}"], (name, part)
        assert "ss_tag_frequency" not in header
    card = base64.b64decode(hub.committed["README.md"]).decode()
    said = yaml.safe_load(card.split("---")[1])
    assert "diffusers" not in said["tags"] and "library_name" not in said, "it does not load there"
    assert kind in card and "Trained elsewhere" in card


def test_a_public_repository_of_that_name_gets_nothing_private(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub, adapter: Adapter
) -> None:
    hub.answers["/api/models/ada/look"] = {"id": "ada/look", "private": False}
    row, job = published(owner, context, database, adapter)
    assert (job.state, job.error_code, row.url, job.sealed_secret) == ("failed", "hub_public", "", "")
    assert hub.committed == {}


def test_a_token_that_may_not_write_is_said_so(
    owner: SignedIn, database: Database, context: WorkerContext, hub: FakeHub, adapter: Adapter
) -> None:
    _, job = published(owner, context, database, adapter, token="hf_of_somebody_else")
    assert (job.state, job.error_code, job.sealed_secret) == ("failed", "hub_refuses", "")


def test_a_voice_goes_to_the_hub_private_under_the_names_that_peft_looks_for(
    owner: SignedIn, database: Database, storage: Storage, context: WorkerContext, hub: FakeHub
) -> None:
    hub.answers["/api/models/ada/look"] = {"id": "ada/look", "private": True}
    project_id = make_brand(database, storage, owner.workspace_id, pictures=0, name="Nordlicht")
    add_texts(database, owner.workspace_id, project_id, 3)
    voice = add_voice(database, storage, owner.workspace_id, project_id)
    assert f'action="/adapters/{voice.id}/publish"' in owner.client.get(f"/adapters/{voice.id}").text
    row, job = published(owner, context, database, voice, samples="true")
    assert (job.state, job.error_sentence, job.sealed_secret) == ("done", None, ""), hub.asked
    assert hub.private is True and row.has_samples is False
    given = {name: base64.b64decode(content) for name, content in hub.committed.items()}
    assert set(given) == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "nordlicht-voice-v1.gguf",
    }
    told = json.loads(given["adapter_config.json"])
    assert (told["r"], told["base_model_name_or_path"]) == (2, "HuggingFaceTB/SmolLM2-135M-Instruct")
    assert given["adapter_model.safetensors"] == storage.get(voice.diffusers_key)
    card = given["README.md"].decode()
    header = yaml.safe_load(card.split("---")[1])
    assert (header["license"], header["library_name"]) == ("cc-by-4.0", "peft")
    assert (header["base_model"], header["language"]) == ("HuggingFaceTB/SmolLM2-135M-Instruct", ["en"])
    learned = voice_rows()[0]["text"]
    assert not any(learned[:30].encode() in content for content in given.values())
    text = owner.client.get(f"/adapters/{voice.id}").text
    assert f"{hub.url}/ada/look" in text and TOKEN not in text


def test_the_card_says_what_one_needs_and_lets_nothing_through() -> None:
    facts = CardFacts(
        name="Nordlicht <script>", purpose="style", version=2, base_name="SD 1.5", base_repository="sd/one",
        base_licence="CreativeML OpenRAIL-M", licence="cc-by-4.0", trigger_word='nord"licht', strength=0.8, rank=16,
        alpha=8.0, note="[click](javascript:alert(1))\n---\nlicense: mit", files=[("a.safetensors", "diffusers")],
        samples=[("samples/1.webp", "a jar: blue\nlicense: mit")],
    )  # fmt: skip
    text = model_card(facts)
    header = text.split("---")[1]
    assert 'license: "cc-by-4.0"' in header and 'base_model: "sd/one"' in header
    assert 'instance_prompt: "nord\\"licht"' in header
    assert header.count("\nlicense:") == 1
    assert "\\<script\\>" in text and "\\[click\\]" in text
    assert "Rank 16, alpha 8" in text
