"""A base model as an engine gets it: files on this machine, fetched first where they are not there yet."""

import io
import json
import logging
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.adapters import inspecting
from app.base_files import queries as base_files
from app.base_files import service as base_file_service
from app.base_files.queries import Source
from app.base_models import queries as base_models
from app.base_models import recognition, service, text_recognition
from app.base_models.catalogue import BaseModelEntry, TextModelEntry
from app.base_models.recognition import Facts
from app.errors import N_, AppError
from app.jobs import claims
from app.lora_files import safetensors_file
from app.lora_files.families import known
from app.lora_files.safetensors_file import UnsafeFile
from app.machine.disk import free_bytes
from app.sealing import CannotOpen
from worker.engines.contracts import Base, Cancelled, EngineError
from worker.files import base_folders, checkpoint_folder, language_models
from worker.files.base_folders import Copy, Wanted
from worker.files.hub import Hub, HubFile, Repository
from worker.job_run import JobRun

log = logging.getLogger("livery.worker")
KB, GB = 1000, 1e9
GOT_FURTHER_EVERY_SECONDS = 15.0
NO_ROOM = N_(
    "The worker's disk has no space for this base model: %(needed)s GB must still be fetched, and %(free)s GB "
    "are available for that. Free some space, or remove the files of a base model that nobody uses, and try "
    "again."
)
LOCAL_GONE = N_(
    "The checkpoint “%(name)s” is no longer in the checkpoint folder on this worker's machine. Put it back, or "
    "choose another base model."
)
UNREADABLE = N_("This checkpoint is not a readable safetensors file (%(reason)s). Choose another file.")
UNUSABLE: dict[type[AppError], str] = {
    text_recognition.NoLanguageModel: "no_language_model",
    text_recognition.NotWholeNumbers: "packed_numbers",
    text_recognition.LanguageModelTooLarge: "model_too_large",
    text_recognition.UnknownLayers: "unknown_layers",
    text_recognition.NoTokenizer: "no_tokenizer",
}
"""What is wrong with a language model → the code of the job's error."""


def ready(job: JobRun, entry: BaseModelEntry | TextModelEntry) -> Base:
    """The base model for an order; what is not on this machine is fetched first, with the job's progress in kilobytes.

    Raises ``EngineError`` for what people can act on, and like ``progress.check``.
    """
    if entry.source == "builtin":
        return Base(entry.key, entry.family, entry.source, entry.revision)
    source = _source(job, entry.key)
    if source.is_local:
        path = _local(job, source.source)
        return Base(entry.key, entry.family, str(path), parts=_parts(job, entry.family, path))
    if not source.is_own and _is_in_the_hubs_cache(source):
        return Base(entry.key, entry.family, entry.source, entry.revision)
    copy = _copy(job, source)
    path = copy.folder / copy.file if copy.file else copy.folder
    parts = _parts(job, entry.family, path)
    return Base(entry.key, entry.family, str(path), copy.commit, parts, on_hub=source.source)


def fetch(job: JobRun, key: str) -> None:
    """Fetch everything that the base model needs, and tell its family from its files. Raises like ``ready``."""
    source = _source(job, key)
    copy = _copy(job, source)
    if copy.file:
        entry = job.read(lambda session: base_models.find(session, workspace_id=job.claim.workspace_id, key=key))
        if entry is not None:
            _parts(job, entry.family, copy.folder / copy.file)


def _source(job: JobRun, key: str) -> Source:
    try:
        return job.read(lambda session: base_files.source_of(session, workspace_id=job.claim.workspace_id, key=key))
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error


def _copy(job: JobRun, source: Source) -> Copy:
    """The base model's files, fetched if they are not whole."""
    folder = base_folders.folder_of(job.context.cache_folder, job.claim.workspace_id, source.key)

    def look(repository: Repository, hub: Hub) -> list[Wanted]:
        if source.file:
            wanted = base_folders.of_one_file(repository, source.file)
            facts = _facts_of_file(hub, repository, wanted[0].file)
        elif source.is_text and not source.is_own:
            return base_folders.of_language_model(repository)
        elif language_models.is_one(top := _at_the_top(repository)):
            wanted = base_folders.of_language_model(repository)
            facts = _facts_of_language_model(hub, repository, top)
        else:
            index = _json(hub, repository, "model_index.json")
            wanted = base_folders.of_pipeline(repository, index)
            facts = _facts_of_pipeline(hub, repository, index)
        if source.is_own:
            _note_facts(job, source.key, facts)
        return wanted

    copy = _whole(job, source, folder, look)
    _note(job, source.key, copy)
    return copy


