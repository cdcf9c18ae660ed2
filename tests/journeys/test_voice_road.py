"""The voice's whole road in a browser: 60 texts from a file, a training as the page proposes it but for its rounds,
honest numbers, files for other programs, and texts that the voice writes beside the base.

Everything is real: ``python -m app`` with its workers on embedded defaults and the language model that comes along.
The voice is trained once and all tests here use it; it reads its texts once instead of four times. The opposite voice,
which is there to be told from it, is learned by the engine alone, from 24 texts that are read once.
"""

import csv
import io
import json
import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.accounts.models import Membership, User
from app.base_models import catalogue
from app.db import Database
from app.trainings.models import Training
from app.trainings.voice.freeze import FrozenText, FrozenVoice, freeze
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import VoiceRecipe
from app.voice.queries import ENOUGH_SAMPLES
from app.writings import service
from app.writings.models import BlindPair, Writing
from app.writings.recipe import WritingOrder
from app.writings.vote import queries as ballots
from app.writings.vote.arms import ARM_NAMES
from tests.journeys.test_whole_road import become_owner, make_brand
from tests.servers import Livery, running
from tests.voices import BUILTIN, FIZZBEE, NORDLICHT, samples, voice_rows
from tests.worker.text.tiny import Notes
from worker.engines.contracts import AdapterFile, Base
from worker.engines.text import base as bases
from worker.engines.text import causal_lm, evaluation
from worker.engines.text.chat import prompt_tokens
from worker.engines.text.examples import examples_of
from worker.engines.text_contracts import Said, VoiceInputs, VoiceText

pytestmark = pytest.mark.slow
TEXTS = 60
SEED = 11
SHIPPED = Base(BUILTIN, "causal_lm", "builtin")
PATIENCE_MS = 600_000
LONG_MS = 3_600_000
"""Only ends a test that hangs."""
WORDS = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@dataclass(frozen=True)
class Road:
    """A running Livery with a brand whose voice has been trained."""

    page: Page
    folder: Path
    database: Database
    brand: str
    """Ids, as are the others."""
    training: str
    adapter: str

    @property
    def cache(self) -> Path:
        return self.folder / "data" / "worker-cache"

    def order(self) -> Training:
        with self.database.read() as session:
            return session.get_one(Training, self.training)


@dataclass(frozen=True)
class Learned:
    """A voice, the texts that it was not trained on, and what the loop measured on them."""

    file: Path
    recipe: VoiceRecipe
    held_out: tuple[VoiceText, ...]
    loss: float


