"""What services and routes may add to the event of their transaction. Where nobody follows, as in a worker, they do
nothing: what a job does is no event, its order was."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.audit import chain, following
from app.audit.actions import ACTIONS
from app.audit.following import Actor, Draft
from app.audit.models import AuditChain, AuditEvent


def by(session: Session, *, id: str, name: str, link: str | None = None) -> None:
    """Say who acts where the request itself does not know it: who has just signed in, or uses the link ``link``."""
    draft = following.draft_of(session)
    if draft is not None:
        draft.actor = Actor("link", link, name, id) if link else Actor("person", id, name, id)


def within(session: Session, workspace_id: str) -> None:
    """Say which workspace it is about, where that is not the one that the visitor looks at."""
    draft = following.draft_of(session)
    if draft is not None:
        draft.workspace_id = workspace_id


def about(session: Session, *, id: str | None = None, label: str | None = None, **changes: list[Any]) -> None:
    """Say which thing it is about and what changed, as ``field=[before, after]``, where the rows do not tell."""
    draft = following.draft_of(session)
    if draft is not None:
        draft.subject_id, draft.label = id or draft.subject_id, label or draft.label
        draft.told |= changes


def named(session: Session, action: str) -> None:
    """Say more exactly what is done than the route could. ``action`` is a key of ``ACTIONS``."""
    assert action in ACTIONS
    draft = following.draft_of(session)
    if draft is not None:
        draft.action = action


def record_command(
    session: Session,
    command: str,
    action: str,
    *,
    id: str | None = None,
    label: str | None = None,
    **told: Any,
) -> AuditEvent:
    """The event of a command, as the last thing in its transaction."""
    actor = Actor("command", None, command)
    draft = Draft(action=action, actor=actor, subject_id=id, label=label, told=told, rows=1)
    following.follow(session, draft)
    made = following.record(session)
    assert made is not None
    return made


AT_ONCE = 500
_WORDS = re.compile(r"[^\s\"]+")


def forget(session: Session, needles: set[str]) -> dict[str, int]:
    """Erase the details of all events that name one of these ids or e-mail addresses. Says how many, by the tag of
    their chain; the erasure's own event has to tell it, or the check takes them for tampered with."""
    table, found, erased = AuditEvent.__table__, [], Counter[str]()
    columns = [table.c[name] for name in ("id", "chain", *chain.DETAILS)]
    wanted = select(*columns).where(table.c.salt.is_not(None)).execution_options(yield_per=1000)
    for row in session.execute(wanted):
        if not needles.isdisjoint(_WORDS.findall(json.dumps(list(row[2:]), ensure_ascii=False).lower())):
            found.append(row.id)
            erased[chain.tag(row.chain)] += 1
    nothing: dict[str, Any] = dict.fromkeys((*chain.DETAILS, "salt"))
    for start in range(0, len(found), AT_ONCE):
        session.execute(
            update(AuditEvent)
            .where(AuditEvent.id.in_(found[start : start + AT_ONCE]))
            .values(nothing)
            .execution_options(synchronize_session=False)
        )
    return dict(erased)


def ends(session: Session, workspace_ids: Iterable[str]) -> dict[str, list[Any]]:
    """How many events each of these workspaces' chains has, and its last hash, by the chain's tag: what stays of a
    chain that goes with its workspace."""
    rows = session.execute(
        select(AuditChain.chain, AuditChain.length, AuditChain.hash).where(AuditChain.workspace_id.in_(workspace_ids))
    )
    return {chain.tag(row.chain): [row.length, row.hash] for row in rows}
