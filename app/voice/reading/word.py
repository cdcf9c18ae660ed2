"""Word documents: the paragraphs of the main text, read as a stream, so that nothing is kept but the open one."""

from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from app.voice.reading.blocks import Block, is_break
from app.voice.reading.decoding import cleaned

CHUNK = 2**16
MOST_ELEMENTS = 4_000_000
"""A novel has some hundred thousand; read in a few seconds."""
LONGEST_PARAGRAPH = 2_000_000  # characters
MOST_NESTED = 20
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main "
_P, _T, _TAB, _STYLE = _W + "p", _W + "t", _W + "tab", _W + "pStyle"
_LINE_ENDS = (_W + "br", _W + "cr")
_LEFT_OUT = (_W + "del", _W + "moveFrom")
"""What is told apart as deleted; its text has elements of its own, but line ends within it have not."""


class BadWordFile(ValueError):
    """The text is more than a document holds, or not what Word writes."""


@dataclass
class _Paragraph:
    parts: list[str] = field(default_factory=list)
    characters: int = 0
    style: str = ""
    breaks: bool = False

    def add(self, text: str) -> None:
        self.characters += len(text)
        if self.characters > LONGEST_PARAGRAPH:
            raise BadWordFile
        self.parts.append(text)


class _Reader:
    """Handlers for expat."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.elements = 0
        self.open: list[_Paragraph] = []
        """Those of a text box stand inside another."""
        self.in_text = False
        self.left_out = 0

    def refuse(self, *_: object) -> None:
        # Word writes no document type; it is where entities and defaults of attributes are declared.
        raise BadWordFile

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise BadWordFile
        if tag == _P:
            if len(self.open) > MOST_NESTED:
                raise BadWordFile
            self.open.append(_Paragraph())
        elif tag in _LEFT_OUT:
            self.left_out += 1
        elif not self.open:
            return
        elif tag == _T:
            self.in_text = True
        elif tag == _STYLE:
            self.open[-1].style = attributes.get(_W + "val", "").lower()
        elif tag == _TAB:
            self.open[-1].add(" ")
        elif tag in _LINE_ENDS and not self.left_out:
            self.open[-1].breaks |= attributes.get(_W + "type") == "page"
            self.open[-1].add("\n")

    def end(self, tag: str) -> None:
        if tag == _T:
            self.in_text = False
        elif tag in _LEFT_OUT:
            self.left_out -= 1
        elif tag == _P and self.open:
            self.finish(self.open.pop())

    def text(self, data: str) -> None:
        if self.in_text and not self.left_out and self.open:
            self.open[-1].add(data)

    def finish(self, paragraph: _Paragraph) -> None:
        text = cleaned("".join(paragraph.parts))
        if paragraph.breaks:
            self.blocks.append(Block("break"))
        is_heading = paragraph.style.startswith(("heading", "berschrift", "überschrift", "title", "titel"))
        if is_break(text):
            self.blocks.append(Block("break"))
        elif text:
            self.blocks.append(Block("heading" if is_heading else "paragraph", text))


def blocks_of(file: IO[bytes], *, most_blocks: int) -> list[Block]:
    """The first ``most_blocks`` blocks of ``word/document.xml``, tables cell by cell. Deleted passages, comments,
    headers and footers are not read. Raises ``ExpatError``, and ``ValueError`` for what Word would not write.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    while (chunk := file.read(CHUNK)) and len(reader.blocks) < most_blocks:
        parser.Parse(chunk, False)
    if not chunk:
        parser.Parse(b"", True)
    return reader.blocks[:most_blocks]
