"""Tags of finished pictures, and what was said of them, so that it can be taken back."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class OutputTag(Base):
    __tablename__ = "output_tags"

    output_id: Mapped[str] = mapped_column(ForeignKey("outputs.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(60), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    """The picture's, repeated so that a tag's pages are one index walk."""

    __table_args__ = (Index("ix_output_tags_tag", "workspace_id", "tag", "created_at", "output_id"),)


class OutputChange(Base):
    """What one act changed of one picture: approving 20 pictures at once is 20 rows of one ``id``."""

    __tablename__ = "output_changes"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    output_id: Mapped[str] = mapped_column(ForeignKey("outputs.id", ondelete="CASCADE"), primary_key=True, index=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    before: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Columns of the picture, moments as ISO texts."""
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
