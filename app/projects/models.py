"""Brands. In code and addresses a brand is a project, as the field's tools call it."""

import colorsys
import hashlib
import json
from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now


class Project(Base):
    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    trigger_word: Mapped[str] = mapped_column(String(60))
    palette: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Colours as ``#rrggbb``, the most important first."""
    look_notes: Mapped[str] = mapped_column(Text, default="")
    cover_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    """The picture that somebody put in front: a visual or one of the brand's own; None for the best that there is."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (Index("ix_projects_workspace", "workspace_id", "archived_at", "created_at"),)

    @property
    def accent(self) -> str:
        """The first colour of the palette that a page can wear: neither grey nor nearly black or white; else empty."""
        for colour in self.palette:
            red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
            _, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
            if saturation > 0.25 and 0.15 < lightness < 0.9:
                return colour
        return ""

    @property
    def words_version(self) -> str:
        """Changes with the trigger word and the notes: a form that was opened before says which ones it saw."""
        return _version(self.trigger_word, self.look_notes)

    @property
    def palette_version(self) -> str:
        """Changes with the colours and their order."""
        return _version(*self.palette)


def _version(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
