"""One's own account: name, password, browsers."""

import pytest
from sqlalchemy import func, select

from app.accounts.browsers import words_for
from app.accounts.models import BrowserSession, User
from app.db import Database
from app.web.gate.middleware import SESSION_COOKIE
from tests.app.accounts.conftest import Browser
from tests.conftest import PASSWORD, SignUp

NEW = "another long enough password"


def test_a_new_password_ends_every_other_browser_and_renews_this_one(
    browser: Browser, another_browser: Browser, sign_up: SignUp, database: Database
) -> None:
    ada = sign_up(email="ada@example.org")
    before = browser.sign_in("ada@example.org", PASSWORD).cookies[SESSION_COOKIE]
    another_browser.sign_in("ada@example.org", PASSWORD)
    answer = browser.send("/account", "/account/password", present=PASSWORD, password=NEW, password_again=NEW)
    assert answer.headers["location"] == "/account"
    assert answer.cookies[SESSION_COOKIE] != before
    assert browser.client.get("/account").status_code == 200
    assert another_browser.client.get("/account").status_code == 303
    assert ada.client.get("/account").status_code == 303
    another_browser.client.cookies.set(SESSION_COOKIE, before, domain="testserver.local")
    assert another_browser.client.get("/account").status_code == 303
    assert another_browser.sign_in("ada@example.org", PASSWORD).status_code == 422
    assert another_browser.sign_in("ada@example.org", NEW).status_code == 303


@pytest.mark.parametrize(
    ("present", "password", "again"),
    [("wrong password", NEW, NEW), (PASSWORD, NEW, NEW + "!"), (PASSWORD, "short", "short"), (PASSWORD, "", "")],
)
def test_a_password_change_that_is_not_right_changes_nothing(
    sign_up: SignUp, browser: Browser, present: str, password: str, again: str
) -> None:
    ada = sign_up(email="ada@example.org")
    answer = ada.client.post(
        "/account/password", data={"present": present, "password": password, "password_again": again}
    )
    assert answer.status_code == 422
    assert ada.client.get("/account").status_code == 200
    assert browser.sign_in("ada@example.org", PASSWORD).status_code == 303


def test_a_browser_left_open_cannot_be_used_to_guess_the_password(sign_up: SignUp) -> None:
    ada = sign_up()
    guesses = [
        ada.client.post(
            "/account/password", data={"present": f"wrong {n}", "password": NEW, "password_again": NEW}
        ).status_code
        for n in range(11)
    ]
    assert guesses == [422] * 10 + [429]


def test_umlauts_typed_as_one_character_or_two_are_the_same(browser: Browser, sign_up: SignUp) -> None:
    ada = sign_up(email="ada@example.org")
    composed, apart = "ein schönes Kennwort", "ein scho\u0308nes Kennwort"
    ada.client.post("/account/password", data={"present": PASSWORD, "password": composed, "password_again": composed})
    assert browser.sign_in("ada@example.org", apart).status_code == 303


def test_browsers_are_listed_in_words_and_can_be_signed_out(
    browser: Browser, sign_up: SignUp, database: Database
) -> None:
    ada = sign_up(email="ada@example.org")
    browser.client.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    browser.sign_in("ada@example.org", PASSWORD)
    page = ada.client.get("/account").text
    assert "Firefox on Linux" in page and page.count("This browser") == 1
    with database.read() as session:
        other = session.scalars(select(BrowserSession.id).where(BrowserSession.id != ada.session_id)).one()
    assert ada.client.post(f"/account/browsers/{other}/sign-out").status_code == 303
    assert browser.client.get("/account").status_code == 303
    assert ada.client.get("/account").status_code == 200


def test_all_other_browsers_can_be_signed_out_at_once(
    browser: Browser, another_browser: Browser, sign_up: SignUp, database: Database
) -> None:
    ada, eve = sign_up(email="ada@example.org"), sign_up()
    for one in (browser, another_browser):
        one.sign_in("ada@example.org", PASSWORD)
    ada.client.post("/account/browsers/sign-out-others")
    assert ada.client.get("/account").status_code == 200
    assert [one.client.get("/account").status_code for one in (browser, another_browser)] == [303, 303]
    assert eve.client.get("/account").status_code == 200
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(BrowserSession)) == 2


def test_a_name_is_kept_clean(sign_up: SignUp, database: Database) -> None:
    ada = sign_up()
    assert ada.client.post("/account/name", data={"name": " Ada\x00\n Lovelace "}).status_code == 303
    with database.read() as session:
        assert session.get_one(User, ada.user_id).name == "Ada Lovelace"
    for wrong in ("", "\x00", "x" * 121):
        assert ada.client.post("/account/name", data={"name": wrong}).status_code == 422


@pytest.mark.parametrize(
    ("agent", "browser", "system"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge", "Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) CriOS/140 Safari/604", "Chrome", "iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/19.0 Safari/605.1.15", "Safari", "macOS"),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/140.0 Mobile Safari/537.36", "Chrome", "Android"),
    ],
)
def test_browsers_are_recognised_though_they_claim_to_be_others(agent: str, browser: str, system: str) -> None:
    assert words_for(agent)[1] == {"browser": browser, "system": system}


def test_what_cannot_be_recognised_is_not_guessed() -> None:
    assert words_for("")[1] == {}
    assert words_for("curl/8.0")[1] == {}
