"""Every route that changes something says what it does, and leaves exactly one event in the same transaction.

Walks all routes that the application has, as ``test_other_workspaces`` does; see ``worlds.py``.
"""

from fastapi import FastAPI
from sqlalchemy import select

from app.audit.actions import ACTIONS, GROUPS
from app.audit.kinds import FIELDS, KINDS
from app.audit.models import AuditEvent
from app.db import Base, Database
from app.web.audited import action_of
from app.web.session_deps import _write
from tests.rules.worlds import Walk, walks

CHANGES_NOTHING = {
    "POST /adapter-files/passport",
    "POST /gallery/selection/download",
    "POST /api/v1/outputs/download",
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
