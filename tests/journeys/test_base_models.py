"""The base models in a real browser: light, short, by keyboard and without scripts, and chosen in the forms."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, expect

from app.jobs.models import Worker
from app.storage import Storage
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.orders import make_brand
from tests.tools.pages import weight_of

pytestmark = pytest.mark.slow
MOST_HEIGHT, MOST_PHONE_HEIGHT, MOST_HTML_BYTES = 1000, 2500, 30_000


@pytest.fixture
def laptop(app: FastAPI) -> None:
    """A worker on a processor, on which the largest base models cannot be trained."""
    device = {"device_kind": "cpu", "device_memory_bytes": 25_000_000_000, "device_tera_operations": 0.05}
    with app.state.database.write() as session:
        session.add(Worker(id="w1", served="training", device="CPU (2 cores)", **device))


@pytest.fixture
def context(browser: Browser, address: str, owner: SignedIn, laptop: None) -> Iterator[BrowserContext]:
    made = signed_in(browser, address, owner)
    yield made
    made.close()


def signed_in(browser: Browser, address: str, owner: SignedIn, *, scripts: bool = True) -> BrowserContext:
    made = browser.new_context(locale="en", java_script_enabled=scripts, base_url=address)
    made.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    return made


@pytest.mark.parametrize("path", ["/base-models", "/base-models?kind=texts"])
def test_the_page_is_short_and_light(
    app: FastAPI, browser: Browser, address: str, owner: SignedIn, laptop: None, path: str
) -> None:
    weight = weight_of(browser, address, path, owner.client.cookies[SESSION_COOKIE])
    assert weight.height <= MOST_HEIGHT and weight.phone_height <= MOST_PHONE_HEIGHT
    assert weight.html_bytes <= MOST_HTML_BYTES


def test_details_open_at_the_side_by_keyboard_and_focus_comes_back(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/base-models")
    name = page.locator("[data-base=livery-builtin] th a")
    name.focus()
    page.keyboard.press("Enter")
    drawer = page.locator("#base-details")
    expect(drawer.locator("h3")).to_have_text("Livery built-in")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(name).to_be_focused()

    page.locator("main details.fold > summary").first.focus()
    page.keyboard.press("Enter")
    page.locator("[data-base=flux-1-dev] th a").click()
    expect(drawer.locator("h3")).to_have_text("FLUX.1 [dev]")
    expect(drawer.locator("[data-state=runs-no]")).to_be_visible()


def test_without_scripts_everything_is_a_link(
    browser: Browser, address: str, owner: SignedIn, laptop: None, app: FastAPI, storage: Storage
) -> None:
    context = signed_in(browser, address, owner, scripts=False)
    page = context.new_page()
    page.goto("/base-models?kind=texts")
    page.locator("main details.fold > summary").first.click()
    page.locator("[data-base=qwen3-14b] th a").click()
    expect(page).to_have_url(re.compile("/base-models/qwen3-14b$"))
    page.goto("/base-models/add")
    page.locator("#add-base [name=repository]").fill("acme/house")
    page.locator("#add-base [name=name]").fill("Haus")
    page.locator("#add-base [type=submit]").click()
    expect(page).to_have_url(re.compile("/base-models$"))
    expect(page.locator("tr", has=page.locator("[data-state=queued]"))).to_have_count(1)
    context.close()


def test_a_base_is_chosen_in_the_form_of_a_picture_training(
    context: BrowserContext, app: FastAPI, storage: Storage, owner: SignedIn
) -> None:
    brand = make_brand(app.state.database, storage, owner.workspace_id)
    page = context.new_page()
    page.goto(f"/projects/{brand}/trainings/new")
    page.locator("#order > details.fold > summary").click()
    bases = page.locator("#order fieldset", has=page.locator("[name=base_model]"))
    bases.locator("details.fold > summary").click()
    # It cannot run here, which is said beside it; whoever has reasons can choose it all the same.
    flux = page.locator("[name=base_model][value=flux-1-dev]")
    expect(page.locator("tr[data-base=flux-1-dev] [data-state=runs-no]")).to_be_visible()
    flux.check()
    expect(page.locator("[name=timestep_shift]")).to_be_visible()
    expect(flux).to_be_checked()
    expect(flux).to_be_focused()
    expect(page).to_have_url(re.compile("base_model=flux-1-dev"))
    page.locator("tr[data-base=flux-1-dev] .base__more").click()
    expect(page.locator("#base-details h3")).to_have_text("FLUX.1 [dev]")
    page.keyboard.press("Escape")
    expect(flux).to_be_checked()