def _parts(job: JobRun, family: str, path: Path) -> str | None:
    """Where the configuration of a checkpoint that is one file lies, and the parts that it does not hold."""
    if path.suffix != ".safetensors":
        return None
    like = base_models.like(family)
    if like is None:
        raise EngineError("unknown_family", base_models.NO_DEFAULTS)
    there = base_folders.whole(base_folders.folder_of(job.context.cache_folder, job.claim.workspace_id, like.key))
    if there is not None:
        return str(there.folder)

    def look(repository: Repository, hub: Hub) -> list[Wanted]:
        index = _json(hub, repository, "model_index.json")
        facts = known.by_key(family)
        held = facts.checkpoint.parts if facts is not None and facts.checkpoint is not None else frozenset[str]()
        return base_folders.of_pipeline(repository, index, without=held)

    folder = base_folders.folder_of(job.context.cache_folder, job.claim.workspace_id, f"{like.key}{base_folders.PARTS}")
    return str(_whole(job, _source(job, like.key), folder, look).folder)


def _whole(
    job: JobRun,
    source: Source,
    folder: Path,
    look: Callable[[Repository, Hub], list[Wanted]],
) -> Copy:
    """The copy in ``folder``; what ``look`` wants of the repository is fetched if it is not whole."""
    copy = base_folders.whole(folder)
    if copy is not None:
        return copy
    job.progress.phase("fetching")
    with base_folders.held(folder, job.progress.wait):
        copy = base_folders.whole(folder)
        if copy is not None:
            return copy
        try:
            hub = _hub(job, source)
            repository = hub.repository(source.source, source.revision)
            wanted = look(repository, hub)
            _bring(job, hub, repository, wanted, folder)
        except Cancelled:
            base_folders.remove(folder)
            raise
        file = wanted[0].path if source.file else None
        copy = base_folders.mark_whole(folder, repository, wanted, file)
    job.progress.begin_anew()
    return copy


def _hub(job: JobRun, source: Source) -> Hub:
    """With the workspace's token. Without one the machine's own counts for the catalogue alone, for with it anybody
    could add, by its name, a private repository of the person who runs this Livery."""
    try:
        token = job.read(
            lambda session: base_files.hub_token(
                session, job.context.settings.signing_key(), workspace_id=job.claim.workspace_id
            )
        )
    except CannotOpen as error:
        raise EngineError("token_lost", error.sentence) from error
    return Hub(
        job.context.settings.hub_url, token, own_token=not source.is_own, file_hosts=job.context.settings.hub_hosts
    )


