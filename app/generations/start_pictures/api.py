"""Pictures to start from, as JSON."""

from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from pydantic import BaseModel

from app.generations.start_pictures import service as start_pictures
from app.generations.start_pictures.files import KeptPicture, keep_copy, keep_upload
from app.generations.start_pictures.target import FromImage, FromOutput, StartTargetDep
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.session_deps import FileStorage, WriteSession

router = APIRouter(tags=["Generations"], route_class=DeferredRoute)


class StartOut(BaseModel, defer_build=True):
    """A picture to start from."""

    id: str
    project_id: str
    width: int
    height: int
    sha256: str


def _started(session: WriteSession, target: StartTargetDep, kept: KeptPicture) -> StartOut:
    row = start_pictures.add(
        session, kept, workspace_id=target.workspace_id, project_id=target.project_id, created_by=target.user_id
    )
    return StartOut(id=row.id, project_id=row.project_id, width=row.width, height=row.height, sha256=row.sha256)


@router.post("/projects/{project_id}/starts", status_code=201, summary="Upload a start picture")
@audited("start_picture.added")
def bring_start(
    target: StartTargetDep, session: WriteSession, storage: FileStorage, file: Annotated[UploadFile, File()]
) -> StartOut:
    name = file.filename or "?"
    kept = keep_upload(storage, target.read(file.file), name, project_id=target.project_id, limits=target.limits)
    return _started(session, target, kept)


@router.post("/outputs/{output_id}/start", status_code=201, summary="Start from a finished picture")
@audited("start_picture.added")
def start_from_output(target: FromOutput, session: WriteSession, storage: FileStorage) -> StartOut:
    return _started(session, target, keep_copy(storage, target.key, project_id=target.project_id))


@router.post("/images/{image_id}/start", status_code=201, summary="Start from a brand picture")
@audited("start_picture.added")
def start_from_image(target: FromImage, session: WriteSession, storage: FileStorage) -> StartOut:
    return _started(session, target, keep_copy(storage, target.key, project_id=target.project_id))
