"""A brand's pictures as JSON."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.images import exports, queries, service
from app.images.forms import Caption, Ids, Share, Words
from app.images.queries import Filter, Tile
from app.images.reading.readers import suggest_palette
from app.images.upload_target import UploadTargetDep, add_uploads
from app.projects import queries as projects
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.files import disposition, send
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Images"], route_class=DeferredRoute)
ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}


class ImageOut(BaseModel, defer_build=True):
    """A picture of a brand."""

    id: str
    project_id: str
    filename: str
    format: str
    sha256: str
    """Of the uploaded bytes."""
    byte_count: int
    width: int
    height: int
    caption: str
    included: bool
    """Whether training will see it."""
    focus_x: float
    """Centre of the training crop, as a share of the width; `focus_y` likewise of the height."""
    focus_y: float
    status: str
    """`good`, `small`, `blurry` or `twin`."""
    twin_of: str | None
    """File name of the older picture that looks the same."""
    notes: list[str]
    """What was done to it on its way in."""
    created_at: datetime


class ImageList(BaseModel, defer_build=True):
    items: list[ImageOut]
    next: str | None


class UploadOut(BaseModel, defer_build=True):
    """What an upload brought."""

    items: list[ImageOut]
    """The pictures, also those that were here already."""
    new: int
    notes: list[str]
    """What was left out, and why."""


class ImageChange(JsonBody):
    """What to change; what is left out stays as it is."""

    caption: Caption | None = None
    included: bool | None = None
    focus_x: Share | None = None
    focus_y: Share | None = None


class Replacement(JsonBody):
    """Find and replace in captions, plain text; without ids in all of them."""

    ids: Ids | None = None
    find: Annotated[Words, Field(min_length=1)]
    replace: Words = ""
    whole_words: bool = False
    match_case: bool = False


class WordsInFront(JsonBody):
    """Words to begin captions with where they are not there yet; without ids for all."""

    ids: Ids | None = None
    words: Annotated[Words, Field(min_length=1)]


class Changed(BaseModel, defer_build=True):
    changed: int


class PaletteColourOut(BaseModel, defer_build=True):
    """A suggested colour: its share of all pictures, and a plain name."""

    hex: str
    share: float
    name: str


class PaletteSuggestion(BaseModel, defer_build=True):
    items: list[PaletteColourOut]


def _out(request: Request, tile: Tile) -> ImageOut:
    image, judged = tile.image, tile.judged
    return ImageOut(
        id=image.id,
        project_id=image.project_id,
        filename=image.filename,
        format=image.format,
        sha256=image.sha256,
        byte_count=image.byte_count,
        width=image.width,
        height=image.height,
        caption=image.caption,
        included=image.included,
        focus_x=image.focus_x,
        focus_y=image.focus_y,
        status=judged.status.value,
        twin_of=judged.twin_of,
        notes=[
            translate(request.state.locale, str(msgid), **params)
            for msgid, params in image.notes
            if isinstance(params, dict)
        ],
        created_at=image.created_at,
    )


@router.get("/projects/{project_id}/images", summary="List a brand's pictures")
def list_images(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    show: Filter = "all",
    cursor: str | None = None,
) -> ImageList:
    """Newest first."""
    workspace_id = visitor.workspace.id
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=project_id)
    page, last = judged.page(show, before=from_cursor(cursor))
    tiles = queries.tiles(session, workspace_id=workspace_id, pictures=page)
    return ImageList(
        items=[_out(request, tile) for tile in tiles], next=to_cursor(last.created_at, last.id) if last else None
    )


@router.post("/projects/{project_id}/images", summary="Upload pictures, ZIPs of pictures or caption files")
@audited("image.added")
def upload_images(
    request: Request,
    target: UploadTargetDep,
    session: WriteSession,
    storage: FileStorage,
    file: Annotated[list[UploadFile], File(max_length=500)],
) -> UploadOut:
    """A picture that already exists is not an error: it is returned unchanged. A single file that cannot be accepted is
    refused; among several it is skipped with a note."""
    added = add_uploads(session, storage, target, file)
    judged = queries.judged_set(session, workspace_id=target.workspace_id, project_id=target.project_id)
    return UploadOut(
        items=[_out(request, Tile(image, judged.of(image.id), None)) for image in added.images],
        new=added.new,
        notes=[translate(request.state.locale, note.msgid, **note.params) for note in added.notes],
    )


def _one(request: Request, session: ReadSession, workspace_id: str, image_id: str) -> ImageOut:
    image = queries.image(session, workspace_id=workspace_id, image_id=image_id)
    judged = queries.judged_set(session, workspace_id=workspace_id, project_id=image.project_id)
    return _out(request, Tile(image, judged.of(image_id), None))


@router.get("/images/{image_id}", summary="Get a picture's details")
def get_image(request: Request, session: ReadSession, visitor: Viewer, image_id: RowId) -> ImageOut:
    return _one(request, session, visitor.workspace.id, image_id)


@router.get("/images/{image_id}/original", summary="Download the uploaded file", response_class=Response)
def download_original(session: ReadSession, visitor: Viewer, storage: FileStorage, image_id: RowId) -> Response:
    """The location where the photo was taken is removed."""
    image = queries.image(session, workspace_id=visitor.workspace.id, image_id=image_id)
    file = exports.original(storage, image)
    if file.data is None:
        return send(storage, file.key, file.media_type, download_name=file.name, keep=False)
    return Response(file.data, media_type=file.media_type, headers={"content-disposition": disposition(file.name)})


@router.get("/images/{image_id}/working", summary="Download the working copy", response_class=Response)
def download_working_copy(session: ReadSession, visitor: Viewer, storage: FileStorage, image_id: RowId) -> Response:
    """sRGB, upright, at most 2,048 pixels, lossless WebP: what training reads."""
    image = queries.image(session, workspace_id=visitor.workspace.id, image_id=image_id)
    return send(storage, image.working_key, "image/webp", keep=False)


@router.patch("/images/{image_id}", summary="Change a picture's caption, focus or use in training")
@audited("image.changed")
def change_image(
    request: Request, session: WriteSession, visitor: Editor, image_id: RowId, change: ImageChange
) -> ImageOut:
    workspace_id = visitor.workspace.id
    image = queries.image(session, workspace_id=workspace_id, image_id=image_id)
    if change.caption is not None:
        service.write_caption(session, workspace_id=workspace_id, image_id=image_id, caption=change.caption)
    if change.included is not None:
        service.include(session, workspace_id=workspace_id, image_id=image_id, included=change.included)
    if change.focus_x is not None or change.focus_y is not None:
        service.aim(
            session,
            workspace_id=workspace_id,
            image_id=image_id,
            focus_x=image.focus_x if change.focus_x is None else change.focus_x,
            focus_y=image.focus_y if change.focus_y is None else change.focus_y,
        )
    return _one(request, session, workspace_id, image_id)


@router.delete("/images/{image_id}", status_code=204, summary="Delete a picture")
@audited("image.deleted")
def delete_image(session: WriteSession, visitor: Editor, image_id: RowId) -> Response:
    """A deleted picture can be restored on the page for a while, or by uploading it again."""
    image = queries.image(session, workspace_id=visitor.workspace.id, image_id=image_id)
    service.delete_images(session, workspace_id=visitor.workspace.id, project_id=image.project_id, image_ids=[image_id])
    return Response(status_code=204)


@router.post("/projects/{project_id}/captions/replace", summary="Find and replace in captions")
@audited("caption.changed")
def replace_in_captions(session: WriteSession, visitor: Editor, project_id: RowId, order: Replacement) -> Changed:
    return Changed(
        changed=service.replace_in_captions(
            session,
            workspace_id=visitor.workspace.id,
            project_id=project_id,
            image_ids=order.ids,
            find=order.find,
            replace=order.replace,
            whole_words=order.whole_words,
            match_case=order.match_case,
        )
    )


@router.post("/projects/{project_id}/captions/in-front", summary="Add words to the start of captions")
@audited("caption.changed")
def put_in_front(session: WriteSession, visitor: Editor, project_id: RowId, order: WordsInFront) -> Changed:
    return Changed(
        changed=service.put_in_front(
            session,
            workspace_id=visitor.workspace.id,
            project_id=project_id,
            image_ids=order.ids,
            words=order.words,
        )
    )


@router.get(
    "/projects/{project_id}/captions.zip",
    summary="Download all captions",
    response_class=StreamingResponse,
    responses=ZIP,
)
def download_captions(session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    """One `.txt` per picture, with the same name."""
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    images = queries.all_images(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return StreamingResponse(exports.caption_files(images), media_type="application/zip")


@router.get(
    "/projects/{project_id}/training-set.zip",
    summary="Download the training set",
    response_class=StreamingResponse,
    responses=ZIP,
)
def download_training_set(session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId) -> Response:
    """The included pictures, each with a `.txt` next to it, in the layout that other trainers read."""
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    images = queries.all_images(session, workspace_id=visitor.workspace.id, project_id=project_id, only_included=True)
    files = exports.training_files(storage, images, trigger_word=project.trigger_word)
    return StreamingResponse(files, media_type="application/zip")


@router.get("/projects/{project_id}/palette-suggestion", summary="Suggest a palette from a brand's pictures")
def suggest_brand_palette(
    session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId
) -> PaletteSuggestion:
    projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    keys = queries.palette_keys(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return PaletteSuggestion(
        items=[
            PaletteColourOut(hex=colour.hex, share=colour.weight, name=colour.name)
            for colour in suggest_palette(storage.get(key) for key in keys)
        ]
    )
