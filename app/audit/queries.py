"""What may be seen of the log, and whether it is whole."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import chain
from app.audit.chain import Verdict
from app.audit.models import INSTALLATION, AuditChain, AuditEvent

ERASURES = ("project.erased", "person.erased")


def verify(session: Session, workspace_id: str | None) -> Verdict:
    """Read a chain from its beginning and compare it with what its head says. None: the installation's.

    Details that are gone without an erasure that tells of them count as tampered with.
    """
    name = workspace_id or INSTALLATION
    head = session.execute(select(AuditChain.length, AuditChain.hash).where(AuditChain.chain == name)).one_or_none()
    length, end = (head.length, head.hash) if head is not None else (0, "")
    verdict = chain.check(name, chain.read(session, name), length=length, end=end)
    if verdict.is_intact and verdict.erased > _told_of(session, name):
        verdict.broken_at, verdict.why = verdict.first_erased, "erased"
    return verdict


def _told_of(session: Session, name: str) -> int:
    """How many events of a chain were erased, by what the erasures say."""
    wanted = select(AuditEvent.changes).where(AuditEvent.chain == INSTALLATION, AuditEvent.action.in_(ERASURES))
    return sum((told or {}).get("events", {}).get(chain.tag(name), 0) for told in session.scalars(wanted))
