"""Locked out and back in; and what somebody can no longer hand out."""

import html
import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from app import rescue
from app.accounts import recovery, service
from app.accounts.errors import HasAnOwner, NobodyWithAddress
from app.accounts.models import Invitation, Membership, ResetLink, User, Workspace
from app.accounts.pages.member_routes import OWN_WITHDRAWN
from app.db import Database, now
from app.operations.erasure import erase_person
from app.settings import Settings
from app.storage import Storage
from app.web.gate.middleware import SESSION_COOKIE
from tests.answers import toast_of
from tests.app.accounts.conftest import Browser
from tests.app.accounts.test_members import at_once, invite, links_on, role_of, signed_part
from tests.conftest import PASSWORD, SignedIn, SignUp
from tests.servers import ROOT

NEW = "another long enough password"


def make_link(owner: SignedIn, member: SignedIn) -> str:
    """The link for a new password that the page shows, without the host."""
    answer = owner.client.post(f"/members/{member.user_id}/reset-link")
    assert answer.status_code == 200, answer.text
    (link,) = re.findall(r'data-copy="http://testserver(/password-reset\?token=[^"]+)"', html.unescape(answer.text))
    return link


def set_password(browser: Browser, link: str, password: str = NEW, **more: str):
    token = link.split("token=")[1]
    return browser.send(link, "/password-reset", token=token, password=password, password_again=password, **more)


def api_of(member: SignedIn, app: FastAPI) -> TestClient:
    page = member.client.post("/settings/tokens", data={"name": "shop"}).text
    secret = re.search(r"lvy_[\w-]{30,}", page)
    assert secret is not None
    return TestClient(app, headers={"authorization": f"Bearer {secret[0]}"}, follow_redirects=False)


def test_a_forgotten_password_is_no_dead_end(
    owner: SignedIn, sign_up: SignUp, browser: Browser, another_browser: Browser, database: Database
) -> None:
    bob = sign_up(email="bob@example.org", role="editor", workspace_id=owner.workspace_id)
    link = make_link(owner, bob)
    page = browser.client.get(link)
    assert "bob@example.org" in page.text
    # Neither an address nor a referrer carries the token on; plain HTTP's forms still say where they come from.
    assert page.headers["referrer-policy"] == "strict-origin"
    assert bob.client.get("/account").status_code == 200
    assert set_password(browser, link).headers["location"] == "/sign-in"
    assert bob.client.get("/account").status_code == 303
    assert browser.sign_in("bob@example.org", PASSWORD).status_code == 422
    assert browser.sign_in("bob@example.org", NEW).status_code == 303
    assert another_browser.client.get(link).status_code == 404
    with database.read() as session:
        assert session.scalars(select(ResetLink)).all() == []
    assert "password-reset" not in owner.client.get("/members").text


def test_a_link_ends_with_the_next_one_with_an_hour_and_with_a_changed_password(
    owner: SignedIn, sign_up: SignUp, browser: Browser, database: Database
) -> None:
    bob = sign_up(role="editor", workspace_id=owner.workspace_id)
    first, second = make_link(owner, bob), make_link(owner, bob)
    assert [browser.client.get(link).status_code for link in (first, second)] == [404, 200]
    with database.write() as session:
        expires = session.scalars(select(ResetLink.expires_at)).one()
        assert timedelta(minutes=59) < expires - now() <= timedelta(hours=1)
        session.execute(update(ResetLink).values(expires_at=now()))
    assert browser.client.get(second).status_code == 404
    third = make_link(owner, bob)
    change = {"present": PASSWORD, "password": NEW, "password_again": NEW}
    assert bob.client.post("/account/password", data=change).status_code == 303
    assert browser.client.get(third).status_code == 404


