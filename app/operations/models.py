"""What the sweep of orphan files remembers."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, now


class OrphanFile(Base):
    """A file that no row pointed to when it was looked at; removed only if that is still so at a later round."""

    __tablename__ = "orphan_files"

    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(default=now)
