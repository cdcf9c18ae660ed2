"""Passkeys: setting them up, signing in with them alone or as the second step, and what is no passkey of ours."""

import base64
import json

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from app.accounts.models import Passkey
from app.db import Database
from app.settings import Settings
from app.web.gate.second_step import CHALLENGE_COOKIE
from tests.app.accounts.conftest import Browser
from tests.app.accounts.soft_passkey import PRESENT, SoftPasskey
from tests.app.accounts.test_second_factors import PAGE
from tests.conftest import PASSWORD, SignedIn, SignUp


@pytest.fixture
def ada(sign_up: SignUp) -> SignedIn:
    return sign_up(email="ada@example.org")


def options_for(client: TestClient, name: str = "Phone") -> dict:
    answer = client.post("/account/passkeys/options", data={"name": name})
    assert answer.status_code == 200, answer.text
    return answer.json()


def add(member: SignedIn, passkey: SoftPasskey, name: str = "Phone"):
    credential = passkey.make(options_for(member.client, name))
    return member.client.post("/account/passkeys", data={"name": name, "credential": credential})


def asked(browser: Browser) -> dict:
    token = browser.token("/sign-in")
    return browser.client.post("/sign-in/passkey/options", data={"csrf_token": token}).json()


def use(browser: Browser, passkey: SoftPasskey, options: dict | None = None, **more: str):
    credential = passkey.sign(options or asked(browser))
    return browser.send("/sign-in", "/sign-in/passkey", credential=credential, **more)


def test_a_passkey_signs_in_without_a_password(ada: SignedIn, browser: Browser, database: Database) -> None:
    phone, laptop = SoftPasskey(), SoftPasskey()
    first = add(ada, phone)
    assert first.status_code == 200 and 'id="recovery-codes"' in first.text
    assert add(ada, laptop, "Laptop").status_code == 303
    phone.count += 1
    answer = use(browser, phone, next="/members")
    assert answer.headers["location"] == "/members", answer.text
    page = browser.client.get(PAGE).text
    assert "<strong>Phone</strong>" in page and "<strong>Laptop</strong>" in page and "last used" in page
    with database.read() as session:
        assert set(session.scalars(select(Passkey.sign_count))) == {0, 1}


def test_a_passkey_is_a_second_step_too(ada: SignedIn, browser: Browser) -> None:
    phone = SoftPasskey()
    add(ada, phone)
    answer = browser.sign_in("ada@example.org", PASSWORD, next="/settings")
    assert answer.headers["location"] == "/sign-in/second-step"
    token = browser.token("/sign-in/second-step")
    options = browser.client.post("/sign-in/passkey/options", data={"csrf_token": token}).json()
    assert [one["id"] for one in options["allowCredentials"]] == [json.loads(phone.sign(options))["id"]]
    sent = {"csrf_token": token, "credential": phone.sign(options)}
    assert browser.client.post("/sign-in/passkey", data=sent).headers["location"] == "/settings"


def test_a_challenge_is_answered_once(ada: SignedIn, browser: Browser, another_browser: Browser) -> None:
    phone = SoftPasskey()
    add(ada, phone)
    options = asked(browser)
    cookie = browser.client.cookies[CHALLENGE_COOKIE]
    credential = phone.sign(options)
    assert browser.send("/sign-in", "/sign-in/passkey", credential=credential).status_code == 303
    another_browser.token("/sign-in")
    another_browser.client.cookies.set(CHALLENGE_COOKIE, cookie, domain="testserver.local")
    assert another_browser.send("/sign-in", "/sign-in/passkey", credential=credential).status_code == 422


def test_a_counter_that_falls_back_is_a_copy(ada: SignedIn, browser: Browser, another_browser: Browser) -> None:
    key = SoftPasskey()
    add(ada, key)
    key.count = 7
    assert use(browser, key).status_code == 303
    for count in (7, 3, 0):
        key.count = count
        answer = use(another_browser, key)
        assert answer.status_code == 422 and "copy" in answer.text
    key.count = 8
    assert use(another_browser, key).status_code == 303


