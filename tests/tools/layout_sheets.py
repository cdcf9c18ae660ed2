"""``python -m tests.tools.layout_sheets OUT [layout ...]``: contact sheets of the layouts, to be looked at.

For each layout and theme one PNG: every proportion class, with a short and a very long headline, German, English and
right to left. What a layout's checks found is printed.
"""

import argparse
import io
from pathlib import Path

from PIL import Image

from app.layouts.channels import channel
from app.layouts.designs import layout, layouts
from app.layouts.render import render
from app.layouts.values import THEMES, Theme
from tests.tools import layout_samples as samples

GAP = 24
PAPER = (186, 188, 192)
CELLS = (
    ("instagram_portrait", "de", False, "landscape", 330),
    ("instagram_portrait", "de", True, "landscape", 330),
    ("instagram_story", "en", False, "still_life", 260),
    ("display_300x600", "de", False, "landscape", 230),
    ("instagram_square", "en", False, "still_life", 330),
    ("instagram_square", "ar", False, "landscape", 330),
    ("instagram_square", "de", True, "illustration", 330),
    ("display_300x250", "de", False, "landscape", 300),
    ("facebook_linkedin_link", "de", False, "landscape", 480),
    ("facebook_linkedin_link", "en", False, "illustration", 480),
    ("facebook_linkedin_link", "de", True, "still_life", 480),
    ("web_hero", "he", False, "landscape", 480),
    ("display_728x90", "de", False, "landscape", 728),
    ("display_728x90", "en", True, "still_life", 728),
    ("display_970x250", "de", False, "landscape", 728),
    ("display_320x100", "de", False, "landscape", 320),
    ("display_320x100", "ar", False, "still_life", 320),
    ("display_160x600", "de", False, "landscape", 160),
    ("display_160x600", "en", False, "illustration", 160),
    ("print_a5", "de", False, "landscape", 300),
    ("instagram_story", "de", True, "landscape", 260),
    ("instagram_story", "de", True, "illustration", 260),
    ("instagram_story", "ar", False, "illustration", 260),
)
"""Channel, language, whether the words are very long, the picture, and how wide it is shown in px."""
MOST_WIDTH = 2100


def pictures() -> dict[str, tuple[bytes, tuple[float, float]]]:
    """Each picture with its focus."""
    return {
        "landscape": (samples.landscape(), (0.62, 0.46)),
        "still_life": (samples.still_life(), (0.47, 0.6)),
        "illustration": (samples.illustration(), (0.5, 0.5)),
    }


def contact_sheet(key: str, theme: Theme, given: dict[str, tuple[bytes, tuple[float, float]]]) -> Image.Image:
    shown = []
    for place, language, is_long, picture, width in CELLS:
        content, focus = given[picture]
        words = samples.LONG if is_long else {}
        slots = samples.slots(language, content, focus=focus, **words)
        drawn = render(layout(key), theme, channel(place).canvas, slots, samples.locale(language), samples.COLOURS)
        for found in drawn.findings:
            if found.code != "picture_enlarged":
                print(key, theme, place, language, "long" if is_long else "", found.code, found.slot, found.numbers)
        image = Image.open(io.BytesIO(drawn.png))
        shown.append(image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS))
    return _arranged(shown)


def _arranged(shown: list[Image.Image]) -> Image.Image:
    """In rows from the left."""
    rows: list[list[Image.Image]] = [[]]
    for image in shown:
        if rows[-1] and sum(one.width + GAP for one in rows[-1]) + image.width + 2 * GAP > MOST_WIDTH:
            rows.append([])
        rows[-1].append(image)
    height = sum(max(one.height for one in row) + GAP for row in rows) + GAP
    page = Image.new("RGB", (MOST_WIDTH, height), PAPER)
    y = GAP
    for row in rows:
        x = GAP
        for image in row:
            page.paste(image, (x, y))
            x += image.width + GAP
        y += max(one.height for one in row) + GAP
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.layout_sheets", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to write the sheets into")
    parser.add_argument("layouts", nargs="*", help="keys of layouts; all of them if none is named")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    given = pictures()
    for key in asked.layouts or [one.key for one in layouts()]:
        for theme in THEMES:
            contact_sheet(key, theme, given).save(asked.out / f"{key}-{theme}.png")


if __name__ == "__main__":
    main()
