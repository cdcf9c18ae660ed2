"""Adapters as JSON, and their files."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, Response, UploadFile
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from app.adapters import files, queries, service
from app.adapters.forms import Note, PublishForm, Strength
from app.adapters.hub import publishing
from app.adapters.models import Adapter, Publication
from app.adapters.routes import adapter_file, merged_download, voice_download
from app.adapters.voice import files as voice_files
from app.adapters.voice import merged
from app.adapters.voice.imports import read_voice
from app.base_models import queries as base_models
from app.jobs import queries as jobs
from app.jobs.api import OLD, JobOut
from app.jobs.models import Job
from app.projects import queries as projects
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.paging import Cursor, from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import Name, RowId

router = APIRouter(tags=["Adapters"], route_class=DeferredRoute)


class NewPublication(JsonBody, PublishForm):
    """Where an adapter goes. The token is used once and never shown again."""


class AdapterOut(BaseModel, defer_build=True):
    """A trained adapter. Its files are at `/adapters/{id}/files/{kind}`."""

    id: str
    project_id: str
    training_id: str | None
    name: str
    version: int
    """Counts up within a brand."""
    modality: str
    """`image` draws, `text` writes."""
    purpose: str
    base_model: str
    base_edition: int
    """Of that base model; an adapter of an earlier edition than the one that draws now is refused."""
    rank: int
    alpha: float
    trigger_word: str
    recommended_strength: float
    note: str
    byte_count: int
    """Of the diffusers file, as is `sha256`."""
    sha256: str
    picture_count: int | None
    steps: int | None
    finished: bool
    """False when a person stopped the training early."""
    recipe: dict[str, Any] | None
    created_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, adapter: Adapter) -> "AdapterOut":
        own = {name: getattr(adapter, name) for name in cls.model_fields if hasattr(adapter, name)}
        facts = adapter.facts
        return cls(
            **own,
            picture_count=facts.get("picture_count"),
            steps=facts.get("steps"),
            finished=facts.get("finished", True),
            recipe=facts.get("recipe"),
        )


class AdapterList(BaseModel, defer_build=True):
    items: list[AdapterOut]
    next: str | None


class AdapterChanges(JsonBody):
    """What people read about an adapter; fields left out stay as they are."""

    name: Name | None = None
    note: Note | None = None
    recommended_strength: Strength | None = None


@router.get("/adapters", summary="List adapters")
def list_adapters(
    session: ReadSession,
    visitor: Viewer,
    archived: bool = False,
    cursor: Cursor = None,
) -> AdapterList:
    """All adapters in the workspace, newest first."""
    found = queries.adapters(session, workspace_id=visitor.workspace.id, archived=archived, before=from_cursor(cursor))
    shown, following = split(found, queries.PAGE)
    return AdapterList(items=[AdapterOut.of(row) for row in shown], next=following)


@router.get("/projects/{project_id}/adapters", summary="List a brand's adapters")
def of_project(session: ReadSession, visitor: Viewer, project_id: RowId, archived: bool = False) -> AdapterList:
    """Newest version first, on one page."""
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    found = queries.of_project(session, workspace_id=visitor.workspace.id, project_id=project_id, archived=archived)
    return AdapterList(items=[AdapterOut.of(row) for row in found], next=None)


@router.get("/adapters/{adapter_id}", summary="Get an adapter")
def show(session: ReadSession, visitor: Viewer, adapter_id: RowId) -> AdapterOut:
    return AdapterOut.of(queries.adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id))


@router.patch("/adapters/{adapter_id}", summary="Describe an adapter")
@audited("adapter.changed")
def describe(session: WriteSession, visitor: Editor, adapter_id: RowId, changes: AdapterChanges) -> AdapterOut:
    adapter = service.describe(
        session,
        workspace_id=visitor.workspace.id,
        adapter_id=adapter_id,
        name=changes.name,
        note=changes.note,
        recommended_strength=changes.recommended_strength,
    )
    return AdapterOut.of(adapter)


class PublicationOut(BaseModel, defer_build=True):
    """An adapter on its way to a model hub; `url` is where it is, and empty until it is there."""

    id: str
    adapter_id: str
    repository: str
    is_private: bool
    has_samples: bool
    licence: str
    url: str
    created_at: datetime
    job: JobOut | None

    @classmethod
    def of(cls, row: Publication, job: Job | None) -> "PublicationOut":
        own = {name: getattr(row, name) for name in cls.model_fields if name != "job"}
        return cls(**own, job=JobOut.of(job) if job is not None else None)


@router.post("/adapters/{adapter_id}/publish", summary="Publish an adapter", status_code=202)
@audited("adapter.published")
def publish(
    request: Request, session: WriteSession, visitor: Editor, adapter_id: RowId, order: NewPublication
) -> PublicationOut:
    """Uploads clean files and a card to Hugging Face, private unless `public`; never the training data. A worker
    does the upload."""
    row = publishing.order(
        session,
        workspace_id=visitor.workspace.id,
        adapter_id=adapter_id,
        repository=order.repository,
        token=order.token,
        signing_key=request.app.state.signing_key,
        licence=order.licence,
        is_private=not order.public,
        has_samples=order.samples,
        created_by=visitor.user.id,
    )
    return PublicationOut.of(row, jobs.job_of(session, row.id))


@router.get("/adapters/{adapter_id}/publications", summary="Where an adapter was published")
def publications(session: ReadSession, visitor: Viewer, adapter_id: RowId) -> list[PublicationOut]:
    """Newest first."""
    workspace_id = visitor.workspace.id
    queries.adapter(session, workspace_id=workspace_id, adapter_id=adapter_id)
    found = queries.publications(session, workspace_id=workspace_id, adapter_id=adapter_id)
    by_subject = jobs.jobs_of(session, [row.id for row in found])
    return [PublicationOut.of(row, by_subject.get(row.id)) for row in found]


@router.post("/adapters/{adapter_id}/archive", summary="Archive an adapter")
@audited("adapter.archived")
def archive(session: WriteSession, visitor: Editor, adapter_id: RowId) -> AdapterOut:
    return AdapterOut.of(service.archive(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id))


@router.post("/adapters/{adapter_id}/unarchive", summary="Restore an adapter from the archive")
@audited("adapter.unarchived")
def unarchive(session: WriteSession, visitor: Editor, adapter_id: RowId) -> AdapterOut:
    return AdapterOut.of(service.unarchive(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id))


@router.delete("/adapters/{adapter_id}", summary="Delete an adapter", status_code=204)
@audited("adapter.deleted")
def delete(session: WriteSession, visitor: Editor, storage: FileStorage, adapter_id: RowId) -> Response:
    """Deletes the adapter's files too; pictures created with it stay."""
    folder = service.delete_adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    return Response(status_code=204, background=BackgroundTask(storage.delete_under, folder))


