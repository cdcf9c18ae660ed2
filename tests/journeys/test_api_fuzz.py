"""Whatever a program sends to the JSON interface, the answer is never an internal error."""

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case

from app.accounts.models import ApiToken
from app.accounts.service import TOKEN_START, sha256
from tests.conftest import SignedIn

pytestmark = pytest.mark.slow
SECRET = TOKEN_START + "x" * 43


@pytest.fixture
def token(app: FastAPI, owner: SignedIn) -> str:
    """A token that may do everything in a workspace with nothing in it."""
    with app.state.database.write() as session:
        session.add(
            ApiToken(
                workspace_id=owner.workspace_id,
                user_id=owner.user_id,
                name="fuzz",
                prefix=SECRET[:12],
                token_hash=sha256(SECRET),
            )
        )
    return SECRET


def test_no_request_breaks_it(app: FastAPI, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    described = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=headers)
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) > 40
    sent = 0

    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Case) -> None:
            nonlocal sent
            sent += 1
            answer = case.call(headers=headers)
            assert answer.status_code < 500, (answer.status_code, answer.text[:500])
            if answer.status_code >= 400:
                assert answer.json()["sentence"]

        ask()
    print(f"\n{sent} requests to {len(operations)} operations, none answered with an internal error")
