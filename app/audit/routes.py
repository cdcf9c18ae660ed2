"""The page of the audit log, for owners."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.audit import exports, queries, shown
from app.audit.actions import GROUPS
from app.audit.errors import NotInstallationOwner
from app.audit.forms import AuditFilter, Sequence
from app.audit.models import AuditEvent
from app.web.api.deferred_route import DeferredRoute
from app.web.files import disposition
from app.web.gate import rate_limit
from app.web.gate.signed_in import Owner, is_admin
from app.web.session_deps import AppSettings, ReadSession
from app.web.templating import page

router = APIRouter(prefix="/settings/audit", route_class=DeferredRoute)
ExportFormat = Annotated[exports.Format, Path()]


def _chain(session: ReadSession, visitor: Owner, installation: bool = False) -> str | None:
    """The workspace's id; None for the installation's chain, which owners of the first workspace may see.

    Raises ``NotInstallationOwner``.
    """
    if not installation:
        return visitor.workspace.id
    if not is_admin(session, visitor):
        raise NotInstallationOwner()
    return None


Chain = Annotated[str | None, Depends(_chain)]


class AuditQuery(AuditFilter):
    before: Sequence | None = None
    check: bool = False


@router.get("")
def show(
    request: Request,
    session: ReadSession,
    visitor: Owner,
    settings: AppSettings,
    chain: Chain,
    query: Annotated[AuditQuery, Query()],
) -> Response:
    found = queries.events(session, chain, query.wanted(), before=query.before)
    events = found[: queries.PAGE]
    verdict = None
    if query.check:
        rate_limit.count(settings.broker_url, rate_limit.AUDIT_CHECKS, visitor.workspace.id)
        verdict = queries.verify(session, chain)
    asked = query.model_dump(mode="json", exclude={"before", "check"}, exclude_none=True)
    return page(
        request,
        "pages/audit.html",
        events=[(event, _sentence(request, event), _changes(request, event)) for event in events],
        people=queries.people(session, chain),
        groups=GROUPS,
        asked=asked,
        is_installation=chain is None,
        is_admin=is_admin(session, visitor),
        head=queries.head(session, chain),
        verdict=verdict,
        older=_address(chain, asked | {"before": events[-1].sequence}) if len(found) > queries.PAGE else None,
        newest=_address(chain, asked) if query.before else None,
    )


def _sentence(request: Request, event: AuditEvent) -> str:
    return shown.sentence(event, request.state.locale)


def _changes(request: Request, event: AuditEvent) -> list[shown.Change]:
    return shown.changes(event, request.state.locale)


def _address(chain: str | None, asked: dict[str, object]) -> str:
    return "/settings/audit?" + urlencode(asked | ({"installation": "true"} if chain is None else {}))


@router.get("/export/{form}")
def export(request: Request, chain: Chain, form: ExportFormat) -> Response:
    return send(request, chain, form)


def send(request: Request, chain: str | None, form: exports.Format) -> Response:
    """The whole chain as a file, in pieces as they are read."""
    headers = {"content-disposition": disposition(f"audit-log.{form}")}
    content = exports.export(request.app.state.database, chain, form)
    return StreamingResponse(content, media_type=exports.MEDIA_TYPES[form], headers=headers)
