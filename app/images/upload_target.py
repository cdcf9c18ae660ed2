"""Where an upload goes, as a dependency: asked before its pictures are decoded, in a session that is closed by then.

Decoding takes seconds; a connection or a lock held meanwhile would be one that others wait for.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, UploadFile
from sqlalchemy.orm import Session

from app.images import queries, service
from app.images.service import Added
from app.images.uploads import Limits, Upload, take_in
from app.projects import queries as projects
from app.storage import Storage
from app.web.gate.signed_in import Editor
from app.web.session_deps import AppSettings
from app.web.text import RowId


@dataclass(frozen=True)
class Place:
    """A brand that is there and may be added to, the pictures it has, and what it takes in."""

    workspace_id: str
    project_id: str
    user_id: str
    known: frozenset[str]
    limits: Limits


def _place(request: Request, settings: AppSettings, visitor: Editor, project_id: RowId) -> Place:
    workspace_id = visitor.workspace.id
    with request.app.state.database.read() as session:
        projects.project(session, workspace_id=workspace_id, project_id=project_id)
        known = queries.known_hashes(session, workspace_id=workspace_id, project_id=project_id)
    limits = Limits.of(max_image_mb=settings.max_image_mb, max_archive_mb=settings.max_archive_mb)
    return Place(workspace_id, project_id, visitor.user.id, known, limits)


UploadPlace = Annotated[Place, Depends(_place)]


def add_uploads(session: Session, storage: Storage, place: Place, files: list[UploadFile]) -> Added:
    """Decode and keep what was sent, then write its rows down. Raises what ``uploads.take_in`` raises, ``NotFound``."""
    taken = take_in(
        storage,
        [Upload(one.filename or "?", one.file, one.size or 0) for one in files],
        project_id=place.project_id,
        known=place.known,
        limits=place.limits,
    )
    return service.add_all(
        session, taken, workspace_id=place.workspace_id, project_id=place.project_id, created_by=place.user_id
    )
