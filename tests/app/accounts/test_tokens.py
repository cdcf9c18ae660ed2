"""API tokens, and the API of accounts."""

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from app.accounts import tokens
from app.accounts.models import ApiToken, Invitation
from app.accounts.service import sha256
from app.db import Database
from tests.conftest import SignedIn, SignUp


def make_token(person: SignedIn, **form: str) -> str:
    page = person.client.post("/settings/tokens", data={"name": "shop", **form})
    assert page.status_code == 200
    found = re.search(r'data-copy="(lvy_[\w-]{43})"', page.text)
    assert found is not None
    return found[1]


@pytest.fixture
def program(app: FastAPI) -> TestClient:
    return TestClient(app)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_token_is_shown_once_and_kept_as_a_hash(owner: SignedIn, program: TestClient, database: Database) -> None:
    secret = make_token(owner)
    assert secret not in owner.client.get("/settings/tokens").text
    with database.read() as session:
        kept = session.scalars(select(ApiToken)).one()
    assert kept.token_hash == sha256(secret) and secret.startswith(kept.prefix) and len(kept.prefix) == 10
    me = program.get("/api/v1/me", headers=bearer(secret))
    assert me.status_code == 200
    assert (me.json()["role"], me.json()["workspace_id"]) == ("owner", owner.workspace_id)
    assert "last used" in owner.client.get("/settings/tokens").text


def test_a_revoked_token_opens_nothing(owner: SignedIn, program: TestClient, database: Database) -> None:
    secret = make_token(owner)
    with database.read() as session:
        token_id = session.scalars(select(ApiToken.id)).one()
    assert owner.client.post(f"/settings/tokens/{token_id}/revoke").status_code == 303
    assert program.get("/api/v1/me", headers=bearer(secret)).status_code == 401
    assert owner.client.post(f"/settings/tokens/{token_id}/revoke").status_code == 404


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer lvy_", "Bearer x", "Basic lvy_x", "Bearer lvy_\xff", "lvy_x"])
def test_what_is_no_token_opens_nothing(owner: SignedIn, program: TestClient, header: str) -> None:
    assert program.get("/api/v1/me", headers={"authorization": header.encode("latin-1")}).status_code == 401  # type: ignore[dict-item]


def test_a_session_cookie_is_no_key_to_the_api(owner: SignedIn) -> None:
    assert owner.client.get("/api/v1/me").status_code == 401


def test_a_token_that_may_only_read_changes_nothing(owner: SignedIn, program: TestClient) -> None:
    secret = make_token(owner, read_only="1")
    assert program.get("/api/v1/members", headers=bearer(secret)).status_code == 200
    assert program.patch("/api/v1/me", json={"name": "Eve"}, headers=bearer(secret)).status_code == 403
    assert program.patch("/api/v1/workspace", json={"name": "Eve"}, headers=bearer(secret)).status_code == 403


def test_a_token_has_the_role_of_its_person_now(owner: SignedIn, sign_up: SignUp, program: TestClient) -> None:
    bob = sign_up(role="owner", workspace_id=owner.workspace_id)
    secret = make_token(bob)
    assert program.patch("/api/v1/workspace", json={"name": "B"}, headers=bearer(secret)).status_code == 200
    owner.client.post(f"/members/{bob.user_id}/role", data={"role": "viewer"})
    assert program.patch("/api/v1/workspace", json={"name": "C"}, headers=bearer(secret)).status_code == 403
    owner.client.post(f"/members/{bob.user_id}/remove")
    assert program.get("/api/v1/me", headers=bearer(secret)).status_code == 401


def test_members_see_and_revoke_their_own_tokens_and_owners_all(
    owner: SignedIn, sign_up: SignUp, database: Database
) -> None:
    bob = sign_up(role="viewer", workspace_id=owner.workspace_id, name="Bob")
    make_token(owner, name="of the owner")
    make_token(bob, name="of Bob")
    assert "of the owner" not in bob.client.get("/settings/tokens").text
    assert "of Bob" in owner.client.get("/settings/tokens").text
    with database.read() as session:
        ids = {token.name: token.id for token in session.scalars(select(ApiToken))}
    assert bob.client.post(f"/settings/tokens/{ids['of the owner']}/revoke").status_code == 404
    assert owner.client.post(f"/settings/tokens/{ids['of Bob']}/revoke").status_code == 303