@pytest.fixture(scope="module")
def road(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder = tmp_path_factory.mktemp("road")
    with running(Livery(folder)) as livery:
        context = browser.new_context(
            base_url=livery.address, viewport={"width": 1440, "height": 900}, locale="en", accept_downloads=True
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        become_owner(page)
        brand = make_brand(page, NORDLICHT.capitalize())
        bring_texts(page, brand, folder)
        training = start(page, brand)
        adapter = learned(page, training)
        database = Database(f"sqlite:///{folder / 'data' / 'livery.sqlite3'}")
        yield Road(page, folder, database, brand, training, adapter)
        database.engine.dispose()
        context.close()
    expect.set_options(timeout=5000)
    bases.drop_loaded()


@pytest.fixture(scope="module")
def opposite(road: Road) -> Learned:
    """Fizzbee's voice, as the engine learns it from 24 texts in one round."""
    given = samples(FIZZBEE, "en")[:24]
    changes = {"epochs": 1, "sample_count": 0, "measured_texts": 0}
    recipe = voice_recipe_for(catalogue.text_model(BUILTIN), len(given), changes)
    voice = freeze(given, recipe)
    texts = as_learned(voice.learned), as_learned(voice.held_out)
    out = road.folder / FIZZBEE
    out.mkdir()
    done = causal_lm.train(recipe, VoiceInputs(SHIPPED, *texts, voice.style_guide, cache=road.cache), out, Notes())
    assert done.measures is not None
    base, prompted, adapter = (arm.loss for arm in (done.measures.base, done.measures.prompted, done.measures.adapter))
    print(f"\n{FIZZBEE}: loss of unseen texts: base {base:.2f}, with style guide {prompted:.2f}, adapter {adapter:.2f}")
    assert adapter < min(base, prompted)
    return Learned(done.weights, recipe, texts[1], adapter)


def as_learned(texts: Sequence[FrozenText]) -> tuple[VoiceText, ...]:
    return tuple(VoiceText(text.sample_id, tuple(Said(*turn) for turn in text.order), text.text) for text in texts)


def shortest_rows() -> list[dict[str, str]]:
    """The texts of the brand: short ones, as reading and writing them takes most of the time."""
    return sorted(voice_rows(NORDLICHT), key=lambda row: len(row["text"]))[:TEXTS]


def bring_texts(page: Page, brand: str, folder: Path) -> None:
    file = folder / f"{NORDLICHT}.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in shortest_rows()))
    page.goto(f"/projects/{brand}/voice/add")
    page.locator("input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("/voice/imports/[0-9a-f]{32}"))
    page.locator("form[hx-get$='/preview'] button[type=submit]").click()
    expect(page).to_have_url(re.compile(f"/projects/{brand}/voice$"))
    expect(page.locator(f".meter[data-value='{TEXTS}']")).to_contain_text(str(ENOUGH_SAMPLES))


def start(page: Page, brand: str) -> str:
    """Order the training as the page proposes it, but for its rounds."""
    page.goto(f"/projects/{brand}/voice")
    page.locator("a[href$='/voice-trainings/new']").click()
    told = page.locator(f"#summary [data-texts='{TEXTS * 9 // 10}']")
    expect(told).to_contain_text(NORDLICHT.capitalize())
    expect(told).to_contain_text("SmolLM2 135M")
    page.locator("#order > details.fold > summary").click()
    page.locator("[name=epochs]").fill("1")
    page.locator("#summary .summary__foot button[type=submit]").click()
    expect(page).to_have_url(re.compile("/voice-trainings/[0-9a-f]{32}"))
    return page.url.rsplit("/", 1)[1]


def learned(page: Page, training: str) -> str:
    page.goto(f"/voice-trainings/{training}")
    expect(page.locator("#live[data-state=done]")).to_be_visible(timeout=LONG_MS)
    return str(page.locator("#live a[href^='/adapters/']").get_attribute("href")).rsplit("/", 1)[1]


def test_the_voice_beats_the_base_and_the_base_with_a_style_guide(road: Road) -> None:
    page = road.page
    page.goto(f"/voice-trainings/{road.training}")
    expect(page.locator("[data-state=verdict-better]")).to_be_visible()
    rows = page.locator("section[aria-labelledby=measures-title] tbody tr")
    expect(rows).to_have_count(3)
    base, prompted, adapter = (float(rows.nth(n).locator("td").first.text_content() or "") for n in range(3))
    took = page.locator("[data-state=took]").inner_text()
    print(f"\nperplexity of unseen texts: base {base}, with style guide {prompted}, adapter {adapter}. {took}")
    assert adapter < base and adapter < prompted
    expect(page.locator(".loss polyline")).to_have_count(2)
    cards = page.locator("section[aria-labelledby=samples-title] .card")
    expect(cards).to_have_count(2)
    expect(cards.locator("[data-sample=base]")).to_have_count(2)
    expect(cards.locator("[data-sample=adapter]")).to_have_count(2)


def test_each_adapter_prefers_its_own_voices_unseen_texts(road: Road, opposite: Learned) -> None:
    road.page.goto(f"/adapters/{road.adapter}")
    file, order = downloaded(road, "safetensors"), road.order()
    assert order.voice is not None and order.measures is not None
    held_out = as_learned(FrozenVoice.model_validate(order.voice).held_out)
    recipe = VoiceRecipe.model_validate(order.recipe)
    own = Learned(file, recipe, held_out, order.measures["held_out"]["adapter"]["loss"])
    voices = {NORDLICHT: own, FIZZBEE: opposite}
    loaded = bases.load(SHIPPED, cache=road.cache)
    for voice, other in ((NORDLICHT, FIZZBEE), (FIZZBEE, NORDLICHT)):
        unseen = examples_of(loaded, voices[voice].recipe, voices[voice].held_out)
        losses = {}
        for name in (voice, other):
            bases.use_adapter(loaded, AdapterFile(name, voices[name].file, 1.0))
            losses[name] = evaluation.mean_loss(loaded, unseen, lambda: None)
        own_surprise, foreign = math.exp(losses[voice]), math.exp(losses[other])
        print(f"\n{voice}'s unseen texts: its own adapter {own_surprise:.1f}, {other}'s {foreign:.1f}")
        assert own_surprise < foreign
        # What the loop measured is what the file that people take along says again.
        assert losses[voice] == pytest.approx(voices[voice].loss, rel=1e-4)


def downloaded(road: Road, kind: str) -> Path:
    """A file of the adapter whose page is open."""
    with road.page.expect_download() as started:
        road.page.locator(f"a[href$='/voice-files/{kind}']").click()
    path = road.folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_the_voice_is_taken_along_for_other_programs(road: Road) -> None:
    road.page.goto(f"/adapters/{road.adapter}")
    peft, gguf, plain = (downloaded(road, kind) for kind in ("peft", "gguf", "safetensors"))
    names = [path.name for path in (peft, gguf, plain)]
    assert names == [f"nordlicht-voice-v1{ending}" for ending in ("-peft.zip", ".gguf", ".safetensors")]
    with zipfile.ZipFile(peft) as packed:
        configuration = json.loads(packed.read("adapter_config.json"))
        assert configuration["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
        assert packed.read("adapter_model.safetensors") == plain.read_bytes()
    assert gguf.read_bytes()[:4] == b"GGUF"


def test_voice_and_base_become_one_model_that_plain_transformers_loads(road: Road) -> None:
    """From the button on the page through the worker's process to a folder that says what base and adapter say."""
    page = road.page
    page.goto(f"/adapters/{road.adapter}")
    page.locator("#merged-safetensors button[type=submit]").click()
    link = page.locator("#merged-safetensors a[download]")
    expect(link).to_be_visible(timeout=LONG_MS)
    with page.expect_download(timeout=LONG_MS) as started:
        link.click()
    assert started.value.suggested_filename == "nordlicht-voice-v1-merged.zip"
    folder = road.folder / "merged"
    with zipfile.ZipFile(started.value.path()) as packed:
        packed.extractall(folder)
    assert "HuggingFaceTB/SmolLM2-135M-Instruct" in (folder / "README.md").read_text()
    adapter = downloaded(road, "safetensors")
    loaded = bases.load(SHIPPED, cache=road.cache)
    bases.use_adapter(loaded, AdapterFile("nordlicht", adapter, 1.0))
    words = torch.tensor([prompt_tokens(loaded, [Said("user", "Write about a woollen cap.")])])
    with torch.no_grad():
        wanted = loaded.model(input_ids=words).logits.log_softmax(-1)
        merged = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        found = merged(input_ids=words).logits.log_softmax(-1)
    prompt = loaded.tokenizer.decode(words[0])
    assert AutoTokenizer.from_pretrained(folder)(prompt, add_special_tokens=False)["input_ids"] == words[0].tolist()
    likeliest = wanted.exp().topk(2).values
    clear = likeliest[..., 0] - likeliest[..., 1] > 0.02  # where two words are equally likely, either will do
    assert clear.float().mean() > 0.5 and torch.equal(found.argmax(-1)[clear], wanted.argmax(-1)[clear])
    assert (found.exp() - wanted.exp()).abs().max() < 0.01, "float16 is all the difference"


def test_three_write_the_same_brief_and_a_blind_vote_says_who_wins(road: Road) -> None:
    page, brand = road.page, road.brand
    page.goto(f"/projects/{brand}/text-rules")
    page.locator("[name=forbidden]").fill("the\nthis")
    page.locator("#limit-product_text").fill("10")
    page.locator("form[action$='/text-rules'] button[type=submit]").click()
    expect(page.locator("[data-toast='text_rules.changed']")).to_be_visible()

    page.goto(f"/projects/{brand}/writing?adapter={road.adapter}")
    page.locator("[name=brief]").fill("a woollen cap for cold mornings")
    page.locator("#composer [name=channel]").select_option("product_text")
    page.locator("#composer [name=length][value=short]").check()
    page.locator("#composer [name=count]").fill("1")
    page.locator("#composer details.fold > summary").click()
    page.locator("[name=seed]").fill(str(SEED))
    page.locator("[name=keep_seed]").check()
    page.locator("#composer .composer__foot button[type=submit]").click()
    order = page.locator("#results > article")
    arms = order.locator(".arm")
    expect(order.locator("[aria-busy]")).to_have_count(0, timeout=LONG_MS)
    expect(order.locator("[data-finding=too_long]")).to_have_count(3, timeout=LONG_MS)
    texts = arms.locator(".text__words").all_inner_texts()
    print("", *texts, sep="\n  ")
    assert len(texts) == len(set(texts)) == 3 and all(text.strip() for text in texts)
    given = asked(road)
    assert [part.arm for part in given.arms] == ["adapter", "prompted_base", "base"]
    assert {part.recipe.seed for part in given.arms} == {SEED}
    assert len({part.recipe.messages[-1].content for part in given.arms}) == 1, "word for word the same brief"
    assert given.arms[0].recipe == given.arms[2].recipe, "the voice is asked as the bare base is"

    copied = next(row["text"] for row in shortest_rows() if len(row["text"].split()) > 15)
    wording(arms.first, copied)
    expect(arms.first.locator("[data-finding=copied]")).to_have_text(re.compile(r"\d\d"))
    expect(arms.first.locator("mark.finding--problem").first).to_be_visible()
    expect(arms.first.locator("mark.finding--problem").first).to_have_text(re.compile("^(the|this)$", re.IGNORECASE))
    own = "A cap, knitted once. It waits by your door."
    wording(arms.first, own)
    expect(arms.first.locator("[data-finding=copied]")).to_have_count(0)
    expect(arms.first.locator("mark.finding")).to_have_count(0)

    approve = arms.first.locator("button[formaction$='/approve']")
    approve.click()
    expect(approve).to_have_attribute("aria-pressed", "true")
    handed_out(road, own)
    vote_blind(road)


def asked(road: Road) -> WritingOrder:
    with road.database.read() as session:
        return WritingOrder.model_validate(session.scalars(select(Writing.recipe)).one())


def wording(arm: Locator, text: str) -> None:
    arm.locator("a[href$='/edit']").click()
    arm.locator("textarea[name=text]").fill(text)
    arm.locator("form:has(textarea) button[type=submit]").click()
    expect(arm.locator(".text__words")).to_have_text(text)


def handed_out(road: Road, text: str) -> None:
    """The approved text alone, as a table and as a document that word processors open."""
    page = road.page
    files = []
    for name in ("csv", "docx"):
        page.goto(f"/writings?brand={road.brand}&review=approved")
        page.locator("[popovertarget=export-menu]").click()
        with page.expect_download() as started:
            page.locator(f"a[href^='/writings/export.{name}']").click()
        files.append(started.value.path().read_bytes())
    table = list(csv.reader(io.StringIO(files[0].decode("utf-8-sig"))))
    assert len(table) == 2 and table[1][table[0].index("Text")] == text
    with zipfile.ZipFile(io.BytesIO(files[1])) as document:
        assert document.testzip() is None
        trees = {name: ElementTree.fromstring(document.read(name)) for name in document.namelist()}
    paragraphs = ["".join(part.itertext()) for part in trees["word/document.xml"].iter(f"{WORDS}p")]
    assert text in paragraphs and "a woollen cap for cold mornings" in paragraphs


def vote_blind(road: Road) -> None:
    """The owner on the page, nine colleagues as the page would: all find the voice better, and else no difference."""
    page, choices = road.page, choices_for_the_voice(road)
    page.goto(f"/projects/{road.brand}/blind-vote")
    ballot = page.locator("#ballot")
    for left in (3, 2, 1):
        expect(ballot.locator(f"[data-pairs-left='{left}']")).to_be_visible()
        for name in ARM_NAMES.values():
            expect(ballot.locator("form")).not_to_contain_text(name)
        pair = re.findall("/blind-pairs/([0-9a-f]{32})", ballot.inner_html())[0]
        ballot.locator(f"button[name=choice][value={choices[pair]}]").click()
    expect(ballot.locator("[data-state=all-voted]")).to_be_visible()
    expect(ballot.locator(".duel[data-state=early]")).to_have_count(3)
    with road.database.write() as session:
        [workspace_id] = session.scalars(select(Membership.workspace_id))
        for number in range(9):
            colleague = User(name="Ada Muster", email=f"ada-{number}@example.org", password_hash="")
            session.add(colleague)
            session.flush()
            session.add(Membership(workspace_id=workspace_id, user_id=colleague.id, role="editor"))
            for pair, choice in choices.items():
                service.vote(session, workspace_id=workspace_id, pair_id=pair, user_id=colleague.id, choice=choice)
    page.reload()
    expect(ballot.locator("[data-duel=adapter-base]")).to_contain_text("10 : 0")
    expect(ballot.locator(".duel[data-state=won-adapter]")).to_have_count(2)
    expect(ballot.locator(".duel[data-state=early]")).to_have_count(1)


def choices_for_the_voice(road: Road) -> dict[str, str]:
    """By pair, which side the voice wrote; "same" where it wrote none."""
    with road.database.read() as session:
        found = {}
        for pair in session.scalars(select(BlindPair)):
            sides = ballots.arms_of_pair(session, pair)
            found[pair.id] = ("left", "right")[sides.index("adapter")] if "adapter" in sides else "same"
        return found
