"""Pictures as the web process asks for them: read by disposable processes, with nothing of a decoder in this one."""

from collections.abc import Iterable
from dataclasses import asdict

from app.errors import AppError
from app.images.errors import SvgTooComplex, UnreadableImage
from app.images.reading.formats import ImageFormat, sniff
from app.images.reading.names import shown_name
from app.images.reading.notes import Note
from app.images.reading.palette import PaletteColour
from app.images.reading.prepared import CleanOriginal, IntakeLimits, PreparedImage
from app.reading import pool
from app.reading.errors import Unreadable


def read_picture(
    data: bytes, filename: str, limits: IntakeLimits | None = None, *, wait_seconds: float | None = None
) -> PreparedImage:
    """All that is made from a picture. `filename` is only shown; `wait_seconds` as in ``ReaderPool.ask``.

    Raises what `intake.inspect` and `intake.prepare` raise, UnreadableImage, and ``ReadersBusy``.
    """
    question = {"name": filename, "limits": asdict(limits or IntakeLimits())}
    try:
        answer = pool.ask("picture", question, [data], name=shown_name(filename), wait_seconds=wait_seconds)
    except Unreadable as error:
        raise _refusal(data, filename) from error
    facts = answer.value
    sides, working, thumbnails = facts.pop("sides"), answer.blobs[0], answer.blobs[1:]
    notes = tuple(Note(**note) for note in facts.pop("notes"))
    return PreparedImage(
        **facts | {"format": ImageFormat(facts["format"])},
        working=working,
        thumbnails=dict(zip(sides, thumbnails, strict=True)),
        notes=notes,
    )


def _refusal(data: bytes, filename: str) -> AppError:
    kind = SvgTooComplex if sniff(data) is ImageFormat.SVG else UnreadableImage
    return kind(name=shown_name(filename))


def clean_original(data: bytes, image_format: ImageFormat, filename: str = "") -> CleanOriginal:
    """The picture without any metadata but its colour profile and orientation. `data` has been taken in before.

    Raises what `location.without_location` raises, UnreadableImage, and ``ReadersBusy``.
    """
    question = {"name": filename, "format": image_format.value}
    try:
        answer = pool.ask("clean_original", question, [data], name=shown_name(filename))
    except Unreadable as error:
        raise _refusal(data, filename) from error
    note = answer.value["note"]
    return CleanOriginal(
        answer.blobs[0],
        ImageFormat(answer.value["format"]),
        answer.value["is_reencoded"],
        Note(**note) if note is not None else None,
    )


def suggest_palette(pictures: Iterable[bytes], size: int = 6) -> list[PaletteColour]:
    """The same as `palette.suggest_palette`, in a process of its own. Raises ``ReadersBusy``."""
    found = pool.ask("palette", {"size": size}, list(pictures))
    return [PaletteColour(**colour) for colour in found.value]
