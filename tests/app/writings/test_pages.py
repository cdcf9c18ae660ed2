"""The writing studio, its texts, the rules and the blind vote, as pages."""

import csv
import html
import io
import re
import zipfile
from xml.etree import ElementTree

import pytest
from sqlalchemy import delete, select, update

from app.accounts.models import User
from app.adapters.models import Adapter
from app.base_files.models import BaseCopy
from app.campaigns.service import create_campaign
from app.db import Database
from app.jobs import workers as job_workers
from app.jobs.models import Job
from app.storage import Storage
from app.voice.models import TextSample
from app.writings.checks import COPIED, MISSING, SAYS_DU
from app.writings.models import BlindPair, BlindVote, Writing, WritingVariant
from app.writings.recipe import WritingOrder
from tests.answers import tells
from tests.conftest import SignedIn, SignUp
from tests.html_forms import controls
from tests.visuals import api_token, make_adapter, make_pictures, make_project
from tests.written import SAMPLES, Brand, make_brand, make_voice, write_down

HTMX = {"hx-request": "true", "hx-target": "results"}
WORDS = {"adapter": "Regen? Wir halten dicht.", "prompted_base": "Eine Jacke für alle.", "base": "This is a jacket."}


def post(owner: SignedIn, brand: Brand, **fields: object) -> Writing:
    given = {"brief": "die neue Regenjacke", "language": "de", "adapter_id": brand.voice_id or "none"}
    answer = owner.client.post(f"/projects/{brand.project_id}/writings", data=given | fields)
    assert answer.status_code == 303, answer.text
    with brand.database.read() as session:
        return session.scalars(select(Writing).order_by(Writing.created_at.desc()).limit(1)).one()


def finished(brand: Brand, owner: SignedIn, words: dict[str, str] | None = None, **fields: object) -> dict[str, str]:
    """An order that was written; the ids of its first texts by arm."""
    writing_id = brand.order(user_id=owner.user_id, **{"count": 1, **fields})  # type: ignore[arg-type]
    write_down(brand, writing_id, words or WORDS)
    return {row.arm: row.id for row in brand.texts(writing_id) if row.position == 0} | {"writing": writing_id}


def test_a_form_becomes_a_frozen_order_a_job_and_empty_texts(brand: Brand, owner: SignedIn) -> None:
    ordered = post(owner, brand, audience="Radler", tone="trocken", count="3", keep_seed="1", seed="7", length="short")
    order = WritingOrder.model_validate(ordered.recipe)
    assert [part.arm for part in order.arms] == ["adapter", "prompted_base", "base"]
    assert {(part.recipe.seed, part.recipe.count) for part in order.arms} == {(7, 3)}
    asked = order.arms[2].recipe.messages[-1].content
    assert all(word in asked for word in ("Regenjacke", "Radler", "trocken", "etwa 20 Wörter"))
    assert len(brand.texts(ordered.id)) == 9
    job = brand.job(ordered.id)
    assert (job.kind, job.queue, job.state, job.title) == ("writing", "generation", "queued", "die neue Regenjacke")


def test_rules_that_help_are_told_to_every_arm_and_forbidden_words_to_none(brand: Brand, owner: SignedIn) -> None:
    owner.client.post(
        f"/projects/{brand.project_id}/text-rules",
        data={"claims": "lebenslang geflickt", "forbidden": "billig", "address": "sie", "claim_channels": "post"},
    )
    order = WritingOrder.model_validate(post(owner, brand).recipe)
    asked = {part.recipe.messages[-1].content for part in order.arms}
    assert len(asked) == 1
    (words,) = asked
    assert "lebenslang geflickt" in words and "mit Sie an" in words and "billig" not in words


def test_the_campaign_is_told_to_every_arm_but_not_to_those_who_describe_a_picture(
    brand: Brand, owner: SignedIn, database: Database
) -> None:
    with database.write() as session:
        campaign = create_campaign(
            session, workspace_id=owner.workspace_id, name="Herbst an der Küste", user_id=owner.user_id
        )

    def asked(**fields: str) -> str:
        order = WritingOrder.model_validate(post(owner, brand, campaign_id=campaign.id, **fields).recipe)
        (words,) = {part.recipe.messages[-1].content for part in order.arms}
        return words

    assert "Er gehört zur Kampagne „Herbst an der Küste“." in asked(channel="caption")
    assert "It belongs to the campaign “Herbst an der Küste”." in asked(language="en")
    assert "Küste" not in asked(channel="alt_text")


