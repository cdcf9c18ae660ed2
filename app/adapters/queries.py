"""What may be seen of adapters."""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from app.adapters.models import Adapter, ImportedFile, MergedFile, Publication
from app.db import own
from app.errors import NotFound

PAGE = 24


def adapter(session: Session, *, workspace_id: str, adapter_id: str) -> Adapter:
    """Raises ``NotFound`` for another workspace's adapter too."""
    return own(session, Adapter, adapter_id, workspace_id)


def voice(session: Session, *, workspace_id: str, adapter_id: str) -> Adapter:
    """An adapter that writes. Raises ``NotFound``, for one that draws too."""
    found = adapter(session, workspace_id=workspace_id, adapter_id=adapter_id)
    if found.modality != "text":
        raise NotFound()
    return found


def adapters(
    session: Session,
    *,
    workspace_id: str,
    archived: bool = False,
    before: tuple[datetime, str] | None = None,
    limit: int = PAGE,
) -> list[Adapter]:
    """The workspace's adapters, the newest first, at most ``limit`` + 1 (the last one says that there are more)."""
    wanted = select(Adapter).where(Adapter.workspace_id == workspace_id, _archived(archived))
    if before is not None:
        wanted = wanted.where(tuple_(Adapter.created_at, Adapter.id) < tuple_(*before))
    return list(session.scalars(wanted.order_by(Adapter.created_at.desc(), Adapter.id.desc()).limit(limit + 1)))


def of_project(session: Session, *, workspace_id: str, project_id: str, archived: bool = False) -> list[Adapter]:
    """A brand's adapters, the newest first."""
    return list(
        session.scalars(
            select(Adapter)
            .where(Adapter.workspace_id == workspace_id, Adapter.project_id == project_id, _archived(archived))
            .order_by(Adapter.created_at.desc(), Adapter.id.desc())
        )
    )


def of_base(session: Session, *, workspace_id: str, base_model: str) -> list[Adapter]:
    """Those that work with this base, the newest first."""
    return list(
        session.scalars(
            select(Adapter)
            .where(Adapter.workspace_id == workspace_id, Adapter.base_model == base_model, _archived(False))
            .order_by(Adapter.created_at.desc(), Adapter.id.desc())
        )
    )


def archived_count(session: Session, *, workspace_id: str, project_id: str | None = None) -> int:
    counted = select(func.count()).where(Adapter.workspace_id == workspace_id, _archived(True))
    if project_id is not None:
        counted = counted.where(Adapter.project_id == project_id)
    return session.scalar(counted) or 0


def neighbours(session: Session, given: Adapter) -> tuple[Adapter | None, Adapter | None]:
    """The brand's adapters of the next older and the next newer version; those of a voice are voices."""
    same = select(Adapter).where(
        Adapter.project_id == given.project_id,
        Adapter.workspace_id == given.workspace_id,
        Adapter.modality == given.modality,
    )
    older = session.scalar(same.where(Adapter.version < given.version).order_by(Adapter.version.desc()).limit(1))
    newer = session.scalar(same.where(Adapter.version > given.version).order_by(Adapter.version).limit(1))
    return older, newer


def known_hashes(session: Session, hashes: set[str]) -> set[str]:
    """Those of these files' hashes that an adapter has."""
    listed = sorted(hashes)
    return {
        sha256
        for start in range(0, len(listed), 500)
        for sha256 in session.scalars(select(Adapter.sha256).where(Adapter.sha256.in_(listed[start : start + 500])))
    }


def next_version(session: Session, *, project_id: str, modality: str) -> int:
    """Of the brand's adapters that draw (``image``), or of its voices (``text``)."""
    newest = select(func.max(Adapter.version)).where(Adapter.project_id == project_id, Adapter.modality == modality)
    return (session.scalar(newest) or 0) + 1


def counts(session: Session, project_ids: list[str]) -> dict[str, int]:
    """How many adapters each brand has, put away or not; the ids must be of the visitor's own workspace."""
    rows = session.execute(
        select(Adapter.project_id, func.count()).where(Adapter.project_id.in_(project_ids)).group_by(Adapter.project_id)
    )
    return dict.fromkeys(project_ids, 0) | {str(project_id): int(count) for project_id, count in rows}


def drawing_counts(session: Session, project_ids: list[str]) -> dict[str, int]:
    """How many adapters each brand can draw with that were trained to their end and are not put away; the ids must be
    of the visitor's own workspace."""
    wanted = Adapter.modality == "image", Adapter.project_id.in_(project_ids), _archived(False), is_whole()
    rows = session.execute(select(Adapter.project_id, func.count()).where(*wanted).group_by(Adapter.project_id))
    return dict.fromkeys(project_ids, 0) | {str(project_id): int(count) for project_id, count in rows}


def is_whole() -> ColumnElement[bool]:
    """Whether it was trained to its end: what somebody stopped early is kept, and never taken by itself."""
    return func.coalesce(Adapter.facts["finished"].as_boolean(), True).is_(True)


def _archived(archived: bool) -> ColumnElement[bool]:
    return Adapter.archived_at.is_not(None) if archived else Adapter.archived_at.is_(None)


def imported_file(session: Session, *, workspace_id: str, file_id: str) -> ImportedFile:
    """Raises ``NotFound`` for another workspace's file too."""
    return own(session, ImportedFile, file_id, workspace_id)


def imported_files(session: Session, *, workspace_id: str, limit: int = 50) -> list[ImportedFile]:
    """The workspace's imported files, the newest first."""
    wanted = select(ImportedFile).where(ImportedFile.workspace_id == workspace_id)
    return list(session.scalars(wanted.order_by(ImportedFile.created_at.desc(), ImportedFile.id.desc()).limit(limit)))


def publications(session: Session, *, workspace_id: str, adapter_id: str) -> list[Publication]:
    """Where an adapter has been put, or is on its way to, the newest first."""
    wanted = select(Publication).where(Publication.workspace_id == workspace_id, Publication.adapter_id == adapter_id)
    return list(session.scalars(wanted.order_by(Publication.created_at.desc()).limit(20)))


def merged_files(session: Session, *, workspace_id: str, adapter_id: str) -> dict[str, MergedFile]:
    """A voice's merged files by their form, those that are still being made or were stopped too."""
    wanted = select(MergedFile).where(MergedFile.workspace_id == workspace_id, MergedFile.adapter_id == adapter_id)
    return {row.form: row for row in session.scalars(wanted)}
