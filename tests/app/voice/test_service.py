"""What may happen to samples: taken in whole or not at all, changed, decided about, deleted and brought back."""

from collections import Counter
from datetime import timedelta

import pytest

from app.db import Database, new_id, now
from app.errors import NotFound
from app.storage import Storage
from app.voice import queries, service
from app.voice.analysis import pairs
from app.voice.analysis.pairs import conversation
from app.voice.errors import AlreadyTakenIn, EmptyText, TooManySamples
from app.voice.imports import queries as import_queries
from app.voice.imports import service as imports
from app.voice.models import TextSample, VoiceImport
from app.voice.reading import mapping
from app.voice.reading.documents import Block, Document
from app.voice.reading.tables import Row, Table
from app.voice.service import Change
from tests import voices
from tests.app.images.sets import make_brand
from tests.app.voice.sets import add_texts, drafts, text_of_row
from tests.conftest import SignedIn

LETTER = "Guten Tag,\nschreiben Sie an ada@example.org.\n\nViele Grüße\nAda Muster"
FOOTER = "Abmelden: Klicken Sie hier, um keine Mails mehr zu bekommen"


@pytest.fixture
def brand(database: Database, owner: SignedIn) -> tuple[str, str]:
    return owner.workspace_id, make_brand(database, owner.workspace_id)


def read_set(database: Database, brand: tuple[str, str]) -> dict[str, str]:
    """Texts as training reads them, by id."""
    with database.read() as session:
        found = queries.training_set(session, workspace_id=brand[0], project_id=brand[1])
    return {sample.sample_id: sample.text for sample in found}


def judged(database: Database, brand: tuple[str, str]) -> queries.JudgedSet:
    with database.read() as session:
        return queries.judged_set(session, workspace_id=brand[0], project_id=brand[1])


def started(database: Database, brand: tuple[str, str], storage: Storage, kind: str = "csv") -> VoiceImport:
    import_id = new_id()
    stored = imports.StoredTexts(f"a.{kind}", kind, 3, f"{imports.import_folder(brand[1], import_id)}/texts")
    storage.put(stored.key, b"a\nb")
    with database.write() as session:
        row = imports.start_import(
            session, stored, workspace_id=brand[0], project_id=brand[1], import_id=import_id, created_by=None
        )
        session.expunge(row)
    return row


def test_the_training_set_has_what_is_included_in_its_order_with_briefs(
    database: Database, brand: tuple[str, str]
) -> None:
    texts = [row["text"] for row in voices.rows(voices.NORDLICHT)[:30]]
    ids = add_texts(database, *brand, texts)
    with database.write() as session:
        service.change(session, workspace_id=brand[0], text_id=ids[3], wanted=Change(included=False))
        service.change(session, workspace_id=brand[0], text_id=ids[4], wanted=Change(brief="Write what I say."))
        found = queries.training_set(session, workspace_id=brand[0], project_id=brand[1])
    assert [sample.text for sample in found] == [*texts[:3], *texts[4:]]
    assert found[3].brief == "Write what I say."
    assert found[0].brief.startswith("Write a text about ")
    assert conversation(found[3])[1] == {"role": "user", "content": "Write what I say."}


def test_personal_data_is_masked_until_somebody_says_to_keep_it(database: Database, brand: tuple[str, str]) -> None:
    [text_id] = add_texts(database, *brand, [LETTER])
    masked = "Guten Tag,\nschreiben Sie an [E-Mail].\n\nViele Grüße\n[Name]"
    assert read_set(database, brand)[text_id] == masked
    assert judged(database, brand).count("personal") == 1
    for choice, read in (("keep", LETTER), ("mask", masked)):
        with database.write() as session:
            service.change_many(
                session, workspace_id=brand[0], project_id=brand[1], text_ids=[text_id], personal=choice
            )
        assert read_set(database, brand)[text_id] == read
        assert judged(database, brand).count("personal") == 0
    with database.write() as session:
        longer = Change(text=LETTER + "\nTel. 030 1234567")
        service.change(session, workspace_id=brand[0], text_id=text_id, wanted=longer)
    assert judged(database, brand).count("personal") == 1, "what is new is asked about again"