def test_a_link_that_does_not_work_says_nothing_of_why(
    owner: SignedIn, sign_up: SignUp, browser: Browser, database: Database
) -> None:
    bob = sign_up(role="editor", workspace_id=owner.workspace_id)
    spent = make_link(owner, bob)
    make_link(owner, bob)
    with database.read() as session:
        (row,) = session.scalars(select(ResetLink))
    guesses = [
        spent,
        *(f"/password-reset?token={guess}" for guess in ("", "x", "%00", row.id, row.token_hash, "ü" * 99)),
    ]
    answers = [browser.client.get(guess) for guess in guesses]
    assert {answer.status_code for answer in answers} == {404}
    told = re.compile(r'value="[0-9a-f]+"|[0-9a-f]{64}|"served-at" content="[^"]+"')
    assert len({told.sub("", answer.text) for answer in answers}) == 1


def test_a_password_that_is_not_right_leaves_the_link_as_it_was(
    owner: SignedIn, sign_up: SignUp, browser: Browser
) -> None:
    bob = sign_up(email="bob@example.org", role="editor", workspace_id=owner.workspace_id)
    link = make_link(owner, bob)
    token = link.split("token=")[1]
    for password, again in (("short", "short"), (NEW, NEW + "!")):
        form = {"token": token, "password": password, "password_again": again}
        assert browser.send(link, "/password-reset", **form).status_code == 422
    assert bob.client.get("/account").status_code == 200
    assert set_password(browser, link).status_code == 303


def test_of_several_who_use_a_link_at_once_one_comes_through(
    owner: SignedIn, sign_up: SignUp, database: Database, password_hash: str
) -> None:
    bob = sign_up(role="editor", workspace_id=owner.workspace_id)
    with database.write() as session:
        _link, token = recovery.make_link(session, user_id=bob.user_id)
    use = [
        lambda session: recovery.use_link(session, token=token, password_hash=password_hash, revoke_tokens=False)
        for _number in range(4)
    ]
    assert at_once(database, *use) == 1


def test_trying_links_is_counted(browser: Browser) -> None:
    answers = [browser.client.get(f"/password-reset?token={number}").status_code for number in range(31)]
    assert answers == [404] * 30 + [429]


def test_tokens_end_with_the_password_if_wished(
    owner: SignedIn, sign_up: SignUp, browser: Browser, app: FastAPI
) -> None:
    bob = sign_up(email="bob@example.org", role="editor", workspace_id=owner.workspace_id)
    program = api_of(bob, app)
    set_password(browser, make_link(owner, bob))
    assert program.get("/api/v1/me").status_code == 200
    set_password(browser, make_link(owner, bob), revoke_tokens="1")
    assert program.get("/api/v1/me").status_code == 401


def test_nobody_is_taken_over_who_belongs_to_a_foreign_workspace(
    owner: SignedIn, sign_up: SignUp, browser: Browser, app: FastAPI, database: Database
) -> None:
    bob = sign_up(email="bob@example.org")
    with database.write() as session:
        session.add(Membership(workspace_id=owner.workspace_id, user_id=bob.user_id, role="viewer"))
    refused = owner.client.post(f"/members/{bob.user_id}/reset-link")
    assert refused.status_code == 409
    assert "python -m app.rescue bob@example.org" in refused.text
    # An owner of both may, in the browser; a token reaches one workspace and refuses.
    with database.write() as session:
        session.add(Membership(workspace_id=bob.workspace_id, user_id=owner.user_id, role="owner"))
    assert api_of(owner, app).post(f"/api/v1/members/{bob.user_id}/reset-link").status_code == 409
    link = make_link(owner, bob)
    assert browser.client.get(link).status_code == 200
    # What was right when it was made must be right when it is used.
    with database.write() as session:
        session.add(other := Workspace(name="Elsewhere"))
        session.flush()
        session.add(Membership(workspace_id=other.id, user_id=bob.user_id, role="viewer"))
    assert browser.client.get(link).status_code == 404
    assert owner.client.post(f"/members/{owner.user_id}/reset-link").status_code == 409
    assert bob.client.post(f"/members/{'0' * 32}/reset-link").status_code == 404


