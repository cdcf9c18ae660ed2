"""Pages of adapters: the shelf, the card, and the files to take along."""

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from app.adapters import files, queries, service, sidecar
from app.adapters.forms import DescribeForm, PublishForm
from app.adapters.hub import publishing
from app.adapters.imports import routes as file_routes
from app.adapters.models import Adapter
from app.adapters.voice import files as voice_files
from app.adapters.voice import merged
from app.adapters.voice.imports import read_voice
from app.base_models import queries as base_models
from app.errors import N_, NotFound
from app.projects import queries as projects
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import disposition, send
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.paging import Cursor, from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
router.routes += file_routes.router.routes
SAVED = N_("Saved")
IMPORTED = N_("The voice was imported.")
ARCHIVED = N_("The adapter was archived. Its files and pictures stay.")
UNARCHIVED = N_("The adapter was restored from the archive.")
ON_ITS_WAY = N_("The adapter is being published on the model hub.")
DELETED = N_("The adapter and its files were deleted.")
BEING_MADE = N_("A worker creates the file. You can close this page.")
FILE_DELETED = N_("The file was deleted. You can create it again at any time.")


@router.get("/adapters")
def all_of_them(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    archived: bool = False,
    before: Cursor = None,
) -> Response:
    workspace_id = visitor.workspace.id
    found = queries.adapters(session, workspace_id=workspace_id, archived=archived, before=from_cursor(before))
    there, older = split(found, queries.PAGE, f"/adapters?archived={str(archived).lower()}&before=")
    return page(
        request,
        "pages/adapters.html",
        project=None,
        adapters=there,
        archived=archived,
        archived_count=queries.archived_count(session, workspace_id=workspace_id),
        base_name=_namer(session, there),
        older=older,
    )


@router.get("/projects/{project_id}/adapters")
def of_project(
    request: Request, session: ReadSession, visitor: Viewer, project_id: RowId, archived: bool = False
) -> Response:
    workspace_id = visitor.workspace.id
    there = queries.of_project(session, workspace_id=workspace_id, project_id=project_id, archived=archived)
    return page(
        request,
        "pages/adapters.html",
        project=projects.project(session, workspace_id=workspace_id, project_id=project_id),
        adapters=there,
        archived=archived,
        archived_count=queries.archived_count(session, workspace_id=workspace_id, project_id=project_id),
        base_name=_namer(session, there),
        older=None,
    )


@router.post("/projects/{project_id}/adapters/voice")
@audited("adapter.imported")
def import_voice(
    request: Request,
    session: WriteSession,
    storage: FileStorage,
    visitor: Editor,
    project_id: RowId,
    file: Annotated[UploadFile, File()],
) -> Response:
    """A voice that was trained elsewhere."""
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    adapter = service.import_voice(
        session,
        storage,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        voice=read_voice(file.file, base_models.text_offered(session, workspace_id=visitor.workspace.id)),
        created_by=visitor.user.id,
    )
    return go(request, f"/adapters/{adapter.id}", Flash("ok", translate(request.state.locale, IMPORTED)))


def _namer(session: ReadSession, there: Sequence[Adapter]) -> Callable[[str], str]:
    keys = {adapter.base_model for adapter in there}
    names = base_models.names(session, workspace_id=there[0].workspace_id, keys=keys) if there else {}
    return lambda key: names.get(key, key)


@router.get("/adapters/{adapter_id}/files/{kind}")
def download(
    session: ReadSession, visitor: Viewer, storage: FileStorage, adapter_id: RowId, kind: files.Kind
) -> Response:
    adapter = queries.adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    return adapter_file(session, storage, adapter, kind)


