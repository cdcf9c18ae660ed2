"""Verdicts: what people said of pictures, texts and a campaign's cells, one row for each time that somebody said it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now

LONGEST_REASON = 500


class Verdict(Base):
    """What one person said of one subject. Rows are never changed, except that a reason may follow and that an undo
    takes them back; the subject's own column holds the state that is in force, for filters and indexes."""

    __tablename__ = "verdicts"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    """The brand, so that its verdicts go with it."""
    subject_kind: Mapped[str] = mapped_column(String(10))
    """``output``, ``variant`` or ``cell``."""
    subject_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    version: Mapped[int | None] = mapped_column(default=None)
    """Of the subject, where it has versions."""
    state: Mapped[str] = mapped_column(String(10))
    """``open``, ``approved`` or ``rejected``."""
    reason: Mapped[str] = mapped_column(String(LONGEST_REASON), default="")
    despite_findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What an approval was given in spite of, each ``code``, ``slot``, ``sentence`` and ``params``."""
    by_user: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """None where nobody knows any more."""
    act_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    """What was said at once, by which it can be undone."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    taken_back_at: Mapped[datetime | None] = mapped_column(default=None)
    taken_back_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    __table_args__ = (Index("ix_verdicts_subject", "workspace_id", "subject_kind", "subject_id", "created_at", "id"),)
