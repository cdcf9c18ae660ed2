"""Tables of texts: every way that offices save them, and rows that are broken."""

import json

import pytest

from app.images.reading.notes import Note
from app.voice.errors import (
    EncryptedTexts,
    NoTexts,
    TextsRefused,
    TextsTooLarge,
    TooManyBrokenRows,
    UnpacksTooLarge,
    UnsupportedTexts,
)
from app.voice.reading import intake, mapping, tables
from app.voice.reading.intake import TextLimits
from app.voice.reading.mapping import Draft
from app.voice.reading.tables import Table
from app.voice.reading.workbooks import OTHER_SHEETS
from tests.app.voice.make_files import csv_line, many_rows, text_of, xlsx, zipped

LIMITS = TextLimits.of(5)


def read(data: bytes, name: str) -> Table:
    content = intake.read(data, intake.checked_format(data, name, LIMITS), name, LIMITS)
    assert isinstance(content, Table)
    return content


def taken(data: bytes, name: str) -> tuple[list[Draft], list[Note]]:
    content = read(data, name)
    return mapping.apply(content, mapping.guess(content, name))


BROKEN = {
    400: 'Stück 400;"Ein Text, dessen Anführungszeichen nie schließt;Produkttext',
    1200: csv_line(("Stück 1200", "Ein Text")) + ';"zu";"viele";"Felder"',
    1999: csv_line(("Stück 1999", "", "Produkttext")),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_two_thousand_rows_with_three_broken_ones_give_three_sentences(encoding: str, delimiter: str) -> None:
    broken = {number: line.replace('";"', f'"{delimiter}"') for number, line in BROKEN.items()}
    broken[400] = f'Stück 400{delimiter}"Ein Text, dessen Anführungszeichen nie schließt{delimiter}Produkttext'
    drafts, problems = taken(many_rows(2000, broken, delimiter).encode(encoding), "produkte.csv")
    assert len(drafts) == 1997
    assert [str(note) for note in problems] == [
        tables.QUOTES % {"row": 400},
        tables.FIELDS % {"row": 1200, "found": 5, "expected": 3},
        mapping.EMPTY % {"row": 1999},
    ]
    by_row = {draft.row: draft for draft in drafts}
    for number in (2, 399, 401, 1199, 1201, 2001):
        assert by_row[number].text == text_of(number)
        assert by_row[number].title == f"Stück {number}"
        assert by_row[number].channel == "product_text"
        assert by_row[number].language == "de"


def test_windows_files_are_read_with_their_umlauts() -> None:
    text = 'Text;Titel\r\n"Größe und Maß – 5 €";"Öl"\r\n"Übermut tut gut";"Säge"\r\n'
    drafts, problems = taken(text.encode("cp1252"), "alt.csv")
    assert [draft.text for draft in drafts] == ["Größe und Maß – 5 €", "Übermut tut gut"]
    assert problems == []


def test_a_row_in_another_encoding_is_named_and_the_others_are_kept() -> None:
    rows = [f'"Größe {number} für alle";"T{number}"' for number in range(20)]
    data = b"Text;Titel\n" + b"\n".join(
        row.encode("cp1252" if number == 7 else "utf-8") for number, row in enumerate(rows)
    )
    drafts, problems = taken(data, "gemischt.csv")
    assert len(drafts) == 19
    assert [str(note) for note in problems] == [tables.UNREADABLE % {"row": 9}]


def test_a_quote_that_opens_and_never_closes_costs_one_row() -> None:
    lines = ["text;title", *(f"Plain text number {number} without quotes;T{number}" for number in range(50))]
    lines[10] = '"An open quote;T9'
    drafts, problems = taken("\n".join(lines).encode(), "a.csv")
    assert len(drafts) == 49
    assert [note.params["row"] for note in problems] == [11]


@pytest.mark.parametrize("cell", ["x" * 200_000, '"' + "x" * 200_000 + '"'])
def test_a_cell_beyond_every_limit_costs_its_row(cell: str) -> None:
    table = read(f"Titel;Text\nDecke;{cell}\nLampe;Die Lampe gibt ein ruhiges Licht.\n".encode(), "a.csv")
    assert [(note.msgid, note.params["row"]) for note in table.problems] == [(tables.TOO_LONG, 2)]
    assert [row.cells[0] for row in table.body(True)] == ["Lampe"]


def test_a_line_that_tells_the_delimiter_is_no_text() -> None:
    table = read(b"sep=;\r\nTitel;Text\r\nLampe;Ruhig, warm, leise.\r\n", "a.csv")
    assert table.header and table.names(True) == ["Titel", "Text"]
    assert [(row.number, row.cells) for row in table.body(True)] == [(3, ("Lampe", "Ruhig, warm, leise."))]
    with pytest.raises(NoTexts):
        read(b"sep=;\r\n", "a.csv")


def test_files_without_a_header_or_with_one_column() -> None:
    drafts, _ = taken(b"The ferry was late today.\nThe kettle hums again.\n", "posts.csv")
    assert [draft.text for draft in drafts] == ["The ferry was late today.", "The kettle hums again."]
    assert {draft.channel for draft in drafts} == {"post"}
    drafts, _ = taken(b"Post\nThe ferry was late today.\nThe kettle hums again.\n", "x.csv")
    assert len(drafts) == 2


COMMAS = (
    "Der Tee ist fertig, wenn der Kessel summt.",
    "Eine Lampe reicht, sagen wir, und meinen es so.",
    "Decken aus Wolle gibt es ab 89,50 Euro.",
    "Wir warten auf die Fähre.",
)


@pytest.mark.parametrize("head", [["Text"], ["Unsere Sammlung"], []])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_a_single_column_keeps_the_commas_of_its_texts(head: list[str], encoding: str) -> None:
    """As a German Excel saves it: nothing but a semicolon would need quotes."""
    texts = [f"{number} Jahre, und {text}" for number in range(6) for text in COMMAS]
    drafts, problems = taken("\r\n".join([*head, *texts]).encode(encoding), "texte.csv")
    assert [draft.text for draft in drafts][-len(texts) :] == texts
    assert problems == []


def test_quotes_and_semicolons_in_a_single_column_are_kept() -> None:
    texts = ['Sie sagte: "Bleib, wenn du magst."', "Erst warten; dann, vielleicht, gehen."]
    lines = ["Text", csv_line(texts[:1]), *texts[1:] * 3]
    drafts, problems = taken("\n".join(lines).encode(), "texte.csv")
    assert [draft.text for draft in drafts] == [texts[0], *texts[1:] * 3]
    assert problems == []


def test_spaces_behind_delimiters_and_a_line_above_the_names_are_no_matter() -> None:
    lines = ["Everything of May", "Title, Text", *(f"Kettle {number}, The kettle hums." for number in range(5))]
    drafts, problems = taken("\n".join(lines).encode(), "texts.csv")
    assert [(draft.title, draft.text) for draft in drafts[-2:]] == [
        ("Kettle 3", "The kettle hums."),
        ("Kettle 4", "The kettle hums."),
    ]
    assert [note.params["row"] for note in problems] == [1]


def test_the_longest_column_is_the_text_where_no_name_tells() -> None:
    data = "A,B,C\n1,Kettle,The kettle takes its time and hums when it is ready.\n2,Lamp,One lamp is enough for us.\n"
    content = read(data.encode(), "x.csv")
    wanted = mapping.guess(content, "x.csv")
    assert content.header
    assert wanted.text == 2
    drafts, _ = mapping.apply(content, wanted.model_copy(update={"title": 1}))
    assert drafts[0].title == "Kettle"


def test_columns_for_order_keywords_and_language_are_used() -> None:
    rows = [
        ["Text", "Sprache", "Kanal", "Briefing", "Stichwörter"],
        ["Die Fähre kam spät.", "Deutsch", "Instagram-Post", "", "Fähre, Wolle"],
        ["The ferry was late.", "en-GB", "Newsletter", "Say that the ferry was late", "x"],
    ]
    drafts, problems = taken(xlsx(rows), "texte.xlsx")
    assert problems == []
    assert (drafts[0].language, drafts[0].channel) == ("de", "post")
    assert drafts[0].brief == "Schreibe einen Social-Media-Beitrag zu Fähre und Wolle, etwa 4 Wörter."
    assert (drafts[1].language, drafts[1].channel) == ("en", "mail")
    assert drafts[1].brief == "Say that the ferry was late"


def test_a_workbook_gives_its_fullest_sheet_and_says_so() -> None:
    table = read(xlsx([["Notes"]], more={"Texte": [["Text"], ["Eins, zwei"], [3.0], [None], ["Vier"]]}), "a.xlsx")
    assert [row.cells[0] for row in table.rows] == ["Text", "Eins, zwei", "3", "Vier"]
    assert [row.number for row in table.rows] == [1, 2, 3, 5]
    assert [str(note) for note in table.notes] == [OTHER_SHEETS % {"sheet": "Texte"}]


def test_jsonl_objects_chats_and_broken_lines() -> None:
    lines = [
        json.dumps({"text": "Der erste Text ist hier.", "title": "Eins", "tags": ["a", "b"]}),
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": "Be brief"},
                    {"role": "user", "content": "Write about tea"},
                    {"role": "assistant", "content": "The tea is ready when the kettle hums."},
                ]
            }
        ),
        json.dumps(
            {"conversations": [{"from": "human", "value": "Lamp?"}, {"from": "gpt", "value": "One is enough."}]}
        ),
        "{not json",
        "[1, 2]",
        json.dumps({"messages": [{"role": "user", "content": "Nobody answers"}]}),
        "[" * 100_000,
    ]
    drafts, problems = taken("\n".join(lines).encode(), "chat.jsonl")
    assert [draft.text for draft in drafts] == [
        "Der erste Text ist hier.",
        "The tea is ready when the kettle hums.",
        "One is enough.",
    ]
    assert [draft.brief for draft in drafts[1:]] == ["Write about tea", "Lamp?"]
    assert [note.params["row"] for note in problems] == [4, 5, 6, 7]