def test_what_is_no_passkey_of_ours_opens_nothing(ada: SignedIn, sign_up: SignUp, browser: Browser) -> None:
    phone, bob = SoftPasskey(), sign_up()
    add(ada, phone)
    unknown, elsewhere, careless, forged = (
        SoftPasskey(),
        SoftPasskey("https://evil.example"),
        SoftPasskey(),
        SoftPasskey(),
    )
    for one in (elsewhere, careless, forged):
        one.id, one.user_handle = phone.id, phone.user_handle
    elsewhere.key = careless.key = phone.key
    careless.flags = PRESENT  # a touch, without finger, face or PIN
    for one in (unknown, elsewhere, careless, forged):
        assert use(browser, one).status_code == 422
    foreign = phone.sign(asked(browser), user_handle=bytes.fromhex(bob.user_id))
    assert browser.send("/sign-in", "/sign-in/passkey", credential=foreign).status_code == 422
    for broken in ("x", "{}", "[]", "null", '{"id": 1}', json.dumps({"id": "AA", "rawId": "AA", "type": "public-key"})):
        asked(browser)
        assert browser.send("/sign-in", "/sign-in/passkey", credential=broken).status_code == 422, broken
    browser.client.cookies.delete(CHALLENGE_COOKIE)
    assert browser.send("/sign-in", "/sign-in/passkey", credential=phone.sign(asked(browser))).status_code == 303


def test_a_challenge_to_sign_in_sets_nothing_up(ada: SignedIn, sign_up: SignUp) -> None:
    phone, bob = SoftPasskey(), sign_up()
    options = options_for(ada.client)
    # Given to Ada's sign-in, so Bob's cannot use it.
    bob.client.cookies.set(CHALLENGE_COOKIE, ada.client.cookies[CHALLENGE_COOKIE])
    sent = {"name": "Phone", "credential": phone.make(options)}
    assert bob.client.post("/account/passkeys", data=sent).status_code == 422
    signing = ada.client.post("/sign-in/passkey/options").json()
    sent["credential"] = phone.make(options | {"challenge": signing["challenge"]})
    assert ada.client.post("/account/passkeys", data=sent).status_code == 422


def test_one_passkey_is_not_set_up_twice(ada: SignedIn, sign_up: SignUp, browser: Browser) -> None:
    phone = SoftPasskey()
    add(ada, phone)
    assert options_for(ada.client)["excludeCredentials"][0]["id"] == base64.urlsafe_b64encode(phone.id).decode().strip(
        "="
    )
    assert add(ada, phone).status_code == 409
    assert add(sign_up(), phone).status_code == 409


def test_a_passkey_is_removed_by_its_person_alone(
    ada: SignedIn, sign_up: SignUp, browser: Browser, database: Database
) -> None:
    phone = SoftPasskey()
    add(ada, phone)
    with database.read() as session:
        (passkey_id,) = session.scalars(select(Passkey.id))
    assert sign_up().client.post(f"/account/passkeys/{passkey_id}/remove").status_code == 404
    assert ada.client.post(f"/account/passkeys/{passkey_id}/remove").status_code == 303
    assert use(browser, phone).status_code == 422
    assert browser.sign_in("ada@example.org", PASSWORD).headers["location"] == "/"


def test_passkeys_are_for_the_name_that_people_reach_livery_by(
    ada: SignedIn, browser: Browser, settings: Settings, app: FastAPI
) -> None:
    settings.public_url = "https://livery.example:8443/"
    for client in (ada.client, browser.client):
        client.base_url = "https://testserver"  # its cookies are for https alone
    assert options_for(ada.client)["rp"]["id"] == "livery.example"
    phone = SoftPasskey("https://livery.example:8443")
    assert add(ada, phone).status_code == 200
    assert use(browser, phone).status_code == 303
    settings.public_url = "http://192.0.2.7:8000"
    assert ada.client.post("/account/passkeys/options", data={"name": "x"}).status_code == 409
    assert 'data-state="no-passkeys"' in ada.client.get(PAGE).text
    stranger = Browser(app)
    assert 'action="/sign-in/passkey"' not in stranger.client.get("/sign-in").text


@pytest.mark.parametrize("odd", ["[" * 19_000, '{"id":' * 3_000, "[]", "null", "1" * 6_000, '{"rawId": "\\ud800"}'])
def test_what_is_no_answer_of_a_device_is_refused(ada: SignedIn, browser: Browser, odd: str) -> None:
    asked(browser)
    assert browser.send("/sign-in", "/sign-in/passkey", credential=odd).status_code == 422
    options_for(ada.client)
    assert ada.client.post("/account/passkeys", data={"name": "Phone", "credential": odd}).status_code == 422
