"""What a brand guideline proposes, until somebody takes it over or dismisses it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class Guideline(Base):
    """The PDF itself is not kept. A brand has one at most: another one takes its place."""

    __tablename__ = "brand_guidelines"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), unique=True)
    filename: Mapped[str] = mapped_column(String(120))
    found: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``proposals.Found``."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class GuidelineLogo(Base):
    """A picture of the guideline that may be a logo, in the storage."""

    __tablename__ = "guideline_logos"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    guideline_id: Mapped[str] = mapped_column(ForeignKey("brand_guidelines.id", ondelete="CASCADE"), index=True)
    place: Mapped[int]
    """From 0, in the order of the proposals."""
    sha256: Mapped[str] = mapped_column(String(64))
    byte_count: Mapped[int]
    key: Mapped[str] = mapped_column(String(300))
    preview_key: Mapped[str] = mapped_column(String(300))
