"""Second factors: what lets somebody in, what does not, and what a workspace may ask of its members."""

import html
import re
from datetime import timedelta

import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from starlette.testclient import TestClient

from app import rescue
from app.accounts import second_factors
from app.accounts.models import Authenticator, BrowserSession, Membership, RecoveryCode, Workspace
from app.db import Database, now
from app.settings import Settings
from tests.answers import code_of
from tests.app.accounts.conftest import Browser
from tests.app.accounts.test_members import at_once, invite, role_of, signed_part
from tests.app.accounts.test_recovery import api_of
from tests.conftest import PASSWORD, SignedIn, SignUp

PAGE = "/account/second-factor"


class Clock:
    """The time that codes are counted by, so that no test waits for the next half minute."""

    def __init__(self) -> None:
        self.moment = 1_800_000_000.0

    def time(self) -> float:
        return self.moment

    def pass_a_step(self) -> None:
        self.moment += second_factors.STEP_SECONDS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(second_factors, "time", clock)
    return clock


def form_of(client: TestClient) -> tuple[str, str]:
    """The secret and the sealed proposal that the page shows."""
    text = client.get(PAGE).text
    secret, sealed = re.search(r'data-copy="([A-Z2-7]{32})"', text), re.search(r'name="sealed" value="([^"]+)"', text)
    assert secret and sealed
    return secret[1], html.unescape(sealed[1])


def set_up_app(member: SignedIn, clock: Clock) -> tuple[pyotp.TOTP, list[str]]:
    """The app, and the recovery codes that were shown."""
    secret, sealed = form_of(member.client)
    app = pyotp.TOTP(secret)
    answer = member.client.post(f"{PAGE}/authenticator", data={"sealed": sealed, "code": app.at(clock.moment)})
    assert answer.status_code == 200, answer.text
    clock.pass_a_step()
    return app, re.findall(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}", answer.text)


@pytest.fixture
def ada(sign_up: SignUp) -> SignedIn:
    return sign_up(email="ada@example.org")


def second_step(browser: Browser, code: str):
    return browser.send("/sign-in/second-step", "/sign-in/second-step", code=code)


def test_an_app_is_asked_for_after_the_password(
    ada: SignedIn, browser: Browser, clock: Clock, database: Database
) -> None:
    app, codes = set_up_app(ada, clock)
    assert len(set(codes)) == 10
    answer = browser.sign_in("ada@example.org", PASSWORD, next="/members")
    assert answer.headers["location"] == "/sign-in/second-step"
    assert browser.client.get("/members").status_code == 303, "the password alone opens nothing"
    assert second_step(browser, "000000").status_code == 422
    assert (
        second_step(browser, f" {app.at(clock.moment)[:3]} {app.at(clock.moment)[3:]}").headers["location"]
        == "/members"
    )
    assert browser.client.get("/members").status_code == 200
    with database.read() as session:
        (kept,) = session.scalars(select(Authenticator))
    assert app.secret not in kept.sealed_secret


def test_a_code_counts_once_and_for_a_minute_and_a_half(
    ada: SignedIn, browser: Browser, another_browser: Browser, clock: Clock, database: Database, app: FastAPI
) -> None:
    totp, _codes = set_up_app(ada, clock)
    # The code that set it up was used by that.
    for one in (browser, another_browser):
        one.sign_in("ada@example.org", PASSWORD)
    assert second_step(browser, totp.at(clock.moment - 30)).status_code == 422
    code = totp.at(clock.moment)
    assert second_step(browser, code).status_code == 303
    assert second_step(another_browser, code).status_code == 422
    for stale in (clock.moment - 60, clock.moment + 60):
        assert second_step(another_browser, totp.at(stale)).status_code == 422
    assert second_step(another_browser, totp.at(clock.moment + 30)).status_code == 303
    clock.moment += 60
    key, fresh = app.state.signing_key, totp.at(clock.moment)

    def use(session) -> None:
        second_factors.check_code(session, key, user_id=ada.user_id, code=fresh)

    assert at_once(database, *[use] * 4) == 1


