"""Pictures on their way into a brand, as somebody watches them: what is counted, what waits, what is refused."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from app.db import Database
from app.storage import Storage
from app.web.gate.middleware import SESSION_COOKIE
from tests.app.images.sets import add, add_pictures, make_brand, png, upload
from tests.conftest import PASSWORD, SignedIn, SignUp

pytestmark = pytest.mark.slow
PATIENCE_MS = 30_000
EMAIL = "ada@example.org"


@pytest.fixture
def ada(sign_up: SignUp) -> SignedIn:
    return sign_up(email=EMAIL)


@pytest.fixture
def project_id(ada: SignedIn, database: Database) -> str:
    return make_brand(database, ada.workspace_id)


@pytest.fixture
def context(browser: Browser, address: str, ada: SignedIn) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": ada.client.cookies[SESSION_COOKIE], "url": address}])
    expect.set_options(timeout=PATIENCE_MS)
    yield context
    context.close()
    expect.set_options(timeout=5000)


@pytest.fixture
def page(context: BrowserContext, address: str, project_id: str) -> Iterator[Page]:
    """The page of the brand's pictures; no script of it may fail."""
    wrong: list[str] = []
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{address}/projects/{project_id}/images")
    yield page
    assert wrong == []


def send(page: Page, *files: tuple[str, str, bytes]) -> None:
    given: list[Any] = [{"name": name, "mimeType": kind, "buffer": data} for name, kind, data in files]
    page.locator("[data-pick] input[type=file]").set_input_files(given)


def pictures(*seeds: int) -> list[tuple[str, str, bytes]]:
    return [(f"picture {seed}.png", "image/png", png(seed)) for seed in seeds]


def count(page: Page, number: int) -> None:
    expect(page.locator("#image-set .chip").first.locator("span").last).to_have_text(str(number))


def test_the_meter_counts_while_files_still_arrive(page: Page, project_id: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST" and not held:
            held.append(route)
        else:
            route.continue_()

    page.route(f"**/projects/{project_id}/images", hold)
    send(page, *pictures(1, 2, 3))
    count(page, 2)
    expect(page.locator("[data-total]")).to_be_visible()
    held[0].continue_()
    count(page, 3)
    expect(page.locator("[data-total]")).to_be_hidden()


def test_files_wait_while_the_browser_is_offline_and_go_on_by_themselves(page: Page, context: BrowserContext) -> None:
    context.set_offline(True)
    send(page, *pictures(1, 2, 3, 4))
    expect(page.locator(".drop__file")).to_have_count(4)
    expect(page.locator(".drop__file.is-failed")).to_have_count(0)
    context.set_offline(False)
    count(page, 4)
    expect(page.locator(".drop__file")).to_have_count(0)


def test_what_did_not_arrive_is_tried_again_with_one_button(page: Page, project_id: str) -> None:
    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.abort()
        else:
            route.continue_()

    address = f"**/projects/{project_id}/images"
    page.route(address, lose)
    send(page, *pictures(1, 2, 3))
    expect(page.locator(".drop__file.is-failed")).to_have_count(3)
    page.unroute(address)
    page.locator("[data-retry-all]").click()
    count(page, 3)
    expect(page.locator(".drop__file")).to_have_count(0)


def test_pictures_that_are_here_already_are_one_line(
    page: Page, database: Database, storage: Storage, ada: SignedIn, project_id: str
) -> None:
    add_pictures(database, storage, ada.workspace_id, project_id, 3)
    send(page, *pictures(0, 1, 2, 3))
    expect(page.locator("[data-known='3']")).to_be_visible()
    expect(page.locator(".drop__file")).to_have_count(0)
    count(page, 4)


def test_a_document_is_told_by_its_kind_and_leads_to_the_texts(page: Page, project_id: str) -> None:
    word = io.BytesIO()
    with zipfile.ZipFile(word, "w") as made:
        made.writestr("[Content_Types].xml", "<Types/>")
        made.writestr("word/document.xml", "<w/>")
    send(page, ("letter.docx", "application/octet-stream", word.getvalue()))
    row = page.locator(".drop__file.is-failed")
    expect(row).to_contain_text("Word")
    expect(row).not_to_contain_text("Content_Types")
    expect(row.locator(f"a[href='/projects/{project_id}/voice/add']")).to_be_visible()


def test_a_picture_that_browsers_cannot_draw_has_a_neutral_sign(page: Page) -> None:
    held: list[Route] = []
    page.route("**/images", lambda route: held.append(route))
    send(page, ("photo.heic", "image/heic", b"\0\0\0\x18ftypheic"), ("broken.png", "image/png", b"no picture"))
    expect(page.locator(".drop__thumb--none svg")).to_have_count(2)
    for route in held:
        route.abort()


def test_files_go_on_after_signing_in_over_the_page(page: Page, context: BrowserContext) -> None:
    context.clear_cookies(name=SESSION_COOKIE)
    # It is refused before its bytes have arrived.
    large = io.BytesIO()
    Image.effect_noise((2400, 2400), 90).save(large, "PNG")
    assert large.tell() > 3_000_000
    send(page, *pictures(1, 2), ("large.png", "image/png", large.getvalue()))
    dialog = page.locator("#sign-in-again")
    dialog.locator("[name=email]").fill(EMAIL)
    dialog.locator("[name=password]").fill(PASSWORD)
    dialog.locator("form[action='/sign-in'] [type=submit]").click()
    count(page, 3)
    expect(page.locator(".drop__file")).to_have_count(0)


def test_a_caption_says_that_it_is_kept_and_a_twin_shows_what_it_repeats(
    page: Page, database: Database, storage: Storage, ada: SignedIn, project_id: str
) -> None:
    long_name = "a ferry in the morning fog before the harbour of the old town.png"
    older, newer = (
        add(database, storage, ada.workspace_id, project_id, upload(name, png(5, side, side))).images[0]
        for name, side in ((long_name, 800), ("copy.png", 900))
    )
    for image in (older, newer):
        ada.client.post(f"/images/{image.id}/caption", data={"caption": ""})
    page.reload()
    twin = page.locator(f"#picture-{newer.id} [data-twin='{older.id}']")
    expect(twin).to_contain_text(long_name)
    expect(twin.locator(f"img[src*='/images/{older.id}/']")).to_be_visible()
    bare = page.locator("#image-set .chip[href$='show=no-caption']")
    expect(bare.locator("span")).to_have_text("2")
    page.locator(f"#picture-{newer.id} textarea").fill("a ferry")
    page.locator(f"#picture-{newer.id} textarea").blur()
    expect(page.locator("[data-toasts] .toast--ok")).to_be_visible()
    expect(bare.locator("span")).to_have_text("1")
