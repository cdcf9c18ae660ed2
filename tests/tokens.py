"""A program's access: a client that carries an API token instead of a cookie."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.models import ApiToken
from app.accounts.service import TOKEN_START, sha256
from app.db import new_id
from tests.conftest import SignedIn


def api_client(person: SignedIn, *, read_only: bool = False) -> TestClient:
    """A client that may what ``person`` may."""
    app = person.client.app
    assert isinstance(app, FastAPI)
    token = f"{TOKEN_START}{new_id()}"
    with app.state.database.write() as session:
        session.add(
            ApiToken(
                workspace_id=person.workspace_id,
                user_id=person.user_id,
                name="Test",
                prefix=token[:12],
                token_hash=sha256(token),
                read_only=read_only,
            )
        )
    return TestClient(app, headers={"authorization": f"Bearer {token}"})
