"""From a brand kit and a brief to approved ads, as a person walks it; pictures by an engine without a model."""

import io
import re
import threading
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, ViewportSize, expect
from sqlalchemy import func, select

from app.brand_kits import queries as kits
from app.jobs.models import Job
from app.layouts.channels import channel
from app.layouts.typesetting import FONTS
from app.matrix import queries
from app.matrix.queries import CellView
from app.sign_off import queries as verdicts
from app.storage import Storage
from app.web.gate.middleware import SESSION_COOKIE
from tests.app.brand_kits.sets import make_brand
from tests.conftest import SignedIn
from tests.fake_engine import FakeEngine
from tests.journeys.test_every_page import opened, violations
from tests.orders import worker_context
from tests.tools import layout_samples as samples
from worker.engines import registry
from worker.handlers import rendering
from worker.run_job import run_next

pytestmark = pytest.mark.slow
PATIENCE_MS = 60_000
CHANNELS = ("instagram_square", "facebook_linkedin_link", "display_300x250")
LOCALES = ("de", "en")
HEADLINES = {"de": "Größe zeigt sich beim Tee", "en": "Made for mornings"}
REASON = "The cup is cut off"
UNTIL_STILL = """async () => {
  for (let still = 0, frames = 0; still < 3 && frames < 120; still += 1, frames += 1) {
    await new Promise((go) => setTimeout(go, 16));
    if (document.getAnimations().some((one) => one instanceof CSSTransition)) still = -1;
  }
}"""
"""The colours of a link follow those of what is around it, one transition after the other."""
DESK, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)


@pytest.fixture
def page(browser: Browser, address: str, owner: SignedIn) -> Iterator[Page]:
    context = opened(browser, DESK, base_url=address, locale="en")
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