def test_every_answer_of_a_conversation_is_a_text() -> None:
    turns = [
        {"role": "user", "content": "Write about tea"},
        {"role": "assistant", "content": "The tea is ready when the kettle hums."},
        {"role": "user", "content": "Now about lamps"},
        {"role": "assistant", "content": "Something that nobody is to learn.", "weight": 0},
        {"role": "assistant", "content": [{"type": "text", "text": "One lamp is enough."}]},
    ]
    lines = [json.dumps({"messages": turns, "title": "May"}), json.dumps({"text": "The ferry was late."})]
    drafts, problems = taken("\n".join(lines).encode(), "chat.jsonl")
    assert [(draft.text, draft.brief, draft.title) for draft in drafts] == [
        ("The tea is ready when the kettle hums.", "Write about tea", "May"),
        ("One lamp is enough.", "Now about lamps", "May"),
        ("The ferry was late.", "", ""),
    ]
    assert problems == []
    assert [draft.passage for draft in drafts] == [1, 1, 2], "they are kept back together"


def test_of_long_briefs_it_is_said_that_only_the_beginning_is_taken() -> None:
    rows = [["Text", "Briefing"], ["The ferry was late.", "Say it. " * 200], ["The kettle hums.", "Say it."]]
    content = read(xlsx(rows, more={"Notes": [["x"]]}), "texts.xlsx")
    wanted = mapping.guess(content, "texts.xlsx")
    assert [str(note) for note in mapping.notes(content, wanted)] == [
        OTHER_SHEETS % {"sheet": "Sheet"},
        mapping.BRIEFS_CUT % {"limit": 1000, "count": 1, "row": 2},
    ]
    assert mapping.notes(content, wanted.model_copy(update={"brief": mapping.NONE})) == content.notes


