"""A right that is taken away while a request's body is on its way is gone when the body has come."""

import socket
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.accounts import members, service, tokens
from app.accounts.models import BrowserSession, Membership, User
from app.db import Database, now
from app.web.gate.middleware import SESSION_COOKIE
from tests.conftest import SignedIn, SignUp
from tests.sockets import answer_on, request_head, served

Meanwhile = Callable[[Database, SignedIn], object]


def lower(database: Database, person: SignedIn) -> None:
    with database.write() as session:
        members.change_role(session, workspace_id=person.workspace_id, user_id=person.user_id, role="viewer")


def remove(database: Database, person: SignedIn) -> None:
    with database.write() as session:
        members.remove_member(session, workspace_id=person.workspace_id, user_id=person.user_id)


def sign_out(database: Database, person: SignedIn) -> None:
    with database.write() as session:
        service.sign_out_everywhere(session, person.user_id)


def end_tokens(database: Database, person: SignedIn) -> None:
    with database.write() as session:
        for one in session.scalars(select(tokens.ApiToken)):
            one.revoked_at = now()


def sent_around(app: FastAPI, head: bytes, body: bytes, meanwhile: Callable[[], object]) -> int:
    """The status of a request during whose body something happens."""
    with served(app) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 100"), "the gate has looked, for the body is asked for"
        meanwhile()
        connection.sendall(body)
        return answer_on(connection).status


@pytest.mark.parametrize(("meanwhile", "status"), [(lower, 403), (remove, 401), (sign_out, 401)])
def test_a_browser_keeps_no_right_by_holding_a_form_back(
    app: FastAPI, sign_up: SignUp, owner: SignedIn, meanwhile: Meanwhile, status: int
) -> None:
    other = sign_up(workspace_id=owner.workspace_id)
    friend = sign_up(role="viewer", workspace_id=owner.workspace_id)
    body = urlencode({"role": "owner"}).encode()
    head = request_head(
        "POST",
        f"/members/{friend.user_id}/role",
        f"Cookie: {SESSION_COOKIE}={other.client.cookies[SESSION_COOKIE]}",
        f"X-CSRF-Token: {other.client.headers['x-csrf-token']}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
    )
    assert sent_around(app, head, body, lambda: meanwhile(app.state.database, other)) == status
    with app.state.database.read() as session:
        key = {"workspace_id": owner.workspace_id, "user_id": friend.user_id}
        assert session.get_one(Membership, key).role == "viewer"


@pytest.mark.parametrize(("meanwhile", "status"), [(lower, 403), (remove, 401), (end_tokens, 401)])
def test_a_token_keeps_no_right_by_holding_a_body_back(
    app: FastAPI, sign_up: SignUp, owner: SignedIn, meanwhile: Meanwhile, status: int
) -> None:
    other = sign_up(workspace_id=owner.workspace_id)
    with app.state.database.write() as session:
        where = {"workspace_id": owner.workspace_id, "user_id": other.user_id}
        _row, secret = tokens.make_token(session, name="t", read_only=False, **where)
    body = b'{"name": "Somebody else"}'
    head = request_head(
        "PATCH",
        "/api/v1/me",
        f"Authorization: Bearer {secret}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
    )
    assert sent_around(app, head, body, lambda: meanwhile(app.state.database, other)) == status
    with app.state.database.read() as session:
        assert session.get_one(User, other.user_id).name == "Ada Muster"


def test_nothing_is_in_the_way_of_who_keeps_the_right(owner: SignedIn, app: FastAPI) -> None:
    assert owner.client.post("/account/name", data={"name": "Grace"}).status_code == 303
    assert owner.client.post("/sign-out").status_code == 303
    with app.state.database.read() as session:
        assert session.scalars(select(BrowserSession)).all() == []
