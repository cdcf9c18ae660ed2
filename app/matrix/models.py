"""A campaign's brief, its words and pictures, its cells with all their versions, and what was made of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class CampaignBrief(Base):
    """The brief of a campaign that makes ads. A campaign without one only groups pictures."""

    __tablename__ = "campaign_briefs"

    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(default=1)
    """Grows with each change; a form that was opened before is refused."""
    brief: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``brief.Brief``."""
    name_pattern: Mapped[str] = mapped_column(String(200), default="")
    """How files of a pack are called; empty: as usual."""
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime] = mapped_column(default=now)


class CampaignWords(Base):
    """What ads say to one audience in one language, unless a cell has words of its own."""

    __tablename__ = "campaign_words"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign_briefs.campaign_id", ondelete="CASCADE"))
    audience: Mapped[str] = mapped_column(String(8))
    locale: Mapped[str] = mapped_column(String(20))
    words: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """A ``spec.Words``."""
    drafts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """By field of ``Words`` the id of the ``Writing`` whose variants are proposed for it."""
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("campaign_id", "audience", "locale", name="uq_campaign_words_place"),)


class CampaignPicture(Base):
    """The base picture of one audience in one class of proportions."""

    __tablename__ = "campaign_pictures"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign_briefs.campaign_id", ondelete="CASCADE"))
    audience: Mapped[str] = mapped_column(String(8))
    shape: Mapped[str] = mapped_column(String(8))
    """One of ``spec.PICTURE_CLASSES``."""
    prompt: Mapped[str] = mapped_column(Text)
    """What was ordered, without trigger words."""
    generation_id: Mapped[str | None] = mapped_column(
        ForeignKey("generations.id", ondelete="SET NULL"), default=None, index=True
    )
    """The order whose first picture takes this place when it is done."""
    output_id: Mapped[str | None] = mapped_column(ForeignKey("outputs.id", ondelete="SET NULL"), default=None)
    """The picture in use; None until one is there."""
    changed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("campaign_id", "audience", "shape", name="uq_campaign_pictures_place"),)


class Cell(Base):
    """One ad of a campaign: an audience, a channel, a language."""

    __tablename__ = "cells"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign_briefs.campaign_id", ondelete="CASCADE"))
    audience: Mapped[str] = mapped_column(String(8))
    channel: Mapped[str] = mapped_column(String(60))
    locale: Mapped[str] = mapped_column(String(20))
    position: Mapped[int]
    """Its place in the matrix: by audience, channel and locale, as the brief lists them."""
    version: Mapped[int] = mapped_column(default=0)
    """The number of the version that counts; 0 while it waits for its picture."""
    review: Mapped[str] = mapped_column(String(10), default="open")
    """``open``, ``approved`` or ``rejected``: the state of the version that counts."""
    removed_at: Mapped[datetime | None] = mapped_column(default=None)
    """Set while the brief does not list it; its versions stay."""
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        UniqueConstraint("campaign_id", "audience", "channel", "locale", name="uq_cells_place"),
        Index("ix_cells_matrix", "workspace_id", "campaign_id", "removed_at", "position"),
    )


class Rendering(Base):
    """Versions that one act has made, and the job that lays them out."""

    __tablename__ = "renderings"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign_briefs.campaign_id", ondelete="CASCADE"))
    act: Mapped[str] = mapped_column(String(20))
    """What was done: one of ``cells.ACTS``."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("ix_renderings_campaign", "campaign_id", "created_at"),)


class CellVersion(Base):
    """One state of a cell. What it says never changes; the worker adds what came out."""

    __tablename__ = "cell_versions"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cell_id: Mapped[str] = mapped_column(ForeignKey("cells.id", ondelete="CASCADE"))
    number: Mapped[int]
    """1, 2, 3 … within the cell."""
    rendering_id: Mapped[str] = mapped_column(ForeignKey("renderings.id", ondelete="CASCADE"), index=True)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``spec.CellSpec``."""
    made_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    """When it was laid out, or could not be."""
    key: Mapped[str | None] = mapped_column(String(300), default=None)
    """The ad as PNG at its exact pixels."""
    preview_key: Mapped[str | None] = mapped_column(String(300), default=None)
    byte_count: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    enlarged: Mapped[float] = mapped_column(Float, default=1.0)
    """How many times the picture was enlarged for it."""
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What to look at before it goes out, each ``code``, ``slot`` and ``numbers`` (``layouts.findings``)."""
    problem: Mapped[str | None] = mapped_column(Text, default=None)
    """Why it could not be laid out, as a sentence."""

    __table_args__ = (UniqueConstraint("cell_id", "number", name="uq_cell_versions_number"),)


class Pack(Base):
    """A ZIP of finished ads: what was in it is frozen when it is ordered."""

    __tablename__ = "packs"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign_briefs.campaign_id", ondelete="CASCADE"))
    number: Mapped[int]
    """1, 2, 3 … within the campaign."""
    contents: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``packs.Contents``."""
    key: Mapped[str | None] = mapped_column(String(300), default=None)
    byte_count: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (UniqueConstraint("campaign_id", "number", name="uq_packs_number"),)
