"""Tags of finished pictures."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, now


class OutputTag(Base):
    __tablename__ = "output_tags"

    output_id: Mapped[str] = mapped_column(ForeignKey("outputs.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(60), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    """The picture's, repeated so that a tag's pages are one index walk."""

    __table_args__ = (Index("ix_output_tags_tag", "workspace_id", "tag", "created_at", "output_id"),)
