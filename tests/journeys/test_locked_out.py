"""Locked out, rescued, a second factor, a removed owner: as people meet it in a browser, in both languages."""

import os
import re
import subprocess
import sys
import time

import pyotp
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, Page, Route, expect
from sqlalchemy import update

from app.accounts.errors import InvitationSpent, WrongCode, WrongCredentials
from app.accounts.models import User
from app.errors import AppError
from app.settings import Settings
from app.web.language import translate
from tests.conftest import PASSWORD, SignedIn, SignUp
from tests.servers import ROOT

pytestmark = pytest.mark.slow
NEW = "another long enough password"


class Person:
    """Somebody with a browser of their own, who reads one language."""

    def __init__(self, browser: Browser, address: str, locale: str, email: str) -> None:
        self.locale, self.email = locale, email
        # Passkeys need a name: under a number browsers refuse them.
        base = address.replace("127.0.0.1", "localhost")
        self.context = browser.new_context(base_url=base, locale=locale, reduced_motion="reduce")
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def button(self, action: str) -> Locator:
        """What sends the form with this address."""
        return self.page.locator(f"form[action='{action}'] button[type=submit]")

    def fill(self, name: str, value: str) -> None:
        self.page.locator(f"main [name={name}]:visible").fill(value)

    def is_refused(self, error: type[AppError]) -> None:
        """In the person's own language."""
        said = self.page.locator(f"[data-code={error.code()}]")
        expect(said).to_have_text(translate(self.locale, error.sentence))

    def is_told(self, done: str) -> Locator:
        """The notice of what was done, by its name in the audit log."""
        toast = self.page.locator(f"[data-toast='{done}']")
        expect(toast).to_be_visible()
        return toast

    def loses_cookies(self) -> None:
        self.page.goto("about:blank")  # what the page before still asks for could set them anew
        self.context.clear_cookies()

    def sign_in(self, password: str = PASSWORD) -> None:
        self.loses_cookies()
        self.page.goto("/sign-in")
        self.fill("email", self.email)
        self.fill("password", password)
        self.button("/sign-in").click()

    def arrives(self, where: str = "/projects") -> None:
        expect(self.page).to_have_url(re.compile(re.escape(where) + "$"))
        expect(self.page.locator("html")).to_have_attribute("lang", self.locale)

    def set_password(self, link: str) -> None:
        self.page.goto(link)
        self.fill("password", NEW)
        self.fill("password_again", NEW)
        self.button("/password-reset").click()
        self.arrives("/sign-in")
        self.is_told("person.password_reset")

    def gets_a_device(self) -> None:
        """A phone's passkeys, in software, that always says yes."""
        devtools = self.context.new_cdp_session(self.page)
        devtools.send("WebAuthn.enable")
        can = {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
        kind = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True}
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {**kind, **can}})

    def adds_a_passkey(self) -> None:
        self.gets_a_device()
        self.page.goto("/account/second-factor")
        self.fill("name", "Phone")
        self.button("/account/passkeys").click()
        expect(self.page.locator("#second-factor ul li strong")).to_have_text("Phone")

    def sets_up_an_app(self) -> tuple[pyotp.TOTP, list[str]]:
        secret = self.page.locator("#second-factor [data-copy]").first.get_attribute("data-copy")
        assert secret is not None
        app = pyotp.TOTP(secret)
        self.fill("code", app.now())
        self.button("/account/second-factor/authenticator").click()
        return app, self.page.locator("#recovery-codes").inner_text().split()


def test_ways_back_in_and_what_keeps_others_out(
    app: FastAPI, settings: Settings, browser: Browser, address: str, owner: SignedIn, sign_up: SignUp
) -> None:
    """Ada and Cleo read English, Bob and Dora German."""
    here = {"workspace_id": owner.workspace_id}
    bob_row = sign_up(email="bob@example.org", name="Bob", role="editor", **here)
    sign_up(email="cleo@example.org", name="Cleo", role="editor", **here)
    dora_row = sign_up(email="dora@example.org", name="Dora", role="owner", **here)
    with app.state.database.write() as session:
        session.execute(update(User).where(User.id.in_([bob_row.user_id, dora_row.user_id])).values(locale="de"))
        session.execute(update(User).where(User.id == owner.user_id).values(email="ada@example.org"))
    ada, bob, cleo, dora = (
        Person(browser, address, locale, f"{name}@example.org")
        for name, locale in (("ada", "en"), ("bob", "de"), ("cleo", "en"), ("dora", "de"))
    )
    expect.set_options(timeout=30_000)

    ada.sign_in()
    ada.arrives()
    bob.set_password(link_for(ada, bob_row.user_id))
    bob.sign_in(PASSWORD)
    bob.is_refused(WrongCredentials)
    bob.sign_in(NEW)
    bob.arrives()

    cleo.set_password(rescued(settings, "cleo@example.org"))
    cleo.sign_in(NEW)
    cleo.arrives()

    uses_an_app(bob)
    uses_a_passkey(bob)
    asks_everybody(ada, cleo)
    loses_what_she_handed_out(ada, dora, dora_row.user_id, browser, address)
    for person in (ada, bob, cleo, dora):
        assert person.complaints == []
        person.context.close()


