"""Pages of a brand's pictures: collecting them, looking at each, and the files themselves."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse

from app.errors import N_, NotFound
from app.images import bulk_routes, captions, exports, queries, service, uploads
from app.images.crops import bucket_sizes, training_crop
from app.images.demo import add_demo_brand
from app.images.forms import CaptionForm, FocusForm, SelectionForm
from app.images.judging.findings import findings
from app.images.judging.look_alikes import advice_for
from app.images.models import Image
from app.images.queries import Filter, JudgedSet
from app.images.reading.readers import suggest_palette
from app.images.upload_target import UploadTargetDep, add_uploads
from app.images.view import address, picture_view
from app.projects import queries as projects
from app.web.answers import go, is_htmx, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import disposition, send
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import counted, ngettext, translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import AppSettings, FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page, render
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
router.routes += bulk_routes.router.routes

PREVIEW_BUCKETS = bucket_sizes(1024)
"""The crop that is shown is that of a base model with 1,024 pixels; smaller ones cut nearly the same."""

WELCOME = N_("Here is a demo brand with its pictures. Look around, then train it.")
SAVED = N_("Saved")


def _set_facts(judged: JudgedSet) -> dict[str, Any]:
    """What the meter and the filters show."""
    return {
        "judged": judged,
        "findings": findings(judged),
        "filters": [(name, judged.count(name)) for name in queries.FILTERS],
        "enough": queries.ENOUGH_IMAGES,
        "many": queries.MANY_IMAGES,
    }


@router.post("/projects/demo")
@audited("project.created")
def demo(
    request: Request, session: WriteSession, visitor: Editor, storage: FileStorage, settings: AppSettings
) -> Response:
    limits = uploads.Limits.of(max_image_mb=settings.max_image_mb, max_archive_mb=settings.max_archive_mb)
    project_id = add_demo_brand(
        session,
        storage,
        workspace_id=visitor.workspace.id,
        created_by=visitor.user.id,
        limits=limits,
        in_words=partial(translate, request.state.locale),
    )
    return go(request, f"/projects/{project_id}", Flash("ok", translate(request.state.locale, WELCOME)))


@router.get("/projects/{project_id}/images")
def show_images(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    show: Filter = "all",
    after: str | None = None,
) -> Response:
    workspace_id = visitor.workspace.id
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
    pictures, last = judged.page(show, before=from_cursor(after))
    rest = f"/projects/{project_id}/images?show={show}&after="
    context = {
        "project": project,
        "tiles": queries.tiles(session, workspace_id=workspace_id, pictures=pictures),
        "picture_view": picture_view,
        "show": show,
        "more": rest + to_cursor(last.created_at, last.id) if last else None,
        **_set_facts(judged),
    }
    if is_htmx(request) and after:
        return fragment(request, "partials/image_tiles.html", **context)
    return page(request, "pages/images.html", **context)


@router.get("/projects/{project_id}/images/meter")
def show_meter(
    request: Request, session: ReadSession, visitor: Viewer, project_id: RowId, show: Filter = "all"
) -> Response:
    """What depends on the whole set, put in its places after an upload."""
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    judged = queries.judged_set(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return fragment(request, "partials/image_set.html", project=project, show=show, oob=True, **_set_facts(judged))


@router.post("/projects/{project_id}/images")
@audited("image.added")
def upload(
    request: Request,
    target: UploadTargetDep,
    session: WriteSession,
    storage: FileStorage,
    file: Annotated[list[UploadFile], File(max_length=500)],
) -> Response:
    added = add_uploads(session, storage, target, file)
    said = [(note, translate(request.state.locale, note.msgid, **note.params)) for note in added.notes]
    notes = [text for _, text in said]
    if not request.headers.get("accept", "").startswith("application/json"):
        told = counted(request.state.locale, ngettext("%(num)s picture added.", "%(num)s pictures added."), added.new)
        return go(request, f"/projects/{target.project_id}/images", Flash("ok", " ".join([told, *notes])[:600]))
    judged = queries.judged_set(session, workspace_id=target.workspace_id, project_id=target.project_id)
    shown = [judged.of(image.id) for image in reversed(added.images)]
    tiles = queries.tiles(session, workspace_id=target.workspace_id, pictures=shown)
    html = render(
        request,
        "partials/image_tiles.html",
        {"tiles": tiles, "picture_view": picture_view, "show": "all", "more": None},
    )
    # How many were here already is one number; what else is to be said is said one by one.
    others = [text for note, text in said if note.msgid != uploads.ALREADY_HERE]
    return JSONResponse({"ok": True, "html": html, "notes": others, "new": added.new, "known": added.known})


@router.get("/projects/{project_id}/images/captions.zip")
def download_captions(session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    images = queries.all_images(session, workspace_id=visitor.workspace.id, project_id=project_id)
    headers = {"content-disposition": disposition(f"{project.name} captions.zip")}
    return StreamingResponse(exports.caption_files(images), media_type="application/zip", headers=headers)


@router.get("/projects/{project_id}/images/training-set.zip")
def download_training_set(session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId) -> Response:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    images = queries.all_images(session, workspace_id=visitor.workspace.id, project_id=project_id, only_included=True)
    files = exports.training_files(storage, images, trigger_word=project.trigger_word)
    headers = {"content-disposition": disposition(f"{project.name} training set.zip")}
    return StreamingResponse(files, media_type="application/zip", headers=headers)


@router.get("/projects/{project_id}/palette-suggestion")
def palette_suggestion(
    request: Request, session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId
) -> Response:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    keys = queries.palette_keys(session, workspace_id=visitor.workspace.id, project_id=project_id)
    colours = suggest_palette(storage.get(key) for key in keys)
    return fragment(request, "partials/palette_suggestion.html", project=project, colours=colours, count=len(keys))


@router.get("/images/{image_id}")
def show_image(request: Request, session: ReadSession, visitor: Viewer, image_id: RowId) -> Response:
    workspace_id = visitor.workspace.id
    image = queries.image(session, workspace_id=workspace_id, image_id=image_id)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=image.project_id)
    about = judged.of(image_id)
    previous, following = judged.neighbours(image_id)
    return page(
        request,
        "pages/image.html",
        project=projects.project(session, workspace_id=workspace_id, project_id=image.project_id),
        image=image,
        about=about,
        advice=advice_for(about.status, image.width, image.height, queries.THRESHOLDS),
        previous=previous,
        following=following,
        longest_caption=captions.MAX_CAPTION,
        address=address(image, "working"),
        crop=_crop(image),
    )


def _crop(image: Image) -> dict[str, float]:
    """The frame that training cuts, in percent of the picture."""
    box = training_crop(image.working_width, image.working_height, PREVIEW_BUCKETS, (image.focus_x, image.focus_y))
    return {
        "left": round(100 * box.left / image.working_width, 3),
        "top": round(100 * box.top / image.working_height, 3),
        "width": round(100 * box.width / image.working_width, 3),
        "height": round(100 * box.height / image.working_height, 3),
    }


@router.post("/images/{image_id}/focus")
@audited("image.cropped")
def aim(
    request: Request, session: WriteSession, visitor: Editor, image_id: RowId, form: Annotated[FocusForm, Form()]
) -> Response:
    service.aim(
        session,
        workspace_id=visitor.workspace.id,
        image_id=image_id,
        focus_x=form.focus_x,
        focus_y=form.focus_y,
    )
    if is_htmx(request):
        return Response(status_code=204)
    return go(request, f"/images/{image_id}", Flash("ok", translate(request.state.locale, SAVED)))


@router.post("/images/{image_id}/caption")
@audited("caption.changed")
def write_caption(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    image_id: RowId,
    form: Annotated[CaptionForm, Form()],
    show: Filter | None = None,
) -> Response:
    image = service.write_caption(session, workspace_id=visitor.workspace.id, image_id=image_id, caption=form.caption)
    if is_htmx(request):
        # Among other pictures what is said of the set changes with it; a picture's own page says nothing of the set.
        changed = Response(status_code=204) if show is None else _set_changed(request, session, visitor, image, show)
        return with_toast(changed, translate(request.state.locale, SAVED))
    return go(request, f"/images/{image_id}", Flash("ok", translate(request.state.locale, SAVED)))


def _set_changed(request: Request, session: WriteSession, visitor: Editor, image: Image, show: Filter) -> Response:
    """What is said of the set, for its place."""
    judged = queries.judged_set(session, workspace_id=visitor.workspace.id, project_id=image.project_id)
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=image.project_id)
    return fragment(request, "partials/image_set.html", project=project, show=show, oob=True, **_set_facts(judged))


@router.post("/images/{image_id}/include")
@audited("image.included")
def include(
    request: Request, session: WriteSession, visitor: Editor, image_id: RowId, show: Filter = "all"
) -> Response:
    return _take_part(request, session, visitor, image_id, show, included=True)


@router.post("/images/{image_id}/leave-out")
@audited("image.left_out")
def leave_out(
    request: Request, session: WriteSession, visitor: Editor, image_id: RowId, show: Filter = "all"
) -> Response:
    return _take_part(request, session, visitor, image_id, show, included=False)


def _take_part(
    request: Request, session: WriteSession, visitor: Editor, image_id: str, show: Filter, *, included: bool
) -> Response:
    image = service.include(session, workspace_id=visitor.workspace.id, image_id=image_id, included=included)
    if not is_htmx(request):
        return go(request, f"/images/{image_id}")
    judged = queries.judged_set(session, workspace_id=visitor.workspace.id, project_id=image.project_id)
    return fragment(
        request,
        "partials/image_changed.html",
        project=projects.project(session, workspace_id=visitor.workspace.id, project_id=image.project_id),
        tiles=queries.tiles(session, workspace_id=visitor.workspace.id, pictures=[judged.of(image_id)]),
        picture_view=picture_view,
        show=show,
        more=None,
        oob=True,
        **_set_facts(judged),
    )


@router.post("/images/{image_id}/delete")
@audited("image.deleted")
def delete(request: Request, session: WriteSession, visitor: Editor, image_id: RowId) -> Response:
    image = queries.image(session, workspace_id=visitor.workspace.id, image_id=image_id)
    return bulk_routes.delete_many(request, session, visitor, image.project_id, SelectionForm(ids=[image_id]))


@router.get("/images/{image_id}/original")
def download_original(session: ReadSession, visitor: Viewer, storage: FileStorage, image_id: RowId) -> Response:
    image = queries.image(session, workspace_id=visitor.workspace.id, image_id=image_id)
    file = exports.original(storage, image)
    if file.data is None:
        return send(storage, file.key, file.media_type, download_name=file.name, keep=False)
    headers = {"content-disposition": disposition(file.name), "cache-control": "private, no-cache"}
    return Response(file.data, media_type=file.media_type, headers=headers)


@router.get("/images/{image_id}/{size}/{sha}")
def picture(
    session: ReadSession, visitor: Viewer, storage: FileStorage, image_id: RowId, size: str, sha: str
) -> Response:
    """One of our copies. The address carries the hash, so that a browser may keep it for ever."""
    image = queries.image(session, workspace_id=visitor.workspace.id, image_id=image_id)
    keys = {"small": image.small_thumb_key, "thumb": image.thumb_key, "working": image.working_key}
    if size not in keys or sha != image.sha256[:16]:
        raise NotFound()
    return send(storage, keys[size], "image/webp")
