"""The pages of a brand's voice, walked as people do."""

import re
from typing import Any

import pytest

from app.db import Database
from app.storage import Storage
from app.voice import queries, view
from app.voice.reading.mapping import EMPTY
from app.web.language import translate
from tests import voices
from tests.answers import code_of, tells, toast_of
from tests.app.images.sets import make_brand
from tests.app.voice.make_files import csv_line, docx, many_rows, text_of, xlsx
from tests.app.voice.sets import add_texts, text_of_row
from tests.conftest import SignedIn, SignUp

HTMX = {"hx-request": "true"}
TAKE = {"text": "1", "title": "0", "channel_column": "2", "header": "true", "split_long": "true", "skip_known": "true"}
BROKEN = {
    400: 'Stück 400;"Ein Text, dessen Anführungszeichen nie schließt;Produkttext',
    1200: csv_line(("Stück 1200", "Ein Text", "zu", "viele", "Felder")),
    1999: csv_line(("Stück 1999", "", "Produkttext")),
}


@pytest.fixture
def project_id(database: Database, owner: SignedIn) -> str:
    return make_brand(database, owner.workspace_id)


def send(person: SignedIn, project_id: str, name: str, data: bytes) -> Any:
    return person.client.post(f"/projects/{project_id}/voice/files", files={"file": (name, data)})


def to_be_added(page: str) -> int:
    """How many texts an import would bring."""
    found = re.search(r'<p class="large" data-count="(\d+)">', page)
    assert found
    return int(found[1])


def rows_told(page: str) -> list[str]:
    """The rows of a file that something is said of."""
    return re.findall(r' data-row="(\d+)"', page)


