"""What a browser that has seen nothing of Livery loads for a page: few requests, few bytes, and nothing twice."""

import pytest
from playwright.sync_api import Browser, expect

from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn
from tests.tools.pages import FRAME, weight_of

pytestmark = pytest.mark.slow
MOST_REQUESTS, MOST_BYTES = 8, 120_000
MOST_BYTES_AGAIN = 12_000
"""Of a second page: what both share is kept."""


@pytest.mark.parametrize("path", [*FRAME, "/gallery", "/writings", "/account"])
def test_a_page_of_words_is_light(browser: Browser, address: str, owner: SignedIn, path: str) -> None:
    weight = weight_of(browser, address, path, owner.client.cookies[SESSION_COOKIE])
    assert weight.requests <= MOST_REQUESTS
    assert weight.wire_bytes <= MOST_BYTES


def test_the_next_page_brings_only_itself(browser: Browser, address: str, owner: SignedIn) -> None:
    context = browser.new_context(base_url=address)
    context.add_cookies([{"name": SESSION_COOKIE, "value": owner.client.cookies[SESSION_COOKIE], "url": address}])
    page = context.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto("/jobs", wait_until="networkidle")
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    came: list[int] = []
    network.on("Network.loadingFinished", lambda told: came.append(int(told["encodedDataLength"])))
    page.goto("/members", wait_until="networkidle")
    assert sum(came) <= MOST_BYTES_AGAIN and failed == []
    # The bundle's scripts are at work: a key opens the list of keys.
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    context.close()
