"""Follows one transaction: what it changes, by whom, and at its end the one event about it.

A route says in a word what it does; what changed is seen here, so nothing can be forgotten. A transaction that changed
something and has no name or nobody who did it is not committed (``Unrecorded``); one that changed nothing leaves no
event. Values that the ORM sets to what they were are no change; statements count the rows that they met.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Table, event, inspect, select
from sqlalchemy.orm import ORMExecuteState, Session

from app.audit import chain
from app.audit.actions import ACTIONS
from app.audit.errors import Unrecorded
from app.audit.kinds import KINDS, Kind
from app.audit.models import AuditEvent

DRAFT = "livery.audit"
MOST_IDS = 20
"""Of several things, so many ids are kept."""
LONGEST_VALUE = 200
LONGEST_LABEL = 200


@dataclass(frozen=True)
class Actor:
    """Who does something. ``person_id`` is the person behind a token or a link."""

    kind: str
    """``person``, ``token``, ``link`` or ``command``."""
    id: str | None
    name: str
    person_id: str | None = None


@dataclass
class Draft:
    """The event of a transaction that is still going on."""

    action: str | None
    actor: Actor | None = None
    workspace_id: str | None = None
    request: str = ""
    addressed: Mapping[str, str] = field(default_factory=dict)
    """The ids of the request's address, by parameter."""
    project_id: str | None = None
    subject_id: str | None = None
    label: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    """All that were written, of any table."""
    seen: dict[str, str] = field(default_factory=dict)
    """Labels of the things it is about, by id."""
    beyond: int = 0
    """Further things, which one statement met and whose ids were not asked for."""
    fields: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.seen) + self.beyond

    @property
    def kind(self) -> Kind | None:
        return KINDS[ACTIONS[self.action].kind] if self.action else None


def follow(session: Session, draft: Draft) -> None:
    """From now on until ``record``, note what the session changes."""
    session.info[DRAFT] = draft


def draft_of(session: Session) -> Draft | None:
    draft: Draft | None = session.info.get(DRAFT)
    return draft


def record(session: Session) -> AuditEvent | None:
    """The event about everything that this session has changed since ``follow``; None where it changed nothing.

    Raises ``Unrecorded`` where nobody has said what it is or who does it.
    """
    session.flush()
    draft = session.info.pop(DRAFT)
    if not draft.rows:
        return None
    if draft.action is None:
        raise Unrecorded("this route changes something and does not say what: put @audited(…) before it")
    if draft.actor is None:
        raise Unrecorded(f"nobody is said to have done {draft.action}: call audit.by(session, …)")
    action, actor = ACTIONS[draft.action], draft.actor
    return chain.append(
        session,
        workspace_id=None if action.is_of_installation else draft.workspace_id,
        action=draft.action,
        actor_kind=actor.kind,
        request=draft.request,
        details={
            "actor_id": actor.id,
            "actor_name": actor.name[:120],
            "person_id": actor.person_id,
            **_subject(session, draft, KINDS[action.kind]),
            "project_id": draft.project_id or draft.addressed.get("project_id"),
            "changes": _changes(draft) or None,
        },
    )


def _subject(session: Session, draft: Draft, kind: Kind) -> dict[str, Any]:
    subject, label, count = draft.subject_id, draft.label, max(draft.count, 1)
    if subject is None:
        subject = next((draft.addressed[name] for name in kind.parameters if name in draft.addressed), None)
    if subject is None and len(draft.seen) == 1 == draft.count:
        subject = next(iter(draft.seen))
    if subject:
        count = 1
        label = label or draft.seen.get(subject)
        if not label and (subject not in draft.seen or kind.label_table):
            label = _label(session, draft, kind, subject)
    elif draft.seen and count > 1:
        draft.told.setdefault("ids", sorted(draft.seen)[:MOST_IDS])
    if kind.table == "projects":
        draft.project_id = subject
    return {
        "subject_id": subject[:80] if subject else None,
        "subject_label": (label or "")[:LONGEST_LABEL] or None,
        "count": count,
    }


def _label(session: Session, draft: Draft, kind: Kind, subject: str) -> str:
    """The name of something that the transaction has not touched itself, such as a training whose job is stopped."""
    if not kind.table or "id" not in (table := AuditEvent.metadata.tables[kind.label_table or kind.table]).c:
        return ""
    columns = [table.c[kind.label or "id"], *([table.c.project_id] if "project_id" in table.c else [])]
    found = session.execute(select(*columns).where(table.c.id == subject)).one_or_none()
    if found is not None and len(columns) == 2:
        draft.project_id = found[1]
    return str(found[0] if found else subject) if kind.label else ""


