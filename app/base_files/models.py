"""Files of base models on the workers' disks, and the token that gated ones need."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class BaseDownload(Base):
    """A request to fetch a base model's files; its job says how far that is."""

    __tablename__ = "base_downloads"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    base_model: Mapped[str] = mapped_column(String(80))
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("ix_base_downloads_workspace", "workspace_id", "base_model", "created_at"),)


class BaseCopy(Base):
    """A base model's complete and checked files on the disk of a machine, for the workspace that asked for them."""

    __tablename__ = "base_copies"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    base_model: Mapped[str] = mapped_column(String(80))
    machine: Mapped[str] = mapped_column(String(ID_LENGTH))
    """Id of the folder that the files are in; workers that share the folder name the same one."""
    host: Mapped[str] = mapped_column(String(80), default="")
    """The machine's name for people."""
    commit_hash: Mapped[str] = mapped_column(String(64), default="")
    """The hub's name for exactly these files."""
    byte_count: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    unwanted_at: Mapped[datetime | None] = mapped_column(default=None)
    """Since then a worker of that machine is to remove the files."""

    __table_args__ = (UniqueConstraint("workspace_id", "base_model", "machine", name="uq_base_copies_place"),)


class HubToken(Base):
    """The workspace's token for the model hub, sealed. Used for downloads alone and never shown again."""

    __tablename__ = "hub_tokens"

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[str] = mapped_column(String(700))
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