@router.get("/adapters/{adapter_id}/files/{kind}", summary="Download an adapter", response_class=Response)
def download(
    session: ReadSession, visitor: Viewer, storage: FileStorage, adapter_id: RowId, kind: files.Kind
) -> Response:
    """`diffusers`; `kohya` for AUTOMATIC1111, Forge, ComfyUI and sd-scripts; `clean`, the same without any mention of
    the training pictures; `sidecar`, the `.json` that AUTOMATIC1111 reads next to the adapter."""
    adapter = queries.adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    return adapter_file(session, storage, adapter, kind)


@router.get(
    "/adapters/{voice_adapter_id}/voice-files/{voice_file}", summary="Download a voice file", response_class=Response
)
def voice_file_of(
    session: ReadSession,
    visitor: Viewer,
    storage: FileStorage,
    voice_adapter_id: RowId,
    voice_file: voice_files.VoiceFile,
) -> Response:
    """`peft`: a folder as a ZIP. `safetensors`: one file. `gguf`: for llama.cpp and Ollama."""
    adapter = queries.voice(session, workspace_id=visitor.workspace.id, adapter_id=voice_adapter_id)
    return voice_download(session, storage, adapter, voice_file)


class MergedFileOut(BaseModel, defer_build=True):
    """A voice and its base model as one model in one file: `safetensors` (a folder for transformers, as a ZIP),
    `gguf_f16` or `gguf_q8_0` (for llama.cpp and Ollama). Of a voice that was trained elsewhere also `gguf_adapter`: the
    adapter alone for llama.cpp, which is then among the voice's own files (`gguf`)."""

    form: merged.Form
    name: str
    job: JobOut | None
    """Null when nobody has asked for it, and when it has been there for long."""
    state: str = Field(json_schema_extra=OLD)
    """`none` when nobody has asked for it, `done` when it is there, else the state of its job."""
    byte_count: int | None
    """None until it is there."""
    about_bytes: int
    """Its size as far as it can be told before."""
    error: str | None = Field(json_schema_extra=OLD)
    """Why it could not be made: its job's `error_sentence`."""

    @classmethod
    def of(cls, shown: merged.Shown) -> "MergedFileOut":
        state = "done" if shown.is_there else shown.job.state if shown.job is not None else "none"
        return cls(
            form=shown.form,
            name=shown.name,
            job=JobOut.of(shown.job) if shown.job is not None else None,
            state=state,
            byte_count=shown.row.byte_count if shown.row is not None and shown.is_there else None,
            about_bytes=shown.about_bytes,
            error=shown.job.error_sentence if shown.job is not None else None,
        )


