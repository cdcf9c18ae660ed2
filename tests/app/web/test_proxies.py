"""By whose word an address is believed, and what is said when nobody's is."""

import logging

import pytest
from fastapi import FastAPI
from limits import RateLimitItemPerMinute
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from app.web.gate import rate_limit, session_cookie
from app.web.gate.csrf import FORM_COOKIE, token_for
from app.web.serve import warn_of_host
from tests.sockets import request_head, served, talk

TRIES = 3


@pytest.fixture(autouse=True)
def few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "SIGN_IN_BY_ADDRESS", RateLimitItemPerMinute(TRIES, 15, namespace="few"))
    rate_limit._limiter.cache_clear()
    session_cookie._warn_of_proxy.cache_clear()


def tries(app: FastAPI, forwarded: list[str]) -> list[int]:
    """The answers to a wrong password for another person each, said to come from these addresses."""
    statuses = []
    with served(app) as port:
        for number, addresses in enumerate(forwarded):
            body = f"csrf_token={token_for(app.state.signing_key, 'form')}&email=p{number}@example.org&password=wrong"
            head = request_head(
                "POST",
                "/sign-in",
                f"X-Forwarded-For: {addresses}",
                f"Cookie: {FORM_COOKIE}=form",
                "Content-Type: application/x-www-form-urlencoded",
                f"Content-Length: {len(body)}",
            )
            statuses.append(talk(port, head, [body.encode()]).status)
    return statuses


def test_nobody_chooses_the_address_that_they_are_counted_by(
    app: FastAPI, owner: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "livery.web"):
        assert tries(app, [f"203.0.113.{number}" for number in range(5)]) == [422] * TRIES + [429] * 2
    assert sum("TRUSTED_PROXIES" in record.message for record in caplog.records) == 1


def test_a_proxy_that_is_named_is_believed_for_what_it_added_itself(app: FastAPI, owner: object) -> None:
    app.state.settings.trusted_proxies = "127.0.0.1 10.0.0.0/8"
    different = [f"198.51.100.7, 203.0.113.{number}, 10.1.2.3" for number in range(5)]
    assert tries(app, different) == [422] * 5
    rate_limit._limiter.cache_clear()
    chosen = [f"198.51.100.{number}, 203.0.113.7" for number in range(5)]
    assert tries(app, chosen) == [422] * TRIES + [429] * 2, "what the client wrote before it counts for nothing"


@pytest.mark.parametrize("wrong", ["*", "0.0.0.0/0", "::/0", "proxy.example"])
def test_not_everybody_is_a_proxy(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Settings(trusted_proxies=wrong)


@pytest.mark.parametrize(("address", "kept"), [("https://livery.example", True), ("http://livery.example", False)])
def test_browsers_are_told_to_come_by_https_alone(settings: Settings, address: str, kept: bool) -> None:
    settings.public_url = address
    answer = TestClient(create_app(settings)).get("/health/live")
    assert ("strict-transport-security" in answer.headers) is kept


@pytest.mark.parametrize(
    ("host", "public_url", "warned"),
    [
        ("0.0.0.0", "", True),
        ("::", "", True),
        ("192.168.1.5", "", True),
        ("0.0.0.0", "https://livery.example", False),
        ("127.0.0.1", "", False),
        ("::1", "", False),
        ("localhost", "", False),
    ],
)
def test_links_that_others_could_bend_are_warned_of(
    caplog: pytest.LogCaptureFixture, host: str, public_url: str, warned: bool
) -> None:
    with caplog.at_level(logging.WARNING, "livery.web"):
        warn_of_host(Settings(host=host, public_url=public_url))
    assert bool(caplog.records) is warned