@pytest.mark.slow
def test_two_thousand_rows_are_imported_with_three_sentences(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    sent = send(owner, project_id, "texte.csv", many_rows(2000, BROKEN).encode("utf-8-sig"))
    assert sent.status_code == 303
    address = sent.headers["location"]
    page = owner.client.get(address).text
    assert to_be_added(page) == 1997
    assert rows_told(page) == ["400", "1200", "1999"]
    assert [key for key in storage.keys_under("projects") if "/voice/" in key]
    with database.read() as session:
        assert queries.counts(session, [project_id])[project_id].all == 0, "nothing is taken in unseen"

    taken = owner.client.post(address, data=TAKE)
    assert taken.headers["location"] == address
    assert rows_told(owner.client.get(address).text) == ["400", "1200", "1999"]
    assert list(storage.keys_under("projects")) == [], "the file is gone once it is read"
    with database.read() as session:
        found = queries.training_set(session, workspace_id=owner.workspace_id, project_id=project_id)
    assert len(found) == 1997
    assert found[0].text == text_of(2)
    assert found[-1].text == text_of(2001)
    assert {(sample.channel, sample.language) for sample in found} == {("product_text", "de")}
    assert owner.client.post(address, data=TAKE).status_code == 409
    assert 'data-value="1997"' in owner.client.get(f"/projects/{project_id}/voice").text


def test_the_sentences_are_german_for_german_readers(owner: SignedIn, project_id: str) -> None:
    owner.client.post("/preferences", data={"locale": "de"})
    address = send(owner, project_id, "a.csv", many_rows(20, {7: csv_line(("x", "", "y"))}).encode()).headers[
        "location"
    ]
    assert translate("de", EMPTY) != EMPTY
    assert tells(owner.client.get(address).text, translate("de", EMPTY), row=7)


def test_another_mapping_is_previewed_before_anything_is_taken_in(owner: SignedIn, project_id: str) -> None:
    rows = [["Name", "Text"], ["Lampe", "Die Lampe gibt ein ruhiges Licht."], ["Decke", "Die Decke bleibt liegen."]]
    address = send(owner, project_id, "a.xlsx", xlsx(rows)).headers["location"]
    assert to_be_added(owner.client.get(address).text) == 2
    shown = owner.client.get(f"{address}/preview?text=0&title=-1&channel=mail", headers=HTMX).text
    assert to_be_added(shown) == 3
    assert "E-mail" in shown
    assert owner.client.get(f"{address}/preview?text=200").status_code == 422


def test_pasted_text_and_documents_are_cut_and_taken_in(owner: SignedIn, project_id: str, database: Database) -> None:
    pasted = owner.client.post(
        f"/projects/{project_id}/voice/paste", data={"words": "The lamp is lit.\n---\nThe tea is hot."}
    )
    address = pasted.headers["location"]
    assert to_be_added(owner.client.get(address).text) == 2
    answer = owner.client.post(address, data={"split": "sections", "channel": "post", "language": "en"})
    assert answer.headers["location"] == f"/projects/{project_id}/voice"
    done, told = toast_of(owner.client.get(answer.headers["location"]).text)
    assert done == "text.added" and "2" in told
    letter = docx([("Heading1", "Herbst"), ("", "Die Abende werden länger.")])
    address = send(owner, project_id, "brief.docx", letter).headers["location"]
    owner.client.post(address, data={"split": "sections"})
    page = owner.client.get(f"/projects/{project_id}/voice").text
    assert "Herbst" in page
    assert page.index("Die Abende werden länger.") < page.index("The lamp is lit.")


def test_what_cannot_be_read_is_refused_and_not_kept(owner: SignedIn, project_id: str, storage: Storage) -> None:
    for name, data, status in (
        ("a.pdf", b"%PDF-1.7", 415),
        ("a.csv", b"  ", 422),
        ("a.txt", b"x" * 20_000_001, 413),
        ("a.xlsx", b"PK\x03\x04broken", 415),
    ):
        answer = send(owner, project_id, name, data)
        assert answer.status_code == status, name
        assert f"“{name}”" in answer.text
    pasted = owner.client.post(f"/projects/{project_id}/voice/paste", data={"words": " \n"}, headers=HTMX)
    assert pasted.status_code == 422 and code_of(pasted) == "nothing_pasted" and "<html" not in pasted.text
    assert pasted.headers["hx-retarget"] == "find .form-error"
    page = owner.client.get(f"/projects/{project_id}/voice/add").text
    assert page.count('class="form-error"') == 2, "what is wrong is said in the form, and what was pasted stays"
    assert list(storage.keys_under("projects")) == []


def test_a_file_can_be_discarded(owner: SignedIn, project_id: str, storage: Storage) -> None:
    address = send(owner, project_id, "a.txt", b"The lamp is lit.").headers["location"]
    assert 'data-state="not-taken-in"' in owner.client.get(f"/projects/{project_id}/voice").text
    owner.client.post(f"{address}/discard")
    assert owner.client.get(address).status_code == 404
    assert list(storage.keys_under("projects")) == []


def test_few_texts_are_told_how_many_would_do(owner: SignedIn, project_id: str, database: Database) -> None:
    address = f"/projects/{project_id}/voice"
    assert 'data-state="no-texts"' in owner.client.get(address).text
    texts = [row["text"] for row in voices.rows(voices.NORDLICHT)]
    add_texts(database, owner.workspace_id, project_id, texts[:12])
    assert tells(owner.client.get(address).text, view.TOO_FEW, missing=8, least=20)
    add_texts(database, owner.workspace_id, project_id, texts[12:60])
    assert tells(owner.client.get(address).text, view.FEW, missing=40, enough=100)
    add_texts(database, owner.workspace_id, project_id, texts[60:])
    page = owner.client.get(address).text
    assert tells(page, view.GOOD)
    assert 'data-state="rare-de" data-count="22"' in page and "German" in page
    assert 'data-state="texts" data-count="142"' in owner.client.get(f"/projects/{project_id}").text


def test_a_text_is_edited_in_place(owner: SignedIn, project_id: str, database: Database) -> None:
    [text_id] = add_texts(database, owner.workspace_id, project_id, ["The lamp is <b>lit</b>, and the tea is hot."])
    address = f"/voice/texts/{text_id}"
    assert "&lt;b&gt;lit&lt;/b&gt;" in owner.client.get(f"/projects/{project_id}/voice").text
    form = owner.client.get(f"{address}?part=form", headers=HTMX).text
    assert 'placeholder="Write a text about ' in form
    changed = {"text": "The lamp is lit.", "title": "Lamp", "channel": "mail", "language": "en", "brief": "Say it."}
    card = owner.client.post(address, data=changed, headers=HTMX).text
    assert 'id="text-' in card
    assert "E-mail" in card
    row = text_of_row(database, owner.workspace_id, text_id)
    assert (row.text, row.title, row.channel, row.brief) == ("The lamp is lit.", "Lamp", "mail", "Say it.")
    page = owner.client.get(address).text
    assert "Say it." in page
    assert "You write for one brand" in page
    assert owner.client.post(address, data=changed | {"text": " "}, headers=HTMX).status_code == 422
    assert owner.client.post(address, data=changed | {"channel": "radio"}).status_code == 422


def test_a_selection_is_tagged_left_out_deleted_and_brought_back(
    owner: SignedIn, project_id: str, database: Database
) -> None:
    texts = [row["text"] for row in voices.rows(voices.NORDLICHT)[:4]]
    ids = add_texts(database, owner.workspace_id, project_id, texts)
    address = f"/projects/{project_id}/voice"
    owner.client.post(f"{address}/texts/channel", data={"ids": ids[:2], "channel": "headline"})
    done, told = toast_of(owner.client.get(address).text)
    assert done == "text.changed" and "2" in told
    assert text_of_row(database, owner.workspace_id, ids[0]).channel == "headline"
    assert re.findall(r'id="text-([0-9a-f]{32})"', owner.client.get(f"{address}?channel=headline").text) == ids[:2]
    owner.client.post(f"{address}/texts/leave-out", data={"ids": ids[:1]})
    assert re.findall(r'id="text-([0-9a-f]{32})"', owner.client.get(f"{address}?show=left-out").text) == ids[:1]
    owner.client.post(f"{address}/texts/include", data={"everything": "left-out"})
    assert text_of_row(database, owner.workspace_id, ids[0]).included
    owner.client.post(f"{address}/texts/delete", data={"ids": ids[:3]})
    page = owner.client.get(address).text
    undo = re.search(rf'action="({address}/texts/restore/\d+)"', page)
    assert undo
    done, told = toast_of(page)
    assert done == "text.deleted" and "3" in told
    assert owner.client.post(undo[1]).status_code == 303
    assert len(re.findall(r'id="text-', owner.client.get(address).text)) == 4
    assert owner.client.post(undo[1]).status_code == 404


def test_personal_data_is_shown_and_decided(owner: SignedIn, project_id: str, database: Database) -> None:
    letter = "Write to ada@example.org.\n\nBest regards,\nAda Muster"
    [text_id] = add_texts(database, owner.workspace_id, project_id, [letter])
    address = f"/projects/{project_id}/voice"
    page = owner.client.get(address).text
    assert '<mark title="Mail address">ada@example.org</mark>' in page
    assert '<mark title="Name">Ada Muster</mark>' in page
    assert 'data-state="personal" data-count="1"' in page
    assert "[mail address]" in owner.client.get(f"{address}/training-set.jsonl").text
    owner.client.post(f"{address}/texts/personal", data={"everything": "personal", "choice": "keep"})
    assert 'data-state="personal"' not in owner.client.get(address).text
    assert "ada@example.org" in owner.client.get(f"{address}/training-set.jsonl").text
    assert text_of_row(database, owner.workspace_id, text_id).personal_data == "keep"


def test_lines_that_come_back_are_decided_about(owner: SignedIn, project_id: str, database: Database) -> None:
    texts = [f"{row['text']}\nUnsubscribe & more: click here" for row in voices.rows(voices.NORDLICHT)[:10]]
    add_texts(database, owner.workspace_id, project_id, texts)
    address = f"/projects/{project_id}/voice"
    assert 'data-state="line" data-count="10"' in owner.client.get(address).text
    owner.client.post("/preferences", data={"locale": "de"})
    assert "„Unsubscribe &amp; more: click here“" in owner.client.get(address).text
    owner.client.post("/preferences", data={"locale": "en"})
    line = {"line": "Unsubscribe & more: click here", "choice": "cut"}
    owner.client.post(f"{address}/lines", data=line)
    assert 'data-state="line-cut"' in owner.client.get(address).text
    assert "Unsubscribe" not in owner.client.get(f"{address}/training-set.jsonl").text
    owner.client.post(f"{address}/lines", data=line | {"choice": "undecided"})
    assert 'data-state="line" data-count="10"' in owner.client.get(address).text


def test_all_lines_that_come_back_are_decided_about_at_once(
    owner: SignedIn, project_id: str, database: Database
) -> None:
    lines = ["Unsubscribe & more: click here", "Greetings from the harbour crew, as always"]
    texts = ["\n".join([row["text"], *lines]) for row in voices.rows(voices.NORDLICHT)[:10]]
    add_texts(database, owner.workspace_id, project_id, texts)
    address = f"/projects/{project_id}/voice"
    assert 'data-state="lines" data-count="2"' in owner.client.get(address).text
    owner.client.post(f"{address}/lines", data={"line": lines, "choice": "cut"})
    page = owner.client.get(address).text
    assert page.count('data-state="line-cut"') == 2 and 'data-state="lines"' not in page
    read = owner.client.get(f"{address}/training-set.jsonl").text
    assert "Unsubscribe" not in read and "harbour crew" not in read
    assert owner.client.post(f"{address}/lines", data={"line": ["x"] * 51, "choice": "cut"}).status_code == 422


def test_long_lists_come_in_pages(owner: SignedIn, project_id: str, database: Database) -> None:
    ids = add_texts(database, owner.workspace_id, project_id, [row["text"] for row in voices.rows(voices.FIZZBEE)])
    address, found = f"/projects/{project_id}/voice", []
    first = owner.client.get(address).text
    found += re.findall(r'id="text-([0-9a-f]{32})"', first)
    more = re.search(r'hx-get="([^"]+after=[^"]+)"', first)
    while more:
        part = owner.client.get(more[1].replace("&amp;", "&"), headers=HTMX).text
        assert "<html" not in part
        found += re.findall(r'id="text-([0-9a-f]{32})"', part)
        more = re.search(r'hx-get="([^"]+after=[^"]+)"', part)
    assert found == ids
    assert len(first.encode()) < 150_000


def test_how_it_sounds_is_shown(owner: SignedIn, project_id: str, database: Database) -> None:
    address = f"/projects/{project_id}/voice/style-guide"
    assert 'data-state="no-texts"' in owner.client.get(address).text
    add_texts(database, owner.workspace_id, project_id, [row["text"] for row in voices.rows(voices.FIZZBEE)])
    assert "It often uses exclamation marks." in owner.client.get(address).text
    assert "mit „du“ an" in owner.client.get(f"{address}?language=de").text


def test_viewers_see_and_change_nothing(
    owner: SignedIn, project_id: str, database: Database, sign_up: SignUp, storage: Storage
) -> None:
    [text_id] = add_texts(database, owner.workspace_id, project_id, ["The lamp is lit."])
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    page = viewer.client.get(f"/projects/{project_id}/voice").text
    assert "The lamp is lit." in page
    assert "Add texts" not in page
    assert send(viewer, project_id, "a.txt", b"The lamp is lit.").status_code == 403
    assert viewer.client.post(f"/voice/texts/{text_id}", data={"text": "x"}).status_code == 403
    assert send(sign_up(), project_id, "a.txt", b"The lamp is lit.").status_code == 404
    assert list(storage.keys_under("projects")) == []


def test_a_deleted_brand_takes_its_texts_along(
    owner: SignedIn, project_id: str, database: Database, storage: Storage
) -> None:
    add_texts(database, owner.workspace_id, project_id, ["The lamp is lit."])
    send(owner, project_id, "a.txt", b"The tea is hot.")
    assert re.search(r"<dd[^>]*>1", owner.client.get(f"/projects/{project_id}/delete").text)
    owner.client.post(f"/projects/{project_id}/delete", data={"name": "Nordlicht"})
    with database.read() as session:
        assert queries.counts(session, [project_id])[project_id].all == 0
    assert list(storage.keys_under("projects")) == []
