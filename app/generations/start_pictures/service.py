"""What may happen with pictures to start from: taken in from an upload, the gallery or the brand, and found again."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Database, own
from app.generations.errors import NoStartPicture
from app.generations.models import StartPicture
from app.generations.requests import StartImage
from app.generations.start_pictures.files import KeptPicture, Rectangle, keep_mask
from app.storage import Storage


def add(
    session: Session, kept: KeptPicture, *, workspace_id: str, project_id: str, created_by: str | None
) -> StartPicture:
    """The row of a picture that is in the storage; the same picture in the same brand is the row that there is."""
    there = session.scalar(
        select(StartPicture).where(
            StartPicture.workspace_id == workspace_id,
            StartPicture.project_id == project_id,
            StartPicture.sha256 == kept.sha256,
        )
    )
    if there is not None:
        return there
    row = StartPicture(
        workspace_id=workspace_id,
        project_id=project_id,
        key=kept.key,
        sha256=kept.sha256,
        width=kept.width,
        height=kept.height,
        created_by=created_by,
    )
    session.add(row)
    session.flush()
    return row


def start_picture(session: Session, *, workspace_id: str, start_id: str) -> StartPicture:
    """Raises ``NotFound`` for another workspace's too."""
    return own(session, StartPicture, start_id, workspace_id)


def by_hash(session: Session, *, workspace_id: str, project_id: str, sha256: str) -> StartPicture | None:
    return session.scalar(
        select(StartPicture).where(
            StartPicture.workspace_id == workspace_id,
            StartPicture.project_id == project_id,
            StartPicture.sha256 == sha256,
        )
    )


@dataclass(frozen=True)
class StartChoice:
    """What a person chose to start from, and the part of it that changes."""

    start_id: str | None = None
    """None: from noise alone."""
    mask: str | Rectangle | None = None
    """A PNG in base64, or a rectangle; None for the whole picture."""
    keeps_painted: bool = False
    """Whether the painted part stays and all else changes."""
    strength: float | None = None
    """None: what suits."""


def start_image(
    database: Database,
    storage: Storage,
    *,
    workspace_id: str,
    choice: StartChoice,
) -> StartImage | None:
    """The start picture of an order with its mask in the storage; None where none is chosen.

    Works in a session of its own, before that of the order begins: the mask's file comes first. Raises ``NotFound``,
    ``NoStartPicture``, ``BadMask``, ``MaskKeepsAll``.
    """
    if choice.start_id is None:
        if choice.mask is not None:
            raise NoStartPicture()
        return None
    with database.read() as session:
        row = start_picture(session, workspace_id=workspace_id, start_id=choice.start_id)
        key, sha256, size, project_id = row.key, row.sha256, (row.width, row.height), row.project_id
    kept = None
    if choice.mask is not None:
        kept = keep_mask(storage, choice.mask, size, project_id=project_id, keeps_painted=choice.keeps_painted)
    return StartImage(
        image_key=key,
        image=sha256,
        width=size[0],
        height=size[1],
        mask_key=kept.key if kept else None,
        mask=kept.sha256 if kept else None,
        strength=choice.strength,
    )
