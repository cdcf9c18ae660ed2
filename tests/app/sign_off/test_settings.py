"""Owners decide on a page or with a program; everybody may read what holds."""

from starlette.testclient import TestClient

from tests.app.sign_off.conftest import Program
from tests.conftest import SignedIn

RULES = ("forbids_own_approval", "viewers_download_open")


def held(api: TestClient) -> list[bool]:
    found = api.get("/api/v1/workspace").json()
    return [found[name] for name in RULES]


def test_a_program_changes_each_by_itself(owner: SignedIn, program: Program) -> None:
    api = program(owner)
    assert held(api) == [False, False]
    assert api.patch("/api/v1/workspace", json={"forbids_own_approval": True}).status_code == 200
    assert held(api) == [True, False]
    api.patch("/api/v1/workspace", json={"viewers_download_open": True})
    assert held(api) == [True, True]
    told = api.get("/api/v1/audit").json()["items"]
    assert [one["action"] for one in told].count("workspace.changed") == 2


def test_the_page_changes_both_and_others_only_read(
    owner: SignedIn, editor: SignedIn, viewer: SignedIn, program: Program
) -> None:
    form = {"name": "Nordlicht", "forbids_own_approval": "1"}
    assert editor.client.post("/settings", data=form).status_code == 403
    assert program(editor).patch("/api/v1/workspace", json={"forbids_own_approval": True}).status_code == 403
    assert owner.client.post("/settings", data=form).status_code == 303
    assert held(program(owner)) == [True, False]
    assert 'data-state="forbids-own"' in viewer.client.get("/settings").text