def test_titles_and_briefs_are_masked_and_asked_about_too(database: Database, brand: tuple[str, str]) -> None:
    [text_id] = add_texts(database, *brand, ["One lamp is enough for us all."])

    def edit(wanted: Change) -> pairs.VoiceSample:
        with database.write() as session:
            service.change(session, workspace_id=brand[0], text_id=text_id, wanted=wanted)
            [sample] = queries.training_set(session, workspace_id=brand[0], project_id=brand[1])
        return sample

    sample = edit(Change(title="Ask ada@example.org"))
    assert judged(database, brand).count("personal") == 1
    assert (sample.title, "ada" in sample.brief) == ("Ask [mail address]", False)
    assert "ada@" in edit(Change(personal_data="keep")).brief
    assert judged(database, brand).count("personal") == 0
    sample = edit(Change(brief="Write to Frau Muster, 030 1234567."))
    assert sample.brief == "Write to Frau [name], [phone]."
    assert judged(database, brand).count("personal") == 1, "what is new is asked about again"


def test_boilerplate_is_cut_kept_or_left_out_and_every_choice_taken_back(
    database: Database, brand: tuple[str, str]
) -> None:
    texts = [f"{row['text']}\n\n{FOOTER}" for row in voices.rows(voices.NORDLICHT)[:12]]
    ids = add_texts(database, *brand, [*texts, "One lamp is enough"])
    assert [(line.line, line.count) for line in judged(database, brand).lines] == [(FOOTER, 12)]
    assert judged(database, brand).count("boilerplate") == 12

    def decide(choice: str) -> int:
        with database.write() as session:
            return service.decide_line(session, workspace_id=brand[0], project_id=brand[1], line=FOOTER, choice=choice)

    assert decide("cut") == 12
    assert judged(database, brand).lines == ()
    assert read_set(database, brand)[ids[0]] == voices.rows(voices.NORDLICHT)[0]["text"]
    assert text_of_row(database, brand[0], ids[0]).text == texts[0], "the text itself stays"
    decide("keep")
    assert read_set(database, brand)[ids[0]] == texts[0]
    decide("undecided")
    assert judged(database, brand).count("boilerplate") == 12
    decide("exclude")
    assert list(read_set(database, brand)) == [ids[12]]


def test_a_last_sentence_that_comes_back_is_cut_from_texts_of_one_line(
    database: Database, brand: tuple[str, str]
) -> None:
    rows = voices.rows(voices.NORDLICHT)[:12]
    closing = "Jetzt bestellen: shop@example.org!"
    ids = add_texts(database, *brand, [f"{row['text'].rstrip('.')}. {closing}" for row in rows])
    assert [(line.line, line.count) for line in judged(database, brand).lines] == [(closing, 12)]
    with database.write() as session:
        service.decide_line(session, workspace_id=brand[0], project_id=brand[1], line=closing, choice="cut")
    assert [read_set(database, brand)[text_id] for text_id in ids] == [f"{row['text'].rstrip('.')}." for row in rows]
    assert judged(database, brand).count("personal") == judged(database, brand).count("boilerplate") == 0