@pytest.mark.parametrize(
    "fields",
    [
        {"brief": " "},
        {"brief": "x" * 1001},
        {"channel": "cinema"},
        {"language": "fr"},
        {"count": "5"},
        {"adapter_id": "f" * 32},
        {"output_id": "f" * 32},
        {"campaign_id": "f" * 32},
        {"seed": "-1", "keep_seed": "1"},
    ],
)
def test_what_cannot_be_ordered_is_a_sentence_in_the_form(
    brand: Brand, owner: SignedIn, fields: dict[str, str]
) -> None:
    given = {"brief": "x", "language": "de", "adapter_id": ""} | fields
    answer = owner.client.post(f"/projects/{brand.project_id}/writings", data=given, headers={"hx-request": "true"})
    assert answer.status_code in (404, 422) and answer.headers["hx-retarget"] == "find .form-error"


def test_the_page_says_who_will_write(database: Database, storage: Storage, owner: SignedIn, brand: Brand) -> None:
    def text(one: Brand) -> str:
        return html.unescape(owner.client.get(f"/projects/{one.project_id}/writing").text)

    assert 'data-state="writes-voice-guide-base"' in text(brand)
    assert 'data-state="writes-guide-base"' in text(make_brand(database, storage, owner.workspace_id, voice=False))
    assert 'data-state="writes-base"' in text(
        make_brand(database, storage, owner.workspace_id, voice=False, samples=False)
    )
    assert "other-language" not in text(brand)
    with database.write() as session:
        session.execute(update(TextSample).where(TextSample.project_id == brand.project_id).values(language="fr"))
    assert 'data-state="other-language-fr"' in text(brand)


def test_without_a_voice_the_base_writes_though_the_brand_has_one(brand: Brand, owner: SignedIn) -> None:
    page = owner.client.get(f"/projects/{brand.project_id}/writing").text
    [value] = re.findall(r'<option value="([^"]*)"[^>]*>No voice<', page)
    assert post(owner, brand, adapter_id=value).adapter_id is None
    assert post(owner, brand, adapter_id="newest").adapter_id == brand.voice_id


def test_a_base_alone_is_held_as_the_device_that_writes_has_room_for(brand: Brand, owner: SignedIn) -> None:
    def held(base_model: str, **fields: str) -> set[str]:
        order = WritingOrder.model_validate(post(owner, brand, base_model=base_model, **fields).recipe)
        return {part.recipe.quantization for part in order.arms}

    assert held("qwen3-8b", adapter_id="none") == {"none"}, "nobody knows what will write"
    with brand.database.write() as session:
        card = {"device_kind": "cuda", "device_memory_bytes": 14_000_000_000}
        job_workers.report_worker(session, "w", queues=("generation",), device="A card", job_id=None, **card)
    assert held("qwen3-8b", adapter_id="none") == {"int8"}
    assert held("qwen3-14b", adapter_id="none") == {"nf4"}
    assert held("qwen3-0-6b", adapter_id="none") == {"none"}
    page = owner.client.get(f"/projects/{brand.project_id}/writing").text
    assert 'data-state="held-nf4"' in page and 'data-state="held-int8"' in page
    with brand.database.write() as session:
        session.get_one(Adapter, brand.voice_id).facts = {"recipe": {"quantization": "nf4"}}
    assert held("qwen3-0-6b", adapter_id=brand.voice_id) == {"nf4"}, "as its training held it"


