"""What an import works on, as dependencies: fetched before the transaction begins, as that may take seconds."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.projects import queries as projects
from app.voice.imports import queries, service
from app.voice.imports.service import StoredTexts
from app.voice.reading.intake import TextLimits
from app.voice.reading.readers import TextFile
from app.web.gate.signed_in import Editor
from app.web.session_deps import AppSettings, FileStorage
from app.web.text import RowId


@dataclass(frozen=True)
class ImportTarget:
    """A brand that is there and may be added to."""

    workspace_id: str
    project_id: str
    user_id: str
    limits: TextLimits


def _target(request: Request, settings: AppSettings, visitor: Editor, project_id: RowId) -> ImportTarget:
    with request.app.state.database.read() as session:
        projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return ImportTarget(visitor.workspace.id, project_id, visitor.user.id, TextLimits.of(settings.max_text_mb))


ImportTargetDep = Annotated[ImportTarget, Depends(_target)]


def add_import(session: Session, target: ImportTarget, import_id: str, stored: StoredTexts) -> None:
    """The row of a file that was kept for this brand. Raises ``NotFound``."""
    service.start_import(
        session,
        stored,
        workspace_id=target.workspace_id,
        project_id=target.project_id,
        import_id=import_id,
        created_by=target.user_id,
    )


@dataclass(frozen=True)
class Opened:
    """An import with its file, which is None once it was taken in."""

    workspace_id: str
    project_id: str
    user_id: str
    import_id: str
    filename: str
    file: TextFile | None


def _opened(request: Request, settings: AppSettings, storage: FileStorage, visitor: Editor, import_id: RowId) -> Opened:
    with request.app.state.database.read() as session:
        row = queries.voice_import(session, workspace_id=visitor.workspace.id, import_id=import_id)
        facts = (row.project_id, row.filename, row.format, row.key)
    project_id, filename, file_format, key = facts
    file = None
    if key is not None:
        try:
            file = TextFile(storage.get(key), file_format, filename, TextLimits.of(settings.max_text_mb))
        except FileNotFoundError as error:
            raise NotFound() from error
    return Opened(visitor.workspace.id, project_id, visitor.user.id, import_id, filename, file)


OpenedImport = Annotated[Opened, Depends(_opened)]