def test_a_line_with_a_mail_address_is_cut_too_and_asks_nothing_more(
    database: Database, brand: tuple[str, str]
) -> None:
    footer = "Fragen? shop@example.org oder Tel. 030 1234567"
    texts = [f"{row['text']}\n\n{footer}" for row in voices.rows(voices.NORDLICHT)[:12]]
    ids = add_texts(database, *brand, [*texts, f"{LETTER}\n{footer}"])
    assert judged(database, brand).count("personal") == 13
    with database.write() as session:
        service.decide_line(session, workspace_id=brand[0], project_id=brand[1], line=footer, choice="cut")
    read = read_set(database, brand)
    assert [read[text_id] for text_id in ids[:12]] == [row["text"] for row in voices.rows(voices.NORDLICHT)[:12]]
    assert read[ids[12]] == "Guten Tag,\nschreiben Sie an [E-Mail].\n\nViele Grüße\n[Name]"
    assert [text.id for text in judged(database, brand).found("personal")] == ids[12:]


def test_repeats_are_pointed_out_until_they_are_left_out(database: Database, brand: tuple[str, str]) -> None:
    text = voices.rows(voices.NORDLICHT)[0]["text"]
    ids = add_texts(database, *brand, [text, text.upper(), text.replace("blanket", "cushion"), "One lamp is enough"])
    found = judged(database, brand)
    assert found.of(ids[1]).same_as == ids[0]
    assert found.of(ids[2]).near_to == ids[0]
    with database.write() as session:
        for wanted in ("duplicate", "near"):
            chosen = service.chosen_ids(
                session, workspace_id=brand[0], project_id=brand[1], text_ids=[], everything=wanted
            )
            service.change_many(session, workspace_id=brand[0], project_id=brand[1], text_ids=chosen, included=False)
    assert list(read_set(database, brand)) == [ids[0], ids[3]]
    assert judged(database, brand).count("duplicate") == judged(database, brand).count("near") == 0


def test_an_import_is_taken_in_once_and_knows_what_is_there(
    database: Database, brand: tuple[str, str], storage: Storage
) -> None:
    add_texts(database, *brand, ["One lamp is enough"])
    prepared = service.prepare(drafts(["one LAMP is enough!", "Another text is here.", "another text is here"]))
    row = started(database, brand, storage)

    def finish() -> tuple[service.Added, str | None]:
        with database.write() as session:
            return imports.finish_import(
                session, prepared, [], workspace_id=brand[0], import_id=row.id, skip_known=True, created_by=None
            )

    added, key = finish()
    assert (len(added.ids), added.known, key) == (1, 2, row.key)
    with database.read() as session:
        after = import_queries.voice_import(session, workspace_id=brand[0], import_id=row.id)
        assert (after.added, after.key) == (1, None)
    with pytest.raises(AlreadyTakenIn):
        finish()
    with pytest.raises(AlreadyTakenIn), database.write() as session:
        imports.discard_import(session, workspace_id=brand[0], import_id=row.id)


