"""An adapter file from a model hub: found, fetched, checked, and kept with its metadata report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.adapters.hub import addresses
from app.adapters.hub.addresses import HubAddress
from app.adapters.imports import service as imports
from app.errors import N_
from app.jobs import claims
from app.lora_files.safetensors_file import UnsafeFile
from app.sealing import CannotOpen, unseal
from worker.engines.contracts import EngineError
from worker.files import fetching, whole_file
from worker.files.fetching import FetchError, Hub
from worker.files.whole_file import TOO_LARGE, Announced
from worker.files.workspace import job_folder
from worker.job_run import JobRun

MB = 1_000_000
USUAL_NAME = "pytorch_lora_weights.safetensors"
NO_FILE = N_("This model has no .safetensors file that could be a LoRA.")
SEVERAL = N_("This model has several .safetensors files. Please enter the address of the file that you need.")
DAMAGED = N_(
    "The received file is not the one that the model hub announced; its hash differs. Nothing was kept. "
    "Please try again."
)
UNREADABLE = N_("The received file is not a readable safetensors file. Nothing was kept.")


@dataclass(frozen=True)
class Offer:
    """A file as the hub describes it."""

    file: Announced
    name: str
    byte_count: int | None
    """About; None where the hub does not say."""
    trigger_words: tuple[str, ...] = ()


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``."""
    address = addresses.parse(
        job.read(lambda session: imports.address_of(session, job.claim.workspace_id, job.claim.subject_id))
    )
    token = _token(job)
    job.progress.phase("fetching")
    hub = (
        fetching.hugging_face(job.context.settings.hub_url, job.context.settings.hub_hosts)
        if address.hub == "huggingface"
        else fetching.civitai(job.context.settings.civitai_url)
    )
    offer = offered(hub, address, token=token)
    if offer.byte_count is not None and offer.byte_count > job.context.settings.most_adapter_bytes:
        raise EngineError("too_large", TOO_LARGE)
    with job_folder("adapter") as folder:
        path = folder / "adapter.safetensors"
        _fetch(job, hub, offer, path, token=token)
        try:
            stored = imports.keep(
                job.context.storage, path, offer.name, file_id=job.claim.subject_id, learned=offer.trigger_words
            )
        except UnsafeFile as error:
            raise EngineError("unreadable", UNREADABLE) from error
    job.write(lambda session: imports.complete_import(session, job.claim, stored))


def _token(job: JobRun) -> str:
    sealed = job.read(lambda session: claims.sealed_secret(session, job.claim))
    try:
        return unseal(job.context.settings.signing_key(), imports.TOKEN_PURPOSE, sealed) if sealed else ""
    except CannotOpen as error:
        raise EngineError("token_lost", error.sentence) from error


def offered(hub: Hub, address: HubAddress, *, token: str) -> Offer:
    """The one file that an address means. Raises ``EngineError``."""
    return _on_civitai(hub, address, token) if address.hub == "civitai" else _on_hugging_face(hub, address, token)


def _on_hugging_face(hub: Hub, address: HubAddress, token: str) -> Offer:
    told = fetching.get_json(
        hub, f"/api/models/{address.repository}/revision/{address.revision}?blobs=true", token=token
    )
    files = {
        str(one.get("rfilename")): one
        for one in _list(told, "siblings")
        if str(one.get("rfilename", "")).endswith(".safetensors")
    }
    name = (
        address.file
        or (USUAL_NAME if USUAL_NAME in files else None)
        or (next(iter(files)) if len(files) == 1 else None)
    )
    if not files or (name is not None and name not in files):
        raise EngineError("no_file", NO_FILE if not files else fetching.NOT_THERE)
    if name is None:
        raise EngineError("several_files", SEVERAL)
    one = files[name]
    lfs = _dict(one.get("lfs"))
    commit = told.get("sha") if isinstance(told.get("sha"), str) else address.revision
    shown = address.repository.split("/")[1] if name == USUAL_NAME else name
    url = f"{hub.address}/{address.repository}/resolve/{quote(str(commit))}/{quote(name)}"
    size = _size(one.get("size"))
    file = Announced(url, size, _hash(lfs.get("sha256")), _git_hash(one.get("blobId")) if size is not None else "")
    return Offer(file, shown, size)


def _on_civitai(hub: Hub, address: HubAddress, token: str) -> Offer:
    version_id = address.version_id
    if version_id is None:
        told = fetching.get_json(hub, f"/api/v1/models/{address.model_id}", token=token)
        versions = _list(told, "modelVersions")
        if not versions or type(versions[0].get("id")) is not int:
            raise EngineError("no_file", NO_FILE)
        version_id = versions[0]["id"]
    told = fetching.get_json(hub, f"/api/v1/model-versions/{version_id}", token=token)
    files = [one for one in _list(told, "files") if str(one.get("name", "")).endswith(".safetensors")]
    files.sort(key=lambda one: not one.get("primary"))
    if not files:
        raise EngineError("no_file", NO_FILE)
    one = files[0]
    hashes = _dict(one.get("hashes"))
    size = one.get("sizeKB")
    words = tuple(word for word in told.get("trainedWords") or () if isinstance(word, str))[:8]
    # Built from the number that was asked for, not from what the answer says.
    url = f"{hub.address}/api/download/models/{version_id}"
    count = int(size * 1024) if isinstance(size, int | float) and 0 < size < 2**40 else None
    return Offer(Announced(url, sha256=_hash(hashes.get("SHA256"))), str(one["name"]), count, words)


def _fetch(job: JobRun, hub: Hub, offer: Offer, path: Path, *, token: str) -> None:
    here, total = 0, max(1, -(-(offer.byte_count or 0) // MB))
    progress, most = job.progress, job.context.settings.most_adapter_bytes

    def count(more: int) -> None:
        nonlocal here
        here += more
        progress.drawn(min(here // MB, total - 1) if offer.byte_count else here // MB, max(total, here // MB + 1))

    try:
        whole_file.bring(hub, offer.file, path, token=token, on_bytes=count, wait=progress.wait, most=most)
    except FetchError as error:
        if error.code == "wrong_hash":
            raise EngineError("damaged", DAMAGED) from error
        raise


def _list(told: Any, key: str) -> list[dict[str, Any]]:
    found = told.get(key) if isinstance(told, dict) else None
    if not isinstance(found, list):
        raise FetchError("hub_trouble", fetching.HUB_TROUBLE)
    return [one for one in found if isinstance(one, dict)]


def _dict(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _size(given: Any) -> int | None:
    if isinstance(given, str) and given.isdecimal():
        given = int(given[:20])
    return given if type(given) is int and 0 <= given < 2**50 else None


def _hash(given: Any) -> str | None:
    return _hexadecimal(given, 64) or None


def _git_hash(given: Any) -> str:
    return _hexadecimal(given, 40)


def _hexadecimal(given: Any, length: int) -> str:
    text = str(given or "").lower()
    return text if len(text) == length and all(letter in "0123456789abcdef" for letter in text) else ""
