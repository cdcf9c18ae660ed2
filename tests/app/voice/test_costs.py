"""Texts made to take long: what they cost grows with their length, and files at the limit are read or refused in time.

Each pattern once took time that grows with the square of its length, or faster.
"""

import json
import unicodedata

import pytest

from app.plain_text import LONGEST_RUN_OF_MARKS, composed
from app.voice.analysis import likeness, pairs, personal_data, style_guide, stylometry
from app.voice.errors import TextsRefused
from app.voice.reading import documents, intake, mapping
from app.voice.reading.intake import TextLimits
from tests.app.voice.make_files import W, docx, text_of, xlsx, zipped
from tests.costs import grows_with_its_length, seconds

pytestmark = pytest.mark.slow

LIMITS = TextLimits.of(20)


def read(data: bytes, name: str) -> object:
    """What an import costs: reading, the guess, and the drafts."""
    try:
        content = intake.read(data, intake.checked_format(data, name, LIMITS), name, LIMITS)
    except TextsRefused as refused:
        return refused
    return mapping.apply(content, mapping.guess(content, name))


MARKDOWN = {
    "comment": "<!--",
    "fence": "```x\n",
    "other fence": "~~~\nx\n```y\n",
    "image": "![",
    "image with address": "![a](",
    "link": "[",
    "link with address": "[a](b(c",
    "heading": "# #",
    "heading of spaces": "#  ",
    "tag": "<a",
    "bold": "**a ",
    "bold underscores": "__a ",
    "italic": " *a",
    "italic underscores": " _a",
    "code": "`a",
    "quotation": "> ",
    "reference": "[a",
    "dashes": "- ",
    "underline": "a\n---x\n",
    "title": "---\ntitle: a    ",
    "escapes": "\\",
}
HTML = {
    "tag": "<a ",
    "comment": "<!--",
    "finished comments": "<!-->",
    "instruction": "<?",
    "declaration": "<!a",
    "unmatched end": "<nav></x>",
    "skipped in skipped": "<nav><aside></nav>",
    "nested": "<div>",
    "nested, others end": "<b><i></p>",
    "quotation": '<a b="',
    "other quotation": "<a b='>",
    "attributes": "<a b=c d='e'>",
    "equals": "<a " + "=" * 20,
    "reference": "&am",
    "number": "&#1",
    "script": "<script>",
    "title": "<title>a",
    "end": "</",
    "spaces": "<p>" + " " * 40,
    "line ends": "<br>a ",
}
TEXT = {
    "no sentence": "a",
    "dots": '."',
    "dashes": "- ",
    "line ends": "\n",
    "marks": "a" + "\u0301\u0327" * 50,
    "greetings": "dear ",
}


@pytest.mark.parametrize(
    ("ending", "piece"),
    [
        (ending, piece)
        for ending, pieces in (("md", MARKDOWN), ("html", HTML), ("txt", TEXT))
        for piece in pieces.values()
    ],
)
@pytest.mark.parametrize("is_one_line", [True, False])
def test_patterns_cost_what_their_length_does(ending: str, piece: str, is_one_line: bool) -> None:
    def work(length: int) -> object:
        unit = piece if is_one_line else piece * 20 + "\n"
        return read(f"Words. {unit * (length // len(unit))}".encode(), f"a.{ending}")

    grows_with_its_length(work, 50_000)


