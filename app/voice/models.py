"""The written samples of a brand: what its voice is learned from."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class VoiceImport(Base):
    """A file, or pasted text, on its way to samples. Its file is removed as soon as the samples are there."""

    __tablename__ = "voice_imports"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    filename: Mapped[str] = mapped_column(String(300))
    """The uploader's name for the file: shown, never used as a path."""
    format: Mapped[str] = mapped_column(String(10))
    byte_count: Mapped[int]
    key: Mapped[str | None] = mapped_column(String(300))
    """The file in the storage; None once it was read into samples."""
    added: Mapped[int] = mapped_column(default=0)
    problems: Mapped[list[list[object]]] = mapped_column(JSON, default=list)
    """What could not be read, as pairs of sentence and parameters, row by row."""
    notes: Mapped[list[list[object]]] = mapped_column(JSON, default=list)
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (Index("ix_voice_imports_project", "project_id", "created_at", "id"),)


class TextSample(Base):
    """One text of the brand."""

    __tablename__ = "text_samples"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    import_id: Mapped[str | None] = mapped_column(ForeignKey("voice_imports.id", ondelete="SET NULL"))
    position: Mapped[int] = mapped_column(default=0)
    """The order within one import."""
    passage: Mapped[int | None]
    """Number of the row or section of the import that it came from: a long one gives several samples."""
    text: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(String(300), default="")
    channel: Mapped[str] = mapped_column(String(20), default="other")
    language: Mapped[str] = mapped_column(String(5), default="en")
    brief: Mapped[str] = mapped_column(Text, default="")
    """The instruction as a person or the file gave it; empty: derived from the sample."""
    included: Mapped[bool] = mapped_column(default=True)
    personal_data: Mapped[str] = mapped_column(String(10), default="")
    """What is to be done with it: "" nobody has decided (training reads it masked), "keep" or "mask"."""
    findings: Mapped[list[list[object]]] = mapped_column(JSON, default=list)
    """What looks like personal data, as triples of kind, start and end in ``text``."""
    text_hash: Mapped[str] = mapped_column(String(32))
    """Hash of the text without its spacing, case and marks."""
    signature: Mapped[str] = mapped_column(String(200))
    """Bands of a MinHash, to find what is nearly the same."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    """Set by "delete"; undone within a while, then swept."""

    __table_args__ = (
        Index("ix_text_samples_project", "project_id", "deleted_at", "created_at", "position", "id"),
        Index("ix_text_samples_hash", "project_id", "text_hash"),
    )


class BoilerplateLine(Base):
    """A line that many samples share, and what a person decided about it."""

    __tablename__ = "boilerplate_lines"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    line_hash: Mapped[str] = mapped_column(String(32))
    line: Mapped[str] = mapped_column(String(300))
    choice: Mapped[str] = mapped_column(String(10))
    """What training does with it: "keep", or "cut" it out."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("project_id", "line_hash", name="uq_boilerplate_lines_project_line"),)
