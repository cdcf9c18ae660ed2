"""Files that are running text: TXT, Markdown, HTML and DOCX, as blocks in their order; and how long ones are cut."""

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import IO, Literal
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from app.voice.archives import checked_archive
from app.voice.decoding import cleaned, decode, one_line
from app.voice.errors import NoTexts, TextsRefused

Split = Literal["whole", "sections", "paragraphs", "lines"]
SPLITS: tuple[Split, ...] = ("whole", "sections", "paragraphs", "lines")
USUAL, LONGEST = 900, 1600
"""Characters of a sample where a document is cut: about 150 and 270 words, which a training reads whole."""
MOST_BLOCKS = 50_000
LONGEST_TITLE = 200
BREAK_LINE = re.compile(r"^\s*(?:[-*_=~#]\s*){3,}$")
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"“”'’)]*\s+")


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph (with its line ends), or a mark that something new begins."""

    kind: Literal["heading", "paragraph", "break"]
    text: str = ""


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
    text, _ = decode(data)
    return _checked(Document(blocks=list(_plain_blocks(cleaned(text)))), name)


def _plain_blocks(text: str) -> Iterator[Block]:
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        is_break = bool(BREAK_LINE.match(line))
        if line.strip() and not is_break:
            lines.append(line.strip())
            continue
        if lines:
            yield Block("paragraph", "\n".join(lines))
            lines = []
        if is_break:
            yield Block("break")


def read_markdown(data: bytes, name: str) -> Document:
    """Markdown without its marks: what people read of it. Code, images and comments are left out."""
    text = cleaned(decode(data)[0])
    document = Document()
    front = FRONT_MATTER.match(text + "\n")
    if front:
        text = text[front.end() :]
        title = re.search(r"^title:\s*[\"']?(.+?)[\"']?\s*$", front[1], re.MULTILINE)
        document.title = one_line(title[1], LONGEST_TITLE) if title else ""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^(```|~~~).*?^\1[`~]*\s*$", "", text, flags=re.DOTALL | re.MULTILINE)
    # A heading that is underlined, as in old mails.
    text = re.sub(r"^([^\n]{1,120})\n(?:={3,}|-{3,})[ \t]*$", r"# \1", text, flags=re.MULTILINE)
    text = re.sub(r"^(#{1,6}[ \t][^\n]*)$", r"\n\1\n", text, flags=re.MULTILINE)
    for block in _plain_blocks(text):
        heading = re.fullmatch(r"#{1,6}[ \t]+(.*?)[ \t#]*", block.text) if block.kind == "paragraph" else None
        if heading:
            document.blocks.append(Block("heading", _without_marks(heading[1])))
        elif block.kind == "paragraph":
            plain = "\n".join(filter(None, (_without_marks(line) for line in block.text.split("\n"))))
            if plain:
                document.blocks.append(Block("paragraph", plain))
        else:
            document.blocks.append(block)
    return _checked(document, name)


def _without_marks(line: str) -> str:
    line = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", line)
    line = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", line)
    line = re.sub(r"^\s*>+\s?", "", line)
    line = re.sub(r"^\s*\[[^\]]+\]:\s*\S+.*$", "", line)
    line = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", line)
    line = re.sub(r"(?<![\w*])([*_])(?=\S)(.+?)(?<=\S)\1(?![\w*])", r"\2", line)
    line = re.sub(r"`([^`]+)`", r"\1", line)
    line = re.sub(r"^\s*[*+]\s+", "- ", line)
    line = re.sub(r"</?[a-zA-Z][^>]*>", "", line)
    return re.sub(r"\\([\\`*_{}\[\]()#+.!-])", r"\1", line).strip()


class _Page(HTMLParser):
    """Collects what a reader of the page would call its text. Nothing is fetched and nothing runs."""

    NOT_TEXT = frozenset(("script", "style", "nav", "header", "footer", "aside", "form", "noscript", "template", "svg"))
    NOT_TEXT |= {"iframe", "object", "select", "button"}
    BLOCKS = frozenset(("p", "div", "section", "article", "main", "li", "ul", "ol", "table", "tr", "td", "th", "dl"))
    BLOCKS |= {"blockquote", "pre", "figure", "figcaption", "dt", "dd", "address", "body"}
    HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = Document()
        self._out: list[str] = []
        self._skipped: list[str] = []
        self._in_title = False
        self._heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.document.title:
            self._in_title = True
        elif tag in self.NOT_TEXT:
            self._end_block()
            self._skipped.append(tag)
        elif self._skipped:
            return
        elif tag == "br":
            self._out.append("\n")
        elif tag == "hr":
            self._end_block()
            self.document.blocks.append(Block("break"))
        elif tag in self.HEADINGS or tag in self.BLOCKS:
            self._end_block()
            self._heading = tag in self.HEADINGS

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in self._skipped:
            while self._skipped and self._skipped.pop() != tag:
                pass
        elif not self._skipped and (tag in self.BLOCKS or tag in self.HEADINGS):
            self._end_block()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.document.title = one_line(self.document.title + data, LONGEST_TITLE)
        elif not self._skipped:
            self._out.append(re.sub(r"\s+", " ", data))

    def _end_block(self) -> None:
        text = cleaned("\n".join(" ".join(line.split()) for line in "".join(self._out).split("\n")))
        if text:
            self.document.blocks.append(Block("heading" if self._heading else "paragraph", text))
        self._out, self._heading = [], False

    def close(self) -> None:
        super().close()
        self._end_block()


def read_html(data: bytes, name: str) -> Document:
    """The text of a page: without scripts, styles, navigation, header, footer and forms."""
    declared = re.search(rb"charset=[\"']?\s*([\w-]+)", data[:2048])
    text = ""
    if declared and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode(declared[1].decode("ascii"), "replace")
        except (LookupError, ValueError):
            text = ""
    parser = _Page()
    parser.feed(text or decode(data)[0])
    parser.close()
    return _checked(parser.document, name)


_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def read_docx(data: bytes, name: str, *, most_bytes: int) -> Document:
    """The paragraphs of a Word document, tables cell by cell. Deleted passages, comments, headers and footers are not
    read. Raises ``TextsRefused`` and its kinds."""
    archive = checked_archive(data, name, most_bytes=most_bytes)
    document = Document()
    try:
        with archive.open("word/document.xml") as file:
            document.blocks = list(_word_blocks(file))
    except (KeyError, ParseError, DefusedXmlException, OSError, ValueError, EOFError) as error:
        raise TextsRefused(name=name) from error
    first = next((block for block in document.blocks if block.kind != "break"), None)
    if first is not None and first.kind == "heading":
        document.title = first.text
    return _checked(document, name)


def _word_blocks(file: IO[bytes]) -> Iterator[Block]:
    for _, element in iterparse(file, events=("end",)):
        if element.tag != _W + "p":
            continue
        text, breaks = _word_text(element)
        if breaks:
            yield Block("break")
        style = element.find(f"{_W}pPr/{_W}pStyle")
        kind = (style.get(_W + "val") or "").lower() if style is not None else ""
        is_heading = kind.startswith(("heading", "berschrift", "überschrift", "title", "titel"))
        if BREAK_LINE.match(text):
            yield Block("break")
        elif text:
            yield Block("heading" if is_heading else "paragraph", text)
        element.clear()


def _word_text(paragraph: Element) -> tuple[str, bool]:
    parts, breaks = [], False
    for node in paragraph.iter():
        if node.tag == _W + "t":
            parts.append(node.text or "")
        elif node.tag == _W + "tab":
            parts.append(" ")
        elif node.tag in (_W + "br", _W + "cr"):
            breaks = breaks or node.get(_W + "type") == "page"
            parts.append("\n")
    return cleaned("".join(parts)), breaks


def _checked(document: Document, name: str) -> Document:
    if not any(block.text for block in document.blocks):
        raise NoTexts(name=name)
    document.blocks = document.blocks[:MOST_BLOCKS]
    return document


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
    return [
        Piece(number, passage, title[:LONGEST_TITLE], text) for number, (passage, title, text) in enumerate(found, 1)
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
        while len(sentence) > LONGEST:
            at = sentence.rfind(" ", 0, LONGEST)
            at = at if at > 0 else LONGEST
            packed += [current, sentence[:at]] if current else [sentence[:at]]
            current, sentence = "", sentence[at:].strip()
        if current and len(current) + len(sentence) > USUAL:
            packed.append(current)
            current = sentence
        else:
            current = f"{current} {sentence}".strip()
    return [*packed, current] if current else packed


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
