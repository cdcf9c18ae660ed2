"""Readers of pictures: what disposable processes run. Nothing else imports this module."""

from dataclasses import asdict
from typing import Any

import pyvips

from app.images.reading.formats import ImageFormat
from app.images.reading.intake import inspect, prepare
from app.images.reading.location import without_location
from app.images.reading.palette import suggest_palette
from app.images.reading.prepared import IntakeLimits

# libvips keeps the last hundred operations, and with them the customers' uploads, in memory. We never repeat one.
pyvips.cache_set_max(0)


def prepared(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """A `PreparedImage`: the files as blobs, its working copy first, then the thumbnails."""
    made = prepare(inspect(blobs[0], question["name"], IntakeLimits(**question["limits"])))
    facts = {
        **{key: getattr(made, key) for key in ("sha256", "width", "height", "working_width", "working_height")},
        **{key: getattr(made, key) for key in ("placeholder", "placeholder_colour", "dhash", "sharpness", "border")},
        "format": made.format.value,
        "notes": [asdict(note) for note in made.notes],
        "sides": list(made.thumbnails),
    }
    return facts, [made.working, *made.thumbnails.values()]


def clean_original(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """A `CleanOriginal`: the file as a blob."""
    clean = without_location(blobs[0], ImageFormat(question["format"]), question["name"])
    note = asdict(clean.note) if clean.note is not None else None
    return {"format": clean.format.value, "is_reencoded": clean.is_reencoded, "note": note}, [clean.data]


def palette(question: dict[str, Any], blobs: list[bytes]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """`PaletteColour`s of derived files."""
    return [asdict(colour) for colour in suggest_palette(blobs, question["size"])], []
