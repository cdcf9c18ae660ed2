"""From a brief to a handed-out text, as a marketer walks it, with an engine that needs no model."""

import csv
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from app.storage import Storage
from app.web.gate.middleware import SESSION_COOKIE
from app.writings import service
from app.writings.checks import Rules
from tests.conftest import SignedIn
from tests.fake_text_engine import FakeTextEngine
from tests.orders import worker_context
from tests.written import Brand, make_brand
from worker.engines import registry
from worker.engines.text_contracts import WritingInputs, WritingRequest
from worker.run_job import run_next

pytestmark = pytest.mark.slow
PATIENCE_MS = 30_000
VOICE = "Regen? Wir halten dicht. Die billige Jacke ist leicht und bleibt."
GUIDED = "Unsere neue Jacke ist für alle da, die draußen sind."
BARE = "A jacket is a garment. It is worn outside."


@dataclass
class HeldEngine(FakeTextEngine):
    """Stops in the middle of the voice's text until the test has read what is there."""

    has_begun: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.before_word = self._wait
        self.says = self._text

    def _wait(self, recipe: WritingRequest, word: int) -> None:
        if len(self.asked) == 1 and word == 4:
            self.has_begun.set()
            assert self.may_go_on.wait(60)

    def _text(self, recipe: WritingRequest, inputs: WritingInputs, variant: int) -> str:
        guided = "\n\n" in recipe.messages[0].content
        return VOICE if inputs.adapter else GUIDED if guided else BARE


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> HeldEngine:
    fake = HeldEngine()
    monkeypatch.setattr(registry, "text_engine_for", lambda family: fake)
    return fake


@pytest.fixture
def brand(app: FastAPI, storage: Storage, owner: SignedIn) -> Brand:
    made = make_brand(app.state.database, storage, owner.workspace_id)
    with app.state.database.write() as session:
        rules = Rules(forbidden=("billig",), claims=("aus Husum",), claim_channels=("product_text",))
        service.set_rules(session, workspace_id=made.workspace_id, project_id=made.project_id, rules=rules)
    return made


@pytest.fixture
def page(browser: Browser, address: str, owner: SignedIn) -> Iterator[Page]:
    context = browser.new_context(base_url=address, locale="en", accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    made = context.new_page()
    complaints: list[str] = []
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield made
    context.close()
    expect.set_options(timeout=5000)
    assert complaints == []


def test_from_a_brief_to_a_file(
    app: FastAPI, storage: Storage, owner: SignedIn, brand: Brand, engine: HeldEngine, page: Page
) -> None:
    page.goto(f"/projects/{brand.project_id}/writing")
    expect(page.locator("[data-state=no-texts]")).to_be_visible()
    page.locator("[name=brief]").fill("die neue Regenjacke")
    page.locator("#composer [name=channel]").select_option("product_text")
    page.locator("#composer [name=language][value=de]").check()
    page.locator("#composer [name=count]").fill("1")
    page.locator("#composer .composer__foot button[type=submit]").click()
    order = page.locator("#results > article")
    expect(order).to_have_count(1)

    context = worker_context(app.state.database, storage)
    worker = threading.Thread(target=run_next, args=(context, ("generation",)))
    worker.start()
    try:
        assert engine.has_begun.wait(60)
        voice = order.locator(".arm").nth(0)
        expect(voice).to_contain_text("Regen?")
        expect(voice).not_to_contain_text("bleibt")
        expect(order.locator(".arm").nth(1).locator("[data-state=to-come]")).to_be_visible()
    finally:
        engine.may_go_on.set()
        worker.join(60)
    expect(voice).to_contain_text(VOICE)
    expect(order.locator(".arm").nth(1)).to_contain_text(GUIDED)
    expect(order.locator(".arm").nth(2)).to_contain_text(BARE)
    expect(order.locator("[hx-trigger]")).to_have_count(0)

    expect(voice.locator("mark.finding")).to_have_text("billige")
    expect(voice.locator("[data-finding=missing]")).to_contain_text("“aus Husum”")
    voice.locator("a[href$='/edit']").click()
    wording = voice.locator("textarea[name=text]")
    expect(wording).to_have_value(VOICE)
    wording.fill(VOICE.replace("billige", "gute") + " Aus Husum.")
    voice.locator("form:has(textarea) button[type=submit]").click()
    expect(voice.locator("[data-state=edited]")).to_be_visible()
    expect(voice.locator("mark.finding")).to_have_count(0)
    expect(voice.locator("[data-finding]")).to_have_count(0)
    voice.locator("[data-copy-from]").click()
    assert page.evaluate("navigator.clipboard.readText()") == VOICE.replace("billige", "gute") + " Aus Husum."
    voice.locator("button[formaction$='/approve']").click()
    expect(voice.locator("button[formaction$='/approve']")).to_have_attribute("aria-pressed", "true")

    page.locator("main a[href^='/writings?brand=']").click()
    expect(page.locator(".texts__one")).to_have_count(3)
    page.locator("main nav.chips a[href*='review=approved']").click()
    expect(page.locator(".texts__one")).to_have_count(1)
    page.locator("[popovertarget=export-menu]").click()
    with page.expect_download() as download:
        page.locator("a[href^='/writings/export.csv']").click()
    content = download.value.path().read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row[5] for row in rows[1:]] == [VOICE.replace("billige", "gute") + " Aus Husum."]
    assert download.value.suggested_filename == "livery-texts.csv"

    page.goto(f"/projects/{brand.project_id}/blind-vote")
    ballot = page.locator("#ballot")
    expect(ballot.locator("[data-pairs-left='3']")).to_be_visible()
    page.locator("button[name=choice][value=left]").click()
    expect(ballot.locator("[data-state^=told-]")).to_be_visible()
    expect(ballot.locator("[data-pairs-left='2']")).to_be_visible()
    expect(ballot.locator("[data-state=early]").first).to_be_visible()
