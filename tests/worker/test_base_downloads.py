"""Base models' files from a hub: whole, checked, resumed, refused in words; nobody gets at another workspace's."""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.numpy
from numpy import zeros
from pydantic import SecretStr

from app.base_files import queries, service
from app.base_files.queries import FilesState
from app.base_models import queries as base_models
from app.base_models import service as base_model_service
from app.db import Database
from app.jobs import claims
from app.jobs.models import Job
from app.settings import Settings
from app.storage import Storage
from tests.fake_hub import COMMIT, FakeHub, git_hash, serving
from tests.orders import make_workspace
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.files import base_folders, base_upkeep, fetching, whole_file
from worker.files import base_models as worker_bases
from worker.files.hub import GATED, Hub, HubFile, Repository
from worker.job_run import JobRun
from worker.progress import JobProgress
from worker.run_job import run_next

REPOSITORY = "acme/house"
KEY = b"a key for tests"
UNET = bytes(range(256)) * 9000
CONFIG = json.dumps({"sample_size": 64}).encode()


def _pipeline() -> dict[str, bytes]:
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": [None, None],
    }
    return {
        "model_index.json": json.dumps(index).encode(),
        "README.md": b"words",
        "unet/config.json": CONFIG,
        "unet/diffusion_pytorch_model.safetensors": UNET,
        "unet/diffusion_pytorch_model.fp16.safetensors": b"half",
        "unet/diffusion_pytorch_model.bin": b"pickle",
        "vae/config.json": b"{}",
        "vae/diffusion_pytorch_model.fp16.safetensors": b"only in halves",
        "scheduler/scheduler_config.json": json.dumps({"prediction_type": "v_prediction"}).encode(),
        "safety_checker/model.safetensors": b"not needed",
        "house-v1.ckpt": b"pickle",
    }


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serving(FakeHub({REPOSITORY: _pipeline()})) as hub:
        yield hub


@pytest.fixture
def context(database: Database, storage: Storage, hub: FakeHub, tmp_path: Path) -> WorkerContext:
    return WorkerContext(
        database=database,
        storage=storage,
        worker_id="w",
        queues=("training",),
        cache_folder=tmp_path / "cache",
        settings=Settings(
            hub_url=hub.url, secret_key=SecretStr(KEY.decode()), checkpoints_folder=str(tmp_path / "checkpoints")
        ),
    )


Added = Callable[..., tuple[str, str]]


@pytest.fixture
def add(database: Database) -> Added:
    """Adds a base model in a new workspace and orders its files; gives the workspace's id and the key."""

    def added(*, token: str = "", **changes: str) -> tuple[str, str]:
        workspace_id = make_workspace(database)
        with database.write() as session:
            if token:
                service.keep_token(session, KEY, workspace_id=workspace_id, token=token, created_by=None)
            fields = {"name": "Haus", "repository": REPOSITORY} | changes
            row = base_model_service.add_from_hub(session, workspace_id=workspace_id, created_by=None, **fields)
            service.order_download(session, workspace_id=workspace_id, key=row.id, created_by=None)
            return workspace_id, row.id

    return added


def _run(context: WorkerContext, workspace_id: str, key: str) -> FilesState:
    assert run_next(context, ("training",))
    with context.database.read() as session:
        return queries.state(session, workspace_id=workspace_id, key=key)


def _folder(context: WorkerContext, workspace_id: str, key: str) -> Path:
    return base_folders.folder_of(context.cache_folder, workspace_id, key)


def test_a_pipeline_is_fetched_without_what_it_does_not_need_and_told_from_its_files(
    context: WorkerContext, add: Added
) -> None:
    workspace_id, key = add()
    state = _run(context, workspace_id, key)
    assert state.job and state.job.state == "done", state.job and state.job.error_sentence
    folder = _folder(context, workspace_id, key)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {
        ".in-use",
        "copy.json",
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
    }
    assert (folder / "unet/diffusion_pytorch_model.safetensors").read_bytes() == UNET
    (copy,) = state.copies
    assert (copy.commit_hash, copy.byte_count) == (COMMIT, sum(size for size in _sizes(folder).values()))
    with context.database.read() as session:
        entry = base_models.entry(session, workspace_id=workspace_id, key=key)
    assert (entry.family, entry.prediction_type, entry.resolution) == ("stable_diffusion", "v_prediction", 512)


