"""The pictures of a brand."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class Image(Base):
    __tablename__ = "images"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    filename: Mapped[str] = mapped_column(String(300))
    """The uploader's name for the file: shown, never used as a path."""
    format: Mapped[str] = mapped_column(String(10))
    sha256: Mapped[str] = mapped_column(String(64))
    """Hash of the uploaded bytes."""
    byte_count: Mapped[int]
    width: Mapped[int]
    """Pixels of the upright original."""
    height: Mapped[int]
    working_width: Mapped[int]
    working_height: Mapped[int]
    original_key: Mapped[str] = mapped_column(String(300))
    working_key: Mapped[str] = mapped_column(String(300))
    thumb_key: Mapped[str] = mapped_column(String(300))
    """Longest side 640."""
    small_thumb_key: Mapped[str] = mapped_column(String(300))
    """Longest side 256."""
    placeholder: Mapped[str] = mapped_column(Text, default="")
    """A tiny picture as a data address, shown until the thumbnail is there."""
    dhash: Mapped[str] = mapped_column(String(16))
    sharpness: Mapped[float]
    notes: Mapped[list[list[object]]] = mapped_column(JSON, default=list)
    """What intake did, as pairs of sentence and parameters."""
    caption: Mapped[str] = mapped_column(Text, default="")
    included: Mapped[bool] = mapped_column(default=True)
    focus_x: Mapped[float] = mapped_column(default=0.5)
    """Centre of the training crop, as a share of the width and height."""
    focus_y: Mapped[float] = mapped_column(default=0.5)
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    """Set by "delete"; undone within a while, then swept with its files."""

    __table_args__ = (
        UniqueConstraint("project_id", "sha256", name="uq_images_project_content"),
        Index("ix_images_project", "project_id", "deleted_at", "created_at", "id"),
    )
