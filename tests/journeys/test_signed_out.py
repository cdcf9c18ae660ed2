"""Signed out while a page is open: one signs in over the page, and what was begun is neither lost nor typed again."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from app.accounts.models import Membership, Workspace
from app.db import Database
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import PASSWORD, SignedIn, SignUp
from tests.visuals import make_project

pytestmark = pytest.mark.slow
PATIENCE_MS = 30_000
EMAIL, OTHER = "ada@example.org", "bob@example.org"


@dataclass
class Person:
    """Ada with her browser, and the brand whose pages she opens."""

    context: BrowserContext
    page: Page
    base: str
    project_id: str
    signed_in: SignedIn

    def open(self, what: str) -> Page:
        self.page.goto(f"{self.base}/projects/{self.project_id}/{what}")
        return self.page

    def lose_the_session(self) -> None:
        self.context.clear_cookies(name=SESSION_COOKIE)

    @property
    def dialog(self) -> Locator:
        return self.page.locator("#sign-in-again")

    def say_who(self, email: str = EMAIL) -> None:
        self.dialog.locator("[name=email]").fill(email)
        self.dialog.locator("[name=password]").fill(PASSWORD)
        self.dialog.locator("form[action='/sign-in'] [type=submit]").click()


@pytest.fixture
def ada(browser: Browser, address: str, sign_up: SignUp, database: Database) -> Iterator[Person]:
    """Under a name, because browsers allow passkeys under no number."""
    base = address.replace("127.0.0.1", "localhost")
    someone = sign_up(email=EMAIL)
    context = browser.new_context(locale="en")
    context.add_cookies([{"name": SESSION_COOKIE, "value": someone.client.cookies[SESSION_COOKIE], "url": base}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield Person(context, page, base, make_project(database, someone.workspace_id), someone)
    context.close()
    expect.set_options(timeout=5000)
    assert wrong == []


def test_an_order_goes_out_after_signing_in_over_the_page(ada: Person) -> None:
    page = ada.open("studio")
    page.locator("[name=prompt]").fill("a rocket")
    ada.lose_the_session()
    page.locator("#composer .composer__foot [type=submit]").click()
    expect(ada.dialog).to_be_visible()
    expect(page.locator("[data-toasts] .toast--error")).to_have_count(0)
    ada.say_who()
    expect(ada.dialog).to_be_hidden()
    expect(page.locator("#results > *")).to_have_count(1)
    # The page goes on with the new session's token.
    page.locator("#composer .composer__foot [type=submit]").click()
    expect(page.locator("#results > *")).to_have_count(2)


def test_requests_refused_at_once_ask_for_one_form(ada: Person) -> None:
    """A second form would empty the first, which somebody may be filling in."""
    page = ada.open("studio")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/sign-in?" in request.url else None)
    page.locator("[name=prompt]").fill("a rocket")
    ada.lose_the_session()
    with page.expect_response("**/words?*"), page.expect_response("**/generations"):
        page.locator("#composer .composer__foot [type=submit]").click()
    ada.say_who()
    expect(page.locator("#results > *")).to_have_count(1)
    assert len(asked) == 1


def test_the_second_step_is_taken_over_the_page_too(ada: Person, database: Database) -> None:
    page = ada.open("studio")
    page.goto(f"{ada.base}/account/second-factor")
    device = pyotp.TOTP(secret_on(page))
    page.locator("main [name=code]").fill(device.now())
    page.locator("form[action='/account/second-factor/authenticator'] [type=submit]").click()
    codes = page.locator("#recovery-codes").inner_text().split()
    ada.open("studio").locator("[name=prompt]").fill("a rocket")
    ada.lose_the_session()
    page.locator("#composer .composer__foot [type=submit]").click()
    ada.say_who()
    ada.dialog.locator("[name=code]").fill(codes[0])
    ada.dialog.locator("form[action='/sign-in/second-step'] [type=submit]").click()
    expect(ada.dialog).to_be_hidden()
    expect(page.locator("#results > *")).to_have_count(1)


def secret_on(page: Page) -> str:
    secret = page.locator("#second-factor [data-copy]").first.get_attribute("data-copy")
    assert secret is not None
    return secret


def test_a_passkey_opens_the_page_again(ada: Person) -> None:
    devtools = ada.context.new_cdp_session(ada.page)
    devtools.send("WebAuthn.enable")
    can = {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    kind = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**kind, **can}})
    page = ada.page
    page.goto(f"{ada.base}/account/second-factor")
    page.locator("main [name=name]:visible").fill("Phone")
    page.locator("form[action='/account/passkeys'] [type=submit]").click()
    expect(page.locator("#second-factor ul li strong")).to_have_text("Phone")
    ada.open("studio").locator("[name=prompt]").fill("a rocket")
    ada.lose_the_session()
    page.locator("#composer .composer__foot [type=submit]").click()
    ada.dialog.locator("form[action='/sign-in/passkey'] [type=submit]").click()
    expect(ada.dialog).to_be_hidden()
    expect(page.locator("#results > *")).to_have_count(1)


def test_a_person_of_two_workspaces_comes_back_to_the_one_that_the_page_is_of(ada: Person, database: Database) -> None:
    with database.write() as session:
        second = Workspace(name="Fjord Agency")
        session.add(second)
        session.flush()
        session.add(Membership(workspace_id=second.id, user_id=ada.signed_in.user_id, role="owner"))
        second_id = second.id
    switch = ada.signed_in.client.post("/workspace/switch", data={"workspace_id": second_id})
    assert switch.status_code == 303
    ada.project_id = make_project(database, second_id, name="Fjord")
    page = ada.open("studio")
    page.locator("[name=prompt]").fill("a rocket")
    ada.lose_the_session()
    page.locator("#composer .composer__foot [type=submit]").click()
    ada.say_who()
    expect(page.locator("#results > *")).to_have_count(1)


def test_somebody_else_gets_a_page_of_their_own(ada: Person, sign_up: SignUp) -> None:
    sign_up(email=OTHER)
    page = ada.open("studio")
    page.locator("[name=prompt]").fill("a rocket")
    ada.lose_the_session()
    page.locator("#composer .composer__foot [type=submit]").click()
    ada.say_who(OTHER)
    expect(page.locator("[data-code=not_found]")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('livery:draft:'))") == []


@pytest.mark.parametrize(("what", "name"), [("studio", "prompt"), ("writing", "brief"), ("voice/add", "words")])
def test_what_was_begun_waits_in_the_browser_until_it_is_sent_or_one_signs_out(
    ada: Person, what: str, name: str
) -> None:
    page = ada.open(what)
    page.locator(f"[name={name}]").fill("a rocket over the sea")
    page.reload()
    expect(page.locator(f"[name={name}]")).to_have_value("a rocket over the sea")
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.locator(f"form:has([name={name}]) [type=submit]").first.click()
    ada.open(what)
    expect(page.locator(f"[name={name}]")).to_have_value("")
    page.locator(f"[name={name}]").fill("something private")
    page.locator(".rail__foot form[action='/sign-out'] [type=submit]").click()
    page.wait_for_url("**/sign-in")
    assert page.evaluate("JSON.stringify(localStorage)").find("private") == -1
