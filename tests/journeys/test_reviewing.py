"""Twenty pictures are reviewed by keys and by touch; every judgement is undone and made again."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.generations.models import Output
from app.storage import Storage
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.journeys.test_every_page import opened, violations
from tests.visuals import START, make_adapter, make_pictures, make_project, png

pytestmark = pytest.mark.slow
COUNT = 20
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, address: str, owner: SignedIn) -> Iterator[OpenPage]:
    contexts = []
    complaints: list[str] = []

    def make(path: str, size: dict[str, int], **options: object) -> Page:
        context = opened(browser, size, locale="en", **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def brand(app: FastAPI, storage: Storage, owner: SignedIn) -> str:
    """A brand with twenty open pictures."""
    brand = make_project(app.state.database, owner.workspace_id)
    for number in range(COUNT // 2):
        content = png(96, 64 + 4 * number, (20 * number, 120, 200))
        make_pictures(
            app.state.database, storage, owner.workspace_id, brand, count=2, content=content, prompt=f"boat {number}"
        )
    return brand


def states(app: FastAPI) -> list[str]:
    """What was said of the pictures, in the order of the gallery."""
    with app.state.database.read() as session:
        wanted = select(Output.review).where(Output.deleted_at.is_(None))
        return list(session.scalars(wanted.order_by(Output.created_at.desc(), Output.id.desc())))


def at(page: Page, number: int) -> None:
    expect(page.locator("[data-state=at]")).to_have_attribute("data-number", str(number))


def test_the_first_picture_is_a_few_keys_away(brand: str, open_page: OpenPage) -> None:
    focused = "document.activeElement.closest('#pictures > :first-child') !== null"
    for keys in (["Tab", "Tab", "Enter", "Tab"], ["ArrowRight"]):
        page = open_page("/gallery", DESK)
        assert not page.evaluate(focused)
        for key in keys:
            page.keyboard.press(key)
        assert page.evaluate(focused), keys


def test_twenty_pictures_are_reviewed_by_keys(app: FastAPI, brand: str, open_page: OpenPage) -> None:
    page = open_page("/gallery", DESK)
    page.locator("[data-state=to-review]").click()
    page.wait_for_url("**/gallery/review?*picture=*")
    first = page.url
    wanted = ["approved" if number % 3 else "rejected" for number in range(COUNT)]
    for number, state in enumerate(wanted):
        at(page, number + 1)
        page.keyboard.press("a" if state == "approved" else "r")
    end = page.locator("[data-state=all-reviewed]")
    expect(end).to_have_attribute("data-approved", str(wanted.count("approved")))
    assert states(app) == wanted
    assert violations(page) == []
    with page.expect_download() as download:
        page.locator("[data-state=download-approved]").click()
    assert download.value.suggested_filename.endswith(".zip")

    # Every judgement is undone where it was made, and made again; a second time changes nothing.
    page.go_back()
    expect(page).to_have_url(re.compile("/gallery$"))
    page.goto(first)
    for number, state in enumerate(wanted):
        at(page, number + 1)
        key, verb = ("a", "approve") if state == "approved" else ("r", "reject")
        pressed = page.locator(f"main [data-do={verb}]")
        expect(pressed).to_have_attribute("aria-pressed", "true")
        with page.expect_response(f"**/{verb}"):
            page.keyboard.press(key)
        expect(page.locator(".toast--note").last).to_be_visible()
        expect(pressed).to_have_attribute("aria-pressed", "true")
        assert states(app) == wanted
        page.keyboard.press("u")
        expect(pressed).to_have_attribute("aria-pressed", "false")
        assert states(app)[number] == "open"
        page.keyboard.press("Control+z")
        expect(pressed).to_have_attribute("aria-pressed", "true")
        assert states(app) == wanted
        if number + 1 < COUNT:
            page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/gallery$"))
    assert page.locator("[data-state=to-review]").count() == 0


def test_twenty_pictures_are_reviewed_by_touch(app: FastAPI, brand: str, open_page: OpenPage) -> None:
    page = open_page("/gallery/review", PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    at(page, 1)
    assert violations(page) == []
    for verb in ("approve", "reject"):
        box = page.locator(f"main [data-do={verb}]").bounding_box()
        assert box is not None and box["height"] >= 56 and box["width"] >= 100
        assert box["y"] > PHONE["height"] - 120, "at the thumb"
    first = page.url
    page.locator("main [data-do=reject]").tap()
    at(page, 2)
    page.locator("[data-toast] form button").last.tap()
    at(page, 1)
    assert states(app) == ["open"] * COUNT
    page.reload()
    at(page, 1)
    assert page.url == first
    for number in range(1, COUNT + 1):
        at(page, number)
        page.locator("main [data-do=approve]").tap()
    expect(page.locator("[data-state=all-reviewed]")).to_have_attribute("data-approved", str(COUNT))
    assert states(app) == ["approved"] * COUNT
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")


def test_a_picture_that_is_deleted_elsewhere_is_stepped_over(
    app: FastAPI, brand: str, open_page: OpenPage, owner: SignedIn
) -> None:
    page = open_page("/gallery/review", DESK)
    for _deleted in range(2):
        gone = page.locator("[data-review]").get_attribute("data-of")
        owner.client.post(f"/outputs/{gone}/delete")
        page.keyboard.press("a")
        expect(page.locator(f"[data-of='{gone}']")).to_have_count(0)
        expect(page.locator(".toast--note").last).to_be_visible()
    assert states(app) == ["open"] * (COUNT - 2)
    page.goto(page.url.split("/gallery")[0] + "/gallery")
    page.locator("[data-tile] .tile__link").first.click()
    gone = page.locator("[data-tile]").first.get_attribute("data-tile")
    owner.client.post(f"/outputs/{gone}/delete")
    page.keyboard.press("a")
    expect(page.locator(f"[data-tile='{gone}']")).to_have_count(0)
    expect(page.locator("dialog.lightbox")).to_be_visible()
    assert gone is not None and gone not in page.url
    assert states(app) == ["open"] * (COUNT - 3)


def test_the_large_view_shows_what_was_said_and_steps_on(app: FastAPI, brand: str, open_page: OpenPage) -> None:
    page = open_page("/gallery", DESK)
    page.locator("[data-tile] .tile__link").first.click()
    box = page.locator("dialog.lightbox")
    badge, approve = box.locator("[data-badge] [data-state]"), box.locator("[data-do=approve]")
    expect(badge).to_have_attribute("data-state", "open")
    where = page.url
    page.keyboard.press("a")
    expect(page).not_to_have_url(where)
    assert states(app)[:2] == ["approved", "open"]
    page.keyboard.press("ArrowLeft")
    expect(approve).to_have_attribute("aria-pressed", "true")
    expect(badge).to_have_attribute("data-state", "approved")
    page.keyboard.press("a")
    expect(page.locator(".toast--note")).to_be_visible()
    expect(approve).to_have_attribute("aria-pressed", "true")
    assert page.url == where and states(app)[0] == "approved"
    page.keyboard.press("u")
    expect(badge).to_have_attribute("data-state", "open")
    page.keyboard.press("Control+z")
    expect(badge).to_have_attribute("data-state", "approved")
    assert states(app)[0] == "approved"
    assert violations(page) == []
    page.keyboard.press("Delete")
    expect(page.locator("main [data-tile]")).to_have_count(COUNT - 1)


def test_keys_act_on_the_selection_and_keep_it(app: FastAPI, brand: str, open_page: OpenPage) -> None:
    page = open_page("/gallery", DESK)
    tiles, chosen = page.locator("main .tile"), page.locator("[data-select]:checked")
    page.locator("[data-tile] .tile__link").first.focus()
    for key in ("Space", "ArrowRight", "Space", "a"):
        page.keyboard.press(key)
    expect(page.locator("[data-chip=approved] .chip__count")).to_have_text("2")
    expect(chosen).to_have_count(2)
    assert states(app)[:3] == ["approved", "approved", "open"]
    page.keyboard.press("f")
    expect(page.locator("[data-chip=favourite] .chip__count")).to_have_text("2")
    page.locator("[data-toast] form button").last.click()
    expect(page.locator("[data-chip=favourite] .chip__count")).to_have_text("0")
    expect(chosen).to_have_count(2)
    page.locator("[data-toast] form button").last.click()
    expect(page.locator("[data-chip=open] .chip__count")).to_have_text(str(COUNT))
    page.locator("[data-selection-bar] [data-do=reject]").click()
    expect(page.locator("[data-chip=rejected] .chip__count")).to_have_text("2")
    expect(chosen).to_have_count(2)
    page.keyboard.press("Escape")
    tiles.nth(4).locator(".tile__link").focus()
    page.keyboard.press("a")
    expect(tiles.nth(4).locator("[data-state=approved]")).to_be_visible()
    assert states(app)[:5] == ["rejected", "rejected", "open", "open", "approved"]
    assert violations(page) == []


def test_pictures_of_a_comparison_are_kept_one_by_one(
    app: FastAPI, storage: Storage, owner: SignedIn, brand: str, open_page: OpenPage
) -> None:
    adapter = make_adapter(app.state.database, storage, owner.workspace_id, brand)
    make_pictures(
        app.state.database,
        storage,
        owner.workspace_id,
        brand,
        count=2,
        adapter_id=adapter,
        recipe={"strengths": (0.0, 1.0)},
        in_gallery=False,
        created_at=START + timedelta(hours=1),
    )
    page = open_page(f"/projects/{brand}/studio", DESK)
    expect(page.locator("[data-do=keep]")).to_have_count(2)
    page.locator("[data-do=keep]").last.click()
    expect(page.locator("[data-state=kept]")).to_have_count(1)
    page.locator("[data-toast] form button").last.click()
    expect(page.locator("[data-state=kept]")).to_have_count(0)
    expect(page.locator("[data-do=keep]")).to_have_count(2)
