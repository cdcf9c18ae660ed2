"""The page, the API and the exports of the log; and what the walk through all routes cannot do: come in by a link."""

import csv
import io
import json
import re

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from app.audit import queries, shown
from app.audit.actions import ACTIONS, CHANGED, CREATED
from app.audit.kinds import KINDS
from app.audit.models import AuditEvent
from app.web.gate import rate_limit
from tests.answers import code_of, tells
from tests.conftest import PASSWORD, SignedIn, SignUp
from tests.tokens import api_client


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    rate_limit._limiter.cache_clear()


def the(kind: str, label: str) -> str:
    return (KINDS[kind].one or "") % {"label": label}


def actions_on(page: str) -> list[str]:
    """What the log on a page tells of, the newest first."""
    return re.findall(r' data-action="([a-z_.]+)"', page)


def all_events(app: FastAPI) -> list[AuditEvent]:
    with app.state.database.read() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.at, AuditEvent.sequence)))


def test_the_first_owner_signs_in_and_out_and_somebody_comes_by_a_link(app: FastAPI) -> None:
    client = TestClient(app, follow_redirects=False)
    form = {"password": PASSWORD, "password_again": PASSWORD}

    def post(path: str, **data: str) -> None:
        pages = (client.get(one).text for one in ("/account", path, "/sign-in"))
        token = next(found for text in pages if (found := re.search(r'name="csrf_token" value="([^"]+)"', text)))
        answer = client.post(path, data=data | {"csrf_token": token[1]})
        assert answer.status_code in (200, 303), answer.text

    post("/setup", name="Ada", email="ada@example.org", workspace_name="Nordlicht", **form)
    post("/members/invitations", email="grace@example.org", role="editor")
    found = re.search(r"/invitations/accept\?invitation=[\w.-]+", client.get("/members").text)
    assert found is not None
    link = found[0]
    post("/sign-out")
    post("/invitations/accept", invitation=link.partition("=")[2], name="Grace", **form)
    post("/sign-in", email="ada@example.org", password=PASSWORD)
    told = [(event.action, event.actor_kind, event.actor_name, event.chain) for event in all_events(app)]
    workspace = all_events(app)[1].workspace_id
    assert told == [
        ("installation.set_up", "person", "Ada", "installation"),
        ("invitation.created", "person", "Ada", workspace),
        ("session.closed", "person", "Ada", "installation"),
        ("member.joined", "link", "Grace", workspace),
        ("session.opened", "person", "Ada", "installation"),
    ]
    refused = client.post("/sign-in", data={"email": "ada@example.org", "password": "wrong and long"})
    assert refused.status_code >= 400 and len(all_events(app)) == 5, "a wrong password changes nothing"