def test_the_api_makes_links_too(owner: SignedIn, sign_up: SignUp, browser: Browser, app: FastAPI) -> None:
    bob = sign_up(email="bob@example.org", role="editor", workspace_id=owner.workspace_id)
    made = api_of(owner, app).post(f"/api/v1/members/{bob.user_id}/reset-link")
    assert made.status_code == 201
    assert set_password(browser, made.json()["link"].removeprefix("http://testserver")).status_code == 303
    assert (
        api_of(sign_up(role="editor", workspace_id=owner.workspace_id), app)
        .post(f"/api/v1/members/{owner.user_id}/reset-link")
        .status_code
        == 403
    )


@pytest.mark.parametrize("how", ["role", "remove", "leave", "api role", "api remove", "demotes themselves"])
def test_who_is_no_owner_any_more_lets_nobody_in(
    owner: SignedIn, sign_up: SignUp, browser: Browser, app: FastAPI, database: Database, how: str
) -> None:
    bob = sign_up(email="bob@example.org", workspace_id=owner.workspace_id)
    cleo = sign_up(role="viewer", workspace_id=owner.workspace_id)
    theirs, ours = invite(bob, "bob2@example.org", "owner"), invite(owner, "dora@example.org")
    link = make_link(bob, cleo)
    program = api_of(owner, app)
    match how:
        case "role":
            answer = owner.client.post(f"/members/{bob.user_id}/role", data={"role": "viewer"})
        case "remove":
            answer = owner.client.post(f"/members/{bob.user_id}/remove")
        case "leave":
            answer = bob.client.post("/members/leave")
        case "demotes themselves":
            answer = bob.client.post(f"/members/{bob.user_id}/role", data={"role": "editor"})
        case "api role":
            answer = program.patch(f"/api/v1/members/{bob.user_id}", json={"role": "editor"})
        case _:
            answer = program.delete(f"/api/v1/members/{bob.user_id}")
    if how.startswith("api"):
        assert answer.json() == {"invitations": 1, "reset_links": 1}
    else:
        assert answer.status_code == 303
        client = bob.client if how in ("leave", "demotes themselves") else owner.client
        client.cookies.set("livery_flash", answer.cookies["livery_flash"])
        told = client.get("/sign-in" if how == "leave" else "/settings").text
        done, sentence = toast_of(told)
        assert done.startswith("member.") and (OWN_WITHDRAWN in sentence or re.findall(r"\d+", sentence) == ["1", "1"])
    for dead in (theirs, link):
        assert browser.client.get(dead).status_code == 404
    assert browser.client.get(ours).status_code == 200
    with database.read() as session:
        assert session.scalars(select(Invitation.email)).all() == ["dora@example.org"]


def test_an_inviter_must_still_be_an_owner_when_it_is_accepted(
    owner: SignedIn, sign_up: SignUp, browser: Browser, database: Database, storage: Storage, settings: Settings
) -> None:
    """However they lost it: by a way that withdraws nothing, or at the same moment."""
    bob = sign_up(email="bob@example.org", workspace_id=owner.workspace_id)
    link = invite(bob, "eve@example.org", "owner")
    token = browser.token(link)
    with database.write() as session:
        session.execute(update(Membership).where(Membership.user_id == bob.user_id).values(role="editor"))
    form = {"csrf_token": token, "invitation": signed_part(link), "name": "Eve", "password": PASSWORD}
    assert browser.client.post("/invitations/accept", data=form).status_code == 404
    assert "eve@example.org" not in owner.client.get("/members").text
    with database.write() as session:
        session.execute(update(Membership).where(Membership.user_id == bob.user_id).values(role="owner"))
    assert browser.client.get(link).status_code == 200
    erase_person(database, storage, settings.data_dir / "worker-cache", email="bob@example.org")
    assert browser.client.get(link).status_code == 404
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 1


def test_who_was_removed_does_not_come_back_by_an_invitation_left_unused(
    owner: SignedIn, sign_up: SignUp, browser: Browser
) -> None:
    """Bob came in by a link to another address, and kept the one to his own."""
    bob = sign_up(email="bob@example.org")
    own = invite(owner, "bob@example.org", "owner")
    owner.client.post("/members/invitations", data={"email": "bob.work@example.org", "role": "editor"})
    (other,) = [link for link in links_on(owner) if link != own]
    assert bob.client.post("/invitations/accept", data={"invitation": signed_part(other)}).status_code == 303
    assert browser.client.get(own).status_code == 200
    assert owner.client.post(f"/members/{bob.user_id}/remove").status_code == 303
    assert browser.client.get(own).status_code == 404