def _own_label(kind: Kind, row: Any) -> str:
    """The name that a row or an object bears itself."""
    return str(getattr(row, kind.label) or "")[:LONGEST_LABEL] if kind.label and not kind.label_table else ""


def _identity(table: Table) -> ColumnElement[str]:
    return table.c["id"] if "id" in table.c else table.c["user_id" if "user_id" in table.c else "workspace_id"]


def _changes(draft: Draft) -> dict[str, Any]:
    changes = dict(draft.told)
    if draft.count > 1:
        changes = {name: value for name, value in changes.items() if name == "ids" or not isinstance(value, list)}
    if draft.fields:
        changes["fields"] = sorted(draft.fields)
    return changes


def _plain(value: Any) -> Any:
    """A value as JSON keeps it, short enough for a log."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        return round(float(value), 4)
    if isinstance(value, list):
        return [_plain(one) for one in value[:MOST_IDS]]
    if isinstance(value, datetime):
        return chain.moment(value)
    return str(value)[:LONGEST_VALUE]


@event.listens_for(Session, "after_flush")
def _note_objects(session: Session, _context: Any) -> None:
    draft = draft_of(session)
    if draft is None:
        return
    changed = [one for one in session.dirty if session.is_modified(one)]
    draft.rows += len(session.new) + len(changed) + len(session.deleted)
    kind = draft.kind
    if kind is None:
        return
    for one in [*session.new, *changed, *session.deleted]:
        if one.__table__.name == kind.table:
            _note_object(draft, kind, one, is_new=one in session.new)


def _note_object(draft: Draft, kind: Kind, one: Any, *, is_new: bool) -> None:
    state = inspect(one)
    identity = str(getattr(one, "id", None) or getattr(one, "user_id", None) or "")
    draft.seen.setdefault(identity, _own_label(kind, one))
    draft.project_id = getattr(one, "project_id", None) or draft.project_id
    for name in (*kind.told, *kind.named):
        history = state.attrs[name].history
        if not history.has_changes() or (is_new and (name in kind.named or name == kind.label)):
            continue
        if name in kind.named:
            draft.fields.add(name)
        else:
            before = _plain(history.deleted[0]) if history.deleted else None
            after = _plain(history.added[0]) if history.added else None
            _tell(draft, name, before, after)


def _tell(draft: Draft, name: str, before: Any, after: Any) -> None:
    """Keeps the first value and the last, where several flushes change the same; nothing where they are equal."""
    before = draft.told.pop(name, [before])[0]
    if before != after and (before, after) != (None, []):
        draft.told[name] = [before, after]


@event.listens_for(Session, "do_orm_execute")
def _note_statement(execution: ORMExecuteState) -> Any:
    draft = draft_of(execution.session)
    if draft is None or not (execution.is_insert or execution.is_update or execution.is_delete):
        return None
    statement: Any = execution.statement
    kind, table = draft.kind, statement.table
    before: Sequence[Any] = ()
    if kind is not None and kind.table == table.name and not execution.is_insert:
        told = [table.c[name] for name in kind.told]
        label = [table.c[kind.label]] if kind.label and not kind.label_table else []
        brand = [table.c.project_id] if "project_id" in table.c else []
        wanted = select(_identity(table), *brand, *label, *told)
        if statement.whereclause is not None:
            wanted = wanted.where(statement.whereclause)
        # In the same order each time: a second statement about the same rows must not add others to their number.
        before = execution.session.execute(wanted.order_by(_identity(table)).limit(MOST_IDS)).all()
    result: Any = execution.invoke_statement()
    if not statement.returning_column_descriptions:
        count = result.rowcount if result.rowcount >= 0 else 1
    else:
        frozen = result.freeze()
        result, count = frozen(), len(frozen.data)
    draft.rows += count
    if kind is not None and kind.table == table.name and count:
        _note_rows(draft, kind, statement, before, count, is_update=execution.is_update)
    return result


def _note_rows(draft: Draft, kind: Kind, statement: Any, before: Any, count: int, *, is_update: bool) -> None:
    for row in before:
        draft.seen.setdefault(str(row[0]), _own_label(kind, row))
        draft.project_id = getattr(row, "project_id", None) or draft.project_id
    draft.beyond = max(draft.beyond, count - len(before))
    if not is_update:
        return
    values = statement.compile().params
    draft.fields.update(name for name in kind.named if name in values)
    for name in kind.told:
        if name in values and len(before) == 1:
            _tell(draft, name, _plain(getattr(before[0], name)), _plain(values[name]))
