"""What people, tokens, links and commands did: one chain of events for each workspace, and one for the installation."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now

INSTALLATION = "installation"
"""The name of the chain of what concerns no workspace; the others are called by their workspace's id."""

_Number = BigInteger().with_variant(Integer, "sqlite")


class AuditChain(Base):
    """How long a chain is, and its last hash. Whoever adds to it holds this row until the end of the transaction."""

    __tablename__ = "audit_chains"

    chain: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    workspace_id: Mapped[str | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), unique=True)
    length: Mapped[int] = mapped_column(_Number, default=0)
    hash: Mapped[str] = mapped_column(String(64), default="")
    """Of the last event; empty while there is none."""


class AuditEvent(Base):
    """One change of state by a person, a token, a link or a command.

    What may tell of a person or a brand is not hashed itself: the chain holds ``digest`` of it, made with ``salt``. So
    it can be erased, together with the salt, and the chain is as provable as before.
    """

    __tablename__ = "audit_events"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    chain: Mapped[str] = mapped_column(String(ID_LENGTH))
    workspace_id: Mapped[str | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    sequence: Mapped[int] = mapped_column(_Number)
    """Counts from 1 in its chain, without a gap."""
    at: Mapped[datetime] = mapped_column(default=now)
    action: Mapped[str] = mapped_column(String(60))
    """A key of ``actions.ACTIONS``."""
    actor_kind: Mapped[str] = mapped_column(String(8))
    """``person``, ``token``, ``link`` or ``command``."""
    request: Mapped[str] = mapped_column(String(32), default="")
    """The request's number, as in the log and in the answer's header; empty for a command."""
    digest: Mapped[str] = mapped_column(String(64))
    """Of the details below, with their salt."""
    previous: Mapped[str] = mapped_column(String(64))
    """Hash of the event before; empty for the first."""
    hash: Mapped[str] = mapped_column(String(64))

    salt: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """None once the details were erased."""
    actor_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    """Of the person, token or invitation."""
    actor_name: Mapped[str | None] = mapped_column(String(120), default=None)
    """As it was."""
    person_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    """Who stands behind the actor: of a token its owner."""
    project_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    """The brand that it belongs to, if any."""
    subject_id: Mapped[str | None] = mapped_column(String(80), default=None)
    subject_label: Mapped[str | None] = mapped_column(String(200), default=None)
    count: Mapped[int | None] = mapped_column(default=None)
    """How many things it was about."""
    changes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    """What changed, as ``[before, after]`` by field; ``fields`` names those that changed and are not told, ``ids`` the
    first of several things."""

    __table_args__ = (
        UniqueConstraint("chain", "sequence", name="uq_audit_events_place"),
        Index("ix_audit_events_person", "chain", "person_id", "sequence"),
    )
