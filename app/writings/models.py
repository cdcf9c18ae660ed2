"""Pieces of writing: the frozen request, its variants, the brand's rules, blind votes. State lives on the job."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class Writing(Base):
    """One request: a brief that up to three arms write to."""

    __tablename__ = "writings"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    brief: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(5))
    audience: Mapped[str] = mapped_column(String(200), default="")
    tone: Mapped[str] = mapped_column(String(120), default="")
    length: Mapped[str] = mapped_column(String(10), default="usual")
    seed: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int]
    """Variants of each arm."""
    recipe: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``WritingOrder``."""
    adapter_id: Mapped[str | None] = mapped_column(ForeignKey("adapters.id", ondelete="SET NULL"), default=None)
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("campaigns.id", ondelete="SET NULL"), default=None)
    output_id: Mapped[str | None] = mapped_column(ForeignKey("outputs.id", ondelete="SET NULL"), default=None)
    """The visual that the text is for."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("ix_writings_project", "project_id", "created_at", "id"),
        Index("ix_writings_workspace", "workspace_id", "created_at", "id"),
        Index("ix_writings_output", "output_id"),
    )


class WritingVariant(Base):
    """One text of one arm. Created empty with the request, and filled while it is written."""

    __tablename__ = "writing_variants"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    writing_id: Mapped[str] = mapped_column(ForeignKey("writings.id", ondelete="CASCADE"))
    arm: Mapped[str] = mapped_column(String(16))
    """``adapter``, ``prompted_base`` or ``base``."""
    position: Mapped[int]
    text: Mapped[str] = mapped_column(Text, default="")
    """The model's own wording; never changed afterwards."""
    edited: Mapped[str | None] = mapped_column(Text, default=None)
    """A person's wording; None while nobody has edited the text."""
    edited_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), default=None)
    """Whose wording that is."""
    tokens: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    finished: Mapped[bool] = mapped_column(default=False)
    copied: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    """The longest run of words that the current text shares with a sample: ``words``, ``start``, ``end``; None before
    it was looked for."""
    favourite: Mapped[bool] = mapped_column(default=False)
    review: Mapped[str] = mapped_column(String(10), default="open")
    """``open``, ``approved`` or ``rejected``."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        UniqueConstraint("writing_id", "arm", "position", name="uq_writing_variants_place"),
        Index("ix_writing_variants_workspace", "workspace_id", "created_at", "id"),
        Index("ix_writing_variants_project", "project_id", "created_at", "id"),
    )

    @property
    def current(self) -> str:
        """The text that counts: a person's, else the model's."""
        return self.text if self.edited is None else self.edited


class TextRules(Base):
    """What a brand's texts must hold to. A brand without this row has no rules but its channels' limits."""

    __tablename__ = "text_rules"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), unique=True)
    rules: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """A ``checks.Rules``."""
    changed_at: Mapped[datetime] = mapped_column(default=now)


class BlindPair(Base):
    """Two texts of one brief by different arms, in the order in which everybody sees them."""

    __tablename__ = "blind_pairs"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    """Random, so that going by it mixes the arms."""
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    writing_id: Mapped[str] = mapped_column(ForeignKey("writings.id", ondelete="CASCADE"))
    left_id: Mapped[str] = mapped_column(ForeignKey("writing_variants.id", ondelete="CASCADE"))
    right_id: Mapped[str] = mapped_column(ForeignKey("writing_variants.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        UniqueConstraint("left_id", "right_id", name="uq_blind_pairs_texts"),
        Index("ix_blind_pairs_project", "project_id", "id"),
        Index("ix_blind_pairs_writing", "writing_id"),
    )


class BlindVote(Base):
    """What one member thinks of one pair."""

    __tablename__ = "blind_votes"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    pair_id: Mapped[str] = mapped_column(ForeignKey("blind_pairs.id", ondelete="CASCADE"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    choice: Mapped[str] = mapped_column(String(5))
    """``left``, ``right`` or ``same``."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("pair_id", "user_id", name="uq_blind_votes_member"),)