def adapter_file(session: ReadSession, storage: FileStorage, adapter: Adapter, kind: files.Kind) -> Response:
    """The answer that saves one of the adapter's files under a readable name."""
    if kind == "sidecar":
        base = base_models.find(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
        return Response(
            sidecar.sidecar(adapter, _namer(session, [adapter])(adapter.base_model), base),
            media_type="application/json",
            headers={"content-disposition": disposition(files.sidecar_name(adapter)), "cache-control": "no-store"},
        )
    file = files.file_of(adapter, kind)
    return send(storage, file.key, files.MEDIA_TYPE, download_name=file.name, keep=False)


@router.get("/adapters/{voice_adapter_id}/voice-files/{voice_file}")
def download_voice(
    session: ReadSession,
    visitor: Viewer,
    storage: FileStorage,
    voice_adapter_id: RowId,
    voice_file: voice_files.VoiceFile,
) -> Response:
    adapter = queries.voice(session, workspace_id=visitor.workspace.id, adapter_id=voice_adapter_id)
    return voice_download(session, storage, adapter, voice_file)


def voice_download(
    session: ReadSession, storage: FileStorage, adapter: Adapter, kind: voice_files.VoiceFile
) -> Response:
    """The answer that saves one of the files of a voice under a readable name. Raises ``NotFound``."""
    name = voice_files.voice_file_name(adapter, kind)
    if kind == "peft":
        base = base_models.find_text(session, workspace_id=adapter.workspace_id, key=adapter.base_model)
        packed = voice_files.peft_folder(storage, adapter, base)
        headers = {"content-disposition": disposition(name), "content-length": str(len(packed))}
        return StreamingResponse(packed, media_type="application/zip", headers=headers)
    key = adapter.gguf_key if kind == "gguf" else adapter.diffusers_key
    if not key:
        raise NotFound()
    return send(storage, key, files.MEDIA_TYPE, download_name=name, keep=False)


@router.post("/adapters/{voice_adapter_id}/merged/{form}")
@audited("merged_file.ordered")
def merge(
    request: Request, session: WriteSession, visitor: Editor, voice_adapter_id: RowId, form: merged.Form
) -> Response:
    merged.order(
        session,
        workspace_id=visitor.workspace.id,
        adapter_id=voice_adapter_id,
        form=form,
        created_by=visitor.user.id,
    )
    return go(request, f"/adapters/{voice_adapter_id}", Flash("ok", translate(request.state.locale, BEING_MADE)))


@router.get("/adapters/{voice_adapter_id}/merged/{form}")
def download_merged(
    session: ReadSession, visitor: Viewer, storage: FileStorage, voice_adapter_id: RowId, form: merged.Form
) -> Response:
    return merged_download(session, visitor, storage, voice_adapter_id, form)


def merged_download(
    session: ReadSession, visitor: Visitor, storage: FileStorage, adapter_id: str, form: merged.Form
) -> Response:
    """The answer that saves a voice's merged file under a readable name. Raises ``NotFound``."""
    adapter, row = merged.file_of(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id, form=form)
    media_type = merged.MEDIA_TYPES.get(form, files.MEDIA_TYPE)
    return send(storage, row.key, media_type, download_name=merged.merged_file_name(adapter, form), keep=False)


@router.post("/adapters/{voice_adapter_id}/merged/{form}/delete")
@audited("merged_file.deleted")
def delete_merged(
    request: Request,
    session: WriteSession,
    storage: FileStorage,
    visitor: Editor,
    voice_adapter_id: RowId,
    form: merged.Form,
) -> Response:
    key = merged.delete(session, workspace_id=visitor.workspace.id, adapter_id=voice_adapter_id, form=form)
    response = go(request, f"/adapters/{voice_adapter_id}", Flash("ok", translate(request.state.locale, FILE_DELETED)))
    if key:
        response.background = BackgroundTask(storage.delete, key)
    return response


@router.get("/adapters/{adapter_id}/samples/{place}.webp")
def sample(session: ReadSession, visitor: Viewer, storage: FileStorage, adapter_id: RowId, place: int) -> Response:
    """One of the sample pictures that its page lists; the list never changes."""
    adapter = queries.adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    listed = adapter.facts.get("samples", [])
    if not 0 <= place < len(listed):
        raise NotFound()
    return send(storage, listed[place]["key"], "image/webp")


@router.post("/adapters/{adapter_id}")
@audited("adapter.changed")
def describe(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    adapter_id: RowId,
    form: Annotated[DescribeForm, Form()],
) -> Response:
    service.describe(
        session,
        workspace_id=visitor.workspace.id,
        adapter_id=adapter_id,
        name=form.name,
        note=form.note,
        recommended_strength=form.recommended_strength,
    )
    return go(request, f"/adapters/{adapter_id}", Flash("ok", translate(request.state.locale, SAVED)))


@router.post("/adapters/{adapter_id}/publish")
@audited("adapter.published")
def publish(
    request: Request, session: WriteSession, visitor: Editor, adapter_id: RowId, form: Annotated[PublishForm, Form()]
) -> Response:
    publishing.order(
        session,
        workspace_id=visitor.workspace.id,
        adapter_id=adapter_id,
        repository=form.repository,
        token=form.token,
        signing_key=request.app.state.signing_key,
        licence=form.licence,
        is_private=not form.public,
        has_samples=form.samples,
        created_by=visitor.user.id,
    )
    return go(request, f"/adapters/{adapter_id}", Flash("ok", translate(request.state.locale, ON_ITS_WAY)))


@router.post("/adapters/{adapter_id}/archive")
@audited("adapter.archived")
def archive(request: Request, session: WriteSession, visitor: Editor, adapter_id: RowId) -> Response:
    adapter = service.archive(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    told = Flash("undo", translate(request.state.locale, ARCHIVED), f"/adapters/{adapter_id}/unarchive")
    return go(request, f"/projects/{adapter.project_id}/adapters", told)


@router.post("/adapters/{adapter_id}/unarchive")
@audited("adapter.unarchived")
def unarchive(request: Request, session: WriteSession, visitor: Editor, adapter_id: RowId) -> Response:
    service.unarchive(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    return go(request, f"/adapters/{adapter_id}", Flash("ok", translate(request.state.locale, UNARCHIVED)))


@router.post("/adapters/{adapter_id}/delete")
@audited("adapter.deleted")
def delete(
    request: Request, session: WriteSession, storage: FileStorage, visitor: Editor, adapter_id: RowId
) -> Response:
    project_id = queries.adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id).project_id
    folder = service.delete_adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id)
    told = Flash("ok", translate(request.state.locale, DELETED))
    response = go(request, f"/projects/{project_id}/adapters", told)
    # Runs after the transaction was committed and the answer sent.
    response.background = BackgroundTask(storage.delete_under, folder)
    return response
