"""What a document is made of, and what in plain text begins something new."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

BREAK_LINE = re.compile(r"^\s*(?:[-*_=~#]\s*){3,}$")
LONGEST_BREAK = 200  # characters


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph (with its line ends), or a mark that something new begins."""

    kind: Literal["heading", "paragraph", "break"]
    text: str = ""


def is_break(line: str) -> bool:
    """A line of dashes or the like."""
    return len(line) <= LONGEST_BREAK and BREAK_LINE.match(line) is not None


def plain_blocks(text: str) -> Iterator[Block]:
    """Paragraphs are apart by an empty line; a line of dashes or the like begins something new."""
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        breaks = is_break(line)
        if line.strip() and not breaks:
            lines.append(line.strip())
            continue
        if lines:
            yield Block("paragraph", "\n".join(lines))
            lines = []
        if breaks:
            yield Block("break")
