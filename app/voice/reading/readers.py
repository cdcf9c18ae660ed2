"""Files of texts as the web process asks for them: read by disposable processes, so that none can hold this one."""

from dataclasses import asdict, dataclass, field
from typing import Any

from app.images.reading.notes import Note
from app.reading import pool
from app.reading.errors import Unreadable
from app.voice.errors import TextsRefused
from app.voice.reading.intake import TextLimits
from app.voice.reading.mapping import Draft, Mapping
from app.voice.reading.previews import ColumnShown, Preview


@dataclass(frozen=True)
class TextFile:
    """An uploaded file; ``format`` is one of ``intake.FORMATS``, or None where nobody has looked yet."""

    data: bytes = field(repr=False)
    format: str | None
    name: str
    limits: TextLimits


def checked_format(file: TextFile) -> str:
    """The format of a file that can be read. Raises ``TextsRefused`` and its kinds, ``ReadersBusy``."""
    return str(_asked("checked_texts", file, {})["format"])


def preview(file: TextFile, wanted: Mapping | None, *, otherwise: str) -> tuple[Mapping, Preview]:
    """What an import with this mapping would bring, or with one that is guessed. Raises like ``checked_format``."""
    found = _asked(
        "preview_of_texts", file, {"wanted": wanted.model_dump() if wanted else None, "otherwise": otherwise}
    )
    shown = found["preview"]
    return Mapping.model_validate(found["wanted"]), Preview(
        count=shown["count"],
        drafts=tuple(Draft(**draft) for draft in shown["drafts"]),
        problems=_notes(shown["problems"]),
        notes=_notes(shown["notes"]),
        columns=tuple(ColumnShown(**column) for column in shown["columns"]),
        is_table=shown["is_table"],
    )


def drafts(file: TextFile, wanted: Mapping, *, otherwise: str) -> tuple[list[Draft], list[Note], list[Note]]:
    """Drafts in their order, a note for each row that gives none, and notes about what else of the file is not taken.

    Raises ``NoTextColumn``, and like ``checked_format``.
    """
    found = _asked("drafts_of_texts", file, {"wanted": wanted.model_dump(), "otherwise": otherwise})
    return [Draft(**draft) for draft in found["drafts"]], list(_notes(found["problems"])), list(_notes(found["notes"]))


def _asked(reader: str, file: TextFile, question: dict[str, Any]) -> dict[str, Any]:
    about = {"format": file.format, "name": file.name, "limits": asdict(file.limits)}
    try:
        found: dict[str, Any] = pool.ask(reader, about | question, [file.data], name=file.name).value
    except Unreadable as error:
        raise TextsRefused(name=file.name) from error
    return found


def _notes(found: list[dict[str, Any]]) -> tuple[Note, ...]:
    return tuple(Note(**note) for note in found)