def test_parts_of_a_long_text_are_known_to_belong_together(
    database: Database, brand: tuple[str, str], storage: Storage
) -> None:
    long = "\n\n".join(f"Absatz {number}. " + "Die Lampe steht am Fenster. " * 20 for number in range(6))
    short = "Eine Lampe reicht."
    for number, content in enumerate(
        (
            Document(blocks=[Block("paragraph", long), Block("break"), Block("paragraph", short)]),
            Table([Row(7, (long.replace("Lampe", "Bank"),)), Row(9, ("Eine Bank reicht.",))], width=1),
        )
    ):
        row = started(database, brand, storage, "csv" if number else "docx")
        found, _ = mapping.apply(content, mapping.guess(content, "a"))
        with database.write() as session:
            imports.finish_import(
                session,
                service.prepare(found),
                [],
                workspace_id=brand[0],
                import_id=row.id,
                skip_known=True,
                created_by=None,
            )
    with database.read() as session:
        read = queries.training_set(session, workspace_id=brand[0], project_id=brand[1])
    passages = Counter(sample.passage for sample in read)
    assert sorted(passages.values()) == [1, 1, len(read) // 2 - 1, len(read) // 2 - 1]
    assert "" not in passages
    assert [bool(sample.document) for sample in read] == [True] * (len(read) // 2) + [False] * (len(read) // 2)


def test_too_many_are_refused_whole(
    database: Database, brand: tuple[str, str], storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_SAMPLES", 3)
    add_texts(database, *brand, ["One lamp is enough", "Two lamps are better"])
    row = started(database, brand, storage)
    prepared = service.prepare(drafts(["The first new text.", "The second new text."]))
    with pytest.raises(TooManySamples) as refused, database.write() as session:
        imports.finish_import(
            session, prepared, [], workspace_id=brand[0], import_id=row.id, skip_known=True, created_by=None
        )
    assert "room for 1 more" in str(refused.value)
    assert len(judged(database, brand).texts) == 2
    with database.read() as session:
        assert import_queries.voice_import(session, workspace_id=brand[0], import_id=row.id).finished_at is None


def test_a_text_cannot_become_empty_and_is_measured_anew(database: Database, brand: tuple[str, str]) -> None:
    [text_id] = add_texts(database, *brand, ["The lamp is lit, and the tea is hot."])
    before = text_of_row(database, brand[0], text_id)
    with pytest.raises(EmptyText), database.write() as session:
        service.change(session, workspace_id=brand[0], text_id=text_id, wanted=Change(text=" \n\x00 "))
    with database.write() as session:
        service.change(
            session,
            workspace_id=brand[0],
            text_id=text_id,
            wanted=Change(text="Write to ada@example.org.\r\n\r\n\r\nNow."),
        )
    after = text_of_row(database, brand[0], text_id)
    assert after.text == "Write to ada@example.org.\n\nNow."
    assert after.findings == [["mail", 9, 24]]
    assert (after.text_hash, after.signature) != (before.text_hash, before.signature)


def test_deleted_texts_come_back_until_they_are_swept(
    database: Database, brand: tuple[str, str], storage: Storage
) -> None:
    ids = add_texts(database, *brand, ["One lamp is enough", "Two lamps are better"])
    with database.write() as session:
        count, moment = service.delete_samples(session, workspace_id=brand[0], project_id=brand[1], text_ids=ids[:1])
    assert (count, list(read_set(database, brand))) == (1, ids[1:])
    with pytest.raises(NotFound):
        text_of_row(database, brand[0], ids[0])
    with database.write() as session:
        assert service.restore_samples(session, workspace_id=brand[0], project_id=brand[1], moment=moment) == 1
    assert list(read_set(database, brand)) == ids
    with database.write() as session:
        service.delete_samples(session, workspace_id=brand[0], project_id=brand[1], text_ids=ids[:1])
    old = started(database, brand, storage)
    with database.write() as session:
        session.get_one(TextSample, ids[0]).deleted_at = now() - timedelta(days=8)
        session.get_one(VoiceImport, old.id).created_at = now() - timedelta(days=8)
    assert service.sweep_deleted(database, storage, older_than=timedelta(days=7)) == 2
    with database.read() as session:
        assert session.get(TextSample, ids[0]) is None
        assert session.get(VoiceImport, old.id) is None
    assert list(storage.keys_under("projects")) == []


def test_filters_search_and_pages_go_by_key(database: Database, brand: tuple[str, str]) -> None:
    first = add_texts(database, *brand, [f"The lamp number {number} is lit today." for number in range(50)])
    second = add_texts(database, *brand, ["Dear reader,\nthe kettle hums.", "Wow."])
    found = judged(database, brand)
    everything, place = [], None
    while True:
        page, last = queries.page_of(found.found("all"), after=place, limit=20)
        everything += [text.id for text in page]
        if last is None:
            break
        place = (last.created_at, queries.place_of(last.position, last.id))
    assert everything == [*second, *first]
    assert [text.id for text in found.found("all", words="KETTLE")] == [second[0]]
    assert [text.id for text in found.found("all", channel="mail")] == [second[0]]
    assert [text.id for text in found.found("short")] == [second[1]]
    assert found.by_channel()["mail"] == 1
