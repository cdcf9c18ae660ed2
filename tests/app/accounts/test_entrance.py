"""First set-up, sign in and out, and what keeps strangers away."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from app.accounts import passwords, service
from app.accounts.errors import AlreadySetUp
from app.accounts.models import BrowserSession, Membership, User, Workspace
from app.db import Database, now
from app.settings import Settings
from app.web.gate.middleware import SESSION_COOKIE
from tests.app.accounts.conftest import Browser
from tests.conftest import PASSWORD, SignUp

SETUP = {
    "name": "  Ada\u202e  Lovelace ",
    "email": "Ada@Example.org",
    "password": PASSWORD,
    "password_again": PASSWORD,
    "workspace_name": "Nordlicht",
    "locale": "de",
}


def test_the_first_visit_makes_the_owner(browser: Browser, database: Database) -> None:
    assert browser.client.get("/projects").headers["location"] == "/setup"
    assert browser.client.get("/sign-in").headers["location"] == "/setup"
    answer = browser.send("/setup", "/setup", **SETUP)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    with database.read() as session:
        user, workspace, membership = (session.scalars(select(kind)).one() for kind in (User, Workspace, Membership))
    assert (user.name, user.email, user.locale) == ("Ada Lovelace", "ada@example.org", "de")
    assert (workspace.name, membership.role) == ("Nordlicht", "owner")
    assert user.password_hash.startswith("$argon2id$")
    assert browser.client.get("/account").status_code == 200
    assert 'lang="de"' in browser.client.get("/account").text


def test_there_is_only_one_first_visit(browser: Browser, another_browser: Browser) -> None:
    token = another_browser.token("/setup")
    browser.send("/setup", "/setup", **SETUP)
    late = another_browser.client.post("/setup", data={**SETUP, "email": "eve@example.org", "csrf_token": token})
    assert late.status_code == 409
    assert SESSION_COOKIE not in late.cookies
    assert another_browser.client.get("/setup").headers["location"] == "/sign-in"


def test_of_several_first_visitors_one_comes_through(database: Database, password_hash: str) -> None:
    def come(number: int) -> bool:
        try:
            with database.write() as session:
                service.create_owner(
                    session,
                    name="Ada",
                    email=f"a{number}@example.org",
                    password_hash=password_hash,
                    workspace_name="A",
                    locale="en",
                )
        except AlreadySetUp:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(come, range(6))) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password_again": "another long password"}, 422),
        ({"password": "short", "password_again": "short"}, 422),
        ({"password": "x" * 201, "password_again": "x" * 201}, 422),
        ({"password": "x" * 5000, "password_again": "x" * 5000}, 422),
        ({"email": "nobody"}, 422),
        ({"email": "a@b.c\x00" + "d" * 300}, 422),
        ({"name": " \x00 "}, 422),
        ({"locale": "fr"}, 422),
    ],
)
def test_a_set_up_that_is_not_right_makes_nobody(
    browser: Browser, database: Database, change: dict[str, str], status: int
) -> None:
    assert browser.send("/setup", "/setup", **{**SETUP, **change}).status_code == status
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0


def test_sign_in_goes_where_one_wanted_to_go(browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    turned_away = browser.client.get("/members?x=1")
    assert turned_away.headers["location"] == "/sign-in?next=%2Fmembers%3Fx%3D1"
    page = browser.client.get(turned_away.headers["location"])
    assert 'value="/members?x=1"' in page.text
    answer = browser.sign_in(" ADA@example.org ", PASSWORD, next="/members?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/members?x=1")
    assert browser.client.get("/members").status_code == 200
    assert browser.client.get("/sign-in?next=/members").headers["location"] == "/members"


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""])
def test_sign_in_sends_nobody_elsewhere(browser: Browser, sign_up: SignUp, elsewhere: str) -> None:
    sign_up(email="ada@example.org")
    assert browser.sign_in("ada@example.org", PASSWORD, next=elsewhere).headers["location"] == "/"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    cookies = browser.sign_in("ada@example.org", PASSWORD).headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith(SESSION_COOKIE))
    assert "HttpOnly" in session and "samesite=lax" in session.lower() and "secure" not in session.lower()


def test_the_session_cookie_is_secure_behind_https(
    app: FastAPI, settings: Settings, browser: Browser, sign_up: SignUp
) -> None:
    sign_up(email="ada@example.org")
    settings.public_url = "https://livery.example"
    cookies = browser.sign_in("ada@example.org", PASSWORD).headers.get_list("set-cookie")
    assert all("secure" in cookie.lower() for cookie in cookies if "livery_session" in cookie or "device" in cookie)


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    browser: Browser, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_up(email="ada@example.org")
    verified = []
    verify = type(passwords._hasher()).verify_and_update

    def counted(self: Any, password: str, known: str) -> Any:
        verified.append(known)
        return verify(self, password, known)

    monkeypatch.setattr(type(passwords._hasher()), "verify_and_update", counted)
    json = {"accept": "application/json"}
    token = browser.token("/sign-in")
    answers = [
        browser.client.post(
            "/sign-in", data={"csrf_token": token, "email": email, "password": "not the password"}, headers=json
        )
        for email in ("ada@example.org", "nobody@example.org")
    ]
    assert answers[0].status_code == answers[1].status_code == 422
    assert answers[0].json() == answers[1].json()
    # Both cost one Argon2 of the same parameters: that is where the time goes.
    assert len(verified) == 2 and verified[0].rsplit("$", 2)[0] == verified[1].rsplit("$", 2)[0]


def test_a_session_that_was_planted_is_not_the_one_that_is_signed_in(browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    planted = "planted-by-somebody-else"
    browser.client.cookies.set(SESSION_COOKIE, planted, domain="testserver.local")
    answer = browser.sign_in("ada@example.org", PASSWORD)
    assert answer.cookies[SESSION_COOKIE] != planted


def test_signing_in_again_ends_the_session_before(browser: Browser, sign_up: SignUp, database: Database) -> None:
    eve = sign_up(email="eve@example.org")
    sign_up(email="ada@example.org")
    answer = eve.client.post("/sign-in", data={"email": "ada@example.org", "password": PASSWORD})
    assert answer.status_code == 303
    with database.read() as session:
        assert session.get(BrowserSession, eve.session_id) is None


def test_signing_out_ends_the_session_itself(browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    token = browser.sign_in("ada@example.org", PASSWORD).cookies[SESSION_COOKIE]
    assert browser.send("/account", "/sign-out").headers["location"] == "/sign-in"
    browser.client.cookies.set(SESSION_COOKIE, token, domain="testserver.local")
    assert browser.client.get("/account").headers["location"].startswith("/sign-in")


def test_an_expired_session_is_none(sign_up: SignUp, database: Database) -> None:
    ada = sign_up()
    with database.write() as session:
        session.execute(update(BrowserSession).values(expires_at=now()))
    assert ada.client.get("/account").status_code == 303


def test_strangers_are_stopped_after_ten_tries_for_one_address(browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    token = browser.token("/sign-in")
    tries = [
        browser.client.post(
            "/sign-in", data={"csrf_token": token, "email": "ada@example.org", "password": f"wrong {n}"}
        )
        for n in range(11)
    ]
    assert [answer.status_code for answer in tries] == [422] * 10 + [429]
    assert 1 <= int(tries[-1].headers["retry-after"]) <= 15 * 60
    right = browser.client.post(
        "/sign-in", data={"csrf_token": token, "email": "ada@example.org", "password": PASSWORD}
    )
    assert right.status_code == 429


def test_a_stranger_cannot_lock_a_known_device_out(browser: Browser, another_browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    browser.sign_in("ada@example.org", PASSWORD)
    browser.send("/account", "/sign-out")
    for number in range(11):
        another_browser.sign_in("ada@example.org", f"wrong {number}")
    assert another_browser.sign_in("ada@example.org", PASSWORD).status_code == 429
    assert browser.sign_in("ada@example.org", PASSWORD).status_code == 303
    # The known device opens the way for itself alone.
    assert another_browser.sign_in("ada@example.org", PASSWORD).status_code == 429


def test_a_known_device_has_its_own_limit_and_only_for_its_person(browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    sign_up(email="bob@example.org")
    browser.sign_in("ada@example.org", PASSWORD)
    browser.send("/account", "/sign-out")
    for email in ("ada@example.org", "bob@example.org"):
        tries = [browser.sign_in(email, f"wrong {number}").status_code for number in range(11)]
        assert tries == [422] * 10 + [429], email


def test_one_address_of_the_network_is_stopped_too(browser: Browser, sign_up: SignUp) -> None:
    sign_up()
    token = browser.token("/sign-in")
    statuses = [
        browser.client.post(
            "/sign-in", data={"csrf_token": token, "email": f"p{n}@example.org", "password": "x"}
        ).status_code
        for n in range(61)
    ]
    assert statuses == [422] * 60 + [429]


def test_a_right_password_clears_the_tries_before_it(browser: Browser, sign_up: SignUp) -> None:
    sign_up(email="ada@example.org")
    for _round in range(2):
        for number in range(9):
            assert browser.sign_in("ada@example.org", f"wrong {number}").status_code == 422
        assert browser.sign_in("ada@example.org", PASSWORD).status_code == 303
        browser.send("/account", "/sign-out")


def test_language_and_brightness_stay_with_the_browser_and_the_person(
    browser: Browser, sign_up: SignUp, database: Database
) -> None:
    ada = sign_up(email="ada@example.org")
    answer = browser.send("/sign-in", "/preferences", locale="de", next="/sign-in?next=%2Fmembers")
    assert answer.headers["location"] == "/sign-in?next=%2Fmembers"
    assert browser.send("/sign-in", "/preferences", theme="dark").status_code == 303
    page = browser.client.get("/sign-in").text
    assert 'lang="de"' in page and 'data-theme="dark"' in page
    ada.client.post("/preferences", data={"theme": "light"})
    ada.client.post("/preferences", data={"locale": "de", "next": "//evil.example"})
    with database.read() as session:
        user = session.get_one(User, ada.user_id)
    assert (user.locale, user.theme) == ("de", "light")
    assert ada.client.post("/preferences", data={"locale": "xx"}).status_code == 422


FORM = {"email": "ada@example.org", "password": PASSWORD}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": "http://testserver.evil.example"},
    ],
)
def test_other_sites_cannot_send_forms_even_with_the_token(
    browser: Browser, sign_up: SignUp, headers: dict[str, str]
) -> None:
    ada = sign_up(email="ada@example.org")
    token = browser.token("/sign-in")
    assert browser.client.post("/sign-in", data={**FORM, "csrf_token": token}, headers=headers).status_code == 403
    assert ada.client.post("/account/name", data={"name": "Eve"}, headers=headers).status_code == 403


def test_a_form_without_or_with_anothers_token_is_refused(sign_up: SignUp, database: Database) -> None:
    ada, eve = sign_up(), sign_up()
    token = ada.client.headers.pop("x-csrf-token")
    wrong: list[dict[str, Any]] = [
        {"data": {"name": "Eve"}},
        {"data": {"name": "Eve", "csrf_token": ""}},
        {"data": {"name": "Eve", "csrf_token": "ü"}},
        {"data": {"name": "Eve", "csrf_token": eve.client.headers["x-csrf-token"]}},
        {"data": {"name": "Eve"}, "files": {"csrf_token": ("t", token.encode())}},
        {"content": '{"name": "Eve", "csrf_token": "' + token + '"}', "headers": {"content-type": "text/plain"}},
        {"content": '{"name": "Eve"}', "headers": {"content-type": "application/json"}},
        {"data": {"name": "Eve"}, "headers": {"x-csrf-token": eve.client.headers["x-csrf-token"]}},
    ]
    for request in wrong:
        kind_is_wrong = "files" in request or "content" in request
        assert ada.client.post("/account/name", **request).status_code == (415 if kind_is_wrong else 403), request
    with database.read() as session:
        assert session.get_one(User, ada.user_id).name == "Ada Muster"
    assert ada.client.post("/account/name", data={"name": "Ada L.", "csrf_token": token}).status_code == 303
