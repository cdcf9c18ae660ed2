"""Generations: the frozen request, and the pictures it gave. Its state lives on the job."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, TextClause, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class Generation(Base):
    __tablename__ = "generations"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(12), default="pictures")
    """``pictures``, ``strip``: one seed, several strengths (a with-and-without pair is a strip of two), or
    ``enlargement``: one picture of another order, larger."""
    recipe: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``GenerationRecipe``."""
    channel: Mapped[str] = mapped_column(String(20), default="square")
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("campaigns.id", ondelete="SET NULL"), default=None)
    image_key: Mapped[str | None] = mapped_column(String(300), default=None)
    """The start picture's file; the recipe names its hash."""
    mask_key: Mapped[str | None] = mapped_column(String(300), default=None)
    drawing: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    """A ``DrawingPlan``: how the worker's card was used; None before it is drawn, and without anything to plan."""
    words: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON, default=None)
    """Each a ``ToldWord``: what the base does not know of the prompt; None for nothing. Kept, as bases learn words."""
    source_output_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    """The picture that "more like this" or "reuse" started from, or that is enlarged."""
    enlargements: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON, default=None)
    """Each an ``EnlargementStep``, the first one first: every time that the picture was enlarged after it was drawn."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("ix_generations_project", "project_id", "created_at"),
        Index("ix_generations_source", "source_output_id"),
    )


class StartPicture(Base):
    """A picture to start from: a copy of its own, so that it outlives what it was taken from."""

    __tablename__ = "start_pictures"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(300))
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("project_id", "sha256", name="uq_start_pictures_content"),)


def _in_gallery(yes: str) -> TextClause:
    return text(f"deleted_at IS NULL AND in_gallery IS {yes}")


def _gallery_index(name: str, *columns: str) -> Index:
    there = text("deleted_at IS NULL")
    return Index(name, "workspace_id", *columns, "created_at", "id", sqlite_where=there, postgresql_where=there)


class Output(Base):
    """One finished picture. What the gallery filters by is repeated here, so that a page is one index walk."""

    __tablename__ = "outputs"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id", ondelete="CASCADE"))
    position: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    strength: Mapped[float] = mapped_column(Float, default=1.0)
    """The multiplier of a strip; 1 outside one."""
    prompt: Mapped[str] = mapped_column(Text)
    prompt_folded: Mapped[str] = mapped_column(Text)
    """The prompt in folded case, to search in: databases differ in what they know of capital umlauts."""
    adapter_id: Mapped[str | None] = mapped_column(ForeignKey("adapters.id", ondelete="SET NULL"), default=None)
    """The first adapter of the recipe, to filter by; the recipe names them all."""
    key: Mapped[str] = mapped_column(String(300))
    thumb_key: Mapped[str] = mapped_column(String(300))
    width: Mapped[int]
    height: Mapped[int]
    byte_count: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    placeholder: Mapped[str] = mapped_column(Text, default="")
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    favourite: Mapped[bool] = mapped_column(default=False)
    review: Mapped[str] = mapped_column(String(10), default="open")
    """``open``, ``approved`` or ``rejected``."""
    reviewed_at: Mapped[datetime | None] = mapped_column(default=None)
    """When it was last approved or rejected; None while it is open."""
    in_gallery: Mapped[bool] = mapped_column(default=True)
    """False for a picture of a comparison that nobody has kept: it stays with its order."""
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("campaigns.id", ondelete="SET NULL"), default=None)
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    """Set by "delete"; undone within a while, then swept with its files."""

    __table_args__ = (
        UniqueConstraint("generation_id", "position", name="uq_outputs_place"),
        # Every page of the gallery names its workspace and perhaps one of these, leaves out what was deleted, and goes
        # by moment and id. PostgreSQL walks an index in that order only where "not deleted" is a condition of it.
        _gallery_index("ix_outputs_workspace"),
        _gallery_index("ix_outputs_project", "project_id"),
        _gallery_index("ix_outputs_adapter", "adapter_id"),
        _gallery_index("ix_outputs_campaign", "campaign_id"),
        _gallery_index("ix_outputs_favourite", "favourite"),
        _gallery_index("ix_outputs_review", "review"),
        # What the gallery counts is all in here, so that counting reads no row.
        Index(
            "ix_outputs_counts",
            "workspace_id",
            "favourite",
            "review",
            "project_id",
            sqlite_where=_in_gallery("1"),
            postgresql_where=_in_gallery("true"),
        ),
    )
