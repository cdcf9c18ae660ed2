"""Base models for programs."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.base_files import queries as base_files
from app.base_files import service as base_file_service
from app.base_files.queries import FilesState
from app.base_models import queries, service
from app.base_models.catalogue import BaseModelEntry, TextModelEntry
from app.base_models.forms import DescribeForm, HubForm, Key, LocalForm, TokenForm
from app.base_models.models import OwnBase
from app.jobs.api import OLD, JobOut
from app.trainings.bases import rows
from app.trainings.bases.rows import Commercial, Place
from app.trainings.bases.runs_here import Verdict
from app.trainings.kind import Modality
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Owner, Viewer
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId

MODALITIES: tuple[Modality, ...] = ("image", "text")
router = APIRouter(tags=["Base models"], route_class=DeferredRoute)


class FromHub(JsonBody, HubForm):
    """A repository of the model hub, or one file of it."""


class FromFolder(JsonBody, LocalForm):
    """An entry of the folder of checkpoints on the workers' machine."""


class Description(JsonBody, DescribeForm):
    """What people read of it."""


class HubToken(JsonBody, TokenForm):
    """Opens repositories that are not for everybody."""


class BaseModelList(BaseModel, defer_build=True):
    """All base models that an order may name, on one page: the catalogue's, then the workspace's own."""

    items: list[BaseModelEntry]
    next: str | None = None


@router.get("/base-models", summary="List the base models")
def base_models(session: ReadSession, visitor: Viewer) -> BaseModelList:
    """Base models for training and drawing, with licence and memory requirements."""
    return BaseModelList(items=queries.offered(session, workspace_id=visitor.workspace.id))


class RowOut(BaseModel, defer_build=True):
    """What one asks of a base model at a glance."""

    key: str
    name: str
    modality: Literal["image", "text"] | None
    """Null while nobody has looked at its files."""
    recommended: bool
    runs_here: Verdict
    """Whether a usual training runs on the workers' largest device: 20 pictures in a style, or 100 texts."""
    reason: str
    """Why, in a phrase."""
    commercial: Commercial
    place: Place
    """Where its files are, or what is missing."""
    download_bytes: int | None
    """What a worker would fetch; a language model's is worked out from its size."""


class RowList(BaseModel, defer_build=True):
    """All base models, for pictures and then for texts, on one page; the recommended first."""

    items: list[RowOut]
    next: str | None = None


@router.get("/base-models-here", summary="Show which base models run here")
def base_models_here(session: ReadSession, visitor: Viewer) -> RowList:
    """For each base model: the reason, whether it may be used commercially, and where its files are."""
    found: dict[str, RowOut] = {}
    for modality in MODALITIES:
        unknown = rows.rows_without_entry(session, modality, workspace_id=visitor.workspace.id)
        for row in (*unknown, *rows.rows(session, modality, workspace_id=visitor.workspace.id)):
            found[row.key] = RowOut(
                key=row.key,
                name=row.name,
                modality=row.modality,
                recommended=row.is_recommended,
                runs_here=row.runs.verdict,
                reason=row.runs.reason % row.runs.facts,
                commercial=row.commercial,
                place=row.place,
                download_bytes=row.download_bytes,
            )
    return RowList(items=list(found.values()))


@router.get("/base-models/{key}", summary="Show one base model")
def base_model(session: ReadSession, visitor: Viewer, key: Key) -> BaseModelEntry:
    return queries.entry(session, workspace_id=visitor.workspace.id, key=key)


class OwnBaseOut(BaseModel, defer_build=True):
    """A base model that the workspace has added. Its id is the key that orders name."""

    id: str
    name: str
    family: str
    """Empty until a worker has looked at its files; orders can name it from then on."""
    place: Literal["hub", "local"]
    source: str
    file: str
    revision: str
    licence: str
    licence_sentence: str
    commercial: bool | None
    languages: str
    """Of a language model: ISO 639 codes with spaces between them."""
    created_at: datetime
    archived_at: datetime | None


def _out(row: OwnBase) -> OwnBaseOut:
    return OwnBaseOut.model_validate(row, from_attributes=True)


class OwnBaseList(BaseModel, defer_build=True):
    """The workspace's own base models, on one page; also those whose family is not known yet."""

    items: list[OwnBaseOut]
    next: str | None = None


@router.get("/own-base-models", summary="List the base models that the workspace has added")
def own(session: ReadSession, visitor: Viewer, archived: bool = False) -> OwnBaseList:
    rows = queries.own_bases(session, workspace_id=visitor.workspace.id, archived=archived)
    return OwnBaseList(items=[_out(row) for row in rows])


@router.post("/own-base-models/hub", status_code=201, summary="Add a base model from the model hub")
@audited("base_model.added")
def add_from_hub(session: WriteSession, visitor: Owner, order: FromHub) -> OwnBaseOut:
    """A pipeline, one safetensors file, or a language model. A worker fetches it and detects its family."""
    workspace_id, user_id = visitor.workspace.id, visitor.user.id
    row = service.add_from_hub(
        session,
        workspace_id=workspace_id,
        repository=order.repository,
        file=order.file,
        revision=order.revision,
        family=order.family,
        created_by=user_id,
        **order.described(),
    )
    base_file_service.order_download(session, workspace_id=workspace_id, key=row.id, created_by=user_id)
    return _out(row)


class Checkpoint(BaseModel, defer_build=True):
    """An entry of the folder of checkpoints on a worker's machine."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    byte_count: int
    family: str
    """Empty where it cannot be used."""
    problem: str
    """Why it cannot."""


class CheckpointList(BaseModel, defer_build=True):
    """What lies in the folder of checkpoints on the workers' machines, on one page."""

    items: list[Checkpoint]
    next: str | None = None


