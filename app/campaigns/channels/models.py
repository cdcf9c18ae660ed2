"""Channels that a workspace added to those that Livery knows."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class OwnChannel(Base):
    """Never changed: ads were drawn to its measures. One that is removed is offered no more, and is still found by its
    key."""

    __tablename__ = "own_channels"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    width_px: Mapped[int]
    """Of a print: after cutting, at its resolution."""
    height_px: Mapped[int]
    safe_top: Mapped[int] = mapped_column(default=0)
    """Pixels that nothing but the picture may use."""
    safe_right: Mapped[int] = mapped_column(default=0)
    safe_bottom: Mapped[int] = mapped_column(default=0)
    safe_left: Mapped[int] = mapped_column(default=0)
    file_type: Mapped[str] = mapped_column(String(10))
    max_bytes: Mapped[int | None]
    width_mm: Mapped[float | None]
    """The four of a print; None for screens."""
    height_mm: Mapped[float | None]
    bleed_mm: Mapped[float | None]
    dpi: Mapped[int | None]
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    removed_at: Mapped[datetime | None]
