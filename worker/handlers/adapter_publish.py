"""An adapter to a model hub: clean files, a card, and only the sample visuals that somebody chose."""

import os
from pathlib import Path

# Files go to the hub itself, over one well-known way; read when the library is loaded.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from app.adapters import brought, export, publishing
from app.adapters.card import model_card
from app.adapters.publishing import PublishOrder
from app.errors import N_
from app.jobs import service as jobs
from app.jobs.service import Claim
from app.sealing import CannotOpen, unseal
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.progress import JobProgress
from worker.workspace import bring_in, job_folder

NOT_ALLOWED = N_(
    "The model hub does not let us write there. The token must be allowed to write, and the repository must be yours "
    "or your organisation's."
)
PUBLIC_ALREADY = N_(
    "There is a public repository of this name already, and you wanted a private one. Nothing was published. Choose "
    "another name, or allow it to be public."
)
FAILED = N_("The model hub did not take the adapter. Is the worker connected to the internet? Please try again later.")


def run(context: WorkerContext, claim: Claim, progress: JobProgress) -> None:
    """Satisfies ``run_job.Handler``. Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``."""
    order = context.read(lambda session: publishing.order_of(session, claim.workspace_id, claim.subject_id))
    sealed = context.read(lambda session: jobs.sealed_secret(session, claim))
    progress.phase("publishing")
    try:
        token = unseal(context.signing_key, publishing.TOKEN_PURPOSE, sealed or "")
    except CannotOpen as error:
        raise EngineError("token_lost", error.sentence) from error
    with job_folder("publish") as folder:
        files = _files(context, order, folder)
        progress.check()
        url = _publish(context, order, files, token)
    context.write(lambda session: publishing.complete(session, claim, url))


def _files(context: WorkerContext, order: PublishOrder, folder: Path) -> dict[str, Path]:
    """What goes to the hub, by its name there. The file for diffusers is written anew, without what its header tells
    about the training."""
    files = {}
    for_diffusers, own = order.diffusers
    for number, (name, key) in enumerate((*order.keys, (for_diffusers, own))):
        try:
            files[name] = bring_in(context.storage, key, folder / f"{number}{Path(name).suffix}")
        except FileNotFoundError as error:
            raise EngineError("adapter_unreadable", brought.FILE_GONE) from error
    target = folder / "diffusers.safetensors"
    stem = for_diffusers.removesuffix("-diffusers.safetensors")
    export.converted(files[for_diffusers], target, "canonical", name=stem, clean=True)
    card = folder / "README.md"
    card.write_text(model_card(order.card))
    return {"README.md": card, **files, for_diffusers: target}


def _publish(context: WorkerContext, order: PublishOrder, files: dict[str, Path], token: str) -> str:
    hub = HfApi(endpoint=context.hub_url, token=token)
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
    except (OSError, httpx2.HTTPError) as error:
        raise EngineError("hub_away", FAILED) from error
    return f"{context.hub_url.rstrip('/')}/{order.repository}"