def test_marks_on_one_letter_are_bounded_and_words_keep_theirs() -> None:
    grows_with_its_length(lambda length: composed("a" + "\u0301\u0327" * (length // 2)), 100_000)
    assert composed("a" + "\u0301\u0327" * 1000).count("\u0301") <= LONGEST_RUN_OF_MARKS
    vietnamese = unicodedata.normalize("NFD", "Tiếng Việt, Größe, q\u0307\u0323")
    assert composed(vietnamese) == unicodedata.normalize("NFC", vietnamese)


def test_a_page_names_an_encoding_that_pages_are_written_in() -> None:
    page = b'<meta charset="punycode"><p>' + b"Lamp " * 100_000
    assert seconds(lambda: read(page, "a.html")) < 2
    assert documents.read_html(b'<meta charset="iso-8859-1"><p>Gr\xf6\xdfe', "a").paragraphs() == ["Größe"]
    assert documents.read_html(b'<meta charset="rot13"><p>Lamp', "a").paragraphs() == ["Lamp"]


@pytest.mark.parametrize(
    "row",
    ["a,", '"",', '"a,', "a;b\n", '"a\n', '"a"b\n', "\n", ",\n", "\x00,\r", "a" * 90_000 + '"\n'],
)
def test_tables_cost_what_their_length_does(row: str) -> None:
    grows_with_its_length(lambda length: read(("text,b\n" + row * (length // len(row))).encode(), "a.csv"), 400_000)


@pytest.mark.parametrize("piece", ["[", '{"a":', "[],", '{"text":"a"}\n', "1", '"\\ud800",', "{\n"])
def test_json_costs_what_its_length_does(piece: str) -> None:
    grows_with_its_length(lambda length: read(("[" + piece * (length // len(piece))).encode(), "a.json"), 200_000)
    grows_with_its_length(lambda length: read((piece * (length // len(piece))).encode(), "a.jsonl"), 200_000)


@pytest.mark.parametrize("element", ["<w:x/>", "<w:p/>", "<w:t>", "<w:p><w:r><w:t>Lamp</w:t></w:r></w:p>", "<w:br/>"])
def test_word_documents_cost_what_their_length_does(element: str) -> None:
    def work(length: int) -> object:
        body = element * (length // len(element))
        return read(zipped({"word/document.xml": f"<w:document {W}><w:body><w:p/>{body}"}), "a.docx")

    grows_with_its_length(work, 300_000)


def workbook(part: str, content: str) -> bytes:
    """A sound workbook of which one part is replaced."""
    import io
    import zipfile

    files = {}
    with zipfile.ZipFile(io.BytesIO(xlsx([["text"], ["Lamp"]]))) as archive:
        files = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    return zipped(files | {part: content.encode()})


S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PARTS = {
    "rows": ("xl/worksheets/sheet1.xml", f"<worksheet {S}><sheetData>@</sheetData></worksheet>", "<row/>"),
    "strings": ("xl/sharedStrings.xml", f"<sst {S}>@</sst>", "<si><t>a</t></si>"),
    "styles": ("xl/styles.xml", f"<styleSheet {S}><cellXfs>@</cellXfs></styleSheet>", "<xf/>"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_workbooks_of_millions_of_elements_are_refused_before_they_are_read(kind: str) -> None:
    part, around, element = PARTS[kind]
    data = workbook(part, around.replace("@", element * (40_000_000 // len(element))))
    assert len(data) < 1_000_000
    found: list[object] = []
    assert seconds(lambda: found.append(read(data, "a.xlsx"))) < 20
    assert isinstance(found[0], TextsRefused)


def test_a_document_that_is_damaged_or_names_an_odd_encoding_is_refused_with_a_sentence() -> None:
    whole = docx([("", text_of(number)) for number in range(50)])
    at = whole.index(b"word/document.xml") + 400
    damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
    odd = zipped({"word/document.xml": f"<?xml version='1.0' encoding='nonsense'?><w:document {W}/>"})
    missing = workbook(PARTS["rows"][0], PARTS["rows"][1].replace("@", '<row><c t="s"><v>99</v></c></row>'))
    for data, name in ((damaged, "a.docx"), (odd, "a.docx"), (missing, "a.xlsx")):
        assert isinstance(read(data, name), TextsRefused), name


def test_halves_of_characters_in_json_are_left_out() -> None:
    row = json.dumps({"te\ud800xt": "Lamp \ud800\x00", "messages": [{"role": "assistant", "content": "a\udc00"}]})
    table = intake.read(row.encode(), "json", "a.jsonl", LIMITS)
    assert isinstance(table, intake.Table)
    assert [row.cells for row in table.rows] == [("text", "brief"), ("Lamp ", "")]


@pytest.mark.parametrize(
    ("ending", "piece"),
    [
        *(
            ("md", piece)
            for piece in ("<!--", "```x\n", "![", "[a](", "# #", "<a", "**a ", "`a", "Some *words* [here](x).\n\n")
        ),
        *(("html", piece) for piece in ("<a ", "<!-->", "<nav></x>", "<div>", "<p>Words &amp; more ", "<a b=c>")),
        *(("csv", piece) for piece in ("a,", '"",', '"a\n', "\n", "Lamp;Some words\n")),
        *(("json", piece) for piece in ('{"text":"Lamp"}\n', "[", "[],", "\n")),
        *(("txt", piece) for piece in ("a", "Some words. ", "\n", "- \n", "a\n\n")),
    ],
)
def test_two_megabytes_are_read_or_refused_in_four_seconds(ending: str, piece: str) -> None:
    data = (piece * (2_000_000 // len(piece))).encode()
    assert seconds(lambda: read(data, f"a.{ending}")) < 4


@pytest.mark.parametrize(
    ("ending", "piece"),
    [("md", "<a"), ("md", "```x\n"), ("html", "<nav></x>"), ("csv", '"",'), ("json", "[],"), ("txt", "a\n\n")],
)
def test_twenty_megabytes_are_read_or_refused_in_twenty_seconds(ending: str, piece: str) -> None:
    """The largest file that is taken; of each kind the content that takes longest."""
    data = (piece * (20_000_000 // len(piece))).encode()
    assert seconds(lambda: read(data, f"a.{ending}")) < 20


SAMPLES = {
    "stops without end": (stylometry.sentences, "." * 6_000, "a"),
    "hashtag that is no last word": (style_guide.HASHTAGS_AT_THE_END.search, "#" + "a" * 6_000, " x"),
    "word without letters": (pairs.rounded_words, "-" * 6_000, ""),
    "gap": (likeness.closed, "a" + " " * 6_000, "x"),
    "closings": (personal_data.find, "lg\n" * 12_000, ""),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_measuring_a_sample_takes_time_by_its_length(case: str) -> None:
    """Thousands of samples are measured in one request."""
    measure, part, end = SAMPLES[case]
    grows_with_its_length(lambda times: measure(part[0] + part[1:] * times + end), 1)
    assert seconds(lambda: measure(part + end)) < 0.3