def test_a_link_ends_with_the_owner_who_made_it(
    owner: SignedIn, sign_up: SignUp, browser: Browser, database: Database, storage: Storage, settings: Settings
) -> None:
    bob = sign_up(email="bob@example.org", workspace_id=owner.workspace_id)
    link = make_link(bob, sign_up(role="viewer", workspace_id=owner.workspace_id))
    gone = erase_person(database, storage, settings.data_dir / "worker-cache", email="bob@example.org")
    assert gone.remains == [] and gone.rows["reset_links"] == 1
    assert browser.client.get(link).status_code == 404


# The command on the machine


def run_rescue(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As somebody at the terminal would, with no web process running."""
    environment = os.environ | {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url}
    environment["PUBLIC_URL"] = "https://livery.example"
    command = [sys.executable, "-m", "app.rescue", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_machine_prints_a_link(settings: Settings, sign_up: SignUp, browser: Browser, database: Database) -> None:
    bob = sign_up(email="bob@example.org")
    done = run_rescue(settings, " Bob@Example.org ")
    assert done.returncode == 0, done.stderr
    (link,) = re.findall(r"https://livery\.example(/password-reset\?token=[\w-]+)\n", done.stdout)
    assert set_password(browser, link).status_code == 303
    assert bob.client.get("/account").status_code == 303
    assert browser.sign_in("bob@example.org", NEW).status_code == 303


def test_the_machine_makes_an_owner_where_there_is_none(
    settings: Settings,
    owner: SignedIn,
    sign_up: SignUp,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    bob = sign_up(email="bob@example.org", role="viewer", workspace_id=owner.workspace_id)
    assert rescue.main(["bob@example.org", "--make-owner-of", "muster & co."]) == 1
    assert str(HasAnOwner(name="Muster & Co.")) in capsys.readouterr().err
    with database.write() as session:
        session.execute(update(Membership).where(Membership.user_id == owner.user_id).values(role="viewer"))
    assert rescue.main(["bob@example.org", "--make-owner-of", "muster & co."]) == 0
    assert role_of(database, owner.workspace_id, bob.user_id) == "owner"
    assert rescue.main(["bob@example.org", "--make-owner-of", "nothing"]) == 1
    sign_up()
    assert rescue.main(["bob@example.org", "--make-owner-of", "Muster & Co."]) == 1
    assert owner.workspace_id in capsys.readouterr().err
    assert rescue.main(["nobody@example.org"]) == 1
    assert str(NobodyWithAddress(email="nobody@example.org")) in capsys.readouterr().err


def test_without_a_database_the_machine_says_which_one_it_looked_for(settings: Settings) -> None:
    done = run_rescue(settings.model_copy(update={"database_url": f"sqlite:///{settings.data_dir}/none.db"}), "a@b.cd")
    assert done.returncode == 1
    assert "none.db" in done.stderr and "DATA_DIR" in done.stderr and "Traceback" not in done.stderr


def test_a_link_signs_somebody_else_out_of_this_browser_alone(
    owner: SignedIn, sign_up: SignUp, app: FastAPI, database: Database
) -> None:
    bob = sign_up(email="bob@example.org", role="editor", workspace_id=owner.workspace_id)
    with database.write() as session:
        elsewhere = service.open_session(session, session.get_one(User, owner.user_id), user_agent="elsewhere")
    form = {"token": make_link(owner, bob).partition("token=")[2], "password": NEW, "password_again": NEW}
    assert owner.client.post("/password-reset", data=form).status_code == 303
    assert owner.client.get("/account").status_code == 303
    other = TestClient(app, follow_redirects=False, cookies={SESSION_COOKIE: elsewhere})
    assert other.get("/account").status_code == 200
