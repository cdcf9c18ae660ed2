"""Members, roles, invitations, workspaces."""

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts import members
from app.accounts.models import ApiToken, BrowserSession, Invitation, Membership, User, Workspace
from app.db import Database, now
from app.errors import AppError
from tests.answers import code_of
from tests.app.accounts.conftest import Browser
from tests.conftest import PASSWORD, SignedIn, SignUp


def links_on(client: SignedIn) -> list[str]:
    """The invitation links that the page offers to copy, without the host."""
    text = html.unescape(client.client.get("/members").text)
    return re.findall(r'data-copy="http://testserver(/invitations/accept\?invitation=[^"]+)"', text)


def invite(owner: SignedIn, email: str = "bob@example.org", role: str = "editor") -> str:
    answer = owner.client.post("/members/invitations", data={"email": email, "role": role})
    assert answer.status_code == 303, answer.text
    return links_on(owner)[0]


def signed_part(link: str) -> str:
    return link.split("invitation=")[1]


def role_of(database: Database, workspace_id: str, user_id: str) -> str | None:
    with database.read() as session:
        return session.scalar(
            select(Membership.role).where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        )


def test_somebody_new_comes_in_by_invitation_once(
    owner: SignedIn, browser: Browser, another_browser: Browser, database: Database
) -> None:
    link = invite(owner, " Bob@Example.org ")
    page = browser.client.get(link)
    assert "Muster &amp; Co." in page.text and "bob@example.org" in page.text
    answer = browser.send(link, "/invitations/accept", invitation=signed_part(link), name="Bob", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Bob" in browser.client.get("/members").text
    with database.read() as session:
        bob = session.scalars(select(User).where(User.email == "bob@example.org")).one()
    assert role_of(database, owner.workspace_id, bob.id) == "editor"
    assert another_browser.client.get(link).status_code == 404
    assert links_on(owner) == []
    again = browser.client.post(
        "/invitations/accept",
        data={"invitation": signed_part(link), "csrf_token": browser.token("/account")},
    )
    assert again.status_code == 404


def test_somebody_of_another_workspace_joins_with_what_they_have(
    owner: SignedIn, sign_up: SignUp, database: Database
) -> None:
    bob = sign_up(email="bob@example.org")
    link = invite(owner, "bob@example.org", "viewer")
    assert 'data-state="signed-in"' in bob.client.get(link).text
    assert bob.client.post("/invitations/accept", data={"invitation": signed_part(link)}).status_code == 303
    assert role_of(database, owner.workspace_id, bob.user_id) == "viewer"
    # The browser looks at the workspace that was joined, as a viewer.
    assert bob.client.post("/settings", data={"name": "Mine"}).status_code == 403
    assert bob.client.post("/workspace/switch", data={"workspace_id": bob.workspace_id}).status_code == 303
    assert bob.client.post("/settings", data={"name": "Mine"}).status_code == 303


def test_somebody_signed_out_with_an_account_gives_its_password(
    owner: SignedIn, sign_up: SignUp, browser: Browser, database: Database
) -> None:
    bob = sign_up(email="bob@example.org")
    link = invite(owner, "bob@example.org")
    page = browser.client.get(link).text
    assert 'autocomplete="current-password"' in page and 'name="name"' not in page
    token = browser.token(link)
    sent = {"csrf_token": token, "invitation": signed_part(link), "name": "Eve"}
    wrong = browser.client.post("/invitations/accept", data={**sent, "password": "not the password"})
    assert wrong.status_code == 422
    assert role_of(database, owner.workspace_id, bob.user_id) is None
    assert browser.client.post("/invitations/accept", data={**sent, "password": PASSWORD}).status_code == 303
    assert role_of(database, owner.workspace_id, bob.user_id) == "editor"


def test_an_invitation_ends_after_seven_days(owner: SignedIn, browser: Browser, database: Database) -> None:
    link = invite(owner)
    token = browser.token(link)
    with database.write() as session:
        expires = session.scalars(select(Invitation.expires_at)).one()
        assert timedelta(days=6, hours=23) < expires - now() <= timedelta(days=7)
        session.execute(update(Invitation).values(expires_at=now()))
    assert browser.client.get(link).status_code == 404
    late = browser.client.post(
        "/invitations/accept",
        data={"csrf_token": token, "invitation": signed_part(link), "name": "Bob", "password": PASSWORD},
    )
    assert late.status_code == 404
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 1


def test_an_invitation_can_be_withdrawn(owner: SignedIn, browser: Browser, database: Database) -> None:
    link = invite(owner)
    with database.read() as session:
        invitation_id = session.scalars(select(Invitation.id)).one()
    assert owner.client.post(f"/members/invitations/{invitation_id}/withdraw").status_code == 303
    assert browser.client.get(link).status_code == 404
    assert owner.client.post(f"/members/invitations/{invitation_id}/withdraw").status_code == 404


def test_a_new_invitation_takes_the_place_of_the_old(owner: SignedIn, browser: Browser) -> None:
    old = invite(owner, role="owner")
    new = invite(owner, role="viewer")
    assert len(links_on(owner)) == 1
    assert (browser.client.get(old).status_code, browser.client.get(new).status_code) == (404, 200)


def test_a_link_cannot_be_made_without_the_key(owner: SignedIn, browser: Browser, database: Database) -> None:
    signed = signed_part(invite(owner))
    with database.read() as session:
        invitation_id = session.scalars(select(Invitation.id)).one()
    text, _, signature = signed.rpartition(".")
    forged = [
        invitation_id,
        # Not the last character: some of its bits are padding, so two of them can mean the same signature.
        text + "." + ("A" if signature[0] != "A" else "B") + signature[1:],
        URLSafeSerializer(b"only for tests", salt="flash").dumps(invitation_id),
        URLSafeSerializer(b"another key", salt="invitation").dumps(invitation_id),
        URLSafeSerializer(b"only for tests", salt="invitation").dumps({"id": invitation_id}),
        URLSafeSerializer(b"only for tests", salt="invitation").dumps("0" * 32),
        "",
        "\x00",
        "ü",
    ]
    token = browser.token(f"/invitations/accept?invitation={signed}")
    for one in forged:
        assert browser.client.get("/invitations/accept", params={"invitation": one}).status_code == 404, one
        answer = browser.client.post(
            "/invitations/accept",
            data={"csrf_token": token, "invitation": one, "name": "Eve", "password": PASSWORD},
        )
        assert answer.status_code in (404, 422), one
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 1


def test_a_member_is_not_invited_again(owner: SignedIn, sign_up: SignUp) -> None:
    sign_up(email="bob@example.org", role="viewer", workspace_id=owner.workspace_id)
    answer = owner.client.post("/members/invitations", data={"email": "BOB@example.org", "role": "owner"})
    assert answer.status_code == 409


@pytest.mark.parametrize("role", ["admin", "", "OWNER", "\x00"])
def test_a_role_is_one_of_three(owner: SignedIn, sign_up: SignUp, role: str) -> None:
    bob = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert owner.client.post(f"/members/{bob.user_id}/role", data={"role": role}).status_code == 422


def test_a_new_role_counts_at_once(owner: SignedIn, sign_up: SignUp, database: Database) -> None:
    bob = sign_up(role="viewer", workspace_id=owner.workspace_id)
    assert bob.client.post("/settings", data={"name": "B"}).status_code == 403
    assert owner.client.post(f"/members/{bob.user_id}/role", data={"role": "owner"}).status_code == 303
    assert bob.client.post("/settings", data={"name": "B"}).status_code == 303
    assert bob.client.post(f"/members/{owner.user_id}/role", data={"role": "viewer"}).status_code == 303
    assert owner.client.post("/settings", data={"name": "A"}).status_code == 403


def test_the_last_owner_stays(owner: SignedIn, sign_up: SignUp, database: Database) -> None:
    sign_up(role="editor", workspace_id=owner.workspace_id)
    for answer in (
        owner.client.post(f"/members/{owner.user_id}/role", data={"role": "editor"}),
        owner.client.post(f"/members/{owner.user_id}/remove"),
        owner.client.post("/members/leave"),
    ):
        assert answer.status_code == 409
    assert owner.client.post(f"/members/{owner.user_id}/role", data={"role": "owner"}).status_code == 303
    assert role_of(database, owner.workspace_id, owner.user_id) == "owner"


def test_who_is_removed_loses_browsers_and_tokens_here_and_keeps_those_elsewhere(
    owner: SignedIn, sign_up: SignUp, browser: Browser, database: Database
) -> None:
    bob = sign_up(email="bob@example.org")
    with database.write() as session:
        session.add(Membership(workspace_id=owner.workspace_id, user_id=bob.user_id, role="editor"))
    browser.sign_in("bob@example.org", PASSWORD)
    browser.send("/account", "/workspace/switch", workspace_id=owner.workspace_id)
    browser.send("/account", "/settings/tokens", name="here")
    bob.client.post("/settings/tokens", data={"name": "elsewhere"})
    assert owner.client.post(f"/members/{bob.user_id}/remove").status_code == 303
    assert browser.client.get("/members").status_code == 303
    assert bob.client.get("/members").status_code == 200
    with database.read() as session:
        revoked = {token.name: token.revoked_at is not None for token in session.scalars(select(ApiToken))}
        assert revoked == {"here": True, "elsewhere": False}
        kept = session.scalars(select(BrowserSession.workspace_id).where(BrowserSession.user_id == bob.user_id)).all()
    assert kept == [bob.workspace_id]


def test_who_belongs_nowhere_any_more_is_told_so_and_can_be_invited_again(
    owner: SignedIn, sign_up: SignUp, browser: Browser, database: Database
) -> None:
    bob = sign_up(email="bob@example.org", role="editor", workspace_id=owner.workspace_id)
    assert bob.client.post("/members/leave").headers["location"] == "/sign-in"
    answer = browser.sign_in("bob@example.org", PASSWORD)
    assert answer.status_code == 403 and code_of(answer) == "no_workspace"
    assert browser.sign_in("bob@example.org", "wrong password").status_code == 422
    link = invite(owner, "bob@example.org")
    joined = browser.send(link, "/invitations/accept", invitation=signed_part(link), password=PASSWORD)
    assert joined.status_code == 303
    assert browser.client.get("/members").status_code == 200


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_only_owners_manage_people_and_settings(
    owner: SignedIn, sign_up: SignUp, database: Database, role: str
) -> None:
    invite(owner)
    bob = sign_up(role=role, workspace_id=owner.workspace_id)
    with database.read() as session:
        invitation_id = session.scalars(select(Invitation.id)).one()
    tries = [
        ("/settings", {"name": "Mine", "currency": "EUR"}),
        ("/members/invitations", {"email": "eve@example.org", "role": "owner"}),
        (f"/members/invitations/{invitation_id}/withdraw", {}),
        (f"/members/{bob.user_id}/role", {"role": "owner"}),
        (f"/members/{owner.user_id}/remove", {}),
    ]
    for address, form in tries:
        assert bob.client.post(address, data=form).status_code == 403, address
    page = bob.client.get("/members").text
    assert "bob@example.org" not in page and "/withdraw" not in page and "invitations/accept" not in page
    assert bob.client.get("/settings").status_code == 200


def test_several_workspaces(owner: SignedIn, sign_up: SignUp, database: Database) -> None:
    other = sign_up()
    assert owner.client.post("/workspaces", data={"name": " Second "}).headers["location"] == "/"
    page = owner.client.get("/workspaces").text
    assert "Second" in page and page.count('data-state="here"') == 1
    with database.read() as session:
        second = session.scalars(select(Workspace.id).where(Workspace.name == "Second")).one()
        assert session.get_one(BrowserSession, owner.session_id).workspace_id == second
    assert owner.client.post("/workspace/switch", data={"workspace_id": other.workspace_id}).status_code == 404
    assert owner.client.post("/workspace/switch", data={"workspace_id": "x"}).status_code == 422
    assert owner.client.post("/workspace/switch", data={"workspace_id": owner.workspace_id}).status_code == 303
    assert "Muster" in owner.client.get("/members").text


@pytest.mark.parametrize(
    ("written", "kept"), [("1.5", "1.50"), ("1,5", "1.50"), (" 0 ", "0.00"), ("", None), ("99999", "99999.00")]
)
def test_what_an_hour_costs(owner: SignedIn, database: Database, written: str, kept: str | None) -> None:
    form = {"name": "Nordlicht", "price_per_hour": written, "currency": "CHF"}
    assert owner.client.post("/settings", data=form).status_code == 303
    with database.read() as session:
        workspace = session.get_one(Workspace, owner.workspace_id)
    assert (workspace.name, workspace.currency) == ("Nordlicht", "CHF")
    assert workspace.price_per_hour is None if kept is None else str(workspace.price_per_hour) == kept
    assert owner.client.get("/settings").status_code == 200


@pytest.mark.parametrize("wrong", ["-1", "1.234", "100000", "NaN", "inf", "1e9", "ten", "1" * 400])
def test_what_an_hour_cannot_cost(owner: SignedIn, wrong: str) -> None:
    form = {"name": "Nordlicht", "price_per_hour": wrong, "currency": "EUR"}
    assert owner.client.post("/settings", data=form).status_code == 422
    assert owner.client.post("/settings", data={"name": "A", "currency": "XXX"}).status_code == 422


def at_once(database: Database, *steps: Callable[[Session], object]) -> int:
    """How many of the steps came through, each in its own transaction at the same time."""

    def run(step: Callable[[Session], object]) -> bool:
        try:
            with database.write() as session:
                step(session)
        except AppError:
            return False
        return True

    with ThreadPoolExecutor(len(steps)) as pool:
        return sum(pool.map(run, steps))


def test_two_owners_cannot_demote_each_other_at_once(owner: SignedIn, sign_up: SignUp, database: Database) -> None:
    bob = sign_up(role="owner", workspace_id=owner.workspace_id)

    def demote(user_id: str) -> Callable[[Session], object]:
        return lambda session: members.change_role(
            session, workspace_id=owner.workspace_id, user_id=user_id, role="viewer"
        )

    assert at_once(database, demote(owner.user_id), demote(bob.user_id)) == 1
    roles = {role_of(database, owner.workspace_id, one.user_id) for one in (owner, bob)}
    assert roles == {"owner", "viewer"}


def test_of_several_who_use_one_link_at_once_one_comes_in(owner: SignedIn, sign_up: SignUp, database: Database) -> None:
    invite(owner)
    with database.read() as session:
        invitation_id = session.scalars(select(Invitation.id)).one()

    def accept(user_id: str) -> Callable[[Session], object]:
        return lambda session: members.accept_invitation(session, invitation_id=invitation_id, user_id=user_id)

    assert at_once(database, *[accept(sign_up().user_id) for _number in range(4)]) == 1
    with database.read() as session:
        there = select(func.count()).where(Membership.workspace_id == owner.workspace_id)
        assert session.scalar(there.select_from(Membership)) == 2