def _sizes(folder: Path) -> dict[str, int]:
    return json.loads((folder / "copy.json").read_text())["files"]  # type: ignore[no-any-return]


def test_what_was_cut_off_goes_on_where_it_was(
    context: WorkerContext, add: Added, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.files.whole_file.PAUSES_SECONDS", (0.0, 0.0))
    file = "unet/diffusion_pytorch_model.safetensors"
    hub.cut_at[file] = 1_500_000
    workspace_id, key = add()
    state = _run(context, workspace_id, key)
    assert state.job and state.job.state == "done", state.job and state.job.error_sentence
    first, second = hub.ranges_of(file)
    assert first == "" and second.startswith("bytes=1") and second.endswith("-")
    assert (_folder(context, workspace_id, key) / file).read_bytes() == UNET


def test_killed_in_the_middle_the_next_attempt_fetches_only_the_rest(hub: FakeHub, tmp_path: Path) -> None:
    file = "unet/diffusion_pytorch_model.safetensors"
    hub.stall_at[file] = 1_700_000
    code = (
        "import sys;from pathlib import Path;from worker.files.hub import Hub;"
        "h=Hub(sys.argv[1]);r=h.repository(sys.argv[2],None);"
        "h.fetch(r,r.files[sys.argv[3]],Path(sys.argv[4]),on_bytes=lambda n:None,wait=lambda s:None)"
    )
    target = tmp_path / "copy" / "unet.safetensors"
    process = subprocess.Popen([sys.executable, "-c", code, hub.url, REPOSITORY, file, str(target)], cwd=os.getcwd())
    assert hub.stalling.wait(60)
    deadline = 600
    while not (parts := list(target.parent.glob("*.part"))) or parts[0].stat().st_size < 1_000_000:
        deadline -= 1
        assert deadline and not process.poll(), "nothing was written"
        hub.closing.wait(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert not target.exists()
    del hub.stall_at[file]
    here: list[int] = []
    ours = Hub(hub.url)
    repository = ours.repository(REPOSITORY, None)
    ours.fetch(repository, repository.files[file], target, on_bytes=here.append, wait=lambda _: None)
    assert target.read_bytes() == UNET
    assert here[0] >= 1_000_000 and sum(here) == len(UNET)
    assert hub.ranges_of(file)[-1] == f"bytes={here[0]}-"
    assert list(target.parent.glob("*.part")) == []


def test_a_file_with_another_hash_is_thrown_away(context: WorkerContext, add: Added, hub: FakeHub) -> None:
    for file in ("unet/diffusion_pytorch_model.safetensors", "vae/config.json"):
        hub.forged = {file}
        workspace_id, key = add()
        state = _run(context, workspace_id, key)
        assert state.job and (state.job.state, state.job.error_code) == ("failed", "wrong_hash")
        assert not state.copies and not (_folder(context, workspace_id, key) / file).exists()
        assert not list(_folder(context, workspace_id, key).rglob("*.part"))


def test_more_than_the_hub_announces_is_not_taken(
    context: WorkerContext, add: Added, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "unet/diffusion_pytorch_model.safetensors"
    hub.too_long = {file}
    workspace_id, key = add()
    kept: list[int] = []
    is_right = whole_file._is_right

    def look(part: Path, announced: whole_file.Announced) -> bool:
        kept.append(part.stat().st_size)
        return is_right(part, announced)

    monkeypatch.setattr(whole_file, "_is_right", look)
    state = _run(context, workspace_id, key)
    assert state.job and (state.job.state, state.job.error_code) == ("failed", "wrong_hash")
    assert not list(_folder(context, workspace_id, key).rglob("*.part"))
    assert len(UNET) < max(kept) <= len(UNET) + 1_000_000


@pytest.mark.parametrize("place", ["https://evil.example", "http://169.254.169.254", "http://cdn-lfs.hf.co"])
def test_it_is_not_sent_to_other_places(context: WorkerContext, add: Added, hub: FakeHub, place: str) -> None:
    hub.sent_to["unet/config.json"] = place
    state = _run(context, *add(token="hf_secret"))
    assert state.job and (state.job.state, state.job.error_code) == ("failed", "elsewhere")


def test_a_token_stays_with_the_hub_when_the_files_lie_elsewhere(
    context: WorkerContext, add: Added, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "unet/diffusion_pytorch_model.safetensors"
    hub.gated[REPOSITORY], hub.sent_to[file] = "hf_secret", "https://cdn-lfs-us-1.hf.co"
    plain = fetching._connection

    def connection(place: fetching.Hub, url: str) -> http.client.HTTPConnection:
        return plain(place, url.replace(hub.sent_to[file], hub.url))

    monkeypatch.setattr(fetching, "_connection", connection)
    state = _run(context, *add(token="hf_secret"))
    assert state.job and state.job.state == "done", state.job and state.job.error_sentence
    given = {path.startswith("/files/"): token for path, _, token in hub.asked}
    assert given == {False: "Bearer hf_secret", True: ""}


def test_a_mirror_may_send_on_to_the_hosts_that_were_named() -> None:
    mirror = fetching.hugging_face("https://mirror.example", ("files.mirror.example",))
    allowed = ["https://mirror.example/x", "https://files.mirror.example/x", "https://cdn-lfs.hf.co/x"]
    others = ["http://files.mirror.example/x", "https://files.mirror.example:8443/x", "https://a.files.mirror.example"]
    assert [mirror.allows(url) for url in allowed + others] == [True] * 3 + [False] * 3


def test_behind_a_proxy_it_is_asked_for_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:secret@127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("https_proxy", f"http://ada:secret@127.0.0.1:{proxy.getsockname()[1]}")
        heard = bytearray()

        def refuse() -> None:
            connection, _ = proxy.accept()
            with connection:
                heard.extend(connection.recv(2000))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        with pytest.raises(EngineError) as raised:
            Hub("https://huggingface.co", "hf_secret").repository("acme/house", None)
        thread.join(10)
    assert raised.value.code == "hub_away"
    assert heard.startswith(b"CONNECT huggingface.co:443 ") and b"hf_secret" not in heard
    assert base64.b64encode(b"ada:secret") in heard


def test_a_gated_base_says_what_to_do_and_comes_with_the_token_which_nothing_tells(
    context: WorkerContext, add: Added, hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.gated[REPOSITORY] = "hf_secret"
    for token in ("", "hf_another"):
        workspace_id, key = add(token=token)
        state = _run(context, workspace_id, key)
        assert state.job and state.job.error_code == "gated"
        assert state.job.error_sentence == GATED
    workspace_id, key = add(token="hf_secret")
    state = _run(context, workspace_id, key)
    assert state.job and state.job.state == "done", state.job and state.job.error_sentence
    with context.database.read() as session:
        told = [str(tuple(row)) for row in session.execute(Job.__table__.select())]
        row = queries.hub_token_row(session, workspace_id=workspace_id)
    assert row and "hf_secret" not in row.sealed
    assert "hf_secret" not in caplog.text + "".join(told)
    assert "hf_secret" not in "".join(path.read_text(errors="ignore") for path in context.cache_folder.rglob("*.json"))


def test_a_repository_that_is_not_there_is_told_apart(context: WorkerContext, add: Added) -> None:
    state = _run(context, *add(repository="acme/nothing"))
    assert state.job and state.job.error_code == "not_on_hub"


def test_a_short_disk_is_told_with_numbers_before_anything_is_fetched(
    context: WorkerContext, add: Added, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.files.base_models.free_bytes", lambda folder: 100_000_000)
    monkeypatch.setitem(hub.repositories[REPOSITORY], "unet/diffusion_pytorch_model.safetensors", b"x")
    monkeypatch.setattr("tests.fake_hub._sibling", _huge(5_000_000_000))
    state = _run(context, *add())
    assert state.job and state.job.error_code == "no_room"
    assert "5.0 GB" in (state.job.error_sentence or "") and "0.1 GB" in (state.job.error_sentence or "")
    assert not any("diffusion_pytorch_model" in path for path, _, _ in hub.asked)


def _huge(size: int) -> Callable[[str, bytes], dict[str, object]]:
    def sibling(path: str, content: bytes) -> dict[str, object]:
        big = path == "unet/diffusion_pytorch_model.safetensors"
        return {"rfilename": path, "size": size if big else len(content), "blobId": git_hash(content)}

    return sibling


def test_weights_that_can_carry_programs_are_refused(context: WorkerContext, add: Added, hub: FakeHub) -> None:
    files = hub.repositories[REPOSITORY]
    for path in [path for path in files if path.startswith("unet/") and path.endswith(".safetensors")]:
        del files[path]
    state = _run(context, *add())
    assert state.job and state.job.error_code == "only_pickles"
    assert not any(path.endswith(".bin") for path, _, _ in hub.asked)


def test_cancelled_it_leaves_nothing(context: WorkerContext, add: Added, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace_id, key = add()
    drawn = JobProgress.drawn

    def cancel(self: JobProgress, done: int, total: int) -> None:
        if done > 1000:
            self._cancel.set()
        drawn(self, done, total)

    monkeypatch.setattr(JobProgress, "drawn", cancel)
    state = _run(context, workspace_id, key)
    assert state.job and state.job.state == "cancelled"
    assert not state.copies and not _folder(context, workspace_id, key).exists()


def test_one_file_is_known_by_its_header_before_it_is_fetched(context: WorkerContext, add: Added, hub: FakeHub) -> None:
    names = ["model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.1.model.ln_final.weight"]
    hub.repositories[REPOSITORY] |= {
        "odd.safetensors": b"\xff" * 4000,
        "lora.safetensors": safetensors.numpy.save({"lora_unet.lora_up.weight": zeros(3)}),
        "sdxl.safetensors": safetensors.numpy.save(dict.fromkeys(names, zeros(30))),
    }
    for file, code in (("odd", "unreadable_checkpoint"), ("lora", "unknown_checkpoint"), ("x", "not_on_hub")):
        state = _run(context, *add(file=f"{file}.safetensors"))
        assert state.job and state.job.error_code == code, state.job and state.job.error_sentence
        assert "" not in hub.ranges_of(f"{file}.safetensors"), "all of it was asked for"
    state = _run(context, *add(file="sdxl.safetensors", family="stable_diffusion"))
    assert state.job and state.job.error_code == "other_family"


def test_removed_files_go_from_the_disk_and_come_again(context: WorkerContext, add: Added) -> None:
    workspace_id, key = add()
    _run(context, workspace_id, key)
    with context.database.write() as session:
        assert service.remove_files(session, workspace_id=workspace_id, key=key) == 1
    base_upkeep.tick(context)
    assert not _folder(context, workspace_id, key).exists()
    with context.database.write() as session:
        assert not queries.state(session, workspace_id=workspace_id, key=key).copies
        with pytest.raises(service.NotHere):
            service.remove_files(session, workspace_id=workspace_id, key=key)
        service.order_download(session, workspace_id=workspace_id, key=key, created_by=None)
    assert _run(context, workspace_id, key).copies


def test_an_order_fetches_what_is_missing_and_finds_it_the_next_time(
    context: WorkerContext, add: Added, hub: FakeHub
) -> None:
    workspace_id, key = add(family="stable_diffusion")
    with context.database.write() as session:
        entry = base_models.entry(session, workspace_id=workspace_id, key=key)
        claim = claims.claim_next(session, queues=("training",), owner="w")
    assert claim is not None
    with JobProgress(context, claim) as progress:
        base = worker_bases.ready(JobRun(context, claim, progress), entry)
        assert base.source == str(_folder(context, workspace_id, key)) and base.revision == COMMIT
        assert base.origin == REPOSITORY
        asked = len(hub.asked)
        assert worker_bases.ready(JobRun(context, claim, progress), entry) == base
    assert len(hub.asked) == asked


def test_the_folder_of_checkpoints_is_told_with_reasons(context: WorkerContext, database: Database) -> None:
    folder = context.settings.effective_checkpoints_folder
    (folder / "pipeline" / "unet").mkdir(parents=True)
    (folder / "pipeline" / "model_index.json").write_bytes(_pipeline()["model_index.json"])
    (folder / "pickles" / "unet").mkdir(parents=True)
    (folder / "pickles" / "model_index.json").write_bytes(_pipeline()["model_index.json"])
    (folder / "pickles" / "unet" / "model.bin").write_bytes(b"x")
    (folder / "old.ckpt").write_bytes(b"x")
    (folder / "hostile.safetensors").write_bytes(b"\xff" * 100)
    flux = {"double_blocks.0.img_attn.qkv.weight": zeros(2), "time_in.in_layer.weight": zeros(2)}
    (folder / "flux.safetensors").write_bytes(safetensors.numpy.save(flux))
    (folder / "notes.txt").write_text("words")
    base_upkeep.tell_what_lies_ready(context)
    with database.read() as session:
        told = {one.name: (one.family, bool(one.problem)) for one in base_models.lying_ready(session)}
    assert told == {
        "pipeline": ("stable_diffusion", False),
        "pickles": ("", True),
        "old.ckpt": ("", True),
        "hostile.safetensors": ("", True),
        "flux.safetensors": ("flux", False),
    }


def test_a_local_checkpoint_file_is_ready_with_the_small_files_of_its_familys_base(
    context: WorkerContext, add: Added, hub: FakeHub
) -> None:
    workspace_id, _ = add()
    folder = context.settings.effective_checkpoints_folder
    folder.mkdir()
    names = ["model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.transformer.text_model.x"]
    (folder / "house.safetensors").write_bytes(safetensors.numpy.save(dict.fromkeys(names, zeros(3))))
    like = base_models.like("stable_diffusion")
    assert like is not None
    hub.repositories[like.source] = _pipeline()
    base_upkeep.tell_what_lies_ready(context)
    with context.database.write() as session:
        row = base_model_service.add_local(
            session, workspace_id=workspace_id, name="Haus", entry="house.safetensors", created_by=None
        )
        entry = base_models.entry(session, workspace_id=workspace_id, key=row.id)
        claim = claims.claim_next(session, queues=("training",), owner="w")
    assert claim is not None
    with JobProgress(context, claim) as progress:
        base = worker_bases.ready(JobRun(context, claim, progress), entry)
        assert base.source == str(folder / "house.safetensors") and base.parts
        there = {path.relative_to(base.parts).as_posix() for path in Path(base.parts).rglob("*.*")}
        assert {"model_index.json", "unet/config.json", "vae/config.json"} <= there
        assert not any(path.endswith(".safetensors") for path in there)
        (folder / "house.safetensors").unlink()
        with pytest.raises(EngineError, match="house"):
            worker_bases.ready(JobRun(context, claim, progress), entry)


def test_of_several_forms_of_the_same_numbers_one_is_fetched() -> None:
    def paths(*names: str) -> list[str]:
        files = {name: HubFile(name, 1, None, "0") for name in names}
        wanted = base_folders.of_language_model(Repository("a/b", "c", files))
        return sorted(one.path for one in wanted)

    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = "model.safetensors.index.json"
    plain = ["config.json", "tokenizer.json", "merges.txt", "tokenizer.model", "chat_template.jinja"]
    assert paths(*plain, *shards, index, "consolidated.safetensors", "README.md", "x.py", "model.bin") == sorted(
        [*plain, *shards, index]
    )
    assert paths("config.json", "model.safetensors", *shards, index) == ["config.json", "model.safetensors"]
    assert paths("config.json", "model.fp16.safetensors") == ["config.json", "model.safetensors"]
    with pytest.raises(EngineError, match="programs"):
        paths("config.json", "pytorch_model.bin")


def test_the_sweep_keeps_what_is_used(context: WorkerContext, add: Added) -> None:
    workspace_id, key = add()
    _run(context, workspace_id, key)
    used = _folder(context, workspace_id, key)
    broken, orphan = _folder(context, workspace_id, "broken"), _folder(context, "0" * 32, "gone")
    broken.mkdir(parents=True)
    (broken / "x.part").write_bytes(b"x")
    shutil.copytree(used, orphan)
    assert base_upkeep.sweep_unused(context) == 0, "all of it is young"
    for path in (*used.rglob("*"), *broken.rglob("*"), *orphan.rglob("*"), used, broken, orphan):
        os.utime(path, (0, 0))
    assert base_upkeep.sweep_unused(context) == 2
    assert used.exists() and not broken.exists() and not orphan.exists()
