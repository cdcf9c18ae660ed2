"""Every page, in both languages and themes, on a desk and on a phone: readable, labelled, no wider than the screen."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser

from app.accounts import recovery
from app.accounts.models import Authenticator, Passkey
from app.storage import Storage
from app.web.gate.middleware import LOCALE_COOKIE, SESSION_COOKIE, THEME_COOKIE
from tests.conftest import PASSWORD, SignUp
from tests.rules import worlds

pytestmark = pytest.mark.slow
LOOKS = [
    ({"width": 1440, "height": 900}, "en", "light"),
    ({"width": 390, "height": 844}, "de", "dark"),
]
SIGNED_OUT = ("/setup", "/sign-in")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
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


@pytest.mark.parametrize(("size", "locale", "theme"), LOOKS, ids=["desk", "phone"])
def test_pages_are_readable_and_labelled(
    app: FastAPI, storage: Storage, browser: Browser, address: str, size: dict[str, int], locale: str, theme: str
) -> None:
    world = worlds.build(app, storage, "Nordlicht")
    with app.state.database.write() as session:
        from app.accounts.models import User

        user = session.get(User, world.id("users"))
        assert user is not None
        user.locale, user.theme = locale, theme
    token = world.browser.cookies[SESSION_COOKIE]
    context = browser.new_context(viewport=size, locale=locale, reduced_motion="reduce")  # type: ignore[arg-type]
    names = {SESSION_COOKIE: token, LOCALE_COOKIE: locale, THEME_COOKIE: theme}
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in names.items()])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    wrong: list[str] = []
    addresses = pages(app, world)
    assert len(addresses) > 15
    for path in [*addresses, "/nothing-here"]:
        complaints.clear()
        answer = page.goto(address + path, wait_until="load")
        assert answer is not None
        if len(answer.body()) > HEAVIEST_PAGE_BYTES:
            wrong.append(f"{path}: {len(answer.body())} bytes")
        for violation in Axe().run(page, options={"runOnly": RULES}).response["violations"]:
            nodes = "; ".join(str(node["target"]) for node in violation["nodes"][:3])
            wrong.append(f"{path}: {violation['id']} – {nodes}")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            wrong.append(f"{path}: wider than the screen")
        if path != "/nothing-here":
            wrong += [f"{path}: {complaint}" for complaint in complaints]
    context.close()
    assert wrong == []


def test_signed_out_pages(app: FastAPI, browser: Browser, address: str, sign_up: SignUp) -> None:
    def look() -> None:
        violations = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        assert [violation["id"] for violation in violations] == [], page.url
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"), page.url

    for size, locale, theme in LOOKS:
        context = browser.new_context(viewport=size, locale=locale, color_scheme=theme)  # type: ignore[arg-type]
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
        context = browser.new_context(viewport=size, locale=locale, color_scheme=theme)  # type: ignore[arg-type]
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