def test_a_voice_of_plain_texts_says_that_it_goes_on_from_a_beginning(brand: Brand, owner: SignedIn) -> None:
    studio = f"/projects/{brand.project_id}/writing"
    assert not re.search(rf'value="{brand.voice_id}"[^>]*>[^<]*1 ·', owner.client.get(studio).text)
    with brand.database.write() as session:
        session.get_one(Adapter, brand.voice_id).facts = {"recipe": {"kind": "plain_text"}}
    page = owner.client.get(studio).text
    assert re.search(rf'value="{brand.voice_id}"[^>]*>[^<]*1 ·', page)
    ordered = post(owner, brand, brief="Morgens kalt,", tone="trocken")
    recipes = [part.recipe for part in WritingOrder.model_validate(ordered.recipe).arms]
    assert {(one.kind, one.messages[-1].content) for one in recipes} == {("plain_text", "Morgens kalt,")}
    assert 'data-state="goes-on"' in owner.client.get(f"/writings/{ordered.id}").text


def test_without_a_voice_a_base_that_is_ready_and_knows_the_language_is_taken_and_another_can_be_chosen(
    database: Database, storage: Storage, owner: SignedIn
) -> None:
    brand = make_brand(database, storage, owner.workspace_id, voice=False)
    studio = f"/projects/{brand.project_id}/writing"

    def base_of(ordered: Writing) -> str:
        return WritingOrder.model_validate(ordered.recipe).arms[0].recipe.base_model

    def foreign(ordered: Writing) -> bool:
        return 'data-state="foreign-base"' in owner.client.get(f"/writings/{ordered.id}").text

    ordered = post(owner, brand)
    page = owner.client.get(studio).text
    assert 'name="base_model"' not in page, "there is only one"
    assert 'data-state="foreign-base"' in page.split('id="results"')[0]
    assert base_of(ordered) == "smollm2-135m-instruct" and foreign(ordered)
    with database.write() as session:
        session.add(
            BaseCopy(
                workspace_id=owner.workspace_id,
                base_model="qwen3-1-7b",
                machine="one",
                byte_count=1,
            )
        )
    page = html.unescape(owner.client.get(studio).text)
    assert "SmolLM2 135M · English</option>" in page and "foreign-base" not in page.split('id="results"')[0]
    assert re.search('value="qwen3-1-7b" selected>Qwen3 1.7B · Deutsch, English', page)
    ordered = post(owner, brand)
    assert base_of(ordered) == "qwen3-1-7b" and not foreign(ordered)
    ordered = post(owner, brand, base_model="smollm2-135m-instruct")
    assert base_of(ordered) == "smollm2-135m-instruct" and foreign(ordered)
    assert 'value="smollm2-135m-instruct" selected' in owner.client.get(f"{studio}?writing_id={ordered.id}").text
    given = {"brief": "x", "language": "de", "adapter_id": "none", "base_model": "livery-builtin"}
    assert owner.client.post(f"/projects/{brand.project_id}/writings", data=given).status_code == 404


def test_texts_come_as_they_are_written(brand: Brand, owner: SignedIn) -> None:
    ordered = post(owner, brand, count="1")
    voice = next(row for row in brand.texts(ordered.id) if row.arm == "adapter")
    url = f"/writings/{ordered.id}/progress"
    with brand.database.write() as session:
        session.execute(update(Job).values(state="running", phase="writing", progress_done=400, progress_total=3000))
        session.execute(update(WritingVariant).where(WritingVariant.id == voice.id).values(text="Regen? Wir"))
    first = owner.client.get(url, headers=HTMX).text
    assert f'id="slot-{voice.id}" hx-swap-oob="innerHTML"' in first and "Regen? Wir" in first
    assert "aria-busy" in first and f'hx-get="{url}?shown="' in first and "0 of 3 texts" in first
    with brand.database.write() as session:
        session.execute(update(WritingVariant).where(WritingVariant.id == voice.id).values(finished=True))
    second = owner.client.get(url, headers=HTMX).text
    assert f'hx-get="{url}?shown=adapter0"' in second
    third = owner.client.get(f"{url}?shown=adapter0", headers=HTMX).text
    assert f"slot-{voice.id}" not in third, "what the page has whole may be under somebody's pen"
    with brand.database.write() as session:
        session.execute(update(Job).values(state="done"))
    assert "hx-trigger" not in owner.client.get(url, headers=HTMX).text