@pytest.fixture
def worker(app: FastAPI, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes jobs beside the browser, until the test is over."""
    monkeypatch.setattr(registry, "engine_for", lambda family: FakeEngine())
    monkeypatch.setattr(rendering, "times_needed", lambda picture, spec: 1)  # enlarging is tested by itself
    context, over = worker_context(app.state.database, storage), threading.Event()

    def work() -> None:
        while not over.is_set():
            if not run_next(context, ("generation",)):
                over.wait(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join(timeout=60)


def test_from_a_kit_and_a_brief_to_approved_ads(
    app: FastAPI, storage: Storage, owner: SignedIn, page: Page, worker: None
) -> None:
    brand = make_brand(app.state.database, owner.workspace_id)
    fill_the_kit(page, brand)
    campaign = write_the_brief(page, brand)
    write_the_words(page, campaign)
    where = {"workspace_id": owner.workspace_id, "campaign_id": campaign}

    page.goto(f"/campaigns/{campaign}")
    page.locator("[data-state=no-ads] form[action$='/make'] button").click()
    expect(page.locator("[data-cell]")).to_have_count(12)
    expect(page.locator("[data-cell][data-state=open] img")).to_have_count(12)
    look_at_the_files(app, storage, where, brand)

    redo_one(app, page, where)
    reject_two(page, campaign)
    approve_what_is_left(page, campaign)
    mend_and_approve_the_rejected(page, campaign)

    views = cells(app, where)
    assert {view.state for view in views} == {"approved"}
    assert sorted(view.cell.version for view in views) == [1] * 9 + [2] * 3
    mended = [view.cell.id for view in views if view.version is not None and view.version.number == 2]
    with app.state.database.read() as session:
        told = [
            [(one.state, one.reason, one.version) for one in verdicts.history(session, **of)]
            for of in (
                {"workspace_id": owner.workspace_id, "subject_kind": "cell", "subject_id": one} for one in mended
            )
        ]
    assert sorted(told, key=len) == [[("approved", "", 2)]] + [[("approved", "", 2), ("rejected", REASON, 1)]] * 2


def look(page: Page) -> None:
    """With all there is to see on it: readable and labelled, and no wider than the screen. It ends on a desk."""
    for size, scheme in ((PHONE, "dark"), (DESK, "light")):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate(UNTIL_STILL)
        assert violations(page) == [], page.url
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"), page.url


def fill_the_kit(page: Page, brand: str) -> None:
    page.goto(f"/projects/{brand}/look")
    for kind, colour in (("light", samples.COLOURS.text), ("dark", "#ffffff")):
        logo: FilePayload = {"name": f"{kind}.svg", "mimeType": "image/svg+xml", "buffer": samples.logo(colour)}
        place = page.locator(f"[data-logo={kind}]")
        place.locator("input[type=file]").set_input_files(logo)
        expect(place.locator("img")).to_be_visible()
    page.locator("#fonts input[type=file]").set_input_files(sorted(FONTS.glob("HankenGrotesk-*.ttf")))
    expect(page.locator("[data-font]").first).to_be_visible()
    for number, name in enumerate(("Young parents", "Runners"), 1):
        page.locator(f"#persona-{number}").fill(name)
        page.locator("#personas button[type=submit]").click()
        expect(page.locator("#personas [name=persona]")).to_have_count(number + 1)
    look(page)


def write_the_brief(page: Page, brand: str) -> str:
    page.goto(f"/campaigns/new?brand={brand}")
    page.locator("#name").fill("Autumn launch")
    page.locator("[name=offer]").fill("A cup that keeps tea warm")
    for box in page.locator("[name=personas]").all():
        box.check()
    for box in page.locator("[name=channels]").all():
        box.set_checked(box.get_attribute("value") in CHANNELS)
    for box in page.locator("[name=locales]").all():
        box.set_checked(box.get_attribute("value") in LOCALES)
    page.locator("[name=layout][value=split]").check()
    expect(page.locator("[data-count]")).to_contain_text("12")
    look(page)
    page.locator("form[data-brief] .brief__foot button[type=submit]").click()
    expect(page).to_have_url(re.compile("/campaigns/[0-9a-f]{32}"))
    return re.findall("/campaigns/([0-9a-f]{32})", page.url)[0]


def write_the_words(page: Page, campaign: str) -> None:
    for locale, headline in HEADLINES.items():
        page.goto(f"/campaigns/{campaign}/words?locale={locale}")
        sheet = page.locator(".words-sheet").first
        sheet.locator("[name=headline]").fill(headline)
        sheet.locator("[name=call_to_action]").fill("OK")
        with page.expect_response(lambda answer: answer.url.endswith("/words") and answer.ok):
            sheet.locator("button[name=everybody]").click()
        page.reload()
        for one in page.locator("[name=headline]").all():
            expect(one).to_have_value(headline)
    look(page)


def look_at_the_files(app: FastAPI, storage: Storage, where: dict[str, str], brand: str) -> None:
    """Every ad has its channel's pixels, its audience's words and the kit with logo and font."""
    with app.state.database.read() as session:
        kit = kits.current(session, workspace_id=where["workspace_id"], project_id=brand)
    assert {logo.kind for logo in kit.logos} == {"light", "dark"} and kit.fonts
    views = cells(app, where)
    assert len({view.spec.output_id for view in views if view.spec is not None}) == 4
    for view in views:
        assert view.version is not None and view.version.key is not None and view.spec is not None
        size = Image.open(io.BytesIO(storage.get(view.version.key))).size
        assert size == (channel(view.cell.channel).width_px, channel(view.cell.channel).height_px)
        assert (view.spec.headline, view.spec.kit_version) == (HEADLINES[view.cell.locale], kit.version)
        assert {one["code"] for one in view.version.findings} <= {"picture_enlarged"}, view.version.findings


def redo_one(app: FastAPI, page: Page, where: dict[str, str]) -> None:
    """Another layout for one cell is one job, and no other cell changes."""
    before = jobs(app)
    page.locator("[data-cell] .cell__link").first.click()
    expect(page.locator("#face[data-number='1']")).to_be_visible()
    form = page.locator("form[action$='/layout']")
    form.locator("xpath=ancestor::details").locator("summary").click()
    form.locator("[name=layout][value=poster]").check()
    form.locator("button[type=submit]").click()
    expect(page.locator("#face[data-number='2'][data-state=open] img")).to_be_visible()
    assert jobs(app) == before + 1
    page.reload()
    for fold in page.locator("aside details").all():
        fold.evaluate("fold => { fold.open = true; }")
    look(page)
    assert sorted(view.cell.version for view in cells(app, where)) == [1] * 11 + [2]


def reject_two(page: Page, campaign: str) -> None:
    page.goto(f"/campaigns/{campaign}")
    for number in (1, 2):
        page.locator("[data-cell] [data-select]").nth(number).check()
    page.locator("[data-selection-bar] [data-open-dialog=reject-ads]").click()
    page.locator("dialog[open] [name=reason]").fill(REASON)
    page.locator("dialog[open] button[value=rejected]").click()
    expect(page.locator("[data-cell][data-state=rejected]")).to_have_count(2)
    look(page)


def approve_what_is_left(page: Page, campaign: str) -> None:
    page.goto(f"/campaigns/{campaign}?review=open")
    expect(page.locator("[data-cell]")).to_have_count(10)
    page.locator("[data-select]").first.check()
    page.locator("[data-selection-bar] [data-select-all]").click()
    page.locator("[data-selection-bar] button[value=approved]").click()
    expect(page.locator("[data-cell]")).to_have_count(0)


def mend_and_approve_the_rejected(page: Page, campaign: str) -> None:
    """A change opens the ad again; what was said of it before stays to be read."""
    for left in (1, 0):
        page.goto(f"/campaigns/{campaign}?review=rejected")
        expect(page.locator("[data-cell]")).to_have_count(left + 1)
        page.locator("[data-cell] .cell__link").first.click()
        expect(page.locator("[data-verdict=rejected]")).to_contain_text(REASON)
        form = page.locator("form[action$='/crop']")
        form.locator("xpath=ancestor::details").locator("summary").click()
        form.locator("[name=focus_x]").fill("0.2")
        form.locator("button[type=submit]").click()
        expect(page.locator("#face[data-number='2'][data-state=open] img")).to_be_visible()
        page.reload()
        page.locator("form[action$='/decide'] button[value=approved]").click()
        expect(page.locator("[data-verdict=approved]")).to_be_visible()


def cells(app: FastAPI, where: dict[str, str]) -> list[CellView]:
    with app.state.database.read() as session:
        return queries.views(session, queries.all_cells(session, **where))


def jobs(app: FastAPI) -> int:
    with app.state.database.read() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0