def test_a_link_for_a_password_leaves_one_event_where_it_was_used(app: FastAPI, sign_up: SignUp) -> None:
    owner = sign_up()
    colleague = sign_up(name="Grace", role="editor", workspace_id=owner.workspace_id)
    made = owner.client.post(f"/members/{colleague.user_id}/reset-link").text
    link = re.search(r"/password-reset\?token=([\w-]+)", made)
    assert link is not None
    stranger = TestClient(app, follow_redirects=False)
    found = re.search(r'name="csrf_token" value="([^"]+)"', stranger.get(link[0]).text)
    assert found is not None
    form = {"token": link[1], "password": "another long password", "password_again": "another long password"}
    answers = [stranger.post("/password-reset", data=form | {"csrf_token": found[1]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 404], "a second click finds the link used"
    assert code_of(answers[1]) == "reset_link_spent"
    told = [(event.action, event.actor_kind, event.person_id, event.subject_label) for event in all_events(app)]
    assert told == [
        ("reset_link.created", "person", owner.user_id, "Grace"),
        ("person.password_reset", "link", colleague.user_id, "Grace"),
    ]


def test_the_page_tells_in_sentences_and_is_narrowed(app: FastAPI, sign_up: SignUp) -> None:
    owner = sign_up(name="Ada <b>")
    colleague = sign_up(name="Grace", role="editor", workspace_id=owner.workspace_id)
    brand = colleague.client.post("/projects", data={"name": "Nordlicht"}).headers["location"].split("/")[2]
    owner.client.post(f"/projects/{brand}/name", data={"name": "Südlicht"})
    owner.client.post("/settings/tokens", data={"name": "Shop"})
    text = owner.client.get("/settings/audit").text
    assert tells(text, CREATED, who="Grace", what=the("project", "Nordlicht"))
    assert tells(text, CHANGED, who="Ada <b>", what=the("project", "Südlicht")) and "Nordlicht → Südlicht" in text
    assert tells(text, CREATED, who="Ada <b>", what=the("token", "Shop"))
    assert "Ada &lt;b&gt;" in text and "Ada <b>" not in text
    of_grace = owner.client.get(f"/settings/audit?person={colleague.user_id}&group=&since=&until=").text
    assert actions_on(of_grace) == ["project.created"]
    of_people = owner.client.get("/settings/audit?group=people").text
    assert actions_on(of_people) == ["token.created"]
    assert 'data-state="no-event"' in owner.client.get("/settings/audit?until=2020-01-01").text
    assert "project.created" in actions_on(owner.client.get("/settings/audit?since=2020-01-01").text)
    assert 'data-state="intact-3"' in owner.client.get("/settings/audit?check=true").text
    assert colleague.client.get("/settings/audit").status_code == 403
    assert owner.client.get("/settings/audit?person=nobody").status_code == 422


def test_a_broken_chain_is_said_to_be_broken(app: FastAPI, owner: SignedIn) -> None:
    for name in ("one", "two", "three"):
        owner.client.post("/campaigns", data={"name": name})
    with app.state.database.write() as session:
        second = session.scalars(select(AuditEvent).where(AuditEvent.sequence == 2)).one()
        second.subject_label = "somewhat else"
    assert 'data-state="broken-2"' in owner.client.get("/settings/audit?check=true").text
    found = api_client(owner).get("/api/v1/audit/check").json()
    assert (found["intact"], found["broken_at"], found["why"], found["length"]) == (False, 2, "changed", 1)
    answers = [owner.client.get("/settings/audit?check=true").status_code for _ in range(6)]
    assert answers[-1] == 429, "a check reads the whole log, so it has a limit"


def test_programs_list_page_by_page_and_export_what_can_be_checked(app: FastAPI, owner: SignedIn) -> None:
    for number in range(queries.PAGE + 5):
        owner.client.post("/campaigns", data={"name": f"=No. {number}"})
    program = api_client(owner)
    first = program.get("/api/v1/audit").json()
    second = program.get(f"/api/v1/audit?cursor={first['next']}").json()
    numbers = [one["sequence"] for one in first["items"] + second["items"]]
    assert numbers == list(range(queries.PAGE + 5, 0, -1)) and second["next"] is None
    assert first["items"][0]["sentence"] == f"Ada Muster created the campaign “=No. {queries.PAGE + 4}”."
    assert 'rel="next"' in owner.client.get("/settings/audit").text

    program.post("/api/v1/campaigns", json={"name": "by a program"})
    newest = program.get("/api/v1/audit").json()["items"][0]
    assert (newest["actor_kind"], newest["actor_name"]) == ("token", "Test (Ada Muster)")
    assert newest["person_id"] == owner.user_id
    for client, path in ((program, "/api/v1/audit/export/jsonl"), (owner.client, "/settings/audit/export/jsonl")):
        lines = [json.loads(line) for line in client.get(path).text.splitlines()]
        assert [line["sequence"] for line in lines] == list(range(1, queries.PAGE + 7))
    rows = list(csv.DictReader(io.StringIO(owner.client.get("/settings/audit/export/csv").text)))
    assert rows[0]["subject_label"] == "'=No. 0", "a spreadsheet must not take it for a formula"
    assert len(rows) == queries.PAGE + 6


def test_the_installations_log_is_for_owners_of_the_first_workspace(owner: SignedIn, sign_up: SignUp) -> None:
    other = sign_up()
    owner.client.post("/account/name", data={"name": "Ada Lovelace"})
    text = owner.client.get("/settings/audit?installation=true").text
    assert tells(text, ACTIONS["person.changed"].sentence, who="Ada Muster")
    assert 'href="/settings/audit?installation=true"' in owner.client.get("/settings/audit").text
    for path in ("/settings/audit", "/settings/audit/export/csv"):
        assert other.client.get(f"{path}?installation=true").status_code == 403
    assert 'href="/settings/audit?installation=true"' not in other.client.get("/settings/audit").text
    assert api_client(other).get("/api/v1/audit?installation=true").status_code == 403


@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_action_has_a_sentence(locale: str) -> None:
    for key in ACTIONS:
        for label, count in (("Nord %s", 1), (None, 1), (None, 1200), (None, None)):
            event = AuditEvent(action=key, actor_kind="token", actor_name="CI", subject_label=label, count=count)
            assert "%(" not in shown.sentence(event, locale)
    unknown = AuditEvent(action="of.a.later.version", actor_kind="person", actor_name="Ada", count=1)
    assert shown.sentence(unknown, locale) == "Ada: of.a.later.version"


def test_only_values_of_ours_are_translated() -> None:
    changes = {"name": ["open", "keep"], "locale": ["en", "de"], "theme": [None, "dark"]}
    event = AuditEvent(action="campaign.renamed", actor_kind="person", actor_name="Ada", changes=changes)
    told = {change.name: change.values for change in shown.changes(event, "de")}
    assert told == {"Name": ("open", "keep"), "Sprache": ("Englisch", "Deutsch"), "Darstellung": ("", "dunkel")}