def test_recovery_codes_count_once_each(
    ada: SignedIn, browser: Browser, another_browser: Browser, clock: Clock, database: Database
) -> None:
    _app, codes = set_up_app(ada, clock)
    browser.sign_in("ada@example.org", PASSWORD)
    assert second_step(browser, codes[3].upper().replace("-", " ")).status_code == 303
    another_browser.sign_in("ada@example.org", PASSWORD)
    assert second_step(another_browser, codes[3]).status_code == 422
    assert "9 codes are left" in browser.client.get(PAGE).text
    with database.read() as session:
        assert not {code.replace("-", "") for code in codes} & set(session.scalars(select(RecoveryCode.code_hash)))
    new = ada.client.post(f"{PAGE}/recovery-codes")
    assert second_step(another_browser, codes[4]).status_code in (303, 422)
    assert codes[4] not in new.text


def test_new_recovery_codes_end_the_old(ada: SignedIn, browser: Browser, clock: Clock) -> None:
    _app, codes = set_up_app(ada, clock)
    new = re.findall(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}", ada.client.post(f"{PAGE}/recovery-codes").text)
    browser.sign_in("ada@example.org", PASSWORD)
    assert [second_step(browser, code).status_code for code in (codes[0], new[0])] == [422, 303]


def test_codes_are_counted_and_a_right_password_does_not_start_anew(
    ada: SignedIn, browser: Browser, clock: Clock
) -> None:
    app, _codes = set_up_app(ada, clock)
    tries = []
    for number in range(11):
        browser.sign_in("ada@example.org", PASSWORD)
        tries.append(second_step(browser, f"{number:06}").status_code)
    assert tries == [422] * 10 + [429]
    assert second_step(browser, app.at(clock.moment)).status_code == 429


def test_the_second_step_needs_the_first(ada: SignedIn, browser: Browser, clock: Clock) -> None:
    app, _codes = set_up_app(ada, clock)
    assert browser.client.get("/sign-in/second-step").headers["location"] == "/sign-in"
    form = {"csrf_token": browser.token("/sign-in"), "code": app.at(clock.moment)}
    assert browser.client.post("/sign-in/second-step", data=form).status_code == 422
    browser.sign_in("ada@example.org", PASSWORD)
    token = browser.token("/sign-in/second-step")
    # A password that was changed meanwhile takes the first step back.
    new = "another long enough password"
    ada.client.post("/account/password", data={"present": PASSWORD, "password": new, "password_again": new})
    form = {"csrf_token": token, "code": app.at(clock.moment)}
    assert browser.client.post("/sign-in/second-step", data=form).status_code == 422
    assert browser.client.get("/account").status_code == 303


def test_the_first_factor_signs_other_browsers_out(ada: SignedIn, browser: Browser, clock: Clock) -> None:
    browser.sign_in("ada@example.org", PASSWORD)
    set_up_app(ada, clock)
    assert ada.client.get("/account").status_code == 200
    assert browser.client.get("/account").status_code == 303


def test_a_browser_left_open_changes_no_factor(ada: SignedIn, clock: Clock, database: Database) -> None:
    set_up_app(ada, clock)
    with database.write() as session:
        session.execute(update(BrowserSession).values(created_at=now() - timedelta(minutes=11)))
    assert 'name="present"' in ada.client.get(PAGE).text
    for address in (f"{PAGE}/authenticator/remove", f"{PAGE}/recovery-codes"):
        assert ada.client.post(address).status_code == 422
        assert ada.client.post(address, data={"present": "not the password"}).status_code == 422
    assert ada.client.post("/account/passkeys/options", data={"name": "x"}).status_code == 422
    with database.read() as session:
        assert session.scalars(select(Authenticator)).all() != []
    assert ada.client.post(f"{PAGE}/authenticator/remove", data={"present": PASSWORD}).status_code == 303
    with database.read() as session:
        assert session.scalars(select(RecoveryCode)).all() == [], "they would open nothing any more"


def test_only_the_page_itself_can_propose_a_secret(ada: SignedIn, sign_up: SignUp, clock: Clock) -> None:
    secret, sealed = form_of(sign_up().client)
    code = pyotp.TOTP(secret).at(clock.moment)
    for wrong in (sealed, "x" * 100, sealed[:-3] + "AAA"):
        assert ada.client.post(f"{PAGE}/authenticator", data={"sealed": wrong, "code": code}).status_code == 409
    secret, sealed = form_of(ada.client)
    clock.moment += 31 * 60
    code = pyotp.TOTP(secret).at(clock.moment)
    assert ada.client.post(f"{PAGE}/authenticator", data={"sealed": sealed, "code": code}).status_code == 409


