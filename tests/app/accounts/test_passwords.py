"""Hashing is dear on purpose, so it is bounded: a few at once, and nothing held meanwhile."""

import http.client
import re
import sqlite3
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.testclient import TestClient

from app.accounts import passwords
from app.accounts.models import User
from app.db import Database, new_id, now
from tests.app.accounts.conftest import CHEAP, Browser
from tests.conftest import PASSWORD, SignUp
from tests.servers import Livery, running, wait_until

REAL_HASHER = passwords._hasher
OLDER = PasswordHash((Argon2Hasher(),))
"""As earlier versions of Livery hashed: 64 MiB, 3 passes, 4 threads."""


def test_what_a_hash_costs() -> None:
    assert REAL_HASHER().hash(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_older_hash_still_opens_and_is_renewed_by_the_right_password(
    browser: Browser, sign_up: SignUp, database: Database
) -> None:
    ada = sign_up(email="ada@example.org")
    older = OLDER.hash(PASSWORD)
    with database.write() as session:
        session.get_one(User, ada.user_id).password_hash = older
    assert browser.sign_in("ada@example.org", "not the password").status_code == 422
    with database.read() as session:
        assert session.get_one(User, ada.user_id).password_hash == older
    for _twice in range(2):
        assert browser.sign_in("ada@example.org", PASSWORD).status_code == 303
        with database.read() as session:
            kept = session.get_one(User, ada.user_id).password_hash
        assert kept.startswith("$argon2id$v=19$m=8,t=1,p=1$"), "the cheap one of these tests"
        browser.client.cookies.clear()


@pytest.mark.parametrize("foreign", ["", "plain", "$2b$12$abcdefghijklmnopqrstuuu", "$argon2id$v=19$m=8,t=1,p=1$cut"])
def test_a_hash_that_livery_did_not_write_opens_nothing_and_says_no_more(
    browser: Browser, sign_up: SignUp, database: Database, foreign: str
) -> None:
    ada = sign_up(email="ada@example.org")
    with database.write() as session:
        session.get_one(User, ada.user_id).password_hash = foreign
    assert browser.sign_in("ada@example.org", PASSWORD).status_code == 422


def test_an_address_that_nobody_has_takes_as_long_as_somebodys(
    browser: Browser, sign_up: SignUp, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the cost of what was compared: people whose hashes are of an earlier version, and nobody."""
    ada = sign_up(email="ada@example.org")
    with database.write() as session:
        session.get_one(User, ada.user_id).password_hash = OLDER.hash(PASSWORD)
    compared: list[tuple[int, int, int]] = []

    class Noted:
        def verify_and_update(self, password: str, kept: str) -> tuple[bool, str | None]:
            compared.append(passwords._cost_of(kept))
            return CHEAP.verify_and_update(password, kept)

    monkeypatch.setattr(passwords, "_hasher", Noted)
    for email in ("ada@example.org", "nobody@example.org", "no-one@example.org"):
        assert browser.sign_in(email, "not the password").status_code == 422
    assert compared == [(3, 65536, 4)] * 3


def test_a_password_that_was_replaced_meanwhile_does_not_replace_the_new_one(
    app: FastAPI, sign_up: SignUp, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when somebody who stole both is faster than the hash of the person's own change."""
    ada = sign_up(email="ada@example.org")
    real, new = passwords.hash_password, CHEAP.hash("the person's own new one")

    def slowly(password: str) -> str:
        with database.write() as session:
            session.get_one(User, ada.user_id).password_hash = new
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", slowly)
    form = {"present": PASSWORD, "password": "the thief's own one", "password_again": "the thief's own one"}
    assert ada.client.post("/account/password", data=form).status_code == 422
    with database.read() as session:
        assert session.get_one(User, ada.user_id).password_hash == new


def test_no_connection_is_held_while_a_password_is_hashed(
    app: FastAPI, browser: Browser, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_up(email="ada@example.org")
    held: list[int] = []
    for name in ("hash_password", "compare"):
        real = getattr(passwords, name)

        def noted(*given: Any, real: Any = real) -> Any:
            held.append(app.state.database.engine.pool.checkedout())
            return real(*given)

        monkeypatch.setattr(passwords, name, noted)
    assert browser.sign_in("nobody@example.org", PASSWORD).status_code == 422
    assert browser.sign_in("ada@example.org", PASSWORD).status_code == 303
    changed = browser.send(
        "/account", "/account/password", present=PASSWORD, password=PASSWORD + "!", password_again=PASSWORD + "!"
    )
    assert changed.status_code == 303
    assert len(held) == 4
    assert held == [0] * 4


class Slow:
    """A hasher that waits until it is told to go on."""

    def __init__(self) -> None:
        self.go_on, self.most, self.now, self.lock = threading.Event(), 0, 0, threading.Lock()

    def verify_and_update(self, password: str, kept: str) -> tuple[bool, None]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go_on.wait(60)
        with self.lock:
            self.now -= 1
        return CHEAP.verify(password, kept), None


def test_only_a_few_are_compared_at_once_and_pages_go_on(
    app: FastAPI, browser: Browser, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"p{number}@example.org" for number in range(60)]
    for email in people:
        sign_up(email=email)
    slow = Slow()
    monkeypatch.setattr(passwords, "_hasher", lambda: slow)
    monkeypatch.setattr(passwords, "PATIENCE_SECONDS", 2)
    token = browser.token("/sign-in")
    cookies = dict(browser.client.cookies)

    def sign_in(email: str) -> Any:
        client = TestClient(app, follow_redirects=False, cookies=cookies)
        return client.post("/sign-in", data={"csrf_token": token, "email": email, "password": PASSWORD})

    with ThreadPoolExecutor(len(people)) as pool:
        asked = [pool.submit(sign_in, email) for email in people]
        wait_until(lambda: slow.now == passwords.AT_ONCE, seconds=20, what="the first to be compared")
        assert TestClient(app).get("/sign-in").status_code == 200, "more wait than there are threads"
        wait_until(
            lambda: sum(one.done() for one in asked) == len(people) - passwords.AT_ONCE,
            seconds=20,
            what="the others to be told to come back",
        )
        slow.go_on.set()
        answers = [one.result() for one in asked]
    assert slow.most == passwords.AT_ONCE
    told = [answer for answer in answers if answer.status_code == 503]
    assert len(told) == len(people) - passwords.AT_ONCE
    assert all(answer.headers["retry-after"] == "2" for answer in told)
    assert "signing in" in told[0].text


PEOPLE = 50


def people_of(livery: Livery, folder: Path) -> None:
    """A workspace of fifty people, whose passwords an earlier version hashed."""
    older, workspace, moment = OLDER.hash(PASSWORD), new_id(), now().replace(tzinfo=None).isoformat(" ")
    with sqlite3.connect(folder / "data" / "livery.sqlite3", timeout=30) as connection:
        connection.execute(
            "INSERT INTO workspaces (id, name, currency, created_at) VALUES (?, 'W', 'EUR', ?)", (workspace, moment)
        )
        for number in range(PEOPLE):
            user = new_id()
            connection.execute(
                "INSERT INTO users (id, email, name, password_hash, locale, theme, created_at) "
                "VALUES (?, ?, 'P', ?, 'en', 'auto', ?)",
                (user, f"p{number}@example.org", older, moment),
            )
            connection.execute(
                "INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES (?, ?, 'editor', ?)",
                (workspace, user, moment),
            )


def ask(livery: Livery, number: int, method: str, path: str, body: str = "", cookie: str = "") -> tuple[int, str, str]:
    """From an address of its own, as a hundred people have: they are counted by address."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", livery.port, timeout=120, source_address=(f"127.0.1.{number % 250 + 1}", 0)
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie} if body else {}
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.getheader("set-cookie") or answer.getheader("retry-after") or ""


@pytest.mark.slow
def test_fifty_sign_ins_at_once_take_little_memory_and_pages_go_on(tmp_path: Path) -> None:
    with running(Livery(tmp_path, EMBEDDED_WORKERS="none")) as livery:
        people_of(livery, tmp_path)
        _status, page, cookie = ask(livery, 0, "GET", "/sign-in")
        token = re.findall(r'name="csrf_token" value="([0-9a-f]+)"', page)[0]
        web = next(child for child in livery.family() if "app.web.serve" in child.cmdline())
        before = most = web.memory_info().rss
        done, pages = threading.Event(), []

        def sign_in(number: int) -> tuple[int, str, str]:
            form = {"csrf_token": token, "email": f"p{number}@example.org", "password": PASSWORD}
            return ask(livery, number, "POST", "/sign-in", urllib.parse.urlencode(form), cookie.split(";")[0])

        def look() -> None:
            while not done.is_set():
                pages.append(ask(livery, 249, "GET", "/sign-in")[0])
                done.wait(0.1)

        with ThreadPoolExecutor(PEOPLE + 1) as pool:
            looking = pool.submit(look)
            asked = [pool.submit(sign_in, number) for number in range(PEOPLE)]
            while not all(one.done() for one in asked):
                most = max(most, psutil.Process(web.pid).memory_info().rss)
                threading.Event().wait(0.01)
            done.set()
            looking.result()
            answers = [one.result() for one in asked]
    statuses = [status for status, _text, _header in answers]
    print(f"\n{(most - before) / 1e6:.0f} MB more; {statuses.count(303)} in, {statuses.count(503)} told to come back;")
    print(f"{len(pages)} pages answered meanwhile")
    assert most - before < 300e6
    assert set(statuses) <= {303, 503}
    assert statuses.count(303) >= PEOPLE / 2, "with the right password nobody is sent away who could have waited"
    assert set(pages) == {200} and len(pages) > 5
    assert all(header.isdecimal() for status, _text, header in answers if status == 503)
