"""Every route that changes something says what it does, and leaves exactly one event in the same transaction.

Walks all routes that the application has, as ``test_other_workspaces`` does; see ``worlds.py``.
"""

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.adapters import inspecting
from app.audit.actions import ACTIONS, GROUPS
from app.audit.kinds import FIELDS, KINDS
from app.audit.models import AuditEvent
from app.db import Base, Database
from app.storage import Storage
from app.web.api.audited import action_of
from app.web.gate import rate_limit
from app.web.session_deps import _write
from tests.narrow import narrow
from tests.rules.sound_requests import SOUND, Sound
from tests.rules.worlds import Unspent, Walk, World, brief, rows_of, walks

REFUSED = {
    "POST /setup": "somebody is here already",
    "POST /invitations/accept": "whoever is a member already cannot accept",
    "POST /password-reset": "the token of a made-up link is not known",
}
"""What a member of a workspace that is set up cannot do; tested in ``tests/app/audit/test_events.py``."""

CHANGES_NOTHING = {
    "POST /adapter-files/passport",
    "POST /gallery/selection/download",
    "POST /api/v1/outputs/download",
    "POST /sign-in/passkey/options",
    "POST /account/passkeys/options",
    "POST /api/v1/voice/imports/{import_id}/preview",
    "POST /api/v1/projects/{project_id}/trainings/plan",
    "POST /api/v1/projects/{project_id}/voice-trainings/plan",
}
"""They answer a question that is too long for an address; they have no session for writing."""


def events_of(database: Database) -> list[AuditEvent]:
    with database.read() as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.at, AuditEvent.sequence)))


def calls(walk: Walk) -> set[object]:
    waiting, found = [walk.route.dependant], set()
    while waiting:
        dependant = waiting.pop()
        found.add(dependant.call)
        waiting += dependant.dependencies
    return found


def test_every_changing_route_says_what_it_does(app: FastAPI) -> None:
    """The word stands before the function: ``@audited("image.deleted")``."""
    wrong = []
    for walk in walks(app):
        action, writes = action_of(walk.route.endpoint), _write in calls(walk)
        if walk.changes and action is None and str(walk) not in CHANGES_NOTHING:
            wrong.append(f"{walk} changes something: put @audited(…) before it")
        if writes != (action is not None):
            wrong.append(f"{walk}: a session for writing and @audited go together")
        if writes and not walk.changes:
            wrong.append(f"{walk}: looking changes nothing")
    assert not wrong, "\n".join(wrong)
    assert not CHANGES_NOTHING - {str(walk) for walk in walks(app)}, "gone, so it need not be listed"


def test_the_tables_of_the_log_fit_the_database() -> None:
    tables = Base.metadata.tables
    for key, action in ACTIONS.items():
        assert action.group in GROUPS, key
        assert action.kind in KINDS, key
        assert "%(who)s" in action.sentence, key
    for name, kind in KINDS.items():
        columns = set(tables[kind.table].columns.keys()) if kind.table else set()
        assert {*kind.told, *kind.named} <= columns, name
        assert {*kind.told, *kind.named} <= set(FIELDS), name
        labels = tables[kind.label_table or kind.table].columns if kind.table else {}
        assert not kind.label or kind.label in labels, name


SECRETS = {"password_hash", "token_hash", "sealed", "sealed_secret", "text", "caption", "prompt", "edited", "brief"}


def test_no_secret_and_no_text_is_told() -> None:
    assert not [name for name, kind in KINDS.items() if SECRETS & {*kind.told, kind.label}]


@pytest.mark.slow
def test_every_changing_route_leaves_exactly_one_event(
    app: FastAPI, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, 12)  # an adapter as narrow as that, which no real base is
    # In this process, as the one that looks at headers would know nothing of it.
    monkeypatch.setattr(inspecting, "looked_at", inspecting.report_of)
    wrong, worlds = [], Unspent(app, storage, "ours")
    for walk in walks(app):
        if not walk.changes or str(walk) in CHANGES_NOTHING:
            continue
        rate_limit._limiter.cache_clear()
        ours, sound = worlds.world_for(walk), SOUND.get(str(walk), Sound())
        sound.make_ready(app.state.database, ours)
        before, known = rows_of(app.state.database, ours), len(events_of(app.state.database))
        answer = sound.send(walk, ours)
        fresh = events_of(app.state.database)[known:]
        if str(walk) in REFUSED:
            if fresh or answer.status_code < 400:
                wrong.append(f"{walk}: need not be listed in REFUSED")
        elif answer.status_code >= 400:
            wrong.append(f"{walk} is refused: {brief(answer)}")
        elif len(fresh) != 1:
            wrong.append(f"{walk}: {len(fresh)} events, {brief(answer)}")
        else:
            wrong += [f"{walk}: {fault}" for fault in faults(walk, ours, fresh[0], answer)]
        if not fresh and but_uses(rows_of(app.state.database, ours)) != but_uses(before):
            wrong.append(f"{walk} changed something without an event")
    assert not wrong, "\n".join(wrong)


def but_uses(rows: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    """Browsers and tokens note by themselves when they were last used."""
    left_out = ("last_seen_at", "last_used_at")
    return {
        table: [{name: value for name, value in row.items() if name not in left_out} for row in found]
        for table, found in rows.items()
    }


def faults(walk: Walk, ours: World, event: AuditEvent, answer: object) -> list[str]:
    found = []
    action = action_of(walk.route.endpoint)
    if event.action != action:
        found.append(f"{event.action} instead of {action}")
    expected = ("token", ours.id("api_tokens")) if walk.is_api else ("person", ours.id("users"))
    if (event.actor_kind, event.actor_id) != expected or event.person_id != ours.id("users"):
        found.append(f"done by {event.actor_kind} {event.actor_id}")
    installation = ACTIONS[event.action].is_of_installation
    if event.action != "workspace.created" and event.workspace_id != (None if installation else ours.id("workspaces")):
        found.append(f"in the chain of {event.workspace_id}")
    if event.request != answer.headers["x-request-id"]:  # type: ignore[attr-defined]
        found.append("without the request's number")
    return found