def test_findings_are_marked_and_looked_for_again_after_an_edit(brand: Brand, owner: SignedIn) -> None:
    ids = finished(brand, owner, {"adapter": "Billig & <b>gut</b> für dich.", "base": "x", "prompted_base": "y"})
    page = f"/writings/{ids['writing']}"
    assert "finding--problem" not in owner.client.get(page).text, "a brand without rules has no findings"
    owner.client.post(
        f"/projects/{brand.project_id}/text-rules",
        data={"forbidden": "billig\n\nbillig", "claims": "aus Husum", "claim_channels": "post", "address": "sie"},
    )
    text = owner.client.get(page).text
    assert '>Billig</mark> &amp; &lt;b&gt;gut&lt;/b&gt; für <mark class="finding finding--problem"' in text
    assert tells(text, SAYS_DU, word="dich") and tells(text, MISSING, claim="aus Husum")
    answer = owner.client.post(
        f"/variants/{ids['adapter']}/edit", data={"text": "Günstig und gut, aus Husum."}, headers=HTMX
    )
    assert "finding" not in answer.text.replace("findings", "") and 'data-state="edited"' in answer.text
    row = next(one for one in brand.texts(ids["writing"]) if one.arm == "adapter")
    assert (row.edited, row.text) == ("Günstig und gut, aus Husum.", "Billig & <b>gut</b> für dich.")
    owner.client.post(f"/variants/{ids['adapter']}/edit", data={"text": row.text})
    assert next(one for one in brand.texts(ids["writing"]) if one.arm == "adapter").edited is None


def test_an_edit_is_compared_with_the_samples_again(brand: Brand, owner: SignedIn) -> None:
    ids = finished(brand, owner)
    answer = owner.client.post(f"/variants/{ids['base']}/edit", data={"text": SAMPLES[0]}, headers=HTMX)
    assert tells(answer.text, COPIED, count=11) and "finding--hint" in answer.text


def test_an_approval_ends_when_the_words_change(brand: Brand, owner: SignedIn) -> None:
    ids = finished(brand, owner)
    url = f"/variants/{ids['adapter']}"
    assert 'aria-pressed="true"' in owner.client.post(f"{url}/approve", headers=HTMX).text
    owner.client.post(f"{url}/edit", data={"text": WORDS["adapter"]})
    row = next(one for one in brand.texts(ids["writing"]) if one.arm == "adapter")
    assert (row.review, row.edited) == ("approved", None), "the same words keep it"
    owner.client.post(f"{url}/edit", data={"text": "Andere Worte."})
    assert next(one for one in brand.texts(ids["writing"]) if one.arm == "adapter").review == "open"
    owner.client.post(f"{url}/reject")
    owner.client.post(f"{url}/favourite")
    row = next(one for one in brand.texts(ids["writing"]) if one.arm == "adapter")
    assert (row.review, row.favourite) == ("rejected", True)


def test_a_text_that_is_still_being_written_is_not_judged(brand: Brand, owner: SignedIn) -> None:
    row = brand.texts(post(owner, brand).id)[0]
    for what in ("approve", "reject", "favourite", "edit"):
        assert owner.client.post(f"/variants/{row.id}/{what}", data={"text": "x"}).status_code == 409
    ids = finished_after_cancel(brand, owner, row.writing_id)
    assert owner.client.post(f"/variants/{ids}/edit", data={"text": " "}, headers=HTMX).status_code in (409, 422)


def finished_after_cancel(brand: Brand, owner: SignedIn, writing_id: str) -> str:
    """Cancel, and give the same order again: another order with the same recipe."""
    assert owner.client.post(f"/writings/{writing_id}/cancel", headers=HTMX).status_code == 200
    assert owner.client.post(f"/writings/{writing_id}/cancel", headers=HTMX).status_code == 409
    assert owner.client.post(f"/writings/{writing_id}/again").status_code == 303
    with brand.database.read() as session:
        first, second = session.scalars(select(Writing).order_by(Writing.created_at))
    assert first.recipe == second.recipe and first.seed == second.seed and first.id != second.id
    return brand.texts(second.id)[0].id


