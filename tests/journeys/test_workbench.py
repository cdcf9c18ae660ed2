"""The studio in a browser: order and results in one view, by mouse, by keyboard and by thumb."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from sqlalchemy import select, update

from app.db import Database, new_id
from app.generations.models import Generation, Output
from app.jobs.models import Job
from app.storage import Storage
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.journeys.test_every_page import opened, violations
from tests.visuals import make_adapter, make_pictures, make_project, png

pytestmark = pytest.mark.slow
PATIENCE_MS = 30_000
DESK, PHONE = (1440, 900), (390, 844)
ORDERS = 4
DROP = """(file) => {
  const carried = new DataTransfer();
  carried.items.add(new File([Uint8Array.from(file.bytes)], file.name, { type: file.type }));
  const place = document.querySelector("[data-start-drop]");
  for (const name of ["dragover", "drop"])
    place.dispatchEvent(new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


@dataclass
class Bench:
    """A brand's studio with some orders in it, and what stands in for its worker."""

    browser: Browser
    address: str
    owner: SignedIn
    database: Database
    storage: Storage
    project_id: str

    @property
    def url(self) -> str:
        return f"{self.address}/projects/{self.project_id}/studio"

    def page(self, size: tuple[int, int], **options: Any) -> tuple[BrowserContext, Page]:
        context = opened(self.browser, {"width": size[0], "height": size[1]}, locale="en", **options)
        session = self.owner.client.cookies[SESSION_COOKIE]
        context.add_cookies([{"name": SESSION_COOKIE, "value": session, "url": self.address}])
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self.hear(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.hear(str(error)))
        page.goto(self.url)
        return context, page

    def __post_init__(self) -> None:
        self.complaints: list[str] = []

    def hear(self, complaint: str) -> None:
        """A refused picture is meant, and so is a question that a page which is left takes no answer to."""
        if "415" not in complaint and not complaint.startswith(("htmx:afterRequest", "htmx:send")):
            self.complaints.append(complaint)

    def draw(self, count: int) -> None:
        """The newest order gets its pictures."""
        with self.database.write() as session:
            order = session.scalars(select(Generation).order_by(Generation.created_at.desc()).limit(1)).one()
            for position in range(count):
                content = png(512, 512, (40 * position, 90, 160))
                key = f"projects/{self.project_id}/outputs/{order.id}/{position}.png"
                self.storage.put(key, content)
                output = Output(
                    id=new_id(),
                    workspace_id=order.workspace_id,
                    project_id=order.project_id,
                    generation_id=order.id,
                    position=position,
                    seed=position,
                    prompt="p",
                    prompt_folded="p",
                    key=key,
                    thumb_key=key,
                    width=512,
                    height=512,
                    byte_count=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                )
                session.add(output)
            session.execute(update(Job).where(Job.subject_id == order.id).values(state="done"))


@pytest.fixture
def bench(browser: Browser, address: str, owner: SignedIn, database: Database, storage: Storage) -> Iterator[Bench]:
    """What the browser complained of must be nothing."""
    project_id = make_project(database, owner.workspace_id)
    adapter_id = make_adapter(database, storage, owner.workspace_id, project_id)
    for _ in range(ORDERS):
        make_pictures(
            database, storage, owner.workspace_id, project_id, count=4, adapter_id=adapter_id, content=png(512, 512)
        )
    expect.set_options(timeout=PATIENCE_MS)
    bench = Bench(browser, address, owner, database, storage, project_id)
    yield bench
    expect.set_options(timeout=5000)
    assert bench.complaints == []


def in_view(page: Page, what: Locator) -> bool:
    """Whether all of it is on the screen without scrolling."""
    box, size = what.bounding_box(), page.viewport_size
    assert box is not None and size is not None
    return box["y"] >= 0 and box["y"] + box["height"] <= size["height"] and box["x"] + box["width"] <= size["width"]


def wrong(page: Page) -> list[str]:
    told = [f"{one['id']}: {one['nodes'][0]['target']}" for one in violations(page)]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
        told.append("wider than the screen")
    return told


def test_two_panes_and_the_result_beside_the_order(bench: Bench) -> None:
    context, page = bench.page(DESK)
    pane, rows = page.locator("#composer"), page.locator("#results > .result")
    box = pane.bounding_box()
    assert box is not None and 370 <= box["width"] <= 380
    create = pane.locator("[type=submit]")
    assert in_view(page, create) and in_view(page, rows.first.locator("[data-tile]").first)
    rows.last.scroll_into_view_if_needed()
    assert page.evaluate("window.scrollY") > 100
    assert in_view(page, create), "it does not scroll away"

    words = page.locator("#prompt")
    words.fill("a rocket")
    words.press("Control+Enter")
    expect(rows).to_have_count(ORDERS + 1)
    expect(words).to_be_focused()
    expect(page.locator("#announced")).not_to_be_empty()
    expect(page.locator("[data-toast]")).to_have_count(0)
    assert in_view(page, rows.first.locator(".frame-item").first)
    before = page.locator("#announced").inner_text()
    bench.draw(4)
    expect(rows.first.locator("[data-tile] img")).to_have_count(4)
    assert in_view(page, rows.first.locator("[data-tile]").first)
    expect(page.locator("#announced")).not_to_have_text(before)

    create.focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(ORDERS + 2)
    expect(create).to_be_focused()
    context.close()


def test_from_a_result_to_its_variation_in_one_or_two_acts(bench: Bench) -> None:
    context, page = bench.page(DESK)
    rows = page.locator("#results > .result")
    tile = rows.nth(1).locator("[data-tile]").first
    tile.hover()
    for verb in ("[data-do=favourite]", "[data-do=approve]", "[data-more]", "[data-edit]", "[popovertarget]"):
        expect(tile.locator(f".tile__actions > {verb}, .menu-wrap > {verb}")).to_have_css("opacity", "1")
    tile.locator(".tile__actions > [data-more]").click()
    expect(rows).to_have_count(ORDERS + 1)
    assert page.url == bench.url and in_view(page, rows.first.locator(".frame-item").first)

    picture = page.locator("#results > .result").nth(2).locator("[data-tile]").nth(1)
    picture.hover()
    picture.locator(".tile__actions > [data-edit]").click()
    expect(page.locator("#prompt")).to_have_value("a lighthouse in fog")
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#composer [data-state=edits]")).to_be_visible()
    assert "from=" in page.url
    page.keyboard.press("Control+Enter")
    expect(rows).to_have_count(ORDERS + 2)
    page.go_back()
    expect(page.locator("#composer [data-state=edits]")).to_have_count(0)
    context.close()


def test_a_comparison_opens_in_the_row_of_its_order(bench: Bench) -> None:
    context, page = bench.page(DESK)
    row = page.locator("#results > .result").first
    tile = row.locator("[data-tile]").first
    tile.locator("[popovertarget]").focus()
    page.keyboard.press("Enter")
    page.locator(".menu:popover-open [hx-post$='/compare']").click()
    comparison = row.locator("[data-state=with-and-without]")
    expect(comparison).to_be_visible()
    expect(page.locator("#results > .result")).to_have_count(ORDERS)
    assert wrong(page) == []
    bench.draw(2)
    expect(comparison.locator("[data-compare]")).to_be_visible()
    expect(comparison.locator(".comparison__under > div")).to_have_count(2)
    page.reload()
    expect(comparison.locator("[data-compare]")).to_have_count(0)
    comparison.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(comparison.locator("[data-compare]")).to_be_visible()
    expect(comparison.locator("summary")).to_be_focused()
    assert wrong(page) == []
    context.close()


def test_on_the_phone_the_stream_comes_first_and_the_sheet_from_below(bench: Bench) -> None:
    context, page = bench.page(PHONE, has_touch=True, is_mobile=True)
    sheet, rows = page.locator("#composer"), page.locator("#results > .result")
    expect(sheet).to_be_hidden()
    assert in_view(page, rows.first.locator("[data-tile]").first)
    assert wrong(page) == []
    page.locator("[popovertarget=composer]:not(#composer *)").tap()
    create = sheet.locator("[type=submit]")
    expect(create).to_be_visible()
    assert in_view(page, create) and wrong(page) == []
    small = sheet.evaluate(
        """sheet => [...sheet.querySelectorAll("button, a, select, input, textarea, summary, label.format")]
          .filter(one => one.checkVisibility() && !one.closest(".format input, label.format > input, label > input"))
          .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
          .filter(([, box]) => box.width && (box.height < 43.5 || box.width < 43.5))
          .map(([text]) => text)"""
    )
    assert small == []
    assert (
        sheet.evaluate("(sheet) => [...sheet.querySelectorAll('button, input, select, textarea')].at(-1).type")
        == "submit"
    )
    page.locator("#prompt").fill("a rocket")
    create.tap()
    expect(sheet).to_be_hidden()
    expect(rows).to_have_count(ORDERS + 1)
    assert in_view(page, rows.first.locator(".frame-item").first)

    rows.nth(1).locator("[data-tile]").first.locator("[popovertarget]").tap()
    menu = page.locator(".menu:popover-open")
    for verb in ("[data-do=favourite]", "[data-do=approve]", "[data-more]", "[data-edit]"):
        expect(menu.locator(verb)).to_be_visible()
    menu.locator("[data-edit]").tap()
    expect(page.locator("#prompt")).to_have_value("a lighthouse in fog")
    expect(sheet).to_be_visible()
    context.close()


def test_a_picture_dropped_onto_the_words_is_started_from(bench: Bench) -> None:
    context, page = bench.page(DESK)
    page.locator("#prompt").fill("a beach")
    broken = {"name": "jar.png", "type": "image/png", "bytes": list(b"no picture")}
    page.evaluate(DROP, broken)
    expect(page.locator("#composer .form-error")).not_to_be_empty()
    page.evaluate(DROP, broken | {"bytes": list(png(96, 64))})
    start = page.locator("#composer [data-mask]")
    expect(start).to_be_visible()
    expect(page.locator("#composer .form-error")).to_be_empty()
    expect(page.locator("#prompt")).to_have_value("a beach")

    # A mask by keyboard alone; what it does to the amount of change is said.
    amount, moved = start.locator("[name=start_strength]"), start.locator("[data-mask-moved]")
    expect(moved).to_be_hidden()
    for fold in start.locator("summary").all():
        fold.press("Enter")
    start.locator("[name=mask_width]").fill("50")
    start.locator("[name=mask_height]").fill("50")
    expect(amount).to_have_value("0.95")
    expect(moved).to_be_visible()
    assert wrong(page) == []
    amount.press("ArrowLeft")
    expect(moved).to_be_hidden()
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator("#results > .result")).to_have_count(ORDERS + 1)
    with bench.database.read() as session:
        recipe = session.scalars(select(Generation).order_by(Generation.created_at.desc()).limit(1)).one().recipe
    assert recipe["mask"] and recipe["strength"] == 0.9
    context.close()
