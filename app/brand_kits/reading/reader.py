"""Readers of logos and fonts: what disposable processes run. Nothing else imports this module."""

from dataclasses import fields
from typing import Any

from app.brand_kits.reading.fonts import read_font
from app.brand_kits.reading.logos import read_logo


def logo(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """A `ReadLogo`: its content and preview as blobs."""
    return _answer(read_logo(blobs[0], question["name"]))


def font(question: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """A `ReadFont`: its content and preview as blobs."""
    return _answer(read_font(blobs[0], question["name"]))


def _answer(read: Any) -> tuple[dict[str, Any], list[bytes]]:
    facts = {one.name: getattr(read, one.name) for one in fields(read) if one.repr}
    return facts, [read.content, read.preview]
