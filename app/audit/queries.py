"""What may be seen of the log, and whether it is whole."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.audit import chain
from app.audit.actions import ACTIONS
from app.audit.chain import Verdict
from app.audit.models import INSTALLATION, AuditChain, AuditEvent

PAGE = 50
MOST_PEOPLE = 200
ERASURES = ("project.erased", "person.erased")


@dataclass(frozen=True)
class Wanted:
    """Which events of a chain; None and empty leave a filter out."""

    person_id: str | None = None
    group: str | None = None
    """A key of ``actions.GROUPS``."""
    since: datetime | None = None
    until: datetime | None = None
    """Up to, and without, this moment."""


def events(
    session: Session, workspace_id: str | None, wanted: Wanted, *, before: int | None = None, limit: int = PAGE
) -> list[AuditEvent]:
    """The newest first, at most ``limit`` and one more, if there is one. ``before`` is the sequence number of the last
    one that was seen. A ``workspace_id`` of None names the installation's chain."""
    found = select(AuditEvent).where(AuditEvent.chain == (workspace_id or INSTALLATION))
    if before is not None:
        found = found.where(AuditEvent.sequence < before)
    if wanted.person_id:
        found = found.where(AuditEvent.person_id == wanted.person_id)
    if wanted.group:
        actions = [key for key, action in ACTIONS.items() if action.group == wanted.group]
        found = found.where(AuditEvent.action.in_(actions))
    if wanted.since:
        found = found.where(AuditEvent.at >= wanted.since)
    if wanted.until:
        found = found.where(AuditEvent.at < wanted.until)
    return list(session.scalars(found.order_by(AuditEvent.sequence.desc()).limit(limit + 1)))


def people(session: Session, workspace_id: str | None) -> list[tuple[str, str]]:
    """Id and name of everybody who has done something in this chain, by name."""
    own = case((AuditEvent.actor_kind == "token", None), else_=AuditEvent.actor_name)
    name = func.coalesce(func.max(own), func.max(AuditEvent.actor_name))
    rows = session.execute(
        select(AuditEvent.person_id, name)
        .where(AuditEvent.chain == (workspace_id or INSTALLATION), AuditEvent.person_id.is_not(None))
        .group_by(AuditEvent.person_id)
        .order_by(name)
        .limit(MOST_PEOPLE)
    )
    return [(person_id, found or "") for person_id, found in rows]


def head(session: Session, workspace_id: str | None) -> tuple[int, str]:
    """How many events a chain has, and its last hash."""
    wanted = select(AuditChain.length, AuditChain.hash).where(AuditChain.chain == (workspace_id or INSTALLATION))
    found = session.execute(wanted).one_or_none()
    return (found.length, found.hash) if found is not None else (0, "")


def chains(session: Session) -> list[str | None]:
    """The workspaces of all chains; None for the installation's."""
    return [None, *session.scalars(select(AuditChain.workspace_id).where(AuditChain.workspace_id.is_not(None)))]


def verify(session: Session, workspace_id: str | None) -> Verdict:
    """Read a chain from its beginning and compare it with what its head says. None: the installation's.

    Details that are gone without an erasure that tells of them count as tampered with.
    """
    name = workspace_id or INSTALLATION
    verdict = chain.check(name, chain.read(session, name))
    if not verdict.length and verdict.is_intact and head(session, workspace_id)[0]:
        # All of it is gone; or the very first event came just now.
        verdict = chain.check(name, chain.read(session, name))
        if not verdict.length:
            verdict.broken_at, verdict.why = 1, "missing"
    if verdict.is_intact and verdict.erased > _told_of(session, name):
        verdict.broken_at, verdict.why = verdict.first_erased, "erased"
    return verdict


def _told_of(session: Session, name: str) -> int:
    """How many events of a chain were erased, by what the erasures say."""
    wanted = select(AuditEvent.changes).where(AuditEvent.chain == INSTALLATION, AuditEvent.action.in_(ERASURES))
    return sum((told or {}).get("events", {}).get(chain.tag(name), 0) for told in session.scalars(wanted))


def hashes(session: Session, name: str) -> dict[int, str]:
    """The hash of every event of a chain by its sequence number."""
    rows = session.execute(select(AuditEvent.sequence, AuditEvent.hash).where(AuditEvent.chain == name))
    return {row.sequence: row.hash for row in rows}
