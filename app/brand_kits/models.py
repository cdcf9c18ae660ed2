"""A brand's kit, version by version, and the files that its versions refer to."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class KitVersion(Base):
    """One state of a kit. Never changed: what was exported names it."""

    __tablename__ = "brand_kits"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    """1, 2, 3 … within the brand."""
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``snapshot.KitSnapshot``."""
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("project_id", "number", name="uq_brand_kits_project_number"),)


class KitFile(Base):
    """A logo or font in the storage. It stays as long as the brand: older versions of the kit refer to it."""

    __tablename__ = "kit_files"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the stored bytes, which are what was checked and not what was sent."""
    byte_count: Mapped[int]
    key: Mapped[str] = mapped_column(String(300))
    preview_key: Mapped[str] = mapped_column(String(300))
    """A PNG that we drew; the only thing of it that browsers show."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("project_id", "sha256", name="uq_kit_files_project_content"),)
