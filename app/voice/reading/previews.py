"""What an import would bring, shown before it does."""

from dataclasses import dataclass

from app.images.reading.notes import Note
from app.voice.errors import NoTextColumn
from app.voice.reading import mapping
from app.voice.reading.intake import Content
from app.voice.reading.mapping import Draft, Mapping
from app.voice.reading.tables import Table

SHOWN = 6
EXAMPLE = 60  # characters


@dataclass(frozen=True)
class ColumnShown:
    """A column by its number, its name if it has one, and the start of what stands in it."""

    number: int
    name: str
    example: str


@dataclass(frozen=True)
class Preview:
    """``count`` texts would come, of which ``drafts`` are the first; ``problems`` names the rows that give none, and
    ``notes`` what else of the file is not taken."""

    count: int
    drafts: tuple[Draft, ...]
    problems: tuple[Note, ...]
    notes: tuple[Note, ...]
    columns: tuple[ColumnShown, ...]
    is_table: bool


def preview(content: Content, wanted: Mapping, *, otherwise: str) -> Preview:
    """Also for a mapping that no text can come of yet: then there are no drafts."""
    try:
        drafts, problems = mapping.apply(content, wanted, otherwise=otherwise)
    except NoTextColumn:
        drafts, problems = [], []
    is_table = isinstance(content, Table)
    return Preview(
        len(drafts),
        tuple(drafts[:SHOWN]),
        tuple(problems),
        tuple(mapping.notes(content, wanted)),
        columns(content, wanted.header),
        is_table,
    )


def columns(content: Content, header: bool) -> tuple[ColumnShown, ...]:
    """Empty for a document."""
    if not isinstance(content, Table):
        return ()
    body = content.body(header)
    found = []
    for number, name in enumerate(content.names(header)):
        example = next((" ".join(row.cells[number].split()) for row in body if row.cells[number].strip()), "")
        found.append(ColumnShown(number, name, example[:EXAMPLE]))
    return tuple(found)