def test_tokens_do_not_grow_without_end(owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_TOKENS", 2)
    for _number in range(2):
        make_token(owner)
    assert owner.client.post("/settings/tokens", data={"name": "third"}).status_code == 409


def test_people_and_settings_over_the_api(
    owner: SignedIn, sign_up: SignUp, program: TestClient, database: Database
) -> None:
    bob = sign_up(role="viewer", workspace_id=owner.workspace_id, name="Bob")
    program.headers.update(bearer(make_token(owner)))
    found = program.get("/api/v1/members").json()
    assert [(item["name"], item["role"]) for item in found["items"]] == [("Ada Muster", "owner"), ("Bob", "viewer")]
    assert program.patch(f"/api/v1/members/{bob.user_id}", json={"role": "editor"}).json() == {
        "invitations": 0,
        "reset_links": 0,
    }
    assert program.patch(f"/api/v1/members/{owner.user_id}", json={"role": "editor"}).status_code == 409
    assert program.delete(f"/api/v1/members/{bob.user_id}").status_code == 200
    assert program.delete(f"/api/v1/members/{bob.user_id}").status_code == 404

    made = program.post("/api/v1/invitations", json={"email": "Eve@example.org", "role": "viewer"})
    assert made.status_code == 201 and made.json()["email"] == "eve@example.org"
    assert program.get(made.json()["link"], headers={"accept": "text/html"}).status_code == 200
    assert [item["id"] for item in program.get("/api/v1/invitations").json()["items"]] == [made.json()["id"]]
    assert program.delete(f"/api/v1/invitations/{made.json()['id']}").status_code == 204
    with database.read() as session:
        assert session.scalars(select(Invitation)).all() == []

    assert program.patch("/api/v1/me", json={"name": "Ada L.", "locale": "de"}).status_code == 204
    assert program.get("/api/v1/me").json()["name"] == "Ada L."
    changed = program.patch("/api/v1/workspace", json={"price_per_hour": "2.5"})
    assert changed.json() == {"name": "Muster & Co.", "price_per_hour": "2.50", "currency": "EUR"} or (
        changed.json()["price_per_hour"] in ("2.5", 2.5)
    )
    assert program.patch("/api/v1/workspace", json={"name": None, "currency": "CHF"}).json()["currency"] == "CHF"
    assert program.patch("/api/v1/workspace", json={"price_per_hour": None}).json()["price_per_hour"] is None

    (token,) = program.get("/api/v1/tokens").json()["items"]
    assert "hash" not in str(token) and token["name"] == "shop"
    assert program.delete(f"/api/v1/tokens/{token['id']}").status_code == 204
    assert program.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("wrong", ['"\\ud800"', '"\\u0000"', "true", str(10**30), '"' + "x" * 10_000 + '"', "[]", "{}"])
def test_nothing_that_is_sent_breaks_the_api(owner: SignedIn, program: TestClient, wrong: str) -> None:
    program.headers.update(bearer(make_token(owner)) | {"content-type": "application/json"})
    for method, address, names in [
        ("PATCH", "/api/v1/me", ("name", "locale")),
        ("PATCH", "/api/v1/workspace", ("name", "price_per_hour", "currency")),
        ("POST", "/api/v1/invitations", ("email", "role")),
        ("PATCH", f"/api/v1/members/{owner.user_id}", ("role",)),
    ]:
        for name in names:
            body = f'{{"{name}": {wrong}}}'
            assert program.request(method, address, content=body).status_code == 422, (address, body)
    for address in ("/api/v1/members/%00", "/api/v1/members/" + "x" * 5000, "/api/v1/tokens/%ED%A0%80"):
        assert program.delete(address).status_code == 404


def test_the_guide_shows_every_operation_with_a_command(owner: SignedIn, app: FastAPI) -> None:
    page = owner.client.get("/settings/api")
    assert page.status_code == 200
    for path in app.openapi()["paths"]:
        assert f"<code>{path}</code>" in page.text
    assert owner.client.get("/settings/api/openapi.json").json() == app.openapi()