@router.get("/checkpoints", summary="List the checkpoints on the workers' machines")
def checkpoints(session: ReadSession, visitor: Owner) -> CheckpointList:
    return CheckpointList(items=[Checkpoint.model_validate(one) for one in queries.lying_ready(session)])


@router.post("/own-base-models/local", status_code=201, summary="Add a checkpoint from a worker's machine")
@audited("base_model.added")
def add_local(session: WriteSession, visitor: Owner, order: FromFolder) -> OwnBaseOut:
    row = service.add_local(
        session,
        workspace_id=visitor.workspace.id,
        entry=order.entry,
        created_by=visitor.user.id,
        **order.described(),
    )
    return _out(row)


@router.put("/own-base-models/{base_id}", summary="Change a base model's name and licence")
@audited("base_model.changed")
def describe(session: WriteSession, visitor: Owner, base_id: RowId, order: Description) -> OwnBaseOut:
    row = service.describe(session, workspace_id=visitor.workspace.id, base_id=base_id, **order.described())
    return _out(row)


@router.delete("/own-base-models/{base_id}", status_code=204, summary="Hide a base model")
@audited("base_model.put_away")
def put_away(session: WriteSession, visitor: Owner, base_id: RowId) -> None:
    """The base model can no longer be chosen; what was made with it stays and keeps working."""
    service.put_away(session, workspace_id=visitor.workspace.id, base_id=base_id)


@router.post("/own-base-models/{base_id}/take-back", summary="Restore a hidden base model")
@audited("base_model.taken_back")
def take_back(session: WriteSession, visitor: Owner, base_id: RowId) -> OwnBaseOut:
    return _out(service.take_back(session, workspace_id=visitor.workspace.id, base_id=base_id))


class FilesOut(BaseModel, defer_build=True):
    """Where a base model's files are."""

    hosts: list[str]
    """Machines that have them whole and checked."""
    byte_count: int
    job: JobOut | None
    """The latest download."""
    state: str | None = Field(json_schema_extra=OLD)
    job_id: str | None = Field(json_schema_extra=OLD)
    share: float | None
    """Of the bytes that are here, from 0 to 1, while it is being fetched."""
    error_sentence: str | None = Field(json_schema_extra=OLD)


def _files(state: FilesState) -> FilesOut:
    return FilesOut(
        hosts=[copy.host for copy in state.copies],
        byte_count=state.byte_count,
        job=JobOut.of(state.job) if state.job else None,
        state=state.job.state if state.job else None,
        job_id=state.job.id if state.job else None,
        share=state.share,
        error_sentence=state.job.error_sentence if state.job else None,
    )


@router.get("/base-models/{key}/files", summary="Show where a base model's files are")
def files(session: ReadSession, visitor: Viewer, key: Key) -> FilesOut:
    base_files.source_of(session, workspace_id=visitor.workspace.id, key=key)
    return _files(base_files.state(session, workspace_id=visitor.workspace.id, key=key))


@router.post("/base-models/{key}/files", status_code=202, summary="Fetch a base model's files")
@audited("base_model.fetched")
def fetch(session: WriteSession, visitor: Owner, key: Key) -> FilesOut:
    workspace_id = visitor.workspace.id
    base_file_service.order_download(session, workspace_id=workspace_id, key=key, created_by=visitor.user.id)
    return _files(base_files.state(session, workspace_id=workspace_id, key=key))


@router.delete("/base-models/{key}/files", status_code=202, summary="Remove a base model's files")
@audited("base_model.files_removed")
def remove_files(session: WriteSession, visitor: Owner, key: Key) -> dict[str, int]:
    """Removes the files from the workers' disks within seconds. The next request that needs the base model fetches
    them again."""
    return {"machines": base_file_service.remove_files(session, workspace_id=visitor.workspace.id, key=key)}


class HubTokenOut(BaseModel, defer_build=True):
    """Whether there is a token for the model hub; never the token itself."""

    is_set: bool
    created_at: datetime | None = None


@router.get("/hub-token", summary="Show whether a model hub token is set")
def hub_token(session: ReadSession, visitor: Owner) -> HubTokenOut:
    row = base_files.hub_token_row(session, workspace_id=visitor.workspace.id)
    return HubTokenOut(is_set=row is not None, created_at=row.created_at if row else None)


@router.put("/hub-token", summary="Store a model hub token")
@audited("hub_token.kept")
def keep_token(request: Request, session: WriteSession, visitor: Owner, order: HubToken) -> HubTokenOut:
    """Replaces the previous token. The token is used only for downloads."""
    key: Any = request.app.state.signing_key
    row = base_file_service.keep_token(
        session, key, workspace_id=visitor.workspace.id, token=order.token.strip(), created_by=visitor.user.id
    )
    return HubTokenOut(is_set=True, created_at=row.created_at)


@router.delete("/hub-token", status_code=204, summary="Remove the model hub token")
@audited("hub_token.forgotten")
def forget_token(session: WriteSession, visitor: Owner) -> Response:
    base_file_service.forget_token(session, workspace_id=visitor.workspace.id)
    return Response(status_code=204)


class TextModelList(BaseModel, defer_build=True):
    """All language models that an order may name, on one page: the catalogue's, then the workspace's own."""

    items: list[TextModelEntry]
    next: str | None = None


@router.get("/text-models", summary="List the language models")
def text_models(session: ReadSession, visitor: Viewer) -> TextModelList:
    """Language models for training a voice and writing with it, with licence, languages and size."""
    return TextModelList(items=queries.text_offered(session, workspace_id=visitor.workspace.id))
