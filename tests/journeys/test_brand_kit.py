"""A brand kit as somebody fills it: files that are drawn at once, mistakes that are taken back, two people at once."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from app.db import Database
from app.web.gate.middleware import SESSION_COOKIE
from tests.app.brand_kits.make_fonts import font_file
from tests.app.brand_kits.sets import SVG, make_brand, png_logo
from tests.conftest import SignedIn

pytestmark = pytest.mark.slow
PATIENCE_MS = 30_000


@pytest.fixture
def look(address: str, owner: SignedIn, database: Database) -> str:
    return f"{address}/projects/{make_brand(database, owner.workspace_id)}/look"


@pytest.fixture
def context(browser: Browser, address: str, owner: SignedIn) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield context
    context.close()
    expect.set_options(timeout=5000)


def opened(context: BrowserContext, look: str) -> Page:
    page = context.new_page()
    page.goto(look)
    return page


def given(name: str, kind: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": data}


def test_logos_and_fonts_are_shown_at_once_and_come_back(context: BrowserContext, look: str) -> None:
    page = opened(context, look)
    light = page.locator("[data-logo=light]")
    light.locator("input[type=file]").set_input_files(given("logo.svg", "image/svg+xml", SVG))
    expect(light.locator("img")).to_be_visible()
    assert light.locator("img").evaluate("async (one) => { await one.decode(); return one.naturalWidth; }") == 640
    expect(page.locator("#kit-version")).to_have_attribute("data-version", "1")

    light.locator("input[type=file]").set_input_files(given("letter.svg", "image/svg+xml", b"<letter/>"))
    expect(light.locator(".form-error").last).to_contain_text("letter.svg")
    expect(light.locator("img")).to_be_visible()

    light.locator("form[action$='/remove'] button").click()
    expect(light.locator("img")).to_have_count(0)
    page.locator(".toast form button").click()
    expect(page.locator("[data-logo=light] img")).to_be_visible()

    fonts = [given(f"{style}.ttf", "font/ttf", font_file(style=style)) for style in ("Regular", "Bold")]
    page.locator("#fonts input[type=file]").set_input_files(fonts)
    expect(page.locator("[data-font]")).to_have_count(2)


def test_roles_follow_the_palette_beside_them(context: BrowserContext, look: str) -> None:
    page = opened(context, look)
    choices = page.locator("#colours input[name=role_primary]")
    expect(choices).to_have_count(3)
    page.locator("#palette button[name=add]").click()
    expect(choices).to_have_count(4)
    choices.nth(1).focus()
    page.keyboard.press("Space")
    page.locator("#colours button[type=submit]").click()
    expect(page.locator("#kit-version")).to_have_attribute("data-version", "1")
    expect(choices.nth(1)).to_be_checked()


def test_two_people_who_write_at_once_decide_together(context: BrowserContext, look: str) -> None:
    one, other = opened(context, look), opened(context, look)
    other.locator("[data-logo=mono] input[type=file]").set_input_files(given("a.png", "image/png", png_logo()))
    one.locator("#do_nots").fill("No puns")
    one.locator("#do-nots button[type=submit]").click()
    expect(one.locator("#kit-version")).not_to_have_attribute("data-version", "0")
    other.locator("#do_nots").fill("No shadows")
    other.locator("#do-nots button[type=submit]").last.click()
    expect(other.locator("[data-state=kit-changed]")).to_be_visible()
    expect(other.locator("#do-nots [data-changed]")).to_contain_text("No puns")
    expect(other.locator("#do_nots")).to_have_value("No shadows")
    other.locator("#do-nots [name=over]").click()
    expect(other.locator("[data-state=kit-changed]")).to_have_count(0)
    expect(other.locator("#do_nots")).to_have_value("No shadows")
