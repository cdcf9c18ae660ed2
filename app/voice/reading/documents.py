"""Files that are running text: TXT, Markdown, HTML and DOCX, as blocks in their order; and how long ones are cut."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from app.reading.zips import READ_ERRORS
from app.voice.errors import NoTexts, TextsRefused, TooManyLines
from app.voice.reading import markdown, markup, word
from app.voice.reading.archives import BROKEN_XML, checked_archive
from app.voice.reading.blocks import Block, plain_blocks
from app.voice.reading.decoding import cleaned, decode, decode_declared, one_line

Split = Literal["whole", "sections", "paragraphs", "lines"]
SPLITS: tuple[Split, ...] = ("whole", "sections", "paragraphs", "lines")
USUAL, LONGEST = 900, 1600
"""Characters of a sample where a document is cut: about 150 and 270 words, which a training reads whole."""
MOST_BLOCKS = 50_000
MOST_LINES = 1_000_000
MOST_PIECES = 10_000
"""Twice what a brand holds: an import of so many is refused, whatever would follow."""
LONGEST_TITLE = 200
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"“”'’)]*\s+")


@dataclass
class Document:
    title: str = ""
    blocks: list[Block] = field(default_factory=list)

    def paragraphs(self) -> list[str]:
        return [block.text for block in self.blocks if block.kind == "paragraph"]

    def characters(self) -> int:
        return sum(len(block.text) for block in self.blocks)


@dataclass(frozen=True)
class Piece:
    """A part of a document that becomes a sample. ``number`` counts from 1; parts of one section, paragraph or line
    have the same ``passage``."""

    number: int
    passage: int
    title: str
    text: str


def read_text(data: bytes, name: str) -> Document:
    """Plain text: paragraphs are apart by an empty line; a line of dashes or the like begins something new."""
    return _checked(plain_blocks(_of_few_lines(data, name)), name)


def _of_few_lines(data: bytes, name: str) -> str:
    text = cleaned(decode(data)[0])
    if text.count("\n") > MOST_LINES:
        raise TooManyLines(name=name, limit=MOST_LINES)
    return text


def read_markdown(data: bytes, name: str) -> Document:
    """Markdown without its marks: what people read of it. Code, images and comments are left out."""
    title, text = markdown.front_matter(_of_few_lines(data, name) + "\n")
    return _checked(markdown.blocks_of(text), name, one_line(title, LONGEST_TITLE))


class _Page:
    """Collects what a reader of the page would call its text. Nothing is fetched and nothing runs."""

    NOT_TEXT = frozenset(("script", "style", "nav", "header", "footer", "aside", "form", "noscript", "template", "svg"))
    NOT_TEXT |= {"iframe", "object", "select", "button"}
    BLOCKS = frozenset(("p", "div", "section", "article", "main", "li", "ul", "ol", "table", "tr", "td", "th", "dl"))
    BLOCKS |= {"blockquote", "pre", "figure", "figcaption", "dt", "dd", "address", "body"}
    HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))

    def __init__(self) -> None:
        self.title = ""
        self.blocks: list[Block] = []
        self._out: list[str] = []
        self._skipped: list[str] = []
        self._open: Counter[str] = Counter()
        """How often each is in ``_skipped``, which may be long."""
        self._in_title = False
        self._heading = False

    def read(self, token: markup.Token) -> None:
        match token.kind:
            case "start":
                self._start(token.value)
            case "end":
                self._end(token.value)
            case "text":
                self._text(token.value)

    def _start(self, tag: str) -> None:
        if tag == "title" and not self.title:
            self._in_title = True
        elif tag in self.NOT_TEXT:
            self.end_block()
            self._skipped.append(tag)
            self._open[tag] += 1
        elif self._skipped:
            return
        elif tag == "br":
            self._out.append("\n")
        elif tag == "hr":
            self.end_block()
            self.blocks.append(Block("break"))
        elif tag in self.HEADINGS or tag in self.BLOCKS:
            self.end_block()
            self._heading = tag in self.HEADINGS

    def _end(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif self._open[tag]:
            while (last := self._skipped.pop()) != tag:
                self._open[last] -= 1
            self._open[tag] -= 1
        elif not self._skipped and (tag in self.BLOCKS or tag in self.HEADINGS):
            self.end_block()

    def _text(self, data: str) -> None:
        if self._in_title:
            self.title = one_line(self.title + data, LONGEST_TITLE)
        elif not self._skipped:
            self._out.append(re.sub(r"\s+", " ", data))

    def end_block(self) -> None:
        if self._out:
            text = cleaned("\n".join(" ".join(line.split()) for line in "".join(self._out).split("\n")))
            if text:
                self.blocks.append(Block("heading" if self._heading else "paragraph", text))
        self._out, self._heading = [], False


def read_html(data: bytes, name: str) -> Document:
    """The text of a page: without scripts, styles, navigation, header, footer and forms."""
    declared = re.search(rb"charset=[\"']?\s*([\w-]+)", data[:2048])
    page = _Page()
    for token in markup.tokens(decode_declared(data, declared[1].decode("ascii", "ignore") if declared else "")):
        page.read(token)
        if len(page.blocks) > MOST_BLOCKS:
            break
    page.end_block()
    return _checked(page.blocks, name, page.title)


def read_docx(data: bytes, name: str, *, most_bytes: int) -> Document:
    """The paragraphs of a Word document, tables cell by cell. Deleted passages, comments, headers and footers are not
    read. Raises ``TextsRefused`` and its kinds."""
    archive = checked_archive(data, name, most_bytes=most_bytes)
    try:
        with archive.open("word/document.xml") as file:
            blocks = word.blocks_of(file, most_blocks=MOST_BLOCKS)
    except (*READ_ERRORS, *BROKEN_XML) as error:
        raise TextsRefused(name=name) from error
    first = next((block for block in blocks if block.kind != "break"), None)
    return _checked(blocks, name, first.text if first is not None and first.kind == "heading" else "")


def _checked(blocks: Iterable[Block], name: str, title: str = "") -> Document:
    found = list(islice(blocks, MOST_BLOCKS))
    if not any(block.text for block in found):
        raise NoTexts(name=name)
    return Document(title, found)


def guess_split(document: Document) -> Split:
    """How a document is best cut, by what it looks like."""
    paragraphs = document.paragraphs()
    headings = sum(block.kind == "heading" for block in document.blocks)
    if headings > 1 or any(block.kind == "break" for block in document.blocks):
        return "sections"
    lines = [line for paragraph in paragraphs for line in paragraph.split("\n")]
    if len(lines) >= 5 and len(paragraphs) <= max(1, len(lines) // 5):
        return "lines"
    if document.characters() <= LONGEST and len(paragraphs) < 8:
        return "whole"
    if len(paragraphs) >= 5 and statistics.median(len(paragraph) for paragraph in paragraphs) <= USUAL:
        return "paragraphs"
    return "sections"


def split(document: Document, how: Split) -> list[Piece]:
    """The document in pieces. Whatever is longer than ``LONGEST`` is cut further, at a paragraph or a sentence."""
    found: list[tuple[int, str, str]] = []
    for passage, (title, texts) in enumerate(_groups(document, how), 1):
        found += [(passage, title, part) for part in cut_long("\n\n".join(texts))]
        if len(found) > MOST_PIECES:
            break
    return [
        Piece(number, passage, title[:LONGEST_TITLE], text)
        for number, (passage, title, text) in enumerate(found[:MOST_PIECES], 1)
    ]


def _groups(document: Document, how: Split) -> Iterator[tuple[str, list[str]]]:
    if how == "lines":
        for paragraph in document.paragraphs():
            for line in paragraph.split("\n"):
                yield "", [line.removeprefix("- ")]
        return
    if how == "paragraphs":
        for paragraph in document.paragraphs():
            yield "", [paragraph]
        return
    if how == "whole":
        yield document.title, [block.text for block in document.blocks if block.kind == "paragraph"] or [document.title]
        return
    title, texts = document.title, list[str]()
    for block in document.blocks:
        if block.kind == "paragraph":
            texts.append(block.text)
            continue
        if texts:
            yield title, texts
        texts = []
        title = block.text if block.kind == "heading" else ""
    if texts:
        yield title, texts


def cut_long(text: str) -> list[str]:
    """The text in parts of about ``USUAL`` characters, if it is longer than ``LONGEST``."""
    if len(text) <= LONGEST:
        return [text] if text.strip() else []
    parts = [piece for paragraph in text.split("\n\n") for piece in _sentences(paragraph)]
    return list(_packed(parts))


def _sentences(paragraph: str) -> list[str]:
    """A paragraph of sensible length as it is, else its sentences packed; one without an end is cut at a word."""
    if len(paragraph) <= LONGEST:
        return [paragraph]
    packed, current = list[str](), ""
    for sentence in SENTENCE_END.split(paragraph):
        if len(sentence) > LONGEST:
            packed += [current] if current else []
            *cut, sentence = _words(sentence)
            packed += cut
            current = ""
        if current and len(current) + len(sentence) > USUAL:
            packed.append(current)
            current = sentence
        else:
            current = f"{current} {sentence}".strip()
    return [*packed, current] if current else packed


def _words(sentence: str) -> list[str]:
    """A sentence without end in parts of at most ``LONGEST`` characters, cut at spaces where there are any."""
    parts, at = list[str](), 0
    while len(sentence) - at > LONGEST:
        cut = sentence.rfind(" ", at + 1, at + LONGEST)
        cut = cut if cut > 0 else at + LONGEST
        parts.append(sentence[at:cut].strip())
        at = cut
    return [*filter(None, parts), sentence[at:].strip()]


def _packed(parts: Sequence[str]) -> Iterator[str]:
    current = ""
    for part in parts:
        if current and len(current) + len(part) > USUAL:
            yield current
            current = part
        else:
            current = f"{current}\n\n{part}" if current else part
    if current.strip():
        yield current