def link_for(owner: Person, user_id: str) -> str:
    owner.page.goto("/members")
    owner.page.locator(f"[popovertarget=more-{user_id}]").click()
    owner.page.locator(f"[data-open-dialog=reset-{user_id}]").click()
    owner.button(f"/members/{user_id}/reset-link").click()
    link = owner.page.locator("#members [data-copy*='/password-reset']").get_attribute("data-copy")
    assert link is not None
    owner.page.reload()
    expect(owner.page.locator("[data-copy*='/password-reset']")).to_have_count(0)
    return link


def rescued(settings: Settings, email: str) -> str:
    """What ``python -m app.rescue`` prints while Livery runs."""
    environment = os.environ | {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url}
    done = subprocess.run(
        [sys.executable, "-m", "app.rescue", email],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (link,) = re.findall(r"http://\S+(/password-reset\?token=\S+)", done.stdout)
    return link


def uses_an_app(person: Person) -> None:
    person.page.goto("/account")
    person.page.locator("main a[href='/account/second-factor']").click()
    app, codes = person.sets_up_an_app()
    assert len(codes) == 10
    person.sign_in(NEW)
    person.arrives("/sign-in/second-step")
    person.fill("code", "123456")
    person.button("/sign-in/second-step").click()
    person.is_refused(WrongCode)
    # The present one set the app up and is used; a clock may be half a minute ahead.
    person.fill("code", app.at(time.time() + 30))
    person.button("/sign-in/second-step").click()
    person.arrives()
    person.sign_in(NEW)
    person.arrives("/sign-in/second-step")
    person.fill("code", codes[0])
    person.button("/sign-in/second-step").click()
    person.arrives()


def uses_a_passkey(person: Person) -> None:
    person.adds_a_passkey()
    person.loses_cookies()
    script: list[Route] = []
    person.page.route(re.compile("/js/passkey.js"), lambda route: script.append(route))
    with person.page.expect_request(re.compile("/js/passkey.js")):
        person.page.goto("/sign-in", wait_until="commit")
    expect(person.button("/sign-in/passkey")).to_be_disabled()
    script[0].continue_()
    person.page.unroute_all()
    person.button("/sign-in/passkey").click()
    person.arrives()
    person.sign_in(NEW)
    person.arrives("/sign-in/second-step")  # the page before it has such a button, too
    person.button("/sign-in/passkey").click()
    person.arrives()


def asks_everybody(owner: Person, member: Person) -> None:
    owner.adds_a_passkey()
    owner.page.goto("/settings")
    owner.page.locator("[name=requires_second_factor]").check()
    owner.button("/settings").click()
    owner.is_told("workspace.changed")
    member.page.goto("/projects")
    member.arrives("/account/second-factor")
    expect(member.page.locator("[data-state=factor-needed]")).to_contain_text("Muster & Co.")
    member.sets_up_an_app()
    member.page.goto("/projects")
    member.arrives()


def loses_what_she_handed_out(owner: Person, removed: Person, user_id: str, browser: Browser, address: str) -> None:
    removed.sign_in()
    removed.arrives("/account/second-factor")
    removed.sets_up_an_app()
    removed.page.goto("/members")
    removed.page.locator("[data-open-dialog=invite]").click()
    removed.page.locator("#invite-email").fill("dora2@example.org")
    removed.button("/members/invitations").click()
    link = removed.page.locator("[data-copy*='/invitations/accept']").get_attribute("data-copy")
    assert link is not None
    owner.page.goto("/members")
    owner.page.locator(f"[popovertarget=more-{user_id}]").click()
    owner.page.locator(f"[data-open-dialog=remove-{user_id}]").click()
    owner.button(f"/members/{user_id}/remove").click()
    expect(owner.is_told("member.removed")).to_contain_text("1")  # with the one invitation
    stranger = Person(browser, address, removed.locale, "dora2@example.org")
    stranger.page.goto(link)
    stranger.is_refused(InvitationSpent)
    stranger.context.close()
