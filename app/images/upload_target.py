"""Where an upload goes, as a dependency: asked before its pictures are decoded, in a session that is closed by then.

Decoding takes seconds; a connection or a lock held meanwhile would be one that others wait for.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, UploadFile
from sqlalchemy.orm import Session

from app.images import queries, service
from app.images.service import Added
from app.images.uploads import Limits, Upload, ingest
from app.projects import queries as projects
from app.storage import Storage
from app.web.gate.signed_in import Editor
from app.web.session_deps import AppSettings
from app.web.text import RowId


@dataclass(frozen=True)
class UploadTarget:
    """A brand that is there and may be added to, the pictures it has, and what it takes in."""

    workspace_id: str
    project_id: str
    user_id: str
    known: frozenset[str]
    limits: Limits


def _target(request: Request, settings: AppSettings, visitor: Editor, project_id: RowId) -> UploadTarget:
    workspace_id = visitor.workspace.id
    with request.app.state.database.read() as session:
        projects.project(session, workspace_id=workspace_id, project_id=project_id)
        known = queries.known_hashes(session, workspace_id=workspace_id, project_id=project_id)
    limits = Limits.of(max_image_mb=settings.max_image_mb, max_archive_mb=settings.max_archive_mb)
    return UploadTarget(workspace_id, project_id, visitor.user.id, known, limits)


UploadTargetDep = Annotated[UploadTarget, Depends(_target)]


def add_uploads(session: Session, storage: Storage, target: UploadTarget, files: list[UploadFile]) -> Added:
    """Decode and keep what was sent, then write its rows down. Raises what ``uploads.ingest`` raises, ``NotFound``."""
    taken = ingest(
        storage,
        [Upload(one.filename or "?", one.file, one.size or 0) for one in files],
        project_id=target.project_id,
        known=target.known,
        limits=target.limits,
    )
    return service.add_all(
        session, taken, workspace_id=target.workspace_id, project_id=target.project_id, created_by=target.user_id
    )
