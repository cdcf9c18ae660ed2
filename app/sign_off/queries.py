"""What was said of something: what is in force, and all that was said before."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.sign_off.models import Verdict

State = Literal["open", "approved", "rejected"]
SubjectKind = Literal["output", "variant", "cell"]


@dataclass(frozen=True)
class VerdictView:
    """A verdict with the names of people; None where nobody knows any more who it was."""

    id: str
    state: State
    by: str | None
    at: datetime
    reason: str
    version: int | None
    taken_back_at: datetime | None
    taken_back_by: str | None
    despite_findings: list[dict[str, Any]]
    """Each ``code``, ``slot``, ``sentence`` and ``params``."""


def history(session: Session, *, workspace_id: str, subject_kind: SubjectKind, subject_id: str) -> list[VerdictView]:
    """All that was said of it, the newest first, with what was taken back."""
    newest = _about(workspace_id, subject_kind, [subject_id]).order_by(Verdict.created_at.desc(), Verdict.id.desc())
    return _views(session, list(session.scalars(newest)))


def latest(
    session: Session, *, workspace_id: str, subject_kind: SubjectKind, subject_ids: Collection[str]
) -> dict[str, VerdictView]:
    """What is in force, by subject; those that nobody has judged are not in it."""
    rows = in_force(session, workspace_id=workspace_id, subject_kind=subject_kind, subject_ids=subject_ids)
    return dict(zip(rows, _views(session, rows.values()), strict=True))


def in_force(
    session: Session, *, workspace_id: str, subject_kind: SubjectKind, subject_ids: Collection[str]
) -> dict[str, Verdict]:
    """The newest verdict of each subject that was not taken back."""
    if not subject_ids:
        return {}
    standing = _about(workspace_id, subject_kind, subject_ids).where(Verdict.taken_back_at.is_(None))
    rows = session.scalars(standing.order_by(Verdict.created_at, Verdict.id))
    return {row.subject_id: row for row in rows}


def _about(workspace_id: str, subject_kind: SubjectKind, subject_ids: Collection[str]) -> Select[Verdict]:
    return select(Verdict).where(
        Verdict.workspace_id == workspace_id,
        Verdict.subject_kind == subject_kind,
        Verdict.subject_id.in_(subject_ids),
    )


def _views(session: Session, rows: Iterable[Verdict]) -> list[VerdictView]:
    rows = list(rows)
    names = accounts.names_of(session, {who for row in rows for who in (row.by_user, row.taken_back_by) if who})
    return [
        VerdictView(
            id=row.id,
            state=cast(State, row.state),
            by=names.get(row.by_user or ""),
            at=row.created_at,
            reason=row.reason,
            version=row.version,
            taken_back_at=row.taken_back_at,
            taken_back_by=names.get(row.taken_back_by or ""),
            despite_findings=row.despite_findings,
        )
        for row in rows
    ]
