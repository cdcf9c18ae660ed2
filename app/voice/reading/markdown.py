"""Markdown without its marks: what people read of it. Code, images and comments are left out.

Not a renderer: unfinished or unusual marks stay as they are. Every step looks at each character a fixed number of
times, so that a file of unfinished marks costs no more than its length: comments and code are found from their
beginnings on, and no pattern runs over the mark that it begins with.
"""

import re
from collections.abc import Iterator

from app.voice.reading.blocks import Block, plain_blocks

_UNDERLINED = re.compile(r"^([^\n]{1,120})\n(?:={3,}|-{3,})[ \t]*$", re.MULTILINE)
_HEADING_LINE = re.compile(r"^(#{1,6}[ \t][^\n]*)$", re.MULTILINE)
_HEADING = re.compile(r"#{1,6}[ \t]+")
_FENCES = ("```", "~~~")
# One pair of brackets within an address, as in links to encyclopedias.
_ADDRESS = r"\([^()]*+(?:\([^()]*+\)[^()]*+)?\)"
# What a line must hold for a pattern to be tried; the pattern; what becomes of it.
_INLINE = (
    ("![", re.compile(rf"!\[[^\[\]]*+\]{_ADDRESS}"), ""),
    ("](", re.compile(rf"\[([^\[\]]*+)\]{_ADDRESS}"), r"\1"),
    (">", re.compile(r"^\s*+>+\s?"), ""),
    ("]:", re.compile(r"^\s*+\[[^\[\]]++\]:\s*+\S.*$"), ""),
    ("**", re.compile(r"\*\*(?=\S)((?:[^*]|\*(?!\*))++)(?<=\S)\*\*"), r"\1"),
    ("__", re.compile(r"__(?=\S)((?:[^_]|_(?!_))++)(?<=\S)__"), r"\1"),
    ("*", re.compile(r"(?<![\w*])\*(?=\S)([^*]++)(?<=\S)\*(?![\w*])"), r"\1"),
    ("_", re.compile(r"(?<![\w*])_(?=\S)((?:[^_]|(?<=[^\W_])_(?=[^\W_]))++)(?<=\S)_(?![\w*])"), r"\1"),
    ("`", re.compile(r"`([^`]++)`"), r"\1"),
    ("", re.compile(r"^\s*+[*+]\s+"), "- "),
    ("<", re.compile(r"</?[a-zA-Z][^<>]*+>"), ""),
    ("\\", re.compile(r"\\([\\`*_{}\[\]()#+.!-])"), r"\1"),
)


def blocks_of(text: str) -> Iterator[Block]:
    """The headings, paragraphs and breaks of cleaned text."""
    text = _UNDERLINED.sub(r"# \1", _without_code(_without_comments(text)))
    for block in plain_blocks(_HEADING_LINE.sub(r"\n\1\n", text)):
        if block.kind != "paragraph":
            yield block
        elif begin := _HEADING.match(block.text):
            yield Block("heading", without_marks(block.text[begin.end() :].rstrip(" \t#")))
        elif plain := "\n".join(filter(None, (without_marks(line) for line in block.text.split("\n")))):
            yield Block("paragraph", plain)


def front_matter(text: str) -> tuple[str, str]:
    """The title that the lines between the first ``---`` and the next one tell, and the text behind them."""
    end = text.find("\n---\n", 3) if text.startswith("---\n") else -1
    if end < 0:
        return "", text
    told = (line.partition(":")[2] for line in text[4:end].split("\n") if line.startswith("title:"))
    return next(told, "").strip().strip("\"'"), text[end + 5 :]


def _without_comments(text: str) -> str:
    kept, at = list[str](), 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        kept.append(text[at:begin])
        at = end + 3
    return "".join([*kept, text[at:]])


def _without_code(text: str) -> str:
    """Drops what stands between fences. A fence that is never closed stays, with what follows."""
    lines = text.split("\n")
    # The last line that closes each kind, so that none is looked for where there is none.
    last = {fence: max((at for at, line in enumerate(lines) if _closes(line, fence)), default=-1) for fence in _FENCES}
    kept, at = list[str](), 0
    while at < len(lines):
        fence = lines[at][:3]
        if fence in last and last[fence] > at:
            at += 1
            while not _closes(lines[at], fence):
                at += 1
            kept.append("")
        else:
            kept.append(lines[at])
        at += 1
    return "\n".join(kept)


def _closes(line: str, fence: str) -> bool:
    return line.startswith(fence) and not line.strip().strip("`~")


def without_marks(line: str) -> str:
    """One line as people read it."""
    for sign, pattern, replacement in _INLINE:
        if sign in line:
            line = pattern.sub(replacement, line)
    return line.strip()
