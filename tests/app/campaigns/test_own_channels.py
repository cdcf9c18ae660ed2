"""A workspace's own channels, beside those that Livery knows."""

import pytest

from app.campaigns.channels.queries import OWN, channel_for, channels_for
from app.db import Database
from app.layouts.channels import NoChannel, Paper, channels
from tests.conftest import SignedIn, SignUp
from tests.tokens import api_client

PAGE = "/settings/channels"
SCREEN = {"name": "Fair screen", "width_px": "1080", "height_px": "1920", "safe_top": "100", "file_type": "png"}
PRINT = {"name": "Folder", "medium": "print", "width_mm": "85,5", "height_mm": "200", "dpi": "300", "safe_left": ""}


def keys(database: Database, workspace_id: str) -> list[str]:
    with database.read() as session:
        return [one.key for one in channels_for(session, workspace_id)]


def test_owners_add_channels_for_screens_and_prints(database: Database, owner: SignedIn) -> None:
    for form in (SCREEN, PRINT):
        assert owner.client.post(PAGE, data=form).status_code == 303
    with database.read() as session:
        *known, screen, folder = channels_for(session, owner.workspace_id)
    assert tuple(known) == channels()
    assert (screen.name["de"], screen.ratio, screen.proportion, screen.safe.top) == (
        "Fair screen",
        (9, 16),
        "tall",
        100,
    )
    assert (folder.file_type, folder.paper) == ("pdf", Paper(85.5, 200, 3, 300))
    assert folder.canvas.bleed_px == 36
    assert screen.key.startswith(OWN)
    assert screen.key != folder.key


def test_no_channel_that_livery_knows_has_a_key_of_a_workspace() -> None:
    assert [one.key for one in channels() if one.key.startswith(OWN)] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"width_px": "20"}, "channel_size"),
        ({"width_px": "100", "height_px": "1500"}, "channel_size"),
        ({"width_px": "9000", "height_px": "9000"}, "channel_size"),
        ({"safe_top": "1900"}, "nothing_free"),
        ({"width_px": ""}, "pixels_missing"),
        ({"medium": "print"}, "print_incomplete"),
        ({"medium": "print", "width_mm": "2000", "height_mm": "850"}, "channel_size"),
        ({"name": "FAIR screen"}, "channel_name_taken"),
        ({"file_type": "gif"}, "invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_channel_that_could_not_be_drawn_is_refused(
    database: Database, owner: SignedIn, change: dict[str, str], code: str
) -> None:
    owner.client.post(PAGE, data=SCREEN)
    before = keys(database, owner.workspace_id)
    answer = owner.client.post(PAGE, data={**SCREEN, "name": "Another"} | change, headers={"hx-request": "true"})
    assert answer.status_code in (409, 422)
    assert f'data-code="{code}"' in answer.text
    assert keys(database, owner.workspace_id) == before


def test_a_removed_channel_is_offered_no_more_and_still_found(database: Database, owner: SignedIn) -> None:
    client = api_client(owner)
    made = client.post("/api/v1/ad-channels", json={"name": "Wall", "width_px": 800, "height_px": 600}).json()
    assert client.delete(f"/api/v1/ad-channels/{made['id']}").status_code == 204
    assert client.delete(f"/api/v1/ad-channels/{made['id']}").status_code == 404
    assert made["key"] not in keys(database, owner.workspace_id)
    with database.read() as session:
        assert channel_for(session, owner.workspace_id, made["key"]).width_px == 800
    assert client.post(f"/api/v1/ad-channels/{made['id']}/put-back").json() == made
    assert made["key"] in [one["key"] for one in client.get("/api/v1/ad-channels").json()["items"]]


def test_channels_are_their_workspaces_own(database: Database, owner: SignedIn, sign_up: SignUp) -> None:
    owner.client.post(PAGE, data=SCREEN)
    key = keys(database, owner.workspace_id)[-1]
    other = sign_up()
    assert keys(database, other.workspace_id) == [one.key for one in channels()]
    with database.read() as session, pytest.raises(NoChannel):
        channel_for(session, other.workspace_id, key)
    for action in ("remove", "put-back"):
        assert other.client.post(f"{PAGE}/{key.removeprefix(OWN)}/{action}").status_code == 404


def test_only_owners_change_channels(database: Database, owner: SignedIn, sign_up: SignUp) -> None:
    owner.client.post(PAGE, data=SCREEN)
    editor = sign_up(role="editor", workspace_id=owner.workspace_id)
    shown = editor.client.get(PAGE)
    assert ('data-own="1"' in shown.text, 'name="medium"' in shown.text) == (True, False)
    assert editor.client.post(PAGE, data={**SCREEN, "name": "Another"}).status_code == 403
    assert api_client(editor).post("/api/v1/ad-channels", json={"name": "A", "width_px": 9}).status_code == 403
