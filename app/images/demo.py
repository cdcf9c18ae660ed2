"""A brand to try everything with: shipped pictures, taken in like anybody's."""

import io
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from app.db import new_id
from app.errors import N_, NotFound
from app.images import service
from app.images.reading.readers import suggest_palette
from app.images.uploads import Limits, StoredImage, Upload, ingest
from app.projects import service as projects
from app.storage import Storage

PICTURES = Path(__file__).parent / "demo"
NAME = N_("Demo brand")
TRIGGER_WORD = "demostyle"
LOOK_NOTES = N_(
    "Emoji-like drawings: warm colours, dark outlines, one thing on white.\n\n"
    "Pictures: “Streamline Emojis” by Streamline, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), "
    "rendered as pictures of 512 pixels."
)


def pictures() -> list[Path]:
    """The shipped pictures and their captions; empty where the installation left them out."""
    return sorted(path for path in PICTURES.glob("*") if path.suffix in (".png", ".webp", ".txt"))


def add_demo_brand(
    session: Session,
    storage: Storage,
    *,
    workspace_id: str,
    created_by: str | None,
    limits: Limits,
    in_words: Callable[[str], str] = str,
) -> str:
    """A new brand with the shipped pictures; returns its id. They are decoded before the first statement.

    ``in_words`` puts its name and notes into the language of whoever asked for it.

    Raises ``NotFound`` where there are none.
    """
    files = [(path.name, path.read_bytes()) for path in pictures()]
    if not files:
        raise NotFound()
    project_id = new_id()
    uploads = [Upload(name, io.BytesIO(data), len(data)) for name, data in files]
    taken = ingest(storage, uploads, project_id=project_id, known=frozenset(), limits=limits)
    stored = [one for one in taken if isinstance(one, StoredImage)]
    colours = suggest_palette(storage.get(one.small_thumb_key) for one in stored)
    project = projects.create_project(
        session,
        workspace_id=workspace_id,
        name=in_words(NAME),
        trigger=TRIGGER_WORD,
        created_by=created_by,
        project_id=project_id,
    )
    project.look_notes, project.palette = in_words(LOOK_NOTES), [colour.hex for colour in colours]
    service.add_all(session, taken, workspace_id=workspace_id, project_id=project_id, created_by=created_by)
    return project_id
