"""Colours of a theme from a brand's colours, and how well they can be told apart (WCAG 2.2, 1.4.3)."""

import re

import numpy as np
from numpy.typing import NDArray

from app.errors import N_, Invalid
from app.layouts.values import Colours, Theme

LEAST_CONTRAST = 4.5
"""What WCAG asks of text at level AA."""
HEX = re.compile(r"#[0-9a-fA-F]{6}")
_STEPS = np.arange(256) / 255
LINEAR = np.where(_STEPS <= 0.04045, _STEPS / 12.92, ((_STEPS + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""Linear light for each of the 256 steps of sRGB."""
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


class NoColour(Invalid):
    sentence = N_("“%(colour)s” is no colour. Write it as # and six digits, such as #1a73e8.")


def rgb(colour: str) -> tuple[int, int, int]:
    """The three parts of ``#rrggbb``, from 0 to 255. Raises ``NoColour``."""
    if not HEX.fullmatch(colour):
        raise NoColour(colour=colour[:20])
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Relative luminance from 0 to 1 of sRGB pixels (..., 3)."""
    light: NDArray[np.float32] = LINEAR[pixels] @ _WEIGHTS
    return light


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    light = [float(luminance(np.array(rgb(colour), dtype=np.uint8))) for colour in (one, other)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def contrasts(colour: str, behind: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The contrast of a colour with each of the pixels (..., 3) behind it."""
    own = luminance(np.array(rgb(colour), dtype=np.uint8))
    return between(luminance(behind), own)


def between(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """The contrast of two luminances."""
    return ((np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05)).astype(np.float32)


def mix(one: str, other: str, share: float) -> str:
    """``share`` of the first colour, the rest of the other."""
    parts = (round(a * share + b * (1 - share)) for a, b in zip(rgb(one), rgb(other), strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def readable_on(ground: str, *candidates: str) -> str:
    """The first of the candidate colours that can be read on the ground, else black or white."""
    for candidate in candidates:
        if contrast(candidate, ground) >= LEAST_CONTRAST + 0.1:
            return candidate
    return max(("#ffffff", "#000000"), key=lambda colour: contrast(colour, ground))


def palette(colours: Colours, theme: Theme, plain: str | None = None) -> dict[str, str]:
    """The roles that layouts paint with. ``plain`` is the colour of the picture's ground where it has but one.

    The dark theme stands on the darker of the brand's ground and text. Every ``on_`` colour can be read on its ground,
    ``quiet``, ``accent_text`` and ``primary_text`` on the theme's own, and ``over_text`` on a veil of ``over_ground``
    over the picture.
    """
    lighter, darker = sorted(
        (colours.ground, colours.text), key=lambda colour: contrast(colour, "#000000"), reverse=True
    )
    ground, text = (lighter, darker) if theme == "light" else (darker, lighter)
    text = readable_on(ground, text)
    primary, accent = colours.primary, colours.accent
    over = plain or ground
    return {
        "over_ground": over,
        "over_text": text if plain is None else readable_on(over, text, ground),
        "ground": ground,
        "text": text,
        "quiet": readable_on(ground, mix(text, ground, 0.72), text),
        "line": mix(text, ground, 0.22),
        # A little accent warms a light ground, and turns a dark one to mud.
        "tint": mix(accent, ground, 0.16) if theme == "light" else mix(text, ground, 0.12),
        "primary": primary,
        "on_primary": readable_on(primary, lighter, darker),
        "accent": accent,
        "on_accent": readable_on(accent, darker, lighter),
        "accent_text": readable_on(ground, accent, primary, text),
        "primary_text": readable_on(ground, primary, text),
        "light": lighter,
        "dark": darker,
    }