def test_an_invitation_asks_for_the_second_step_too(
    ada: SignedIn, sign_up: SignUp, browser: Browser, clock: Clock, database: Database
) -> None:
    app, _codes = set_up_app(ada, clock)
    owner = sign_up()
    link = invite(owner, "ada@example.org")
    answer = browser.send(link, "/invitations/accept", invitation=signed_part(link), password=PASSWORD)
    assert answer.headers["location"] == "/sign-in/second-step"
    assert role_of(database, owner.workspace_id, ada.user_id) is None
    assert second_step(browser, app.at(clock.moment)).status_code == 303
    assert role_of(database, owner.workspace_id, ada.user_id) == "editor"


def test_with_another_secret_key_recovery_codes_still_open_and_the_app_says_why_not(
    ada: SignedIn, browser: Browser, clock: Clock, database: Database
) -> None:
    app, codes = set_up_app(ada, clock)
    with database.write() as session:
        session.execute(update(Authenticator).values(sealed_secret="sealed with another key"))
    browser.sign_in("ada@example.org", PASSWORD)
    answer = second_step(browser, app.at(clock.moment))
    assert answer.status_code == 409 and code_of(answer) == "secret_unreadable"
    assert second_step(browser, codes[0]).status_code == 303


# Others' factors


def test_an_owner_helps_a_member_who_lost_the_device(
    owner: SignedIn, sign_up: SignUp, browser: Browser, clock: Clock, app: FastAPI, database: Database
) -> None:
    bob = sign_up(email="bob@example.org", role="editor", workspace_id=owner.workspace_id, name="Bob")
    set_up_app(bob, clock)
    assert "Second factor" in owner.client.get("/members").text
    assert "Second factor" not in bob.client.get("/members").text.replace("Your second", "")
    members = {item["name"]: item for item in api_of(owner, app).get("/api/v1/members").json()["items"]}
    assert members["Bob"]["has_second_factor"] is True
    assert {item["has_second_factor"] for item in api_of(bob, app).get("/api/v1/members").json()["items"]} == {None}
    assert owner.client.post(f"/members/{bob.user_id}/second-factor/remove").status_code == 303
    assert bob.client.get("/account").status_code == 303
    assert browser.sign_in("bob@example.org", PASSWORD).headers["location"] == "/"
    # Not of somebody who also belongs elsewhere, by page or API.
    with database.write() as session:
        session.add(other := Workspace(name="Elsewhere"))
        session.flush()
        session.add(Membership(workspace_id=other.id, user_id=bob.user_id, role="viewer"))
    assert owner.client.post(f"/members/{bob.user_id}/second-factor/remove").status_code == 409
    assert api_of(owner, app).delete(f"/api/v1/members/{bob.user_id}/second-factor").status_code == 409