def test_what_was_written_is_written_anew_and_its_recipe_comes_back_as_the_sheet_alone(
    brand: Brand, owner: SignedIn
) -> None:
    ids = finished(brand, owner, audience="Radler")
    assert owner.client.post(f"/writings/{ids['writing']}/again").status_code == 303
    with brand.database.read() as session:
        first, second = session.scalars(select(Writing).order_by(Writing.created_at))
    order = WritingOrder.model_validate(second.recipe)
    assert second.seed != first.seed and {part.recipe.seed for part in order.arms} == {second.seed}
    assert order.with_seed(first.seed) == WritingOrder.model_validate(first.recipe)

    url, composer = f"/projects/{brand.project_id}/writing", {"hx-request": "true", "hx-target": "composer"}
    sheet = owner.client.get(f"{url}?writing_id={first.id}", headers=composer).text
    assert 'data-state="edits"' in sheet and 'id="results"' not in sheet
    fields = controls(sheet, "composer")
    assert (fields["brief"][0].value, fields["audience"][0].value) == (first.brief, "Radler")
    assert fields["seed"][0].value == str(first.seed)
    assert 'data-state="edits"' not in owner.client.get(url, headers=composer).text


def test_the_list_narrows_and_exports_what_it_shows(brand: Brand, owner: SignedIn) -> None:
    ids = finished(brand, owner, {"adapter": "=SUMME(A1)\nzweite Zeile", "base": "@handle", "prompted_base": "üß 🎒"})
    finished(brand, owner, channel="headline", brief="Schlagzeile")
    owner.client.post(f"/variants/{ids['adapter']}/approve")
    owner.client.post(f"/variants/{ids['base']}/favourite")

    def shown(query: str) -> int:
        return owner.client.get(f"/writings{query}").text.count('class="texts__one"')

    assert [shown(one) for one in ("", "?review=approved", "?favourite=1", "?channel=headline")] == [6, 1, 1, 3]
    assert [shown(one) for one in ("?q=summe", "?q=schlagzeile", "?q=gibtsnicht", "?brand=zzz")] == [1, 3, 0, 6]
    answer = owner.client.get("/writings/export.csv?channel=post")
    assert answer.content.startswith(b"\xef\xbb\xbf") and "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:3] == ["Brand", "Campaign", "Channel"] and len(rows) == 4
    texts = {row[5] for row in rows[1:]}
    assert texts == {"'=SUMME(A1)\nzweite Zeile", "'@handle", "üß 🎒"}
    assert owner.client.get("/writings/export.csv?q=gibtsnicht").status_code == 422


