"""Running text becomes samples: of every kind of file, cut where people would cut."""

import pytest

from app.voice.errors import NoTexts, TextsRefused, UnpacksTooLarge
from app.voice.reading import documents, intake, mapping
from app.voice.reading.documents import Document
from app.voice.reading.intake import TextLimits
from tests.app.voice.make_files import docx, zipped

LIMITS = TextLimits.of(5)
PARAGRAPH = "The ferry was late and the wool came after dark. It was worth the wait. "


def read(data: bytes | str, name: str) -> Document:
    data = data.encode() if isinstance(data, str) else data
    content = intake.read(data, intake.checked_format(data, name, LIMITS), name, LIMITS)
    assert isinstance(content, Document)
    return content


def pieces(data: bytes | str, name: str) -> list[tuple[str, str]]:
    document = read(data, name)
    return [(piece.title, piece.text) for piece in documents.split(document, documents.guess_split(document))]


def test_lines_paragraphs_and_dashes_are_seen() -> None:
    assert [text for _, text in pieces("One.\nTwo.\nThree.\nFour.\nFive.\n", "a.txt")] == [
        "One.",
        "Two.",
        "Three.",
        "Four.",
        "Five.",
    ]
    posts = [f"Post {number} about the lamp.\nIt is lit." for number in range(9)]
    assert [text for _, text in pieces("\n\n".join(posts), "a.txt")] == posts
    assert [text for _, text in pieces("One.\n\nStill one.\n---\nTwo.\n* * *\nThree.", "a.txt")] == [
        "One.\n\nStill one.",
        "Two.",
        "Three.",
    ]
    assert pieces("A short text.\n\nWith two paragraphs.", "a.txt") == [("", "A short text.\n\nWith two paragraphs.")]


def test_markdown_loses_its_marks_and_keeps_its_headings() -> None:
    text = (
        "---\ntitle: Our letters\ndraft: true\n---\n# Autumn\n\nThe **evenings** are _longer_, see "
        "[the lamps](https://example.org/x) ![lamp](lamp.png).\n\n```\ncode = 1\n```\n<!-- note -->\n"
        "## Winter\n- wool\n- linen_cotton\n\nOld\n===\nThe last one.\n"
    )
    assert pieces(text, "a.md") == [
        ("Autumn", "The evenings are longer, see the lamps ."),
        ("Winter", "- wool\n- linen_cotton"),
        ("Old", "The last one."),
    ]
    assert read(text, "a.md").title == "Our letters"


def test_html_gives_what_a_reader_calls_the_text() -> None:
    page = """<!doctype html><html><head><title>News &amp; more</title><style>p{color:red}</style>
    <script>alert('no')</script></head><body><nav><a href=/>Home</a></nav><header>Shop</header>
    <main><h1>Winter</h1><p>The lamp is <b>lit</b>,<br>the tea is&nbsp;hot.</p><h2>Wool</h2><p>Come in.
    <img src=x onerror=alert(1)></p><ul><li>One</li><li>Two</li></ul></main>
    <aside>Advert</aside><footer>Imprint</footer></body></html>"""
    assert pieces(page, "a.html") == [
        ("Winter", "The lamp is lit,\nthe tea is hot."),
        ("Wool", "Come in.\n\nOne\n\nTwo"),
    ]
    assert read(page, "a.html").title == "News & more"


def test_html_declares_its_encoding() -> None:
    page = '<meta charset="windows-1252"><p>Größe – Maß</p>'.encode("cp1252")
    assert read(page, "a.html").paragraphs() == ["Größe – Maß"]
    assert read(b'<meta charset="no-such-thing"><p>Lamp</p>', "a.html").paragraphs() == ["Lamp"]


def test_word_documents_are_cut_at_headings() -> None:
    data = docx(
        [
            ("Heading1", "Herbst"),
            ("", "Die Abende werden länger &amp; stiller."),
            ("berschrift2", "Winter"),
            ("", "Reif."),
        ]
    )
    assert pieces(data, "brief.docx") == [("Herbst", "Die Abende werden länger & stiller."), ("Winter", "Reif.")]


def test_word_documents_that_are_broken_or_traps_are_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    for head, text in ((bomb, "&b;"), (outside, "&a;")):
        with pytest.raises(TextsRefused):
            read(docx([("", text)], head=head), "a.docx")
    with pytest.raises(TextsRefused):
        read(zipped({"word/document.xml": "<w:document"}), "a.docx")
    with pytest.raises(UnpacksTooLarge):
        read(zipped({"word/document.xml": b" " * 20_000_000}), "a.docx")
    with pytest.raises(NoTexts):
        read(docx([("", " ")]), "a.docx")


@pytest.mark.parametrize("how", documents.SPLITS)
def test_long_texts_are_cut_and_nothing_is_lost(how: documents.Split) -> None:
    text = "\n\n".join([PARAGRAPH * 3, PARAGRAPH * 60, "word " * 900 + "end", "x" * 5000, "Short.", PARAGRAPH * 5])
    document = read(text, "long.txt")
    found = documents.split(document, how)
    assert all(0 < len(piece.text) <= documents.LONGEST for piece in found)
    assert "".join("".join(piece.text.split()) for piece in found) == "".join(text.split())
    assert [piece.number for piece in found] == list(range(1, len(found) + 1))


def test_channels_are_guessed_by_form_and_by_the_files_name() -> None:
    assert mapping.guess_channel("Dear reader,\nthe evenings are longer.") == "mail"
    assert mapping.guess_channel("Wir freuen uns.\n\nViele Grüße\nIhr Team") == "mail"
    assert mapping.guess_channel("We are open! ☀️ #lamp") == "post"
    assert mapping.guess_channel("One lamp is enough") == "headline"
    assert mapping.guess_channel("The lamp gives a low light. It is warm.") == "other"
    assert mapping.guess(read("One.", "newsletter_2026.txt"), "newsletter_2026.txt").channel == "mail"
