"""The sheet of the studio answers while somebody writes: with ideas, and with words that the base does not know."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from app.base_files.models import BaseCopy
from app.base_models import catalogue
from app.db import Database
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.visuals import make_project

pytestmark = pytest.mark.slow
PATIENCE_MS = 30_000


def complains(message: ConsoleMessage) -> bool:
    """A question that a newer one takes the place of is no mishap."""
    return message.type == "error" and not message.text.startswith(("htmx:afterRequest", "htmx:sendAbort"))


@pytest.fixture
def page(browser: Browser, address: str, owner: SignedIn, database: Database) -> Iterator[Page]:
    """The studio of a brand; what its browser complained of must be nothing."""
    with database.write() as session:
        copy = BaseCopy(base_model="stable-diffusion-xl", machine="m", byte_count=1, workspace_id=owner.workspace_id)
        session.add(copy)
    context = browser.new_context(locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    complaints: list[str] = []
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda message: complaints.append(message.text) if complains(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    expect.set_options(timeout=PATIENCE_MS)
    page.goto(f"{address}/projects/{make_project(database, owner.workspace_id)}/studio")
    yield page
    context.close()
    expect.set_options(timeout=5000)
    assert complaints == []


def test_words_are_told_while_they_are_written_for_the_base_that_is_chosen(page: Page) -> None:
    told = page.locator("[data-state=told-words-before]")
    page.locator("[name=prompt]").press_sequentially("a white beagle")
    expect(told).to_contain_text("dog")
    page.locator("[name=base_model]").select_option("stable-diffusion-xl")
    expect(told).to_have_count(0)
    page.locator("[name=base_model]").select_option("livery-builtin")
    expect(told).to_contain_text("beagle")
    page.locator("[name=prompt]").fill("a rocket")
    expect(told).to_have_count(0)


def test_ideas_follow_the_base_and_are_written_onto_the_sheet(page: Page) -> None:
    sheet, ideas = page.locator("[name=prompt]"), page.locator("[data-suggests]")
    own, other = (catalogue.get(key).suggestions.en for key in ("livery-builtin", "stable-diffusion-xl"))
    expect(sheet).to_have_attribute("placeholder", own[0])
    page.locator("[name=base_model]").select_option("stable-diffusion-xl")
    expect(sheet).to_have_attribute("placeholder", other[0])
    expect(ideas.first).to_have_text(other[1])
    ideas.first.click()
    expect(sheet).to_have_value(other[1])
    expect(ideas.first).to_be_hidden()