def test_a_table_for_german_readers_has_semicolons_as_their_spreadsheets_expect(brand: Brand, owner: SignedIn) -> None:
    finished(brand, owner, {"adapter": "Regen; Wind, See", "base": "b", "prompted_base": "c"})
    with brand.database.write() as session:
        session.get_one(User, owner.user_id).locale = "de"
    answer = owner.client.get("/writings/export.csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0][:3] == ["Marke", "Kampagne", "Kanal"] and {len(row) for row in rows} == {13}
    assert "Regen; Wind, See" in {row[5] for row in rows}


def test_the_document_opens_and_holds_the_texts(brand: Brand, owner: SignedIn) -> None:
    finished(brand, owner, {"adapter": "Regen & <Wind>\n\nzweiter Absatz\x0b", "base": "b", "prompted_base": "c"})
    content = owner.client.get("/writings/export.docx").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            ElementTree.fromstring(archive.read(name))
        document = ElementTree.fromstring(archive.read("word/document.xml"))
    paragraphs = ["".join(node.itertext()) for node in document[0]]
    assert "Regen & <Wind>" in paragraphs and "zweiter Absatz" in paragraphs and "die neue Regenjacke" in paragraphs


@pytest.mark.dialect
def test_the_history_comes_in_pages(brand: Brand, owner: SignedIn) -> None:
    for number in range(6):
        brand.order(brief=f"Auftrag {number:02}", count=1)
    first = owner.client.get(f"/projects/{brand.project_id}/writing").text
    assert first.count('class="result"') == 3 and "Auftrag 05" in first
    more = re.search(r'hx-get="([^"]+before=[^"]+)"', first)
    assert more is not None
    second = owner.client.get(html.unescape(more[1]), headers={"hx-request": "true"}).text
    assert second.count('class="result"') == 3 and "<html" not in second


def test_a_visual_leads_to_its_caption_and_keeps_what_is_approved(
    brand: Brand, owner: SignedIn, database: Database, storage: Storage
) -> None:
    picture = make_pictures(
        database, storage, owner.workspace_id, brand.project_id, prompt="husum, ein Leuchtturm im Nebel"
    )[0]
    for place in (f"/outputs/{picture.id}", f"/outputs/{picture.id}/how"):
        assert f"/projects/{brand.project_id}/writing?output_id={picture.id}" in owner.client.get(place).text
    sheet = owner.client.get(f"/projects/{brand.project_id}/writing?output_id={picture.id}&channel=alt_text").text
    assert "Leuchtturm im Nebel</textarea>" in sheet and re.search(r'value="alt_text" selected', sheet)
    assert f'name="output_id" value="{picture.id}"' in sheet
    ids = finished(brand, owner, channel="caption", output_id=picture.id)
    assert WORDS["adapter"] not in owner.client.get(f"/outputs/{picture.id}").text
    owner.client.post(f"/variants/{ids['adapter']}/approve")
    for place in (f"/outputs/{picture.id}", f"/outputs/{picture.id}/how"):
        assert WORDS["adapter"] in owner.client.get(place).text
    again = owner.client.get(f"/projects/{brand.project_id}/writing?writing_id={ids['writing']}").text
    assert f'name="output_id" value="{picture.id}"' in again and 'name="seed" type="number" value="500"' in again


def test_rules_are_kept_as_they_were_written(brand: Brand, owner: SignedIn) -> None:
    url = f"/projects/{brand.project_id}/text-rules"
    limits = ["", "", "40", "", "", "", ""]
    answer = owner.client.post(
        url, data={"forbidden": "billig\n gratis* ", "most_emoji": "0", "limit": limits, "claim_channels": ["mail"]}
    )
    assert answer.status_code == 303
    text = owner.client.get(url).text
    assert "billig\ngratis*</textarea>" in text and re.search(r'name="most_emoji" type="number" value="0"', text)
    assert re.search(r'id="limit-headline"[^>]* value="40"', text)
    assert owner.client.post(url, data={"forbidden": "x" * 81}, headers=HTMX).status_code == 422
    assert owner.client.post(url, data={"limit": ["5"]}, headers=HTMX).status_code == 422


# The blind vote


def ballot(person: SignedIn, brand: Brand) -> str:
    return person.client.get(f"/projects/{brand.project_id}/blind-vote").text


def pair_on(text: str) -> str:
    found = re.search(r'action="/blind-pairs/([0-9a-f]{32})/vote"', text)
    assert found is not None, text
    return found[1]


def test_nothing_tells_who_wrote_before_the_vote(brand: Brand, owner: SignedIn, sign_up: SignUp) -> None:
    ids = finished(brand, owner)
    member = sign_up(role="editor", workspace_id=owner.workspace_id)
    text = ballot(member, brand)
    before_standings = text.split('id="standings"')[0]
    for word in ("voice</", "style guide", "Base model", "prompted", "adapter", *ids.values()):
        assert word not in before_standings.split('id="ballot"')[1], word
    told = member.client.post(f"/blind-pairs/{pair_on(text)}/vote", data={"choice": "left"}, headers=HTMX).text
    assert re.search(r'data-state="told-[a-z_]+-[a-z_]+"', told)


def test_one_vote_for_each_member_and_pair(brand: Brand, owner: SignedIn, sign_up: SignUp) -> None:
    finished(brand, owner)
    member = sign_up(role="editor", workspace_id=owner.workspace_id)
    pair = pair_on(ballot(member, brand))
    assert member.client.post(f"/blind-pairs/{pair}/vote", data={"choice": "left"}).status_code == 303
    assert member.client.post(f"/blind-pairs/{pair}/vote", data={"choice": "right"}).status_code == 409
    assert member.client.post(f"/blind-pairs/{pair}/vote", data={"choice": "both"}).status_code == 422
    with brand.database.read() as session:
        assert [vote.choice for vote in session.scalars(select(BlindVote))] == ["left"]
    for _ in range(2):
        text = ballot(member, brand)
        member.client.post(f"/blind-pairs/{pair_on(text)}/vote", data={"choice": "same"})
    assert 'data-state="all-voted"' in ballot(member, brand)
    assert 'data-state="own-order"' in ballot(owner, brand), "others have not voted yet"


def test_the_standings_say_when_it_is_early_and_who_wins(brand: Brand, owner: SignedIn) -> None:
    finished(brand, owner, count=4)
    finished(brand, owner, count=4)
    finished(brand, owner, count=4)
    with brand.database.read() as session:
        arms = {row.id: row.arm for row in session.scalars(select(WritingVariant))}
        pairs = [
            pair
            for pair in session.scalars(select(BlindPair))
            if {arms[pair.left_id], arms[pair.right_id]} == {"adapter", "base"}
        ]
    for number, pair in enumerate(pairs):
        if number == 9:
            assert re.search(r'data-state="early" data-votes="9"', ballot(owner, brand))
        side = "left" if arms[pair.left_id] == "adapter" else "right"
        owner.client.post(f"/blind-pairs/{pair.id}/vote", data={"choice": side})
    text = html.unescape(ballot(owner, brand))
    assert 'data-state="won-adapter"' in text and "12 : 0" in text
    assert 'data-own="12"' in text


def test_an_older_version_loses_for_itself_alone(
    brand: Brand, owner: SignedIn, database: Database, storage: Storage
) -> None:
    def vote_for(better: str, adapter_id: str | None) -> None:
        ids = finished(brand, owner, adapter_id=adapter_id)
        with brand.database.read() as session:
            arms = {row.id: row.arm for row in session.scalars(select(WritingVariant))}
            pairs = session.scalars(select(BlindPair).where(BlindPair.writing_id == ids["writing"])).all()
        for pair in pairs:
            if better in (arms[pair.left_id], arms[pair.right_id]):
                side = "left" if arms[pair.left_id] == better else "right"
                owner.client.post(f"/blind-pairs/{pair.id}/vote", data={"choice": side})

    vote_for("base", brand.voice_id)
    newer = make_voice(database, storage, owner.workspace_id, brand.project_id, version=2)
    vote_for("adapter", newer)
    vote_for("prompted_base", None)
    standings = html.unescape(ballot(owner, brand)).split('id="standings"')[1]
    names = ["Husumer Ton, version 2", "Husumer Ton, version 1", "No voice"]
    places = [standings.index(f"{name} · SmolLM2 135M") for name in names]
    assert places == sorted(places)
    assert re.findall(r">(\d+ : \d+)<", standings) == ["1 : 0", "1 : 0", "0 : 1", "0 : 1", "1 : 0"]
    program = {"authorization": f"Bearer {api_token(database, owner)}"}
    answer = owner.client.get(f"/api/v1/projects/{brand.project_id}/blind-results", headers=program)
    items = answer.json()["items"]
    assert [one["adapter_id"] for one in items] == [newer] * 2 + [brand.voice_id] * 2 + [None]
    with brand.database.write() as session:
        session.execute(delete(Adapter).where(Adapter.id == newer))
    standings = ballot(owner, brand).split('id="standings"')[1]
    deleted, alone = standings.index('data-state="deleted"'), standings.index('data-state="no-voice"')
    assert standings.index("version 1") < deleted < alone


def test_a_person_who_leaves_takes_the_name_and_not_the_vote(brand: Brand, owner: SignedIn, sign_up: SignUp) -> None:
    finished(brand, owner)
    member = sign_up(role="editor", workspace_id=owner.workspace_id)
    member.client.post(f"/blind-pairs/{pair_on(ballot(member, brand))}/vote", data={"choice": "left"})
    with brand.database.write() as session:
        session.delete(session.get_one(User, member.user_id))
    with brand.database.read() as session:
        assert [vote.user_id for vote in session.scalars(select(BlindVote))] == [None]


def test_a_viewer_looks_and_changes_nothing(brand: Brand, owner: SignedIn, sign_up: SignUp) -> None:
    ids = finished(brand, owner)
    viewer = sign_up(role="viewer", workspace_id=owner.workspace_id)
    page = viewer.client.get(f"/projects/{brand.project_id}/writing")
    assert page.status_code == 200 and 'name="brief"' not in page.text and "/approve" not in page.text
    assert 'name="choice"' not in ballot(viewer, brand)
    for url in (f"/variants/{ids['base']}/approve", f"/projects/{brand.project_id}/writings"):
        assert viewer.client.post(url, data={"brief": "x"}).status_code == 403


def test_another_brands_voice_and_another_workspaces_texts_are_out_of_reach(
    brand: Brand, owner: SignedIn, sign_up: SignUp, database: Database
) -> None:
    other = make_project(database, owner.workspace_id, name="Other", trigger="other")
    given = {"brief": "x", "language": "de", "adapter_id": brand.voice_id}
    assert owner.client.post(f"/projects/{other}/writings", data=given).status_code == 422
    ids = finished(brand, owner)
    stranger = sign_up().client
    assert stranger.get(f"/writings/{ids['writing']}").status_code == 404
    assert stranger.post(f"/variants/{ids['base']}/edit", data={"text": "x"}).status_code == 404
    assert WORDS["adapter"] not in stranger.get("/writings").text


@pytest.mark.parametrize("has_brand", [True, False])
def test_empty_pages_invite(owner: SignedIn, database: Database, has_brand: bool) -> None:
    if has_brand:
        make_project(database, owner.workspace_id)
    text = owner.client.get("/writings").text
    assert ('data-state="no-texts"' if has_brand else 'data-state="no-brand"') in text


def test_a_text_is_edited_in_its_own_place(brand: Brand, owner: SignedIn) -> None:
    ids = finished(brand, owner)
    url = f"/variants/{ids['adapter']}"
    assert "<textarea" not in owner.client.get(f"/writings/{ids['writing']}").text
    form = owner.client.get(f"{url}/edit", headers=HTMX).text
    assert f">{WORDS['adapter']}</textarea>" in form and "<html" not in form
    assert "<html" in owner.client.get(f"{url}/edit").text, "without scripts it is a page"
    assert WORDS["adapter"] in owner.client.get(url, headers=HTMX).text
    assert owner.client.get(url).headers["location"].endswith(f"#variant-{ids['adapter']}")


def test_a_full_page_stays_light(brand: Brand, owner: SignedIn) -> None:
    words = dict.fromkeys(WORDS, "Regen? Wir halten dicht, seit vierzig Jahren. " * 9)
    for _ in range(4):
        finished(brand, owner, words, count=4)
    text = owner.client.get(f"/projects/{brand.project_id}/writing").text
    assert text.count('class="text__words"') == 36 and len(text.encode()) < 150_000
    assert len(owner.client.get("/writings").text.encode()) < 150_000


def test_a_voice_is_no_choice_for_pictures_and_a_look_none_for_texts(
    brand: Brand, owner: SignedIn, database: Database, storage: Storage
) -> None:
    look = make_adapter(database, storage, owner.workspace_id, brand.project_id, name="Look", version=2)
    assert brand.voice_id is not None
    studio = owner.client.get(f"/projects/{brand.project_id}/studio").text
    assert look in studio and brand.voice_id not in studio
    writing = owner.client.get(f"/projects/{brand.project_id}/writing").text
    assert brand.voice_id in writing and look not in writing
    drawn = owner.client.post(
        f"/projects/{brand.project_id}/generations",
        data={"prompt": "x", "adapter_id": [brand.voice_id], "strength": ["1"]},
        headers=HTMX,
    )
    written = owner.client.post(
        f"/projects/{brand.project_id}/writings", data={"brief": "x", "language": "de", "adapter_id": look}
    )
    assert drawn.status_code == written.status_code == 422