def test_a_new_password_leaves_the_second_factor_and_the_machine_can_remove_it(
    ada: SignedIn,
    browser: Browser,
    clock: Clock,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_app(ada, clock)
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    assert rescue.main(["ada@example.org"]) == 0
    printed = capsys.readouterr().out
    assert "--remove-second-factors" in printed
    (link,) = re.findall(r"(/password-reset\?token=\S+)", printed)
    new = "another long enough password"
    browser.send(link, "/password-reset", token=link.split("token=")[1], password=new, password_again=new)
    assert browser.sign_in("ada@example.org", new).headers["location"] == "/sign-in/second-step"
    assert rescue.main(["ada@example.org", "--remove-second-factors"]) == 0
    assert browser.sign_in("ada@example.org", new).headers["location"] == "/"


# What a workspace asks for


@pytest.fixture
def strict(owner: SignedIn, clock: Clock) -> SignedIn:
    """The owner of a workspace that asks everybody for a second factor."""
    form = {"name": "Muster & Co.", "requires_second_factor": "1"}
    assert owner.client.post("/settings", data=form).status_code == 409, "they would lock themselves out"
    set_up_app(owner, clock)
    assert owner.client.post("/settings", data=form).status_code == 303
    return owner


def test_without_a_factor_nothing_is_open_in_a_workspace_that_asks_for_one(
    strict: SignedIn, sign_up: SignUp, clock: Clock, app: FastAPI, database: Database
) -> None:
    with database.write() as session:
        session.execute(update(Workspace).values(requires_second_factor=False))
    bob = sign_up(role="owner", workspace_id=strict.workspace_id)
    program, owners = api_of(bob, app), api_of(strict, app)
    changed = owners.patch("/api/v1/workspace", json={"requires_second_factor": True})
    assert changed.json()["requires_second_factor"] is True

    for path in ("/projects", "/members", "/settings", "/accountant", "/live"):
        answer = bob.client.get(path)
        assert (answer.status_code, answer.headers.get("location")) == (303, PAGE), path
    assert bob.client.get("/members", headers={"hx-request": "true"}).headers["hx-redirect"] == PAGE
    assert bob.client.post("/settings", data={"name": "Mine"}).status_code == 403
    assert bob.client.post("/members/invitations", data={"email": "a@b.cd"}).status_code == 403
    for answer in (program.get("/api/v1/me"), program.get("/api/v1/projects"), program.get("/metrics")):
        assert answer.status_code == 403 and code_of(answer) == "second_factor_needed"
    assert owners.get("/api/v1/me").json()["has_second_factor"] is True

    page = bob.client.get(PAGE)
    assert page.status_code == 200 and 'data-state="factor-needed"' in page.text
    assert [bob.client.get(path).status_code for path in ("/account", "/workspaces")] == [200, 200]
    # Elsewhere they work as before.
    assert bob.client.post("/workspaces", data={"name": "Own"}).status_code == 303
    assert bob.client.get("/members").status_code == 200
    bob.client.post("/workspace/switch", data={"workspace_id": strict.workspace_id})
    assert bob.client.get("/members").status_code == 303

    set_up_app(bob, clock)
    assert bob.client.get("/members").status_code == 200
    assert program.get("/api/v1/me").status_code == 200
    bob.client.post(f"{PAGE}/authenticator/remove")
    assert bob.client.get("/members").status_code == 303


# Settings


def test_a_sign_in_ends_with_its_days_and_with_idle_ones(
    settings: Settings, browser: Browser, sign_up: SignUp, database: Database
) -> None:
    from app.main import create_app

    sign_up(email="ada@example.org")
    token = browser.sign_in("ada@example.org", PASSWORD).cookies["livery_session"]

    def comes_in(**changed: int) -> bool:
        app = create_app(settings.model_copy(update=changed))
        try:
            client = TestClient(app, cookies={"livery_session": token}, follow_redirects=False)
            return client.get("/account").status_code == 200
        finally:
            app.state.commit_hook.stop()
            app.state.database.engine.dispose()

    with database.write() as session:
        session.execute(update(BrowserSession).values(created_at=now() - timedelta(days=8)))
    assert comes_in()
    assert not comes_in(sign_in_days=7)
    with database.write() as session:
        session.execute(update(BrowserSession).values(last_seen_at=now() - timedelta(days=3)))
    assert not comes_in(sign_in_idle_days=2)
    assert comes_in(sign_in_idle_days=4)


@pytest.mark.parametrize(
    ("by", "of_the_first", "of_another"),
    [("everybody", 303, 303), ("first-owners", 303, 403), ("nobody", 403, 403)],
)
def test_who_may_make_workspaces_is_a_setting(
    settings: Settings, sign_up: SignUp, app: FastAPI, by: str, of_the_first: int, of_another: int
) -> None:
    first, other = sign_up(), sign_up()
    settings.workspaces_by = by  # type: ignore[assignment]
    for member, expected in ((first, of_the_first), (other, of_another)):
        program = api_of(member, app)
        may = expected == 303
        assert program.get("/api/v1/me").json()["may_make_workspaces"] is may
        assert ('action="/workspaces"' in member.client.get("/workspaces").text) is may
        made = program.post("/api/v1/workspaces", json={"name": "By a program"})
        assert made.status_code == (201 if may else 403)
        assert len(program.get("/api/v1/workspaces").json()["items"]) == (2 if may else 1)
        assert member.client.post("/workspaces", data={"name": "Second"}).status_code == expected
