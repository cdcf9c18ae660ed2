"""Locked out, rescued, a second factor, a removed owner: as people meet it in a browser, in both languages."""

import os
import re
import subprocess
import sys
import time

import pyotp
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from app.accounts.models import User
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

    def says(self, sentence: str, **params: object) -> str:
        return translate(self.locale, sentence, **params)

    def press(self, text: str, **params: object) -> None:
        self.page.get_by_role("button", name=self.says(text, **params), exact=True).locator("visible=true").click()

    def fill(self, label: str, value: str) -> None:
        name = self.says(label)
        self.page.get_by_label(name, exact=True).locator("visible=true").fill(value)

    def reads(self, sentence: str, **params: object) -> None:
        expect(self.page.get_by_text(self.says(sentence, **params)).locator("visible=true").first).to_be_visible()

    def sign_in(self, password: str = PASSWORD) -> None:
        self.context.clear_cookies()
        self.page.goto("/sign-in")
        self.fill("E-mail address", self.email)
        self.fill("Password", password)
        self.press("Sign in")

    def arrives(self, where: str = "/projects") -> None:
        expect(self.page).to_have_url(re.compile(re.escape(where) + "$"))

    def set_password(self, link: str) -> None:
        self.page.goto(link)
        self.fill("New password", NEW)
        self.fill("New password once more", NEW)
        self.press("Set the password")
        self.arrives("/sign-in")
        self.reads("Your new password is set. Sign in with it.")

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
        self.fill("Name of the device", "Phone")
        self.press("Add a passkey")
        expect(self.page.get_by_text("Phone", exact=True)).to_be_visible()

    def sets_up_an_app(self) -> tuple[pyotp.TOTP, list[str]]:
        secret = self.page.locator("#second-factor [data-copy]").first.get_attribute("data-copy")
        assert secret is not None
        app = pyotp.TOTP(secret)
        self.fill("Code", app.now())
        self.press("Set up the app")
        self.reads("Your recovery codes")
        return app, self.page.locator("#recovery-codes").inner_text().split()


@pytest.mark.parametrize("locale", ["en", "de"])
def test_ways_back_in_and_what_keeps_others_out(
    app: FastAPI, settings: Settings, browser: Browser, address: str, owner: SignedIn, sign_up: SignUp, locale: str
) -> None:
    here = {"workspace_id": owner.workspace_id}
    sign_up(email="bob@example.org", name="Bob", role="editor", **here)
    sign_up(email="cleo@example.org", name="Cleo", role="editor", **here)
    dora_row = sign_up(email="dora@example.org", name="Dora", role="owner", **here)
    with app.state.database.write() as session:
        session.execute(update(User).values(locale=locale))
        session.execute(update(User).where(User.id == owner.user_id).values(email="ada@example.org"))
    ada, bob, cleo, dora = (
        Person(browser, address, locale, f"{name}@example.org") for name in ("ada", "bob", "cleo", "dora")
    )
    expect.set_options(timeout=30_000)

    ada.sign_in()
    ada.arrives()
    bob.set_password(link_for(ada, "Bob"))
    bob.sign_in(PASSWORD)
    bob.reads("That e-mail address and password do not match. Please check both.")
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


def link_for(owner: Person, name: str) -> str:
    owner.page.goto("/members")
    owner.press("More about %(name)s", name=name)
    owner.press("Make a link for a new password")
    owner.press("Make the link")
    owner.reads("The link for %(name)s is ready", name=name)
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
    person.page.get_by_role("link", name=person.says("Set up a second factor")).click()
    app, codes = person.sets_up_an_app()
    assert len(codes) == 10
    person.sign_in(NEW)
    person.arrives("/sign-in/second-step")
    person.fill("Code", "123456")
    person.press("Sign in")
    person.reads("That code does not count. Type the one that the app shows now; each works once.")
    # The present one set the app up and is used; a clock may be half a minute ahead.
    person.fill("Code", app.at(time.time() + 30))
    person.press("Sign in")
    person.arrives()
    person.sign_in(NEW)
    person.fill("Code", codes[0])
    person.press("Sign in")
    person.arrives()


def uses_a_passkey(person: Person) -> None:
    person.adds_a_passkey()
    person.context.clear_cookies()
    person.page.goto("/sign-in")
    person.press("Sign in with a passkey")
    person.arrives()
    person.sign_in(NEW)
    person.press("Use a passkey")
    person.arrives()


def asks_everybody(owner: Person, member: Person) -> None:
    owner.adds_a_passkey()
    owner.page.goto("/settings")
    owner.page.get_by_role("switch", name=owner.says("Everybody needs a second factor")).check()
    owner.press("Save")
    owner.reads("The settings are saved.")
    member.page.goto("/projects")
    member.arrives("/account/second-factor")
    member.reads("%(workspace)s asks everybody for a second factor", workspace="Muster & Co.")
    member.sets_up_an_app()
    member.page.goto("/projects")
    member.arrives()


def loses_what_she_handed_out(owner: Person, removed: Person, user_id: str, browser: Browser, address: str) -> None:
    removed.sign_in()
    removed.arrives("/account/second-factor")
    removed.sets_up_an_app()
    removed.page.goto("/members")
    removed.press("Invite somebody")
    removed.page.locator("#invite-email").fill("dora2@example.org")
    removed.press("Make the link")
    link = removed.page.locator("[data-copy*='/invitations/accept']").get_attribute("data-copy")
    assert link is not None
    owner.page.goto("/members")
    owner.press("More about %(name)s", name="Dora")
    owner.page.locator(f"[data-open-dialog='remove-{user_id}']").click()
    owner.page.locator(f"#remove-{user_id}").get_by_role(
        "button", name=owner.says("Remove %(name)s", name="Dora")
    ).click()
    told = translate(owner.locale, "%(num)s open invitation of theirs is withdrawn.", num=1)
    expect(owner.page.get_by_text(told)).to_be_visible()
    stranger = Person(browser, address, owner.locale, "dora2@example.org")
    stranger.page.goto(link)
    stranger.reads("This invitation has been used, withdrawn or has expired. Ask for a new one.")
    stranger.context.close()
