"""Readers of texts: what disposable processes run. Nothing else imports this module."""

from dataclasses import asdict
from typing import Any

from app.voice.reading import intake, mapping, previews
from app.voice.reading.intake import Content, TextLimits
from app.voice.reading.mapping import Mapping


def checked(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The format of a file that can be read."""
    name, limits = question["name"], TextLimits(**question["limits"])
    found = question["format"] or intake.checked_format(blobs[0], name, limits)
    intake.read(blobs[0], found, name, limits)
    return {"format": found}, []


def preview(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """A mapping, guessed where none is given, and the `Preview` of it."""
    content = _content(question, blobs)
    given = question["wanted"]
    wanted = Mapping.model_validate(given) if given else mapping.guess(content, question["name"])
    shown = previews.preview(content, wanted, otherwise=question["otherwise"])
    return {"wanted": wanted.model_dump(), "preview": asdict(shown)}, []


def drafts(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The `Draft`s of a mapping, and notes about rows that give none and about what else is not taken."""
    content = _content(question, blobs)
    wanted = Mapping.model_validate(question["wanted"])
    found, problems = mapping.apply(content, wanted, otherwise=question["otherwise"])
    return {
        "drafts": [vars(draft) for draft in found],
        "problems": [vars(note) for note in problems],
        "notes": [vars(note) for note in mapping.notes(content, wanted)],
    }, []


def _content(question: dict[str, Any], blobs: list[bytes]) -> Content:
    return intake.read(blobs[0], question["format"], question["name"], TextLimits(**question["limits"]))
