"""A signed-out browser, counters of tries that start anew with each test, and Argon2 at its cheapest: the way is the
same, and some tests try a hundred passwords."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.testclient import TestClient

from app.accounts import passwords
from app.web.gate import rate_limit
from tests.conftest import PASSWORD

CHEAP = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_hasher", lambda: CHEAP)
    passwords._decoy.cache_clear()
    yield
    passwords._decoy.cache_clear()


@pytest.fixture
def password_hash() -> str:
    return CHEAP.hash(PASSWORD)


@pytest.fixture(autouse=True)
def fresh_counters() -> Iterator[None]:
    rate_limit._limiter.cache_clear()
    yield
    rate_limit._limiter.cache_clear()


class Browser:
    """Opens pages and sends the forms that it finds there, as a person would."""

    def __init__(self, app: FastAPI) -> None:
        self.client = TestClient(app, base_url="http://testserver", follow_redirects=False)

    def token(self, path: str) -> str:
        page = self.client.get(path)
        assert page.status_code == 200, page.text
        found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page.text)
        assert found is not None
        return found[1]

    def send(self, form_on: str, to: str, **values: str):
        return self.client.post(to, data={"csrf_token": self.token(form_on), **values})

    def sign_in(self, email: str, password: str, next: str = ""):
        return self.send("/sign-in", "/sign-in", email=email, password=password, next=next)


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return Browser(app)


@pytest.fixture
def another_browser(app: FastAPI) -> Browser:
    return Browser(app)