@router.get("/adapters/{voice_adapter_id}/merged", summary="List a voice's merged files")
def list_merged(session: ReadSession, visitor: Viewer, voice_adapter_id: RowId) -> list[MergedFileOut]:
    """All merged files that can be created, whether they exist or not."""
    adapter = queries.voice(session, workspace_id=visitor.workspace.id, adapter_id=voice_adapter_id)
    return [MergedFileOut.of(one) for one in merged.shown(session, adapter)]


@router.post("/adapters/{voice_adapter_id}/merged/{form}", summary="Merge a voice with its base", status_code=202)
@audited("merged_file.ordered")
def merge(session: WriteSession, visitor: Editor, voice_adapter_id: RowId, form: merged.Form) -> MergedFileOut:
    """A worker creates the file, which is kept until someone deletes it. Repeated requests return the same file."""
    merged.order(
        session,
        workspace_id=visitor.workspace.id,
        adapter_id=voice_adapter_id,
        form=form,
        created_by=visitor.user.id,
    )
    adapter = queries.voice(session, workspace_id=visitor.workspace.id, adapter_id=voice_adapter_id)
    return next(MergedFileOut.of(one) for one in merged.shown(session, adapter) if one.form == form)


@router.get(
    "/adapters/{voice_adapter_id}/merged/{form}", summary="Download a voice's merged file", response_class=Response
)
def merged_file_of(
    session: ReadSession, visitor: Viewer, storage: FileStorage, voice_adapter_id: RowId, form: merged.Form
) -> Response:
    """Available once the file has been created."""
    return merged_download(session, visitor, storage, voice_adapter_id, form)


@router.delete("/adapters/{voice_adapter_id}/merged/{form}", summary="Delete a merged file", status_code=204)
@audited("merged_file.deleted")
def delete_merged(
    session: WriteSession, visitor: Editor, storage: FileStorage, voice_adapter_id: RowId, form: merged.Form
) -> Response:
    """The voice stays, and the file can be created again."""
    key = merged.delete(session, workspace_id=visitor.workspace.id, adapter_id=voice_adapter_id, form=form)
    return Response(status_code=204, background=BackgroundTask(storage.delete, key) if key else None)


@router.post("/projects/{project_id}/adapters/voice", summary="Import a voice", status_code=201)
@audited("adapter.imported")
def import_voice(
    session: WriteSession,
    storage: FileStorage,
    visitor: Editor,
    project_id: RowId,
    file: Annotated[UploadFile, File()],
) -> AdapterOut:
    """A voice trained elsewhere: a PEFT folder as a ZIP, or a safetensors file created by Livery."""
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    adapter = service.import_voice(
        session,
        storage,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        voice=read_voice(file.file, base_models.text_offered(session, workspace_id=visitor.workspace.id)),
        created_by=visitor.user.id,
    )
    return AdapterOut.of(adapter)