def _bring(
    job: JobRun,
    hub: Hub,
    repository: Repository,
    wanted: list[Wanted],
    folder: Path,
) -> None:
    total = sum(one.file.size for one in wanted)
    missing = [one for one in wanted if not _is_there(folder, one)]
    left = sum(one.file.size for one in missing)
    _check_room(job, folder, left - sum(hub.bytes_kept(repository, one.file, folder / one.path) for one in missing))
    done, furthest, told = total - left, 0, time.monotonic()

    def count(more: int) -> None:
        nonlocal done, furthest, told
        done += more
        if done > furthest and time.monotonic() - told > GOT_FURTHER_EVERY_SECONDS:
            furthest, told = done, time.monotonic()
            job.context.note(lambda session: claims.assert_lease(session, job.claim, got_further=True))
        job.progress.drawn(done // KB, max(1, total // KB))

    for one in missing:
        hub.fetch(repository, one.file, folder / one.path, on_bytes=count, wait=job.progress.wait)


def _is_there(folder: Path, wanted: Wanted) -> bool:
    """Whole and checked by an earlier attempt: a file has its name only since then."""
    path = folder / wanted.path
    return path.is_file() and path.stat().st_size == wanted.file.size


def _check_room(job: JobRun, folder: Path, needed: int) -> None:
    free = max(0, free_bytes(folder) - job.context.disk.floor_bytes)
    if needed > free:
        raise EngineError("no_room", NO_ROOM % {"needed": f"{needed / GB:.1f}", "free": f"{free / GB:.1f}"})


def _note(job: JobRun, key: str, copy: Copy) -> None:
    machine = base_folders.machine_of(job.context.cache_folder)
    state = job.read(lambda session: base_files.state(session, workspace_id=job.claim.workspace_id, key=key))
    if any(one.machine == machine and one.commit_hash == copy.commit for one in state.copies):
        return
    job.write(
        lambda session: base_file_service.note_copy(
            session,
            job.claim,
            key=key,
            machine=machine,
            host=socket.gethostname(),
            commit_hash=copy.commit,
            byte_count=copy.byte_count,
        )
    )


def _note_facts(job: JobRun, key: str, facts: Facts) -> None:
    try:
        job.write(
            lambda session: service.note_facts(session, workspace_id=job.claim.workspace_id, base_id=key, facts=facts)
        )
    except AppError as error:
        raise EngineError("other_family", str(error)) from error


def _facts_of_file(hub: Hub, repository: Repository, file: HubFile) -> Facts:
    """From the header alone, before the gigabytes behind it are fetched."""
    (length,) = struct.unpack("<Q", hub.beginning(repository, file, 8).ljust(8, b"\0"))
    text = hub.beginning(repository, file, 8 + min(length, safetensors_file.MAX_HEADER_BYTES))
    try:
        header = inspecting.header_of(io.BytesIO(text), file.size, most_bytes=checkpoint_folder.MOST_BYTES)
        return recognition.of_tensors(header.tensors)
    except UnsafeFile as error:
        raise EngineError("unreadable_checkpoint", UNREADABLE % error.params) from error
    except AppError as error:
        raise EngineError("unknown_checkpoint", str(error)) from error


def _at_the_top(repository: Repository) -> dict[str, int]:
    """Names and sizes of its files that are in no folder."""
    return {path: file.size for path, file in repository.files.items() if "/" not in path}


def _facts_of_language_model(hub: Hub, repository: Repository, sizes: dict[str, int]) -> Facts:
    try:
        return language_models.facts_of(
            sizes, lambda name, count: hub.beginning(repository, repository.files[name], count)
        )
    except UnsafeFile as error:
        raise EngineError("unreadable_checkpoint", UNREADABLE % error.params) from error
    except AppError as error:
        raise EngineError(UNUSABLE.get(type(error), "unknown_checkpoint"), str(error)) from error


def _facts_of_pipeline(hub: Hub, repository: Repository, index: dict[str, Any]) -> Facts:
    parts = {
        part: _json(hub, repository, path)
        for part, path in checkpoint_folder.CONFIGURATIONS.items()
        if path in repository.files
    }
    try:
        return recognition.of_pipeline(index, **parts)
    except AppError as error:
        raise EngineError("unknown_checkpoint", str(error)) from error


def _json(hub: Hub, repository: Repository, path: str) -> dict[str, Any]:
    file = repository.files.get(path)
    if file is None or file.size > base_folders.MOST_SMALL_BYTES:
        raise EngineError("no_pipeline", base_folders.NO_PIPELINE)
    try:
        content = json.loads(hub.beginning(repository, file, file.size))
    except ValueError as error:
        raise EngineError("no_pipeline", base_folders.NO_PIPELINE) from error
    return content if isinstance(content, dict) else {}


def _local(job: JobRun, name: str) -> Path:
    path = checkpoint_folder.entry(job.context.settings.effective_checkpoints_folder, name)
    if path is None:
        raise EngineError("local_gone", LOCAL_GONE % {"name": name})
    return path


def _is_in_the_hubs_cache(source: Source) -> bool:
    """Workers used it before, and machines without internet may have been filled so."""
    from huggingface_hub import try_to_load_from_cache

    sign = "config.json" if source.is_text else "model_index.json"
    return isinstance(try_to_load_from_cache(source.source, sign, revision=source.revision), str)