def test_a_json_list_is_read_too() -> None:
    drafts, _ = taken(json.dumps([{"body": "The kettle hums."}, {"body": "The lamp is lit."}]).encode(), "a.json")
    assert [draft.text for draft in drafts] == ["The kettle hums.", "The lamp is lit."]


def test_a_long_cell_is_cut_into_parts_with_its_title() -> None:
    long = "\n\n".join(f"Absatz {number}. " + "Die Lampe steht am Fenster. " * 20 for number in range(6))
    content = read(csv_line(("Text", "Titel")).encode() + b"\n" + csv_line((long, "Brief")).encode(), "a.csv")
    drafts, _ = mapping.apply(content, mapping.guess(content, "a.csv").model_copy(update={"header": True}))
    assert len(drafts) > 2
    assert all(len(draft.text) <= 1600 and draft.title == "Brief" for draft in drafts)
    whole = "".join("".join(draft.text.split()) for draft in drafts)
    assert whole == "".join(long.split())


def test_what_is_no_table_of_texts_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnsupportedTexts):
        read(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "a.csv")
    with pytest.raises(UnsupportedTexts):
        read(b"MZ...", "a.exe")
    with pytest.raises(UnsupportedTexts):
        read(zipped({"a.txt": "x"}), "a.xlsx")
    with pytest.raises(NoTexts):
        read(b" \n \n", "a.csv")
    with pytest.raises(NoTexts):
        read(xlsx([]), "a.xlsx")
    with pytest.raises(EncryptedTexts):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "a.xlsx")
    with pytest.raises(TextsTooLarge):
        read(b"x" * 5_000_001, "a.txt")
    with pytest.raises(TooManyBrokenRows):
        read(("a;b\n" + "c;d\n" * 300 + '"x;y\n' * 300).encode(), "a.csv")
    with pytest.raises(TextsRefused):
        read(zipped({"xl/workbook.xml": "<no", "[Content_Types].xml": "<no"}), "a.xlsx")


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = zipped({"xl/workbook.xml": "x", "xl/worksheets/sheet1.xml": b"\0" * 30_000_000})
    assert len(bomb) < 100_000
    with pytest.raises(UnpacksTooLarge):
        read(bomb, "a.xlsx")


def test_an_entity_bomb_in_a_workbook_is_refused() -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        "<workbook>&b;</workbook>"
    )
    with pytest.raises(TextsRefused):
        read(zipped({"xl/workbook.xml": bomb, "[Content_Types].xml": bomb}), "a.xlsx")
