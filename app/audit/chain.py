"""The chain itself: what is hashed, how an event is added, and how a chain is checked. No rows of other features."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, outerjoin, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.audit.models import INSTALLATION, AuditChain, AuditEvent
from app.db import new_id, now

VERSION = 1
"""Of the way in which the bytes are made; it is part of them."""

DETAILS = ("actor_id", "actor_name", "person_id", "project_id", "subject_id", "subject_label", "count", "changes")
HASHED = ("chain", "sequence", "at", "action", "actor_kind", "request", "digest", "previous")


def _bytes(value: dict[str, Any]) -> bytes:
    """JSON with sorted keys and without spaces, as UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def digest_of(salt: str, details: dict[str, Any]) -> str:
    """The SHA-256 of the details with their salt, which keeps short details from being guessed once they are erased."""
    return hashlib.sha256(_bytes({"salt": salt} | {name: details[name] for name in DETAILS})).hexdigest()


def hash_of(event: dict[str, Any]) -> str:
    """The SHA-256 of one event, which holds the hash of the one before."""
    content = {name: event[name] for name in HASHED} | {"v": VERSION}
    return hashlib.sha256(_bytes(content | {"at": moment(event["at"])})).hexdigest()


def tag(chain: str) -> str:
    """Names a chain where its workspace's id must not stand, as that may be erased later."""
    return hashlib.sha256(chain.encode()).hexdigest()[:16]


def moment(at: datetime | str) -> str:
    """Always UTC with microseconds, as ``2026-11-29T14:00:00.000000+00:00``."""
    return at if isinstance(at, str) else at.astimezone(UTC).isoformat(timespec="microseconds")


def append(
    session: Session,
    *,
    workspace_id: str | None,
    action: str,
    actor_kind: str,
    request: str,
    details: dict[str, Any],
) -> AuditEvent:
    """Add one event at the end of a chain. Call it last in a transaction: until its end nobody else can add to it."""
    head = _held(session, workspace_id)
    event: dict[str, Any] = {
        "id": new_id(),
        "chain": head.chain,
        "workspace_id": workspace_id,
        "sequence": head.length + 1,
        "at": now(),
        "action": action,
        "actor_kind": actor_kind,
        "request": request,
        "previous": head.hash,
        "salt": new_id(),
    } | {name: details.get(name) for name in DETAILS}
    event["digest"] = digest_of(event["salt"], event)
    event["hash"] = hash_of(event)
    session.execute(insert(AuditEvent).values(event))
    session.execute(
        update(AuditChain)
        .where(AuditChain.chain == head.chain)
        .values(length=event["sequence"], hash=event["hash"])
        .execution_options(synchronize_session=False)
    )
    return AuditEvent(**event)


def _held(session: Session, workspace_id: str | None) -> Any:
    """The end of the chain, held until the transaction ends. SQLite has one writer, so there nobody needs to wait."""
    name = workspace_id or INSTALLATION
    wanted = (
        select(AuditChain.chain, AuditChain.length, AuditChain.hash).where(AuditChain.chain == name).with_for_update()
    )
    found = session.execute(wanted).one_or_none()
    if found is None:
        dialect = session.get_bind().dialect.name
        new = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(AuditChain)
        values = {"chain": name, "workspace_id": workspace_id, "length": 0, "hash": ""}
        session.execute(new.values(values).on_conflict_do_nothing())
        found = session.execute(wanted).one()
    return found


@dataclass
class Verdict:
    """What a check has found. ``broken_at`` is the sequence number of the first event that does not fit."""

    chain: str
    length: int = 0
    """Events that were read and fit."""
    hash: str = ""
    """Of the last event that fits."""
    last_at: str | None = None
    erased: int = 0
    """Events whose details were erased."""
    broken_at: int | None = None
    why: str = ""
    """``changed``, ``missing``, ``order``, ``end`` or ``erased``."""
    first_erased: int | None = None

    @property
    def is_intact(self) -> bool:
        return self.broken_at is None


def check(chain: str, events: Iterable[dict[str, Any]]) -> Verdict:
    """Read a chain from its beginning; ``events`` come by their sequence number. Where they say what the head of the
    chain says (``head_length``, ``head_hash``), it has to be so."""
    verdict, length, end = Verdict(chain), None, ""
    for event in events:
        why = _fault(verdict, event)
        if why:
            verdict.broken_at, verdict.why = min(event["sequence"], verdict.length + 1), why
            return verdict
        length, end = event.get("head_length", length), event.get("head_hash", end)
        verdict.length, verdict.hash, verdict.last_at = event["sequence"], event["hash"], moment(event["at"])
        if event["salt"] is None:
            verdict.erased += 1
            verdict.first_erased = verdict.first_erased or event["sequence"]
    if length is not None and (length, end) != (verdict.length, verdict.hash):
        # Fewer than the head knows: the end was cut off. More: somebody appended without the head.
        verdict.broken_at = min(length, verdict.length) + (length != verdict.length)
        verdict.why = "missing" if length > verdict.length else "end"
    return verdict


def _fault(so_far: Verdict, event: dict[str, Any]) -> str:
    if event["chain"] != so_far.chain:
        return "order"
    if event["sequence"] != so_far.length + 1:
        return "missing" if event["sequence"] > so_far.length + 1 else "order"
    if event["previous"] != so_far.hash:
        return "order"
    if hash_of(event) != event["hash"]:
        return "changed"
    if event["salt"] is None:
        return "changed" if any(event[name] is not None for name in DETAILS) else ""
    return "" if digest_of(event["salt"], event) == event["digest"] else "changed"


COLUMNS = (*HASHED, *DETAILS, "salt", "hash")


def read(session: Session, chain: str) -> Iterator[dict[str, Any]]:
    """A chain's events from its first, as plain values, each with what the head of the chain said at that moment: 0
    events where there is no head. One statement, so that nothing that is added meanwhile comes in between."""
    table, head = AuditEvent.__table__, AuditChain.__table__
    known = func.coalesce(head.c.length, 0).label("head_length"), func.coalesce(head.c.hash, "").label("head_hash")
    rows = session.execute(
        select(*(table.c[name] for name in COLUMNS), *known)
        .select_from(outerjoin(table, head, table.c.chain == head.c.chain))
        .where(table.c.chain == chain)
        .order_by(table.c.sequence)
        .execution_options(yield_per=1000)
    )
    for row in rows.mappings():
        yield dict(row)
