"""What may be seen of files of texts that were brought."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import now, own
from app.voice.models import VoiceImport


def voice_import(session: Session, *, workspace_id: str, import_id: str) -> VoiceImport:
    """Raises ``NotFound`` for another workspace's import too."""
    return own(session, VoiceImport, import_id, workspace_id)


def waiting_imports(session: Session, *, workspace_id: str, project_id: str) -> list[VoiceImport]:
    """Files that nobody has taken in yet, the newest first."""
    return list(
        session.scalars(
            select(VoiceImport)
            .where(
                VoiceImport.project_id == project_id,
                VoiceImport.workspace_id == workspace_id,
                VoiceImport.finished_at.is_(None),
            )
            .order_by(VoiceImport.created_at.desc(), VoiceImport.id.desc())
            .limit(20)
        )
    )


def forgotten_imports(session: Session, *, older_than: timedelta, limit: int = 100) -> list[VoiceImport]:
    """Files that were sent so long ago and never taken in."""
    return list(
        session.scalars(
            select(VoiceImport)
            .where(VoiceImport.finished_at.is_(None), VoiceImport.created_at < now() - older_than)
            .order_by(VoiceImport.id)
            .limit(limit)
        )
    )
