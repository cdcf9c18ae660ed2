"""A training ordered in a real browser: what is wrong is said at its field, and nothing that was filled in is lost."""

import re

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from app.storage import Storage
from app.trainings.models import Training
from app.web.gate import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.orders import make_brand

pytestmark = pytest.mark.slow
PATIENCE_MS = 120_000
"""Only ends a test that hangs."""


def test_a_wrong_number_costs_nothing_but_its_correction(
    app: FastAPI, browser: Browser, address: str, storage: Storage, owner: SignedIn
) -> None:
    project_id = make_brand(app.state.database, storage, owner.workspace_id)
    context = browser.new_context(locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page.goto(f"{address}/projects/{project_id}/trainings/new")
    advanced, rank = page.get_by_text("Advanced", exact=True), page.locator("[name=rank]")
    advanced.click()
    page.locator("[name=sample_prompts]").fill("[trigger], a shelf")
    page.locator("[name=flip]").check()
    page.locator("[name=rank]").fill("999")
    page.locator("[name=alpha]").focus()

    # Whoever leaves the field reads what is wrong there.
    expect(page.locator("#rank-problem")).to_have_text("At most 256.")
    expect(rank).to_have_attribute("aria-invalid", "true")
    expect(rank).to_have_attribute("aria-describedby", "rank-problem rank-hint")
    expect(page.locator("[name=alpha]")).to_be_focused()

    # Folded away and sent off: it is unfolded and pointed at, and nothing has been ordered.
    advanced.click()
    expect(rank).to_be_hidden()
    page.get_by_role("button", name="Start learning").click()
    expect(rank).to_be_visible()
    expect(rank).to_be_focused()

    # What the browser lets pass is refused by the server, with the same sentence at the same place.
    page.locator("#order").evaluate("form => { form.noValidate = true }")
    with page.expect_response(lambda response: response.request.method == "POST") as sent:
        page.get_by_role("button", name="Start learning").click()
    assert sent.value.status == 422
    expect(page.locator("#rank-problem")).to_have_text("At most 256.")
    expect(page.locator("#summary .form-error")).to_contain_text("Something in this form is not right")
    expect(page.locator("[data-problems]")).to_have_count(0)
    expect(rank).to_be_focused()
    with app.state.database.read() as session:
        assert session.scalars(select(Training)).all() == []

    rank.fill("24")
    page.locator("[name=alpha]").focus()
    expect(page.locator("#rank-problem")).to_have_count(0)
    expect(rank).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#summary .form-error")).to_be_empty()
    page.get_by_role("button", name="Start learning").click()
    expect(page).to_have_url(re.compile("/trainings/[0-9a-f]{32}"))
    with app.state.database.read() as session:
        recipe = session.scalars(select(Training)).one().recipe
    assert (recipe["rank"], recipe["flip"], recipe["sample_prompts"]) == (24, True, ["[trigger], a shelf"])
    context.close()
    expect.set_options(timeout=5000)
