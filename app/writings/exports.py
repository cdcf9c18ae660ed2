"""Texts as files to hand out: a table (CSV) and a document (DOCX). Written here, because each needs a page of code."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from app.plain_text import safe_cell
from app.writings.queries import VariantView

BYTE_ORDER_MARK = "\ufeff"
"""Byte order mark: spreadsheets take UTF-8 without it for another encoding and spoil umlauts."""
CSV_TYPE = "text/csv; charset=utf-8"
DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
Translate = Callable[[str], str]


@dataclass(frozen=True)
class Words:
    """What a file says beside the texts, in the reader's language."""

    columns: tuple[str, ...]
    separator: str
    """Between a table's cells, as spreadsheets in that language expect it."""
    states: dict[str, str]
    arms: dict[str, str]
    channel: Translate
    finding: Callable[[tuple[str, dict[str, object]]], str]
    title: str


@dataclass(frozen=True)
class ExportedText:
    """A text and the names that go with it."""

    view: VariantView
    brand: str
    campaign: str


def as_csv(texts: Iterable[ExportedText], words: Words) -> bytes:
    """One row for each text, UTF-8 with byte order mark."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=words.separator)
    writer.writerow(words.columns)
    for one in texts:
        writer.writerow([safe_cell(cell) for cell in _cells(one, words)])
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def _cells(one: ExportedText, words: Words) -> list[str]:
    variant, writing = one.view.variant, one.view.writing
    return [
        one.brand,
        one.campaign,
        words.channel(one.view.channel.name),
        writing.language,
        writing.brief,
        variant.current,
        words.states[variant.review],
        " ".join(words.finding((finding.sentence, finding.params)) for finding in one.view.told),
        variant.created_at.isoformat(timespec="minutes"),
        words.arms[variant.arm],
        *_decided(one),
    ]


def _decided(one: ExportedText) -> list[str]:
    """By whom, when and why the text is approved or rejected."""
    verdict = one.view.verdict
    if verdict is None or verdict.state == "open":
        return ["", "", ""]
    return [verdict.by or "", verdict.at.isoformat(timespec="minutes"), verdict.reason]


def as_docx(texts: Sequence[ExportedText], words: Words, *, when: datetime) -> bytes:
    """A document with a heading, a line of facts and the text for each. ``when`` is written into every entry, so that
    the same texts give the same bytes."""
    body = [_paragraph(words.title, "Title")]
    for one in texts:
        state = words.states[one.view.variant.review]
        facts = [one.brand, words.channel(one.view.channel.name), one.campaign, state, *_decided(one)]
        body += [
            _paragraph(one.view.writing.brief, "Heading1"),
            _paragraph(" · ".join(fact for fact in facts if fact), "Facts"),
            *(_paragraph(line, None) for line in one.view.variant.current.splitlines() if line.strip()),
        ]
    parts = {
        "[Content_Types].xml": _CONTENT_TYPES,
        "_rels/.rels": _RELATIONS,
        "word/_rels/document.xml.rels": _DOCUMENT_RELATIONS,
        "word/styles.xml": _STYLES,
        "word/document.xml": _HEAD + f"<w:document {_NAMESPACE}><w:body>{''.join(body)}</w:body></w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, when.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def _paragraph(text: str, style: str | None) -> str:
    properties = f"<w:pPr><w:pStyle w:val={quoteattr(style)}/></w:pPr>" if style else ""
    shown = escape("".join(char for char in text if char == "\t" or char >= " "))
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{shown}</w:t></w:r></w:p>'


_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org"
_NAMESPACE = f'xmlns:w="{_OFFICE}/wordprocessingml/2006/main"'
_CONTENT_TYPES = (
    f'{_HEAD}<Types xmlns="{_OFFICE}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{DOCX_TYPE}.main+xml"/>'
    '<Override PartName="/word/styles.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/></Types>'
)
_RELATIONS = (
    f'{_HEAD}<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)
_DOCUMENT_RELATIONS = (
    f'{_HEAD}<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>'
)


def _style(key: str, name: str, half_points: int, *, bold: bool = False, grey: bool = False) -> str:
    look = ("<w:b/>" if bold else "") + ('<w:color w:val="666666"/>' if grey else "") + f'<w:sz w:val="{half_points}"/>'
    spacing = '<w:pPr><w:spacing w:before="240"/></w:pPr>' if bold else ""
    return (
        f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/><w:qFormat/>{spacing}'
        f"<w:rPr>{look}</w:rPr></w:style>"
    )


_STYLES = (
    f"{_HEAD}<w:styles {_NAMESPACE}>"
    + '<w:docDefaults><w:pPrDefault><w:pPr><w:spacing w:after="120"/></w:pPr></w:pPrDefault></w:docDefaults>'
    + _style("Title", "Title", 40, bold=True)
    + _style("Heading1", "heading 1", 28, bold=True)
    + _style("Facts", "Facts", 18, grey=True)
    + "</w:styles>"
)
