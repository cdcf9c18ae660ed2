"""Every page, in both languages and themes, on a desk and on a phone: readable, labelled, no wider than the screen."""

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from app.accounts import recovery
from app.accounts.models import Authenticator, Passkey, User
from app.storage import Storage
from app.web.gate.middleware import LOCALE_COOKIE, SESSION_COOKIE, THEME_COOKIE
from tests.conftest import PASSWORD, SignUp
from tests.rules import worlds

pytestmark = pytest.mark.slow
LOOKS: list[tuple[ViewportSize, str, Literal["light", "dark"]]] = [
    ({"width": 1440, "height": 900}, "en", "light"),
    ({"width": 390, "height": 844}, "de", "dark"),
]
SIGNED_OUT = ("/setup", "/sign-in")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
OPTIONS = {"runOnly": RULES, "resultTypes": ["violations"]}
"""Without the second, axe also works out where everything is that is right, which takes longer than looking."""
HEAVIEST_PAGE_BYTES = 170_000


def pages(app: FastAPI, world: worlds.World) -> list[str]:
    """Addresses of the routes that answer a browser with a whole page."""
    found = []
    for walk in worlds.walks(app):
        if walk.method != "GET" or walk.is_api or walk.path.startswith(SIGNED_OUT):
            continue
        answer = walk.send(world)
        kind = answer.headers.get("content-type", "")
        if answer.status_code == 200 and kind.startswith("text/html") and "<!doctype" in answer.text.lower():
            found.append(str(answer.request.url.raw_path.decode()))
    return sorted(set(found))


def opened(browser: Browser, size: ViewportSize, **options: Any) -> BrowserContext:
    """A context whose pages bring axe along, and stand still for it."""
    context = browser.new_context(viewport=size, reduced_motion="reduce", **options)
    context.add_init_script(Axe().axe_script)
    return context


def violations(page: Page) -> list[dict[str, Any]]:
    """Once nothing changes its colour any more, as a button does when it comes to life."""
    page.evaluate(
        """async () => {
          const changing = document.getAnimations().filter((one) => one instanceof CSSTransition);
          await Promise.allSettled(changing.map((one) => one.finished));
        }"""
    )
    found: list[dict[str, Any]] = page.evaluate("options => axe.run(options).then(told => told.violations)", OPTIONS)
    return found


def test_pages_are_readable_and_labelled(app: FastAPI, storage: Storage, browser: Browser, address: str) -> None:
    world = worlds.build(app, storage, "Nordlicht")
    addresses = pages(app, world)
    assert len(addresses) > 15
    wrong = [told for look in LOOKS for told in what_is_wrong(app, browser, address, world, addresses, *look)]
    assert wrong == []


def what_is_wrong(
    app: FastAPI,
    browser: Browser,
    address: str,
    world: worlds.World,
    addresses: list[str],
    size: ViewportSize,
    locale: str,
    theme: str,
) -> list[str]:
    """Of all pages in one look."""
    with app.state.database.write() as session:
        user = session.get_one(User, world.id("users"))
        user.locale, user.theme = locale, theme
    context = opened(browser, size, locale=locale)
    names = {SESSION_COOKIE: world.browser.cookies[SESSION_COOKIE], LOCALE_COOKIE: locale, THEME_COOKIE: theme}
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in names.items()])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    wrong: list[str] = []
    for path in [*addresses, "/nothing-here"]:
        complaints.clear()
        answer = page.goto(address + path, wait_until="load")
        assert answer is not None
        if len(answer.body()) > HEAVIEST_PAGE_BYTES:
            wrong.append(f"{locale} {path}: {len(answer.body())} bytes")
        for violation in violations(page):
            nodes = "; ".join(str(node["target"]) for node in violation["nodes"][:3])
            wrong.append(f"{locale} {path}: {violation['id']} – {nodes}")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            wrong.append(f"{locale} {path}: wider than the screen")
        if path != "/nothing-here":
            wrong += [f"{locale} {path}: {complaint}" for complaint in complaints]
    context.close()
    return wrong


def test_signed_out_pages(app: FastAPI, browser: Browser, address: str, sign_up: SignUp) -> None:
    def look() -> None:
        assert [violation["id"] for violation in violations(page)] == [], page.url
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"), page.url

    for size, locale, theme in LOOKS:
        context = opened(browser, size, locale=locale, color_scheme=theme)
        page = context.new_page()
        for path in SIGNED_OUT:
            page.goto(address + path)
            look()
        context.close()
    ada = sign_up(email="ada@example.org")
    with app.state.database.write() as session:
        session.add(Authenticator(user_id=ada.user_id, sealed_secret="sealed"))
        session.add(Passkey(user_id=ada.user_id, name="Phone", credential_id="one", public_key="key"))
        _link, token = recovery.make_link(session, user_id=ada.user_id)
    for size, locale, theme in LOOKS:
        context = opened(browser, size, locale=locale, color_scheme=theme)
        page = context.new_page()
        for path in ("/sign-in", f"/password-reset?token={token}"):
            page.goto(address + path)
            look()
        page.goto(address.replace("127.0.0.1", "localhost") + "/sign-in")
        page.locator("[name=email]").fill("ada@example.org")
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("form[action='/sign-in'] [type=submit]").click()
        page.wait_for_url("**/sign-in/second-step")
        look()
        context.close()
