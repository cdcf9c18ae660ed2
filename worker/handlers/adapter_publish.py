"""An adapter to a model hub: clean files, a card, and only the sample visuals that somebody chose."""

import json
from dataclasses import replace
from pathlib import Path

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi, constants, set_client_factory
from huggingface_hub.errors import HfHubHTTPError

from app.adapters import inspecting
from app.adapters.hub import publishing
from app.adapters.hub.card import model_card, programs_of, voice_card
from app.adapters.hub.publishing import PublishOrder
from app.adapters.imports import service as imports
from app.adapters.voice import files as voice_files
from app.errors import N_, NotFound
from app.jobs import claims
from app.lora_files import export
from app.sealing import CannotOpen, unseal
from worker.engines.contracts import EngineError
from worker.files import fetching
from worker.files.uploading import client_for
from worker.files.workspace import bring_in, job_folder
from worker.job_run import JobRun

# Files go to the hub itself, over one well-known way, which is the one that is checked. Said here and not in the
# environment: another library may have loaded this one long before, and the environment is read once.
constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_TELEMETRY = True

NOT_ALLOWED = N_(
    "The model hub does not let Livery write to this repository. The token needs write access, and the "
    "repository must be yours or your organisation's."
)
PUBLIC_ALREADY = N_(
    "A public repository of this name already exists, but you requested a private one. Nothing was published. "
    "Choose another name, or allow it to be public."
)
FAILED = N_(
    "The model hub did not accept the adapter. Is the worker connected to the internet? Please try again later."
)


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``."""
    order = job.read(lambda session: publishing.order_of(session, job.claim.workspace_id, job.claim.subject_id))
    sealed = job.read(lambda session: claims.sealed_secret(session, job.claim))
    job.progress.phase("publishing")
    try:
        token = unseal(job.context.settings.signing_key(), publishing.TOKEN_PURPOSE, sealed or "")
    except CannotOpen as error:
        raise EngineError("token_lost", error.sentence) from error
    with job_folder("publish") as folder:
        if order.diffusers is None:
            files = _voice_files(job, order, folder)
        else:
            files = _files(job, order, order.diffusers, folder)
        job.progress.check()
        url = _publish(job, order, files, token)
    job.write(lambda session: publishing.complete(session, job.claim, url))


def _files(job: JobRun, order: PublishOrder, diffusers: tuple[str, str], folder: Path) -> dict[str, Path]:
    """What goes to the hub, by its name there. The file for diffusers is written anew, without what its header tells
    about the training."""
    for_diffusers, own = diffusers
    files = _fetched(job, (*order.keys, (for_diffusers, own)), folder)
    target = folder / "diffusers.safetensors"
    stem = for_diffusers.removesuffix("-diffusers.safetensors")
    export.for_engines(files[for_diffusers], target, name=stem, clean=True)
    given = {**files, for_diffusers: target}
    weights = {name: path for name, path in given.items() if name.endswith(".safetensors")}
    programs = [(name, programs_of(inspecting.of_file(path, whole=False))) for name, path in weights.items()]
    card = folder / "README.md"
    card.write_text(model_card(replace(order.card, files=programs)))
    return {"README.md": card, **given}


def _voice_files(job: JobRun, order: PublishOrder, folder: Path) -> dict[str, Path]:
    """The same for a voice. Its file's header is PEFT's configuration and nothing else."""
    files = _fetched(job, order.keys, folder)
    try:
        facts = voice_files.configuration(job.context.storage, dict(order.keys)[voice_files.TENSORS])
    except NotFound as error:
        raise EngineError("adapter_unreadable", imports.FILE_GONE) from error
    configuration, card = folder / "configuration.json", folder / "README.md"
    configuration.write_text(json.dumps(facts, indent=1, sort_keys=True))
    card.write_text(voice_card(order.card))
    return {"README.md": card, voice_files.CONFIGURATION_FILE: configuration, **files}


def _fetched(job: JobRun, keys: tuple[tuple[str, str], ...], folder: Path) -> dict[str, Path]:
    files = {}
    for number, (name, key) in enumerate(keys):
        try:
            files[name] = bring_in(job.context.storage, key, folder / f"{number}{Path(name).suffix}")
        except FileNotFoundError as error:
            raise EngineError("adapter_unreadable", imports.FILE_GONE) from error
    return files


def _publish(job: JobRun, order: PublishOrder, files: dict[str, Path], token: str) -> str:
    hub = HfApi(endpoint=job.context.settings.hub_url, token=token)
    place = fetching.hugging_face(job.context.settings.hub_url, job.context.settings.hub_hosts)
    set_client_factory(lambda: client_for(place))
    try:
        hub.create_repo(order.repository, private=order.is_private, exist_ok=True, repo_type="model")
        if order.is_private and not hub.model_info(order.repository).private:
            raise EngineError("hub_public", PUBLIC_ALREADY)
        hub.create_commit(
            order.repository,
            [CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path)) for name, path in files.items()],
            commit_message=f"{order.card.name}, version {order.card.version}",
            repo_type="model",
        )
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403, 404):
            raise EngineError("hub_refuses", NOT_ALLOWED) from error
        raise EngineError("hub_trouble", FAILED) from error
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise EngineError("hub_away", FAILED) from error
    except RuntimeError as error:  # so the library calls whatever went wrong with one large file
        if isinstance(error.__cause__, EngineError):
            raise error.__cause__ from error
        if isinstance(error.__cause__, httpx2.InvalidURL):
            raise fetching.FetchError("elsewhere", fetching.ELSEWHERE) from error
        if isinstance(error.__cause__, OSError | httpx2.HTTPError):
            raise EngineError("hub_away", FAILED) from error
        raise
    return f"{job.context.settings.hub_url.rstrip('/')}/{order.repository}"
