"""Adapters: the LoRA files that trainings leave behind."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class Adapter(Base):
    __tablename__ = "adapters"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    training_id: Mapped[str | None] = mapped_column(ForeignKey("trainings.id", ondelete="SET NULL"), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    version: Mapped[int]
    """Counts up within a brand, adapters that draw and voices each by themselves."""
    modality: Mapped[str] = mapped_column(String(8), default="image", server_default="image")
    """``image`` draws, ``text`` writes."""
    purpose: Mapped[str] = mapped_column(String(12))
    """``style``, ``character`` or ``product``; of a voice ``voice``."""
    base_model: Mapped[str] = mapped_column(String(80))
    rank: Mapped[int]
    alpha: Mapped[float] = mapped_column(Float)
    trigger_word: Mapped[str] = mapped_column(String(60))
    recommended_strength: Mapped[float] = mapped_column(Float, default=1.0)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What it was trained on and how: picture count, steps, loss, device, recipe, palette distance if measured."""
    diffusers_key: Mapped[str] = mapped_column(String(300))
    """The file that our engines read; of a voice PEFT's, with its configuration in the header."""
    kohya_key: Mapped[str] = mapped_column(String(300))
    """For other programs; empty where their names have no place for this kind of adapter."""
    clean_key: Mapped[str] = mapped_column(String(300))
    """The kohya file, or where there is none the diffusers file, without anything that tells about the training
    pictures."""
    gguf_key: Mapped[str] = mapped_column(String(300), default="", server_default="")
    """Of a voice, for llama.cpp and Ollama; empty where the base's layout has none."""
    byte_count: Mapped[int]
    """Of the diffusers file."""
    sha256: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, default="")
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def stopped_at(self) -> tuple[int, int] | None:
        """The step at which somebody stopped its training, and how many there would have been; None for one that went
        to its end."""
        if self.facts.get("finished", True):
            return None
        return int(self.facts.get("steps", 0)), int(self.facts.get("planned_steps", 0))

    @property
    def base_edition(self) -> int:
        """The edition of its base that it was trained on (``BaseModelEntry.edition``)."""
        return int(self.facts.get("base_edition", 1))

    __table_args__ = (
        UniqueConstraint("project_id", "modality", "version", name="uq_adapters_project_version"),
        Index("ix_adapters_workspace", "workspace_id", "created_at"),
    )


class ImportedFile(Base):
    """An adapter file that somebody dropped, or that is being fetched from a hub, before it belongs to a brand."""

    __tablename__ = "brought_files"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    """As the file was called, without its ending."""
    address: Mapped[str] = mapped_column(String(500), default="")
    """Where it was fetched from; empty for an upload."""
    key: Mapped[str] = mapped_column(String(300), default="")
    """Empty until it is here."""
    byte_count: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    passport: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("ix_brought_files_workspace", "workspace_id", "created_at"),)


class MergedFile(Base):
    """A voice and its base as one model in one file, being made or there. One for each form of each voice."""

    __tablename__ = "merged_files"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    adapter_id: Mapped[str] = mapped_column(ForeignKey("adapters.id", ondelete="CASCADE"))
    form: Mapped[str] = mapped_column(String(16))
    """``safetensors``, ``gguf_f16`` or ``gguf_q8_0``; ``gguf_adapter`` while the voice's own file is made."""
    key: Mapped[str] = mapped_column(String(300), default="")
    """Empty until it is there."""
    byte_count: Mapped[int] = mapped_column(BigInteger, default=0)
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("adapter_id", "form", name="uq_merged_files_adapter_form"),)


class Publication(Base):
    """An adapter on its way to a model hub, or there."""

    __tablename__ = "publications"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    adapter_id: Mapped[str] = mapped_column(ForeignKey("adapters.id", ondelete="CASCADE"), index=True)
    repository: Mapped[str] = mapped_column(String(200))
    """``owner/name``."""
    is_private: Mapped[bool] = mapped_column(default=True)
    has_samples: Mapped[bool] = mapped_column(default=False)
    """Whether sample visuals go along; training pictures never do."""
    licence: Mapped[str] = mapped_column(String(60), default="other")
    url: Mapped[str] = mapped_column(String(500), default="")
    """Where it is; empty until it is there."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
