"""The audit log as JSON, for owners' tokens."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from app.audit import exports, queries, shown
from app.audit.forms import AuditFilter, Sequence
from app.audit.models import AuditEvent
from app.audit.routes import Chain, send
from app.web.api.deferred_route import DeferredRoute
from app.web.gate import rate_limit
from app.web.gate.signed_in import Owner
from app.web.session_deps import AppSettings, ReadSession

router = APIRouter(prefix="/audit", tags=["audit"], route_class=DeferredRoute)


class AuditEventOut(BaseModel, defer_build=True):
    """One change of state. Details are null once they were erased; the hash stays."""

    sequence: int = Field(description="Counts from 1 in its chain, without a gap")
    at: datetime
    action: str = Field(description="A stable key, such as “image.deleted”")
    sentence: str = Field(description="The same for people, in the language of the token’s owner")
    actor_kind: str = Field(description="person, token, link or command")
    actor_id: str | None
    actor_name: str | None
    person_id: str | None = Field(description="Who stands behind the actor: of a token its owner")
    project_id: str | None
    subject_id: str | None
    subject_label: str | None
    count: int | None = Field(description="How many things it was about")
    changes: dict[str, Any] | None = Field(description="Before and after, by field")
    request: str = Field(description="The request’s number, as in the log of the server")
    hash: str


class AuditEventList(BaseModel, defer_build=True):
    items: list[AuditEventOut]
    next: str | None = None


class AuditVerdict(BaseModel, defer_build=True):
    """What a check of the whole chain has found."""

    intact: bool
    length: int = Field(description="Events that were read and fit")
    hash: str = Field(description="Of the last one that fits; keep it elsewhere to prove the log later")
    erased: int = Field(description="Events whose details were erased, as the erasures say")
    broken_at: int | None = Field(description="Sequence number of the first event that does not fit")
    why: str = Field(description="changed, missing, order, end or erased; empty where it is intact")


class AuditQuery(AuditFilter):
    cursor: Sequence | None = None


@router.get("", summary="List the audit log")
def list_events(
    request: Request, session: ReadSession, visitor: Owner, chain: Chain, query: Annotated[AuditQuery, Query()]
) -> AuditEventList:
    """Newest first. “installation=true” lists events that concern no workspace, for owners of the first workspace."""
    found = queries.events(session, chain, query.wanted(), before=query.cursor)
    shown_ones = found[: queries.PAGE]
    return AuditEventList(
        items=[_out(event, visitor.user.locale) for event in shown_ones],
        next=str(shown_ones[-1].sequence) if len(found) > queries.PAGE else None,
    )


def _out(event: AuditEvent, locale: str) -> AuditEventOut:
    return AuditEventOut.model_validate({**vars(event), "sentence": shown.sentence(event, locale)})


@router.get("/check", summary="Check the audit log")
def check(session: ReadSession, visitor: Owner, settings: AppSettings, chain: Chain) -> AuditVerdict:
    """Reads the chain from its first event. Keep a hash or an export elsewhere to prove that nobody has rebuilt the
    chain."""
    rate_limit.count(settings.broker_url, rate_limit.AUDIT_CHECKS, visitor.workspace.id)
    found = queries.verify(session, chain)
    return AuditVerdict(
        intact=found.is_intact,
        length=found.length,
        hash=found.hash,
        erased=found.erased,
        broken_at=found.broken_at,
        why=found.why,
    )


@router.get(
    "/export/{form}",
    summary="Export the audit log",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in exports.MEDIA_TYPES.values()}}},
)
def export(request: Request, chain: Chain, form: Annotated[exports.Format, Path()]) -> Response:
    """The whole chain from its first event: “jsonl” contains everything that a check needs, “csv” is for
    spreadsheets."""
    return send(request, chain, form)
