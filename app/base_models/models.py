"""Checkpoints that a workspace has added beside the catalogue, and those that lie ready on the workers' machines."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class OwnBase(Base):
    """A base model of one workspace. Its id is its key: adapters and orders name it, so it is put away, not deleted."""

    __tablename__ = "base_models"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    family: Mapped[str] = mapped_column(String(40), default="")
    """Empty until its files have been looked at."""
    place: Mapped[str] = mapped_column(String(8))
    """``hub``, or ``local`` for an entry of the folder that the workers offer."""
    source: Mapped[str] = mapped_column(String(200))
    """``owner/name`` on the hub, or the entry's name."""
    file: Mapped[str] = mapped_column(String(200), default="")
    """Of a hub repository: the one file that is the checkpoint; empty for a repository in diffusers' layout."""
    revision: Mapped[str] = mapped_column(String(80), default="")
    """Branch, tag or commit; empty means the newest."""
    licence: Mapped[str] = mapped_column(String(120), default="")
    licence_sentence: Mapped[str] = mapped_column(Text, default="")
    commercial: Mapped[bool | None] = mapped_column(default=None)
    """Whether its pictures and adapters may be used commercially, as the person says; None where nobody has said."""
    languages: Mapped[str] = mapped_column(String(250), default="", server_default="")
    """Of a language model: ISO 639 codes with spaces between them, as the person says or the card of its makers."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What its files told: see ``recognition.Facts``."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column(default=None)
    """Since then it is not on offer; what was made with it goes on working."""

    __table_args__ = (Index("ix_base_models_workspace", "workspace_id", "created_at"),)

    @property
    def is_file(self) -> bool:
        """One checkpoint file, not a folder in diffusers' layout."""
        return (self.file or self.source).endswith(".safetensors")


class OfferedBase(Base):
    """An entry of the folder of checkpoints on a worker's machine, as its workers see it. About the machine."""

    __tablename__ = "offered_bases"

    machine: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    byte_count: Mapped[int] = mapped_column(BigInteger, default=0)
    family: Mapped[str] = mapped_column(String(40), default="")
    """Empty where it cannot be used."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What its files told; of one that cannot be used the reason, as a ``sentence`` with ``params``."""
    problem: Mapped[str] = mapped_column(Text, default="")
    """Why it cannot be used, as a sentence."""
    seen_at: Mapped[datetime] = mapped_column(default=now)
