"""What may happen to files of texts: kept to be looked at, taken in once, or discarded."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db import changed, now
from app.errors import N_
from app.images.reading.notes import Note
from app.projects import queries as projects
from app.voice.errors import AlreadyTakenIn
from app.voice.imports import queries
from app.voice.models import VoiceImport
from app.voice.service import Added, Prepared, add_samples

KNOWN = N_("%(count)s texts were already here or appear twice in the file, and were not added again.")


@dataclass(frozen=True)
class StoredTexts:
    """A file that is in the storage and can be read; the facts of its import."""

    filename: str
    format: str
    byte_count: int
    key: str


def start_import(
    session: Session,
    stored: StoredTexts,
    *,
    workspace_id: str,
    project_id: str,
    import_id: str,
    created_by: str | None,
) -> VoiceImport:
    """A row for a file that is to be looked at. Raises ``NotFound`` for a brand that has gone meanwhile."""
    projects.project(session, workspace_id=workspace_id, project_id=project_id)
    row = VoiceImport(
        id=import_id,
        workspace_id=workspace_id,
        project_id=project_id,
        filename=stored.filename,
        format=stored.format,
        byte_count=stored.byte_count,
        key=stored.key,
        created_by=created_by,
    )
    session.add(row)
    session.flush()
    return row


def finish_import(
    session: Session,
    prepared: Sequence[Prepared],
    problems: Sequence[Note],
    notes: Sequence[Note] = (),
    *,
    workspace_id: str,
    import_id: str,
    skip_known: bool,
    created_by: str | None,
) -> tuple[Added, str | None]:
    """All texts of an import as samples, in one go; returns them and the key of the file, which is to be removed after
    the commit. Raises ``NotFound``, ``AlreadyTakenIn``, ``TooManySamples``; then nothing is added."""
    row = queries.voice_import(session, workspace_id=workspace_id, import_id=import_id)
    taken = changed(
        session,
        update(VoiceImport)
        .where(VoiceImport.id == import_id, VoiceImport.workspace_id == workspace_id, VoiceImport.finished_at.is_(None))
        .values(finished_at=now()),
    )
    if not taken:
        raise AlreadyTakenIn()
    added = add_samples(
        session,
        prepared,
        workspace_id=workspace_id,
        project_id=row.project_id,
        import_id=import_id,
        skip_known=skip_known,
        created_by=created_by,
    )
    told = [*notes, Note(KNOWN, {"count": added.known})] if added.known else list(notes)
    key, row.key = row.key, None
    row.added = len(added.ids)
    row.problems = [[note.msgid, dict(note.params)] for note in problems]
    row.notes = [[note.msgid, dict(note.params)] for note in told]
    session.flush()
    return added, key


def discard_import(session: Session, *, workspace_id: str, import_id: str) -> tuple[str, str | None]:
    """Forget a file that was not taken in; returns its brand and the key of the file, to be removed after the commit.

    Raises ``NotFound``, ``AlreadyTakenIn``.
    """
    row = queries.voice_import(session, workspace_id=workspace_id, import_id=import_id)
    if row.finished_at is not None:
        raise AlreadyTakenIn()
    session.delete(row)
    session.flush()
    return row.project_id, row.key


def import_folder(project_id: str, import_id: str) -> str:
    """The folder of an import's file in the storage."""
    return f"projects/{project_id}/voice/{import_id}"
