"""Pictures to start from: brought in, shown, and chosen from the gallery or the brand."""

from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from app.generations import start_pictures
from app.generations.place import FromImage, FromOutput, StartPlace
from app.generations.start import keep_copy, keep_upload
from app.web.answers import go
from app.web.files import send
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.signed_in import Viewer
from app.web.text import RowId

router = APIRouter()


@router.post("/projects/{project_id}/starts")
def upload(
    request: Request,
    place: StartPlace,
    session: WriteSession,
    storage: FileStorage,
    file: Annotated[UploadFile, File()],
) -> Response:
    kept = keep_upload(
        storage, place.read(file.file), file.filename or "?", project_id=place.project_id, limits=place.limits
    )
    row = start_pictures.add(
        session, kept, workspace_id=place.workspace_id, project_id=place.project_id, created_by=place.user_id
    )
    return go(request, f"/projects/{place.project_id}/studio?start={row.id}")


@router.post("/outputs/{output_id}/start")
def from_output(request: Request, place: FromOutput, session: WriteSession, storage: FileStorage) -> Response:
    kept = keep_copy(storage, place.key, project_id=place.project_id)
    row = start_pictures.add(
        session, kept, workspace_id=place.workspace_id, project_id=place.project_id, created_by=place.user_id
    )
    return go(request, f"/projects/{place.project_id}/studio?start={row.id}")


@router.post("/images/{image_id}/start")
def from_image(request: Request, place: FromImage, session: WriteSession, storage: FileStorage) -> Response:
    kept = keep_copy(storage, place.key, project_id=place.project_id)
    row = start_pictures.add(
        session, kept, workspace_id=place.workspace_id, project_id=place.project_id, created_by=place.user_id
    )
    return go(request, f"/projects/{place.project_id}/studio?start={row.id}")


@router.get("/starts/{start_id}/picture")
def picture(session: ReadSession, visitor: Viewer, storage: FileStorage, start_id: RowId) -> Response:
    row = start_pictures.start_picture(session, workspace_id=visitor.workspace.id, start_id=start_id)
    return send(storage, row.key, "image/png", keep=False)
