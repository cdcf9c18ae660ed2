"""A training ordered in a real browser: what is wrong is said at its field, and nothing that was filled in is lost."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, Page, Route, expect
from sqlalchemy import select

from app.storage import Storage
from app.trainings.models import Training
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.orders import make_brand

pytestmark = pytest.mark.slow
ADVANCED = "#order > details.fold > summary"
PATIENCE_MS = 120_000
"""Only ends a test that hangs."""


@pytest.fixture
def page(app: FastAPI, browser: Browser, address: str, storage: Storage, owner: SignedIn) -> Iterator[Page]:
    """The form for a new training, with everything unfolded."""
    project_id = make_brand(app.state.database, storage, owner.workspace_id)
    context = browser.new_context(locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    made = context.new_page()
    made.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    made.goto(f"{address}/projects/{project_id}/trainings/new")
    made.locator(ADVANCED).click()
    yield made
    context.close()
    expect.set_options(timeout=5000)


def start_button(page: Page) -> Locator:
    return page.locator("#summary .summary__foot button[type=submit]")


def test_a_wrong_number_costs_nothing_but_its_correction(app: FastAPI, page: Page) -> None:
    advanced, rank = page.locator(ADVANCED), page.locator("[name=rank]")
    page.locator("[name=sample_prompts]").fill("[trigger], a shelf")
    page.locator("[name=flip]").check()
    page.locator("[name=rank]").fill("999")
    page.locator("[name=alpha]").focus()

    # Whoever leaves the field reads what is wrong there.
    expect(page.locator("#rank-problem")).to_contain_text("256")
    expect(rank).to_have_attribute("aria-invalid", "true")
    expect(rank).to_have_attribute("aria-describedby", "rank-problem rank-hint")
    expect(page.locator("[name=alpha]")).to_be_focused()

    # Folded away and sent off: it is unfolded and pointed at, and nothing has been ordered.
    advanced.click()
    expect(rank).to_be_hidden()
    start_button(page).click()
    expect(rank).to_be_visible()
    expect(rank).to_be_focused()

    # What the browser lets pass is refused by the server, with the same sentence at the same place.
    page.locator("#order").evaluate("form => { form.noValidate = true }")
    with page.expect_response(lambda response: response.request.method == "POST") as sent:
        start_button(page).click()
    assert sent.value.status == 422
    expect(page.locator("#rank-problem")).to_contain_text("256")
    expect(page.locator("#summary .form-error [data-code]")).to_have_attribute("data-code", "invalid")
    expect(page.locator("[data-problems]")).to_have_count(0)
    expect(rank).to_be_focused()
    with app.state.database.read() as session:
        assert session.scalars(select(Training)).all() == []

    rank.fill("24")
    page.locator("[name=alpha]").focus()
    expect(page.locator("#rank-problem")).to_have_count(0)
    expect(rank).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#summary .form-error")).to_be_empty()
    start_button(page).click()
    expect(page).to_have_url(re.compile("/trainings/[0-9a-f]{32}"))
    with app.state.database.read() as session:
        recipe = session.scalars(select(Training)).one().recipe
    assert (recipe["rank"], recipe["flip"], recipe["sample_prompts"]) == (24, True, ["[trigger], a shelf"])


def test_a_button_held_down_while_the_summary_comes_anew_is_clicked_all_the_same(app: FastAPI, page: Page) -> None:
    page.locator("[name=sample_prompts]").fill("[trigger], a shelf")
    button = start_button(page)
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    with page.expect_response(re.compile("/summary")) as summary:
        page.mouse.down()  # leaves the field, so that the summary is worked out again
    summary.value.finished()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.mouse.up()
    expect(page).to_have_url(re.compile("/trainings/[0-9a-f]{32}"))
    with app.state.database.read() as session:
        assert session.scalars(select(Training)).one().recipe["sample_prompts"] == ["[trigger], a shelf"]


def test_a_click_while_the_summary_is_worked_out_is_a_click(page: Page) -> None:
    asked: list[Route] = []
    page.route(re.compile("/trainings/summary"), lambda route: asked.append(route))
    page.locator("[name=sample_prompts]").fill("[trigger], a shelf")
    with page.expect_request(re.compile("/trainings/summary")):
        page.locator("[name=flip]").check()
    start_button(page).click()
    expect(page).to_have_url(re.compile("/trainings/[0-9a-f]{32}"))
    assert asked


def test_a_press_that_is_taken_back_leaves_the_summary_up_to_date(page: Page) -> None:
    page.locator("[name=steps]").fill("321")
    with page.expect_response(re.compile("/summary")):
        page.locator("[name=sample_prompts]").focus()
    expect(page.locator("#summary [data-steps]")).to_have_attribute("data-steps", "321")
    page.locator("[name=steps]").fill("123")
    start_button(page).scroll_into_view_if_needed()
    start_button(page).hover()
    with page.expect_response(re.compile("/summary")):
        page.mouse.down()
    expect(page.locator("#summary [data-steps]")).to_have_attribute("data-steps", "321")
    page.mouse.move(5, 300)
    page.mouse.up()
    expect(page.locator("#summary [data-steps]")).to_have_attribute("data-steps", "123")
    expect(page).to_have_url(re.compile("/trainings/new"))


def test_what_is_focused_and_unfolded_stays_so_when_the_summary_comes_anew(page: Page) -> None:
    fold = page.locator("#summary details").first
    fold.locator("summary").click()
    page.evaluate(
        """() => {
          const twin = document.querySelector("#summary details[open]").cloneNode(true);
          twin.open = false;
          twin.id = "twin";
          document.querySelector("#summary").before(twin);
        }"""
    )
    page.locator("[name=steps]").fill("321")
    with page.expect_response(re.compile("/summary")):
        start_button(page).focus()
    expect(page.locator("#summary [data-steps]")).to_have_attribute("data-steps", "321")
    expect(fold).to_have_attribute("open", "")
    expect(page.locator("#twin")).not_to_have_attribute("open", "")
    expect(start_button(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/trainings/[0-9a-f]{32}"))
